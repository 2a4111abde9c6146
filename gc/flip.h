/*
 * The flip: the one global stop of a cycle that changes addresses.
 *
 * [constant] Between the stop and the resume there is work for each mutator's last allocation chunk, for the
 * heap's own roots, and two system calls on the whole mutator view; nothing proportional to the heap, to
 * live objects or to pages, no allocation and no I/O. Each mutator's roots are rewritten by itself before it
 * runs on, or by the collector for those in native sections. (Debug builds also undo the sealing of freed
 * regions here, and verification traverses the heap here.)
 *
 * When it ends, the plan is what everyone goes by [view]: all pages are stale, and no root holds an address
 * inside the evacuation set by the time its mutator runs.
 */
#ifndef SHALE_GC_FLIP_H
#define SHALE_GC_FLIP_H

#include "gc/collector.h"

/* Returns whether pages are left to build concurrently. */
bool flip(struct collector *collector);

#endif
