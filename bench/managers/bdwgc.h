/*
 * Memory from the Boehm-Demers-Weiser collector, by its ordinary calls. A kind that is NULL holds no references. Objects of
 * more than 100 KB are told to it as ones that are always referred to by their beginning, as it recommends.
 */
#ifndef BENCH_MANAGERS_BDWGC_H
#define BENCH_MANAGERS_BDWGC_H

#define GC_THREADS
#define GC_NO_THREAD_REDIRECTS
#include <gc.h>
#include <string.h>

#define MEMORY_CLEARED 1
#define MEMORY_EXPLICIT 0

enum { MEMORY_LARGE = 100000 };

typedef char memory_frame;

static inline void *memory_check(void *object)
{
    if (__builtin_expect(object == NULL, 0))
        workload_fail("the collector's heap is full");
    return object;
}

static inline void *memory_record(struct memory *memory, memory_type type, size_t size)
{
    (void)memory;
    return memory_check(type != NULL ? GC_MALLOC(size) : GC_MALLOC_ATOMIC(size));
}

static inline void *memory_references(struct memory *memory, memory_type type, size_t length)
{
    (void)memory;
    (void)type;
    size_t size = length * sizeof(void *);
    return memory_check(size > MEMORY_LARGE ? GC_MALLOC_IGNORE_OFF_PAGE(size) : GC_MALLOC(size));
}

static inline unsigned char *memory_bytes(struct memory *memory, memory_type type, size_t length)
{
    (void)memory;
    (void)type;
    return memory_check(length > MEMORY_LARGE ? GC_MALLOC_ATOMIC_IGNORE_OFF_PAGE(length)
                                              : GC_MALLOC_ATOMIC(length));
}

static inline uint64_t *memory_words(struct memory *memory, memory_type type, size_t length)
{
    return (uint64_t *)(void *)memory_bytes(memory, type, length * sizeof(uint64_t));
}

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

static inline void memory_poll(struct memory *memory)
{
    (void)memory;
}

static inline void memory_free(struct memory *memory, void *object)
{
    (void)memory;
    (void)object;
}

#endif
