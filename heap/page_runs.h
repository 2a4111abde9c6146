/*
 * Page runs: an address range of pages is handed out in runs of neighbouring ones, of any length, which come back as
 * they were taken.
 *
 * [runs] Every page is in exactly one run, and each run has a state. Free runs beside each other that are in the same
 * state are one run. A free run has memory, which is zero (RUN_ZERO) or may hold anything (RUN_DIRTY), or has none
 * (RUN_HOLE: it reads as zeros). Taking pages is best fit, among those that are zero, then among the others that have
 * memory, and then among the holes, so that memory is used again before more is asked of the system; of equal ones the lowest.
 *
 * What is known of a run is kept outside of its memory, at the index of its first page, in a table that costs memory
 * only where runs begin. The first pages are bits of a bitmap, with bitmaps above it of which each has one bit for
 * each word of the one below, so that the run of any page is found in a few steps. Free runs are in two trees, by length and
 * place, which a hash of the place keeps balanced (treaps). All costs are at most logarithmic.
 *
 * Who writes what: everything under the lock. Without it page_runs_find may be called, also in signal handlers: as long as
 * a run is in use, its own bit and the absence of bits behind it do not change, however much changes around it, and
 * its `pages` neither; `state` is stored with release when what is in the run is complete.
 */
#ifndef SHALE_HEAP_PAGE_RUNS_H
#define SHALE_HEAP_PAGE_RUNS_H

#include "heap/atomic.h"
#include "heap/layout.h"

#include <pthread.h>

#define RUN_NONE UINT32_MAX

enum run_state {
    RUN_HOLE,
    RUN_ZERO,
    RUN_DIRTY,
    RUN_TAKEN,  /* in use; what is in it is nobody's business but the taker's */
    RUN_OBJECT, /* one large object */
    RUN_BLOCK   /* cells for small objects that do not move */
};

/* Of a run that begins with the page: */
struct page_run {
    atomic_u32 pages;
    atomic_u8 state;
    page_number left; /* free runs: the tree; of a run in use: page_runs_link */
    page_number right;
    page_number newer; /* free runs that have memory: the list by time */
    page_number older;
    uint64_t freed_at;
};

enum { RUN_LEVELS_MAX = 6, RUN_BITS = 6 };

struct page_runs {
    pthread_mutex_t lock;
    struct page_run *runs;
    atomic_u64 *starts[RUN_LEVELS_MAX]; /* [0]: a bit for each page */
    unsigned levels;
    page_number count;
    page_number trees[RUN_TAKEN]; /* of each kind of free run */
    page_number newest;           /* of those that have memory */
    page_number oldest;
    atomic_u64 idle_pages; /* in free runs that have memory */
    atomic_u32 touched;    /* pages from here on were never taken */
    uint64_t now;          /* when what is freed becomes free */
};

/* Words of the bitmaps for `count` pages. */
size_t page_runs_bitmap_words(page_number count);

/* `runs` is zeroed memory for `count` of them, `bitmaps` for page_runs_bitmap_words. All pages are holes. */
void page_runs_init(struct page_runs *runs, struct page_run *table, atomic_u64 *bitmaps, page_number count);
void page_runs_destroy(struct page_runs *runs);

/* Takes `count` neighbouring pages, RUN_TAKEN. Returns the first; RUN_NONE when there are no such. `was` is set to what they
 * were. */
page_number page_runs_take(struct page_runs *runs, page_number count, enum run_state *was);

/* Gives back a run that was taken, as one of the kinds of free runs. */
void page_runs_free(struct page_runs *runs, page_number first, enum run_state state);

/* Takes up to `maximum` pages that are RUN_DIRTY, so that they can be cleared. RUN_NONE: there are none. */
page_number page_runs_take_dirty(struct page_runs *runs, page_number maximum, page_number *count);

/* What a run that is in use holds from now on. */
void page_runs_set_state(struct page_runs *runs, page_number first, enum run_state state);

/* The first page of the run in use that a page belongs to; RUN_NONE when it is free, or no page of the range. Of a page whose
 * run may be taken or freed meanwhile the answer may be that of before or after. Without the lock. (signal) */
page_number page_runs_find(const struct page_runs *runs, page_number page);

/* The first page of the first run of that state that begins at `from` or behind; RUN_NONE: there is none. */
page_number page_runs_next(struct page_runs *runs, page_number from, enum run_state state);

void page_runs_set_time(struct page_runs *runs, uint64_t now);

/* Since when that free run has had memory for nothing which has for the longest. False: none has. */
bool page_runs_oldest(struct page_runs *runs, uint64_t *freed_at);

/* Takes up to `maximum` pages of that run, if it became free at `time` or earlier, so that their memory can be given back to the
 * system; page_runs_free then puts them back. Sets `count`. */
page_number page_runs_take_oldest(struct page_runs *runs, uint64_t time, page_number maximum,
                                  page_number *count);

static inline enum run_state page_runs_state(const struct page_runs *runs, page_number first)
{
    return (enum run_state)atomic_u8_load_acquire(&runs->runs[first].state);
}

static inline page_number page_runs_pages(const struct page_runs *runs, page_number first)
{
    return atomic_u32_load(&runs->runs[first].pages);
}

/* A link of whoever has the run. */
static inline page_number *page_runs_link(struct page_runs *runs, page_number first)
{
    return &runs->runs[first].left;
}

static inline page_number page_runs_touched(const struct page_runs *runs)
{
    return atomic_u32_load_acquire(&runs->touched);
}

#endif
