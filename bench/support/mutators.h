/*
 * A program of several threads that runs for as long as wanted and is stopped again and again, for
 * measurements of pauses.
 *
 * Each thread keeps nodes in arrays that only it uses; a node refers to its array and to a leaf of random
 * length. It replaces random nodes, with their leaves, at a steady rate: for a while those in one window of its
 * arrays, then in another, so that some regions become sparse, whatever the heap's size, and cycles flip.
 * Between turns all threads wait in native sections.
 *
 * Every node that is replaced is first checked for being what was put there.
 */
#ifndef BENCH_SUPPORT_MUTATORS_H
#define BENCH_SUPPORT_MUTATORS_H

#include "heap/atomic.h"

#include <shale/shale.h>

#include <pthread.h>

enum { MUTATORS = 4 };

struct mutators;

struct mutators_thread {
    struct mutators *mutators;
    pthread_t thread;
    uint64_t random;
};

/* `lock` guards the fields after it; a change of theirs signals `changed`. */
struct mutators {
    shale_heap *heap;
    const shale_type *array_type;
    const shale_type *node_type;
    const shale_type *leaf_type;
    size_t nodes; /* of each thread */
    struct mutators_thread threads[MUTATORS];
    atomic_u32 open; /* a turn is under way; written under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned waiting; /* threads that wait for a turn */
    bool quit;
};

/* A heap with half as much again as `live_bytes`, which the threads fill with nodes before it returns. `barrier`: as in
 * shale_options. */
void mutators_create(struct mutators *mutators, size_t live_bytes, int barrier);
/* The same in a heap of that size. */
void mutators_create_in(struct mutators *mutators, size_t live_bytes, int barrier, size_t heap_size);
void mutators_destroy(struct mutators *mutators);

/* Between turns: keeps an array of so many references as well, to leaves of its own, which move like others. */
void mutators_hold_array(struct mutators *mutators, size_t slots);

/* Lets the threads run for so long, then waits until they have stopped and no cycle is running. */
void mutators_turn(struct mutators *mutators, uint64_t nanoseconds);

#endif
