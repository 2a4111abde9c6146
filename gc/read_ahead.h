/*
 * Read-ahead: how many pages beside one that is faulted on are built with it, and on which side.
 *
 * [read-ahead] A guess at what mutators go on to do, from where the last faults were. Nothing is wrong with any answer: what is built
 * in vain would have been built by a worker.
 *
 * As file systems do it: a fault close to the end of what a former one brought in continues it, upwards, and brings twice as many
 * pages as that did; one close to its start does so downwards. Any other brings as many as fits random access: building a page costs
 * less than a fault on it, so a few neighbours save time even then, but whoever needs the one page waits for all of them.
 *
 * Several runs are remembered, since a mutator that copies goes over two ranges, and mutators are many.
 *
 * Who writes what: runs, and which is replaced next, whoever answers a fault, at any time. Each run is one word, so what is read
 * was written by one fault. Two faults at once may continue the same run, or replace the same one, and one of the two is
 * forgotten: a guess that is not as good.
 */
#ifndef SHALE_GC_READ_AHEAD_H
#define SHALE_GC_READ_AHEAD_H

#include "heap/atomic.h"
#include "heap/layout.h"

/* A cache line of them. */
enum { READ_AHEAD_RUNS = 8 };

struct read_ahead {
    _Alignas(64) atomic_u64 runs[READ_AHEAD_RUNS]; /* 0: none */
    atomic_u32 next;                               /* to be replaced, modulo their number */
};

struct read_ahead_advice {
    uint32_t run;      /* which it continues or replaces */
    page_number pages; /* so many beside the one that is faulted on */
    bool down;         /* on the side of lower addresses */
};

/* The world is stopped: forgets all runs. */
void read_ahead_begin(struct read_ahead *ahead);

/* What to do about a fault. `down` and `few`: the side, and how many pages, when it continues nothing; `most`: at most. (signal) */
struct read_ahead_advice read_ahead_advise(struct read_ahead *ahead, page_number page, bool down,
                                           page_number few, page_number most);

/* What was done: pages from `first` on were brought in, `count` of them. (signal) */
void read_ahead_note(struct read_ahead *ahead, const struct read_ahead_advice *advice, page_number first,
                     page_number count);

#endif
