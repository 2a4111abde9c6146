/*
 * mimalloc to compare with, opened as a library of its own while the program runs: one that is linked with it has no other
 * malloc.
 */
#ifndef SHALE_BENCH_MIMALLOC_H
#define SHALE_BENCH_MIMALLOC_H

#include <stdbool.h>
#include <stddef.h>

struct mimalloc {
    void *(*allocate)(size_t size);
    void (*free)(void *memory);
};

/* False: it is not installed. Never closed. */
bool mimalloc_open(struct mimalloc *mimalloc);

#endif
