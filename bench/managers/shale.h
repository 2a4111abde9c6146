/*
 * Memory from Shale. MANAGER_CONSERVATIVE: the stacks are scanned, and frames and polls are nothing. MANAGER_PAGES: the
 * heap has no write barrier, and stores are plain.
 */
#ifndef BENCH_MANAGERS_SHALE_H
#define BENCH_MANAGERS_SHALE_H

#include <shale/shale.h>

#if defined(MANAGER_CONSERVATIVE)
#define MANAGER_FRAMES 0
#else
#define MANAGER_FRAMES 1
#endif

#if defined(MANAGER_PAGES)
#define MANAGER_STORES 0
#else
#define MANAGER_STORES 1
#endif

#define MEMORY_CLEARED 1
#define MEMORY_EXPLICIT 0

typedef shale_frame memory_frame;

static inline shale_mutator *memory_mutator(struct memory *memory)
{
    return (shale_mutator *)memory;
}

static inline const shale_type *memory_shale_type(memory_type type)
{
    return (const shale_type *)type;
}

static inline void *memory_check(struct memory *memory, void *object)
{
    if (SHALE_UNLIKELY(object == NULL))
        workload_fail(shale_last_error(memory_mutator(memory))->message);
    return object;
}

static inline void *memory_record(struct memory *memory, memory_type type, size_t size)
{
    (void)size;
    return memory_check(memory, shale_allocate(memory_mutator(memory), memory_shale_type(type)));
}

static inline void *memory_array(struct memory *memory, memory_type type, size_t length)
{
    return memory_check(memory,
                        shale_allocate_array(memory_mutator(memory), memory_shale_type(type), length));
}

static inline void *memory_references(struct memory *memory, memory_type type, size_t length)
{
    return memory_array(memory, type, length);
}

static inline uint64_t *memory_words(struct memory *memory, memory_type type, size_t length)
{
    return memory_array(memory, type, length);
}

static inline unsigned char *memory_bytes(struct memory *memory, memory_type type, size_t length)
{
    return memory_array(memory, type, length);
}

static inline void memory_initialize(void *slot, void *value)
{
    *(void **)slot = value;
}

static inline void memory_store(struct memory *memory, void *object, void *slot, void *value)
{
    if (MANAGER_STORES)
        shale_store(memory_mutator(memory), object, slot, value);
    else
        *(void **)slot = value;
}

static inline void memory_push(struct memory *memory, memory_frame *frame, void *locals, size_t count)
{
    if (MANAGER_FRAMES)
        shale_frame_push(memory_mutator(memory), frame, locals, count);
}

static inline void memory_pop(struct memory *memory, memory_frame *frame)
{
    if (MANAGER_FRAMES)
        shale_frame_pop(memory_mutator(memory), frame);
}

static inline void memory_poll(struct memory *memory)
{
    if (MANAGER_FRAMES)
        shale_poll(memory_mutator(memory));
}

static inline void memory_free(struct memory *memory, void *object)
{
    (void)memory;
    (void)object;
}

#endif
