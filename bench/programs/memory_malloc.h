/*
 * Memory from the C library's malloc, given back by free, one object at a time. Include memory.h, not this
 * file.
 */
#ifndef BENCH_PROGRAMS_MEMORY_MALLOC_H
#define BENCH_PROGRAMS_MEMORY_MALLOC_H

#include <string.h>

#define MEMORY_NAME "malloc"
#define MEMORY_EXPLICIT 1

typedef char memory_type;
typedef char memory_frame;

struct memory {
    char none;
};

static inline void memory_open(struct memory *memory, const struct command_line *command)
{
    (void)memory;
    (void)command;
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
    (void)references;
    return 0;
}

static inline memory_type memory_array(struct memory *memory, const char *name, bool references)
{
    (void)memory;
    (void)name;
    (void)references;
    return 0;
}

/* Clearing a few words whose number the compiler knows is quicker than calloc. */
static inline void *memory_allocate(struct memory *memory, memory_type type, size_t size)
{
    (void)memory;
    (void)type;
    void *object = malloc(size);
    if (__builtin_expect(object == NULL, 0))
        memory_fail("malloc has no memory");
    return memset(object, 0, size);
}

static inline void *memory_allocate_array(struct memory *memory, memory_type type, size_t length)
{
    return memory_allocate(memory, type, length * sizeof(uint64_t));
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
    free(object);
}

static inline void memory_at_peak(struct memory *memory)
{
    (void)memory;
}

static inline void memory_describe(const struct memory *memory, char *text, size_t size)
{
    (void)memory;
    snprintf(text, size, "every object freed");
}

#endif
