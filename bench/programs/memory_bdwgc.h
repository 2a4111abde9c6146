/*
 * Memory from the Boehm-Demers-Weiser collector, by its ordinary calls. Include memory.h, not this file.
 *
 * The heap has its full size from the start and cannot grow, so the collector runs when all of it is used up,
 * as late as it may. Left to itself it would begin smaller and collect more often. Marker threads, which it
 * otherwise starts with the program's second thread, are there from the start.
 */
#ifndef BENCH_PROGRAMS_MEMORY_BDWGC_H
#define BENCH_PROGRAMS_MEMORY_BDWGC_H

#define GC_THREADS
#include <gc.h>

#define MEMORY_NAME "bdwgc"
#define MEMORY_EXPLICIT 0

enum { COLLECTIONS_BEFORE_FAILING = 3 };

/* Whether the objects may hold references. */
typedef bool memory_type;
typedef char memory_frame;

struct memory {
    char none;
};

static inline void memory_open(struct memory *memory, const struct command_line *command)
{
    (void)memory;
    if (command->markers != 0)
        GC_set_markers_count(command->markers);
    GC_INIT();
    if (command->markers != 1)
        GC_start_mark_threads();
    if (command->heap_size == 0)
        return;
    size_t now = GC_get_heap_size();
    if (now > command->heap_size || GC_expand_hp(command->heap_size - now) == 0)
        memory_fail("the collector does not accept this heap size");
    GC_set_max_heap_size(command->heap_size);
    GC_set_max_retries(COLLECTIONS_BEFORE_FAILING);
}

static inline void memory_close(struct memory *memory)
{
    (void)memory;
}

static inline memory_type memory_record(struct memory *memory, const char *name, size_t size,
                                        size_t references)
{
    (void)memory;
    (void)name;
    (void)size;
    return references != 0;
}

static inline memory_type memory_array(struct memory *memory, const char *name, bool references)
{
    (void)memory;
    (void)name;
    return references;
}

static inline void *memory_allocate(struct memory *memory, memory_type type, size_t size)
{
    (void)memory;
    void *object = type ? GC_MALLOC(size) : GC_MALLOC_ATOMIC(size);
    if (__builtin_expect(object == NULL, 0))
        memory_fail("the collector's heap is full");
    return object;
}

/* Arrays without references are not cleared by the collector. */
static inline void *memory_allocate_array(struct memory *memory, memory_type type, size_t length)
{
    void *array = memory_allocate(memory, type, length * sizeof(uint64_t));
    for (size_t i = 0; !type && i < length; i++)
        ((uint64_t *)array)[i] = 0;
    return array;
}

/* The first store into a slot of an object just allocated. */
static inline void memory_initialize(void *slot, void *value)
{
    *(void **)slot = value;
}

static inline void memory_store(struct memory *memory, void *object, void *slot, void *value)
{
    (void)memory;
    (void)object;
    *(void **)slot = value;
}

static inline void memory_push(struct memory *memory, memory_frame *frame, void *locals, size_t count)
{
    (void)memory;
    (void)frame;
    (void)locals;
    (void)count;
}

static inline void memory_pop(struct memory *memory, memory_frame *frame)
{
    (void)memory;
    (void)frame;
}

static inline void memory_give_back(struct memory *memory, void *object)
{
    (void)memory;
    (void)object;
}

static inline void memory_at_peak(struct memory *memory)
{
    (void)memory;
}

static inline void memory_describe(const struct memory *memory, char *text, size_t size)
{
    (void)memory;
    snprintf(text, size, "heap %zu MiB, %zu collections, %d markers", GC_get_heap_size() >> 20,
             (size_t)GC_get_gc_no(), GC_get_parallel() + 1);
}

#endif
