/*
 * Telling checking tools which objects died (announce.h). Only when one watches.
 */
#ifndef SHALE_GC_DEAD_H
#define SHALE_GC_DEAD_H

#include "heap/memory.h"

/* After marking, mutators running: announces the gaps between the live objects of all regions that were
 * complete when marking stopped the world. */
void dead_announce(const struct memory *memory);

#endif
