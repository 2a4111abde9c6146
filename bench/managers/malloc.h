/*
 * Memory from malloc, given back by free, one object at a time: the C library's, or with MANAGER_MIMALLOC mimalloc's.
 * Nothing is cleared but what the program wants cleared.
 */
#ifndef BENCH_MANAGERS_MALLOC_H
#define BENCH_MANAGERS_MALLOC_H

#include <stdlib.h>

#if defined(MANAGER_MIMALLOC)
#include <mimalloc.h>
#define MANAGER_MALLOC mi_malloc
#define MANAGER_CALLOC mi_calloc
#define MANAGER_FREE mi_free
#else
#define MANAGER_MALLOC malloc
#define MANAGER_CALLOC calloc
#define MANAGER_FREE free
#endif

#define MEMORY_CLEARED 0
#define MEMORY_EXPLICIT 1

typedef char memory_frame;

static inline void *memory_check(void *object)
{
    if (__builtin_expect(object == NULL, 0))
        workload_fail("malloc has no memory");
    return object;
}

static inline void *memory_record(struct memory *memory, memory_type type, size_t size)
{
    (void)memory;
    (void)type;
    return memory_check(MANAGER_MALLOC(size));
}

static inline void *memory_references(struct memory *memory, memory_type type, size_t length)
{
    (void)memory;
    (void)type;
    return memory_check(MANAGER_CALLOC(length, sizeof(void *)));
}

static inline uint64_t *memory_words(struct memory *memory, memory_type type, size_t length)
{
    return memory_record(memory, type, length * sizeof(uint64_t));
}

static inline unsigned char *memory_bytes(struct memory *memory, memory_type type, size_t length)
{
    return memory_record(memory, type, length);
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
    MANAGER_FREE(object);
}

#endif
