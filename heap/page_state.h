/*
 * The state of every page, and the only file that changes it.
 *
 * [claim] Exactly one thread builds a page: whoever changes it from stale to building.
 *
 *   stale    -- page_claim (CAS) -->    building   by a worker, the fault server, a faulting mutator's signal
 *                                                  handler, or an allocating mutator for fresh memory
 *   building -- page_publish -->        mapped     by the same thread, after UFFDIO_CONTINUE
 *   stale    -- page_release_rest -->   mapped     by the collector at the end of compaction, for pages that
 *                                                  hold nothing: they need no building
 *   mapped   -- page_states_flip -->    stale      all pages at once, while the world is stopped
 *
 * A page's state is one byte: the number of the last flip after which it left stale, shifted by one, plus
 * one while it is building. A page whose byte is of another flip than the current one is stale; so making
 * every page stale is one increment, whatever the heap's size. Each flip is followed by a complete
 * compaction after which the byte of every page that was ever used is current, so seven bits of flip number are
 * more than enough. The bytes of the others are 0, which is the number of no flip.
 *
 * Orderings: the flip stores `current` with release, and a claim reads it with acquire, so that whoever claims a
 * page sees the plan that it is to be built by, even if the stop did not include it (the fault server); mapped
 * is stored with release after the kernel has mapped the page, and read with acquire, so that who finds a page
 * mapped can touch it.
 * `current` and `active` change only while the world is stopped (start) or by the collector after all
 * pages are mapped (end).
 */
#ifndef SHALE_HEAP_PAGE_STATE_H
#define SHALE_HEAP_PAGE_STATE_H

#include "heap/atomic.h"
#include "heap/views.h"

struct page_states {
    const struct views *views;
    atomic_u8 *bytes;
    page_number count;
    atomic_u32 current; /* flip number: 1 to 127, around and around; 0 before the first */
    atomic_u32 active;  /* not 0: pages may be stale and the mutator view is registered */
    int faults;         /* what the mutator view is registered with while active; -1: nothing */
};

/* `bytes` is zeroed memory: every page is mapped. */
void page_states_init(struct page_states *states, const struct views *views, atomic_u8 *bytes, int faults);

/* The world is stopped. Makes all pages stale. */
void page_states_flip(struct page_states *states);

/* All pages are mapped and the mutator view is no longer registered. */
void page_states_settle(struct page_states *states);

/* Changes a page from stale to building. False: it is building or mapped. (signal) */
bool page_claim(struct page_states *states, page_number page);

/* Publishes pages that the caller claimed and built: maps them into the mutator view, wakes who waits for
 * them, and makes them mapped. Without a kernel to ask (faults is -1) only the last. Returns 0 or a negative
 * errno value that the caller cannot do anything about; the pages are up to date all the same, and are had by
 * the next attempt or when the view is no longer registered. (signal) */
int page_publish(struct page_states *states, page_number first, page_number count);

/* Answers a fault on a page that is mapped already: the thread that faulted only has to look again.
 * (signal) */
int page_wake(struct page_states *states, page_number page);

/* Waits for a page that another thread is building. (signal) */
void page_wait(struct page_states *states, page_number page);

/* The collector, when nothing is left to build: waits for pages that others still build and makes those
 * that are stale mapped, of `count` pages from `first` on. Those beyond, up to the end of the space, were never used when the caller looked: their bytes
 * are 0, or who has just begun to use them as fresh memory is publishing them, which depends on no plan. */
void page_release_rest(struct page_states *states, page_number first, page_number count);

static inline uint32_t page_states_flip_number(const struct page_states *states)
{
    return atomic_u32_load_acquire(&states->current);
}

static inline bool page_is_stale(const struct page_states *states, page_number page)
{
    return atomic_u8_load(&states->bytes[page]) >> 1 != atomic_u32_load(&states->current);
}

static inline bool page_is_mapped(const struct page_states *states, page_number page)
{
    return atomic_u8_load_acquire(&states->bytes[page]) == atomic_u32_load(&states->current) << 1;
}

static inline bool page_states_active(const struct page_states *states)
{
    return atomic_u32_load_acquire(&states->active) != 0;
}

#endif
