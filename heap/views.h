/*
 * The two views of the heap's file.
 *
 * [view] After a flip no mutator can load an address inside the evacuation set: roots were rewritten, and a
 * page is only published once every reference in it is new. Hence two mappings of one file at the same
 * offsets: the mutator view, whose addresses are the objects' addresses, and the alias view, through which
 * the collector reads and writes pages that the mutator view does not show yet.
 *
 * [fault-free] Nobody touches a stale page through the mutator view while holding a lock, or on the fault
 * server's path. The collector and the fault server use the alias view only.
 *
 * [fork] A child process never writes the parent's heap: neither view is inherited.
 *
 * What a flip takes away ends at a multiple of VIEW_ALIGNMENT. There the kernel moves the page tables for each VIEW_ALIGNMENT
 * by changing one entry; of what ends in between it moves every 2 MiB by themselves, which takes several times as
 * long inside the flip. The data space is a mapping of its own behind a gap, so that the flip does not split one. Nobody
 * has an address between `flipped` and `data`.
 *
 * Immutable after views_create.
 */
#ifndef SHALE_HEAP_VIEWS_H
#define SHALE_HEAP_VIEWS_H

#include "heap/layout.h"
#include "heap/os.h"

struct views {
    const struct os *os;
    int file;
    size_t regions;   /* end of the region space, in bytes from the start */
    size_t flipped;   /* end of the large space */
    size_t span;      /* what a flip takes away ends here: see above */
    size_t data;      /* start of the data space */
    size_t size;      /* its end, and the file's */
    size_t page_size; /* bytes */
    unsigned page_shift;
    char *mutator; /* start of the mutator view */
    char *alias;   /* start of the alias view */
    char *
        graveyard; /* `span` bytes of reservation that takes the mutator view's old page table entries at a flip */
};

/* Returns 0, or a negative errno value with `failed` naming the step. `regions` is the size of the region space, a
 * multiple of HEAP_UNIT. */
int views_create(struct views *views, const struct os *os, size_t regions, const char **failed);
void views_destroy(struct views *views);

/* Where the collector finds what mutators see at `offset`. */
static inline char *views_alias(const struct views *views, size_t offset)
{
    return views->alias + offset;
}

static inline char *views_mutator(const struct views *views, size_t offset)
{
    return views->mutator + offset;
}

/* The offset of an address in the mutator view; at least views->size for any address outside of it. */
static inline size_t views_offset(const struct views *views, uintptr_t address)
{
    return address - (uintptr_t)views->mutator;
}

#endif
