/*
 * Reclaim: giving back what a cycle emptied.
 *
 * No page is stale any more when it starts. It first ends the registration of the mutator view, so that the
 * next cycle's flip is quick, and only then frees the evacuated regions: until then their pages are ones that
 * nobody may touch, afterwards any mutator may fill them.
 */
#ifndef SHALE_GC_RECLAIM_H
#define SHALE_GC_RECLAIM_H

#include "gc/collector.h"

/* After a compaction: ends fault handling, frees the evacuation set, forgets the plan. `concurrent`: what the
 * flip returned. */
void reclaim(struct collector *collector, bool concurrent);

/* Releases the page table entries that went out of the mutator view in the last flip, if there was one; before the next
 * one. It takes some time, for which nobody has to wait: the collector's thread calls it when who waited for the cycle
 * has been told that it is over. */
void reclaim_entries(struct collector *collector);

#define RECLAIM_NEVER UINT64_MAX

/* No cycle runs: clears idle memory of large objects, so that their allocation need not; then gives the memory of
 * regions that have been free for `reclaim_delay` back to the system, a slice of it at a time, those first that have
 * been free for the longest. Returns when to call again, in the time that `now` is in: `now` if there is more to be
 * given back; RECLAIM_NEVER if no free region holds memory. The collector's thread calls it. */
uint64_t reclaim_memory(struct collector *collector, uint64_t now);

/* For how long a region has to be free: `delay`; or twice the period of cycles, up to ten times the delay, so that
 * memory which a program goes on to use from cycle to cycle is not given back and faulted in each time. Nanoseconds. */
uint64_t reclaim_delay(uint64_t delay, uint64_t period);

#endif
