#include "bench/managers/manager.h"

#if defined(MANAGER_MIMALLOC)
const char manager_name[] = "mimalloc";
#else
const char manager_name[] = "malloc";
#endif

const struct manager_abilities manager_abilities = {.heap = false};

void manager_mode(const struct manager_options *options, char mode[MANAGER_MODE_MAX])
{
    (void)options;
    mode[0] = '\0';
}

void manager_open(const struct manager_options *options)
{
    (void)options;
}

void manager_close(void)
{
}

struct memory *manager_attach(void)
{
    return NULL;
}

void manager_detach(struct memory *memory)
{
    (void)memory;
}

void manager_enter_blocking(struct memory *memory)
{
    (void)memory;
}

void manager_leave_blocking(struct memory *memory)
{
    (void)memory;
}

memory_type manager_record(const char *name, size_t size, size_t references)
{
    (void)name;
    (void)size;
    (void)references;
    return NULL;
}

memory_type manager_references(const char *name)
{
    (void)name;
    return NULL;
}

memory_type manager_words(const char *name)
{
    (void)name;
    return NULL;
}

memory_type manager_bytes(const char *name)
{
    (void)name;
    return NULL;
}

void manager_tick(void)
{
}

void manager_measure(struct manager_measures *measures, uint64_t begin, uint64_t end)
{
    (void)begin;
    (void)end;
    *measures = (struct manager_measures){.has_stops = false};
}
