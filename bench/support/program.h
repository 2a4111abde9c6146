/*
 * A program with a heap, for benchmarks of whole cycles: chains of equal objects that stay, and some that
 * come and go so that each cycle finds sparse regions to evacuate.
 */
#ifndef BENCH_SUPPORT_PROGRAM_H
#define BENCH_SUPPORT_PROGRAM_H

#include <shale/shale.h>

#include "bench/support/samples.h"

enum { PROGRAM_CHAINS = 64 };

/* An object of a chain; what follows has no references. */
struct link {
    struct link *next;
    uint64_t number;
};

struct program {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *bulk_type;
    const shale_type *churn_type;
    struct {
        struct link *bulk[PROGRAM_CHAINS];
        struct link *churn;
    } roots;
    shale_frame frame;
    uint64_t objects; /* that stay */
};

/* A heap of `heap_size` bytes with `populated` bytes of objects that stay, each of `object_size` bytes from
 * one to the next. `faults` is a fault mode of shale_options. */
void program_create(struct program *program, size_t heap_size, int faults, size_t populated,
                    size_t object_size);
void program_destroy(struct program *program);

/* Leaves `regions` regions of which every fourth small object is live, and drops those of the last time. */
void program_churn(struct program *program, size_t regions);

/* A cycle that must flip; returns the nanoseconds of its flip pause. */
double program_flip(struct program *program);

#endif
