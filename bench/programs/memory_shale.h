/*
 * Memory from Shale, with default options but for the heap's size. MEMORY_CONSERVATIVE: the stack is scanned, and frames are
 * nothing. Include memory.h, not this file.
 */
#ifndef BENCH_PROGRAMS_MEMORY_SHALE_H
#define BENCH_PROGRAMS_MEMORY_SHALE_H

#include <shale/shale.h>

#if defined(MEMORY_CONSERVATIVE)
#define MEMORY_NAME "conservative"
#define MEMORY_FRAMES 0
#else
#define MEMORY_NAME "shale"
#define MEMORY_FRAMES 1
#endif
#define MEMORY_EXPLICIT 0

typedef const shale_type *memory_type;
typedef shale_frame memory_frame;

/* Percent of what is live. */
enum { TARGET_MOST = 1000 };

struct memory {
    shale_heap *heap;
    shale_mutator *mutator;
    bool measure_live;
    uint64_t live_bytes; /* the most at any memory_at_peak */
};

static inline void memory_open(struct memory *memory, const struct command_line *command)
{
    shale_error error;
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    if (command->heap_size != 0) {
        /* As much of it as there is: the others do not keep to a multiple of what is live either. */
        options.heap_size = command->heap_size;
        options.target = TARGET_MOST;
    }
    *memory = (struct memory){.measure_live = command->measure_live};
    memory->heap = shale_heap_create(&options, &error);
    if (memory->heap == NULL)
        memory_fail(error.message);
    shale_attach_options attach_options;
    shale_attach_options_init(&attach_options);
    attach_options.conservative = !MEMORY_FRAMES;
    memory->mutator = shale_attach_with(memory->heap, &attach_options, &error);
    if (memory->mutator == NULL)
        memory_fail(error.message);
}

static inline void memory_close(struct memory *memory)
{
    shale_detach(memory->mutator);
    shale_heap_destroy(memory->heap, NULL);
}

static inline memory_type memory_register(struct memory *memory, const shale_type_spec *spec)
{
    shale_error error;
    const shale_type *type = shale_type_register(memory->heap, spec, &error);
    if (type == NULL)
        memory_fail(error.message);
    return type;
}

static inline memory_type memory_record(struct memory *memory, const char *name, size_t size,
                                        size_t references)
{
    static const uint32_t offsets[MEMORY_REFERENCES_MAX] = {0, 8, 16, 24};
    return memory_register(
        memory,
        &(shale_type_spec){.name = name, .size = size, .pointers = offsets, .pointer_count = references});
}

static inline memory_type memory_array(struct memory *memory, const char *name, bool references)
{
    static const uint32_t offset[] = {0};
    return memory_register(memory, &(shale_type_spec){.name = name,
                                                      .element_size = sizeof(uint64_t),
                                                      .element_pointers = offset,
                                                      .element_pointer_count = references});
}

static inline void *memory_allocate(struct memory *memory, memory_type type, size_t size)
{
    (void)size;
    void *object = shale_allocate(memory->mutator, type);
    if (SHALE_UNLIKELY(object == NULL))
        memory_fail(shale_last_error(memory->mutator)->message);
    return object;
}

static inline void *memory_allocate_array(struct memory *memory, memory_type type, size_t length)
{
    void *object = shale_allocate_array(memory->mutator, type, length);
    if (SHALE_UNLIKELY(object == NULL))
        memory_fail(shale_last_error(memory->mutator)->message);
    return object;
}

/* The first store into a slot of an object just allocated. */
static inline void memory_initialize(void *slot, void *value)
{
    *(void **)slot = value;
}

static inline void memory_store(struct memory *memory, void *object, void *slot, void *value)
{
    shale_store(memory->mutator, object, slot, value);
}

static inline void memory_push(struct memory *memory, memory_frame *frame, void *locals, size_t count)
{
    if (MEMORY_FRAMES)
        shale_frame_push(memory->mutator, frame, locals, count);
}

static inline void memory_pop(struct memory *memory, memory_frame *frame)
{
    if (MEMORY_FRAMES)
        shale_frame_pop(memory->mutator, frame);
}

static inline void memory_give_back(struct memory *memory, void *object)
{
    (void)memory;
    (void)object;
}

static inline void memory_at_peak(struct memory *memory)
{
    if (!memory->measure_live)
        return;
    shale_statistics statistics;
    if (shale_collect(memory->mutator, SHALE_COLLECT_NORMAL) != SHALE_OK ||
        shale_heap_statistics(memory->heap, &statistics) != SHALE_OK)
        memory_fail(shale_last_error(memory->mutator)->message);
    if (statistics.live_bytes > memory->live_bytes)
        memory->live_bytes = statistics.live_bytes;
}

static inline void memory_describe(const struct memory *memory, char *text, size_t size)
{
    shale_statistics statistics;
    if (shale_heap_statistics(memory->heap, &statistics) != SHALE_OK)
        memory_fail("the heap has no statistics");
    int used = snprintf(text, size, "heap %zu MiB, %zu collections, %zu of them moved objects, %zu stalls",
                        (size_t)statistics.heap_size >> 20, (size_t)statistics.cycles,
                        (size_t)statistics.flips, (size_t)statistics.allocation_stalls);
    if (!MEMORY_FRAMES)
        used += snprintf(text + used, size - (size_t)used, ", %zu regions held back",
                         (size_t)statistics.regions_held_back);
    if (memory->measure_live)
        snprintf(text + used, size - (size_t)used, ", live %zu bytes", (size_t)memory->live_bytes);
}

#endif
