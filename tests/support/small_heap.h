/*
 * A small heap of numbered nodes, for tests that say exactly what must be live: in every way of compacting, with one
 * worker and with several, verified. A log line of a warning or worse ends the program (stress_support).
 */
#ifndef SHALE_TESTS_SMALL_HEAP_H
#define SHALE_TESTS_SMALL_HEAP_H

#include "tests/support/stress_support.h"

struct node {
    struct node *first;
    struct node *second;
    uint64_t number;
};

enum { SMALL_HEAP_LOCALS = 32, SMALL_HEAP_KINDS = 2 * STRESS_MODES };

struct small_heap {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *node;
    const shale_type *pointers; /* arrays of them */
    void *locals[SMALL_HEAP_LOCALS];
    shale_frame frame;
};

/* `kind` below SMALL_HEAP_KINDS: a way of compacting, and one or three workers. `queued` may be NULL. */
void small_heap_open(struct small_heap *heap, unsigned kind, void (*queued)(void *context), void *context);
/* Objects may be left, and finalizers. */
void small_heap_close(struct small_heap *heap);

/* Not a root until the caller makes it one. */
struct node *small_heap_node(struct small_heap *heap, uint64_t number);

void small_heap_collect(struct small_heap *heap, shale_collect_kind kind);
/* Allocates so much garbage that nothing made before lies in a region that cannot move. */
void small_heap_leave_region(struct small_heap *heap);
/* Several cycles in which everything moves, over and over. */
void small_heap_move_around(struct small_heap *heap);

/* Objects that the last cycle marked; all that were live and not allocated in it. */
uint64_t small_heap_marked(struct small_heap *heap, shale_collect_kind kind);

#endif
