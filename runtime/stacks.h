/*
 * The stacks of a conservative mutator: where the words are that its thread may hold addresses in.
 *
 * [stacks] While the thread is stopped, or in a native section, they are
 *
 *   - its registers: as the signal found them, with vector registers, since compilers move pairs of addresses through
 *     those; or, if the thread stopped by itself inside the library, those that a call leaves alone;
 *   - the stack it runs on, from where it was stopped - 128 bytes below the stack pointer on machines where code uses those -
 *     to the stack's base;
 *   - every other stack of the mutator, from where it was left. One that has not run yet is looked at as a whole.
 *
 * Which stack it runs on is found by its stack pointer. What is below is of calls that have returned.
 *
 * In a native section the thread runs on. It touches no objects there, but its compiler may move what it holds between
 * registers and stack as it likes; so its stack is copied when it enters one. A thread that waits inside the library
 * cannot change its callers' frames, so of that nothing is copied.
 *
 * All is the owning thread's; the collector reads it while that is stopped or native.
 */
#ifndef SHALE_RUNTIME_STACKS_H
#define SHALE_RUNTIME_STACKS_H

#include "gc/world.h"

struct mutator;

struct shale_stack {
    struct shale_stack *next;
    uintptr_t low;
    uintptr_t high;
    uintptr_t left_at; /* the stack pointer when it was left; 0: it never was */
};

enum { STACK_REGISTERS_MAX = 64 };

struct words {
    const volatile uint64_t *from;
    const volatile uint64_t *to;
};

struct stacks {
    struct shale_stack own;    /* the thread's; the last of the list */
    struct shale_stack *first; /* of all */
    uintptr_t stopped_at;      /* on one of them */
    struct words context[2];   /* what the signal saved */
    void *fake;                /* AddressSanitizer's, see stacks.c */
    size_t register_count;
    uint64_t registers[STACK_REGISTERS_MAX]; /* what a call saves */
    uint64_t *copy;                          /* of the stack from stopped_at on */
    size_t copy_size;                        /* bytes; 0: look at the stack itself */
    size_t copy_capacity;
};

/* The calling thread's own stack is [low, high). */
void stacks_begin(struct stacks *stacks, uintptr_t low, uintptr_t high);
/* Forgets all. */
void stacks_end(struct stacks *stacks);

/* The stack that an address is on; NULL: none of them. (signal) */
struct shale_stack *stacks_find(const struct stacks *stacks, uintptr_t address);

/* The calling thread, inside: what its callers hold now. */
void stacks_note(struct stacks *stacks);

/* The calling thread's handler: where the signal found it. False: it runs on none of the stacks. (signal) */
bool stacks_note_signal(struct stacks *stacks, const void *machine);

/* After stacks_note: copies the stack. False: there is no memory. */
bool stacks_copy(struct stacks *stacks);

/* Shows all words. */
void stacks_visit(const struct stacks *stacks, words_function function, void *argument);

#endif
