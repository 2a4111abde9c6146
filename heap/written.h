/*
 * Written pages: what mutators have stored to, as the kernel knows it, in heaps without a write barrier.
 *
 * [written] While tracking is on, a page of a region in use that a mutator writes to, through the mutator view, is found by
 * the first search that begins after the write, or an earlier one that has not looked at the page yet. A search arms the
 * page as it finds it, in one step, and returns when no processor can write to it any more without being noticed; so who
 * looks at the page after the search sees every write that the next search will not find. What cannot be told counts as
 * written: pages that were never armed - those of regions that were free when tracking began, so that they cost
 * allocation nothing -, pages that the system has swapped out, and all of them when a system call fails.
 *
 * Writes through the alias view, which are the collector's, do not count.
 *
 * The mutator view is registered for this only while marking: moving the entries of a registered range, as a flip does, is
 * slow. Regions are searched in slices, each large object by itself, and unregistered in smaller ones, so that no system call keeps faults of mutators
 * waiting for long. A page that was armed and not written to since costs its next write a fault that the kernel resolves by
 * itself, about a microsecond, also after tracking has ended.
 *
 * Who writes what: `pages` whoever searches or takes a slice, one thread for each, and one for all large objects;
 * `failure` any of them; the rest the
 * collector, while nobody searches.
 */
#ifndef SHALE_HEAP_WRITTEN_H
#define SHALE_HEAP_WRITTEN_H

#include "heap/memory.h"

enum { WRITTEN_SLICE = 32 /* regions that are searched by one system call, at most */ };

struct written {
    struct memory *memory;
    struct os_writes writes;
    bool registered;
    bool armed;         /* all that was in use when tracking began */
    atomic_u32 failure; /* of a system call: errno; 0: none */
    atomic_u64 *pages;  /* a bit for each page of regions and large space that was found and not taken yet */
    struct memory_table table;
};

/* `writes` stays the caller's. Returns 0 or a negative errno value. */
int written_create(struct written *written, struct memory *memory, const struct os_writes *writes);
void written_destroy(struct written *written);

/* Tracks from now on. If it is not possible, everything counts as written. */
void written_begin(struct written *written);
void written_end(struct written *written);

/* How many slices there are. */
static inline uint32_t written_slices(const struct written *written)
{
    return (region_touched(&written->memory->regions) + WRITTEN_SLICE - 1) / WRITTEN_SLICE;
}

/* Searches a slice; returns how many pages were found. `rearm`: there will be another search. */
size_t written_find(struct written *written, uint32_t slice, bool rearm);

/* Searches all large objects. */
size_t written_find_large(struct written *written, bool rearm);

/* The pages from number `word` * WRITTEN_WORD on that were found since they were taken last, as bits. */
enum { WRITTEN_WORD = 64 };
static inline uint64_t written_take(struct written *written, size_t word)
{
    uint64_t pages = atomic_u64_load(&written->pages[word]);
    if (pages != 0)
        atomic_u64_store(&written->pages[word], 0);
    return pages;
}

/* The same for those of them that are in [from, to): a large object ends where it ends. */
static inline uint64_t written_take_among(struct written *written, size_t word, page_number from,
                                          page_number to)
{
    page_number first = (page_number)word * WRITTEN_WORD;
    uint64_t among = ~UINT64_C(0);
    if (first < from)
        among &= ~UINT64_C(0) << (from - first);
    if (to - first < WRITTEN_WORD)
        among &= ~(~UINT64_C(0) << (to - first));
    uint64_t pages = atomic_u64_load(&written->pages[word]);
    if ((pages & among) != 0)
        atomic_u64_store(&written->pages[word], pages & ~among);
    return pages & among;
}

#endif
