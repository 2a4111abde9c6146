/*
 * A mutator's cells: for each size class and kind the block that it allocates from, and the cells that it has in reserve.
 *
 * [reserve-cells] What the inline fast path takes from is a *run*: the free cells of one word of a block's bitmaps, all zero, and
 * in reserve [cells]. The fast path writes the header, and then takes the cell out of the run, so that a cell of the run
 * holds no object, but at most the one that is being made. Nobody but the mutator changes a run (or the collector while the
 * mutator serves a handshake, to give it back); what changes in a handshake or a flip otherwise is only what the
 * cells' bits say.
 *
 * A run is zeroed when it is begun, and not before: programs use several classes by turns, and one run of each fits the
 * first-level cache. The next one's memory is asked for then.
 *
 * All fields are the owning thread's; the collector calls the functions for it while the thread is stopped or
 * native.
 */
#ifndef SHALE_HEAP_CELL_CACHE_H
#define SHALE_HEAP_CELL_CACHE_H

#include "heap/memory.h"

struct cell_cache {
    struct cell_block *block; /* NULL: none */
    uint32_t word;            /* the first that was not looked at yet: the run is of the one before */
    uint32_t phase;           /* of it */
    bool used;                /* since the mutator was last scanned */
    uint64_t hidden;          /* the run, when every object is announced and the fast path finds none */
};

struct cell_caches {
    struct shale_cell_run *runs; /* [SHALE_CELL_RUNS] of the mutator; NULL: it never allocates */
    bool hide;                   /* the fast path finds none: its thread may be stopped within it */
    size_t begun;                /* bytes of runs that were begun since memory->bytes_allocated was told */
    size_t enough;               /* of them until the thread is to look around */
    uint64_t active[(CELL_INDICES + 63) / 64]; /* a bit for each cache that has a block */
    struct cell_cache caches[CELL_INDICES];
};

/* No block yet: the first allocation takes the slow path. At least each `enough` bytes one does. */
void cell_caches_init(struct cell_caches *caches, struct shale_mutator *api, size_t enough);

/* Allocates a cell of that class and kind from a run that was begun, or the next one of the block, until there is enough of these;
 * otherwise 0. `recording`: what is reserved is born. */
uintptr_t cell_caches_continue(struct cell_caches *caches, struct memory *memory, unsigned index,
                               uint64_t header, bool recording);

/* The same in the slow path. Returns 0 when it needs a block and there is none, nor more than `reserve` free regions to make
 * one from. `fresh`: a region was taken. */
uintptr_t cell_caches_allocate(struct cell_caches *caches, struct memory *memory, unsigned index,
                               uint64_t header, uint32_t reserve, bool recording, bool *fresh);

/* The mutator is scanned: blocks that it has not used since the last time are given back (or all, `give_all`: memory is short),
 * and what it has in reserve of the others is born. */
void cell_caches_start_recording(struct cell_caches *caches, struct memory *memory, bool give_all);

/* Inside the flip: what it has in reserve is not live. */
void cell_caches_flip(struct cell_caches *caches, struct memory *memory);

/* Gives all blocks back. */
void cell_caches_close(struct cell_caches *caches, struct memory *memory);

/* Forgets all, in a process that does not have the heap: allocations take the slow path. */
void cell_caches_abandon(struct cell_caches *caches);

#endif
