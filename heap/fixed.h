/*
 * Fixed objects: those of the large and of the data space, which never move.
 *
 * [fixed] A fixed object keeps its address as long as it lives. Marking sets its bit in a bitmap of these spaces' own, as live
 * bits are of the region space alone; those that are born in a cycle get theirs when they are allocated. From when marking
 * is complete until the cycle's end the bit says that the object is live, as live bits do [live].
 *
 * A large object has a run of pages to itself, from the first byte; its address is FIXED_FIRST_OBJECT bytes from the run's start,
 * so its header is 8 bytes from there, and the word in front of that is its length if that does not fit the header. The
 * run's state becomes RUN_OBJECT when the header is there.
 *
 * Who writes what: marks as live bits, and the collector, while no marking runs; runs see page_runs.h.
 */
#ifndef SHALE_HEAP_FIXED_H
#define SHALE_HEAP_FIXED_H

#include "heap/budget.h"
#include "heap/live_bits.h"

#define FIXED_FIRST_OBJECT GRANULE_SIZE

struct fixed {
    const struct views *views;
    struct page_runs large; /* of the pages from views.regions on */
    struct page_runs data;  /* of the pages from views.data on */
    struct budget budget;
    atomic_u64 large_objects;
    atomic_u64 large_bytes; /* of runs that were taken, in each space; written by fetch-and-add */
    atomic_u64 data_bytes;
    atomic_u64 *marks; /* bit n: the granule at views.regions + n * GRANULE_SIZE */
};

/* Bytes of each table that fixed_init is given. */
enum { FIXED_TABLES = 5 };
void fixed_table_sizes(const struct views *views, size_t sizes[FIXED_TABLES]);

/* `tables` are zeroed memory of those sizes. */
void fixed_init(struct fixed *fixed, const struct views *views, struct region_table *regions,
                void *const tables[FIXED_TABLES]);
void fixed_destroy(struct fixed *fixed);

static inline struct page_runs *fixed_runs(struct fixed *fixed, size_t offset)
{
    return offset < fixed->views->flipped ? &fixed->large : &fixed->data;
}

/* Where a space's first run begins. */
static inline size_t fixed_start(const struct fixed *fixed, const struct page_runs *runs)
{
    return runs == &fixed->large ? fixed->views->regions : fixed->views->data;
}

static inline size_t fixed_page_start(const struct fixed *fixed, const struct page_runs *runs,
                                      page_number page)
{
    return fixed_start(fixed, runs) + ((size_t)page << fixed->views->page_shift);
}

/* The page of `runs` that an offset lies on. */
static inline page_number fixed_page(const struct fixed *fixed, const struct page_runs *runs, size_t offset)
{
    return (page_number)((offset - fixed_start(fixed, runs)) >> fixed->views->page_shift);
}

/* Takes a run of `count` pages of `runs` within the budget, leaving `reserve` free regions. Returns the offset of its first byte;
 * OFFSET_NONE when there is no room. `was` is set to what it was: RUN_DIRTY, or zeros. The run is RUN_TAKEN. No
 * lock is held. */
size_t fixed_take(struct fixed *fixed, struct page_runs *runs, page_number count, uint32_t reserve,
                  enum run_state *was);

/* Gives back the run that begins at `start`. */
void fixed_free(struct fixed *fixed, size_t start);

/* The collector, with nothing else to do: clears some idle memory, so that nobody has to who allocates it. Returns whether there was
 * any. */
bool fixed_clear_some(struct fixed *fixed);

static inline size_t fixed_bit(const struct fixed *fixed, size_t offset)
{
    return (offset - fixed->views->regions) >> GRANULE_SHIFT;
}

/* Whether a fixed object is marked, or was born in the cycle. */
static inline bool fixed_is_marked(const struct fixed *fixed, size_t offset)
{
    size_t bit = fixed_bit(fixed, offset);
    return (atomic_u64_load(&fixed->marks[bit >> 6]) >> (bit & 63) & 1) != 0;
}

/* Whether it was this call that marked the object. Ordered with everything before and after it. */
bool fixed_mark(struct fixed *fixed, size_t offset);

/* No marking runs. */
void fixed_unmark(struct fixed *fixed, size_t offset);

#endif
