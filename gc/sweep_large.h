/*
 * Large objects between two cycles: their marks are cleared before marking, and those that have none when it is complete are
 * freed at once, before the plan is made, so that it knows how much is free.
 */
#ifndef SHALE_GC_SWEEP_LARGE_H
#define SHALE_GC_SWEEP_LARGE_H

#include "heap/memory.h"

struct swept {
    uint64_t objects;
    uint64_t bytes; /* of their runs */
};

/* The collector, before the first mutator records: clears all marks, and the leads of the pages of large objects. */
void large_clear_marks(struct memory *memory);

/* The collector, when marking is complete: frees what is not marked. */
struct swept large_sweep(struct memory *memory);

#endif
