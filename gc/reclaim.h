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

/* Gives the memory of free regions beyond those that will be needed soon back to the system. */
void reclaim_memory(struct collector *collector);

#endif
