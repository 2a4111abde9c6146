/*
 * The budget: one amount of memory for the region space, the large space and the data space.
 *
 * [budget] What runs of the large and the data space hold is lent to them by the region table: together they have
 * as many of its free regions, as a count, as it takes to cover their bytes. So the count of free regions is what is left
 * for everyone, whatever it will be used for, and pacing and out of memory go by it alone.
 *
 * Memory that is free is kept for use by the space that it is in. What all of them keep must fit into what is free: who
 * is about to use memory that the system has to give (a hole) calls budget_fit first, which gives back what has been
 * free for the longest, wherever it is. So the heap's file never holds more than the heap's size, but for the rounding of a
 * run and for what several threads take at the same moment.
 *
 * Who writes what: `held` and `lent` under the lock, which is taken before the region table's; `in_hand` the collector, around
 * clearing: who fits memory at that moment gives back something else for it.
 */
#ifndef SHALE_HEAP_BUDGET_H
#define SHALE_HEAP_BUDGET_H

#include "heap/page_runs.h"
#include "heap/region.h"
#include "heap/views.h"

struct budget {
    pthread_mutex_t lock;
    const struct views *views;
    struct region_table *regions;
    struct page_runs *large;
    struct page_runs *data;
    uint64_t held; /* bytes of runs that are in use, or promised to one that will be */
    uint32_t lent; /* regions */
    atomic_u64
        in_hand; /* bytes, at most, of free runs that are being cleared, and no space counts meanwhile */
};

void budget_init(struct budget *budget, const struct views *views, struct region_table *regions,
                 struct page_runs *large, struct page_runs *data);
void budget_destroy(struct budget *budget);

/* Has `bytes` for a run, leaving at least `reserve` free regions. False: there are not as many. */
bool budget_take(struct budget *budget, uint64_t bytes, uint32_t reserve);
void budget_return(struct budget *budget, uint64_t bytes);

/* Bytes that are had by runs. */
uint64_t budget_held(struct budget *budget);

/* Bytes of memory that nothing is in, in all three spaces. */
uint64_t budget_idle(const struct budget *budget);

/* Gives memory back to the system until what is kept fits into what is free. No lock is held. */
void budget_fit(struct budget *budget);

/* Gives all idle memory of one space back to the system, so that its runs become longer ones. Returns 0 or a negative errno value. */
int budget_empty(struct budget *budget, struct page_runs *runs);

/* Memory that becomes free from now on does so at this time. */
void budget_set_time(struct budget *budget, uint64_t now);

/* Since when that memory is free which has been for the longest. False: there is none. */
bool budget_oldest(struct budget *budget, uint64_t *freed_at);

/* Gives it back to the system if it became free at `time` or earlier, or a part of it. Returns 1; 0 if there is none; or the
 * negative errno value that the system refused with, and then it is as if it had just become free. */
int budget_discard_oldest(struct budget *budget, uint64_t time);

#endif
