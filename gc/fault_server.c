#include "gc/fault_server.h"

enum { EVENTS_AT_ONCE = 16 };

static void answer(struct fault_server *server, uintptr_t address, uint32_t flip)
{
    const struct memory *memory = server->compaction->memory;
    size_t offset = views_offset(&memory->views, address);
    if (offset >= memory->views.size)
        return;
    struct builder *builder = &server->builder;
    atomic_u64_store(&builder->faults, atomic_u64_load(&builder->faults) + 1);
    if (compact_fault(server->compaction, memory_page(memory, offset), flip) == COMPACT_BUILT)
        atomic_u64_store(&builder->pages, atomic_u64_load(&builder->pages) + 1);
}

static void *fault_server_main(void *argument)
{
    struct fault_server *server = argument;
    const struct os *os = server->compaction->memory->os;
    while (atomic_u32_load(&server->quitting) == 0) {
        uintptr_t addresses[EVENTS_AT_ONCE];
        int status = os->faults_wait(os, server->faults, server->quit);
        /* A fault that can still be read is one that a thread still waits for; see compact_fault. */
        uint32_t flip = page_states_flip_number(&server->compaction->memory->pages);
        if (status == 0)
            status = os->faults_read(os, server->faults, addresses, EVENTS_AT_ONCE);
        if (status < 0)
            atomic_u32_store(&server->failure, (uint32_t)-status);
        for (int i = 0; i < status; i++)
            answer(server, addresses[i], flip);
    }
    return NULL;
}

int fault_server_start(struct fault_server *server, const struct os *os, struct compaction *compaction,
                       int faults)
{
    *server = (struct fault_server){.compaction = compaction, .faults = faults};
    server->quit = os->event_create(os);
    if (server->quit < 0)
        return server->quit;
    int status = os->thread_start(os, &server->thread, "shale-faults", fault_server_main, server);
    if (status != 0)
        os->event_close(os, server->quit);
    return status;
}

void fault_server_stop(struct fault_server *server)
{
    const struct os *os = server->compaction->memory->os;
    atomic_u32_store(&server->quitting, 1);
    os->event_set(os, server->quit);
    pthread_join(server->thread, NULL);
    os->event_close(os, server->quit);
}
