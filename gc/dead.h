/*
 * Telling checking tools which objects died, and where those that move will be (announce.h). Only when one
 * watches.
 */
#ifndef SHALE_GC_DEAD_H
#define SHALE_GC_DEAD_H

#include "gc/plan.h"

/* After marking, mutators running: announces the gaps between the live objects of all regions that were
 * complete when marking stopped the world. */
void dead_announce(const struct memory *memory);

/* Before the flip: announces the objects of all destination regions. A checking tool looks at what it was told
 * before a mutator's access is made, so the fault that builds the page would come too late. */
void moved_announce(const struct plan *plan);

#endif
