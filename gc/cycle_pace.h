/*
 * Tells the pace what it goes by, and mutators what it says: when the next cycle is to start. Only the collector thread
 * uses it, and who creates the collector.
 */
#ifndef SHALE_GC_CYCLE_PACE_H
#define SHALE_GC_CYCLE_PACE_H

#include "gc/cycle_outcome.h"

void cycle_pace_init(struct collector *collector);

/* A cycle starts; has marked; has ended. */
void cycle_pace_start(struct collector *collector);
void cycle_pace_marked(struct collector *collector);
/* What the choice of what to move goes by. */
struct evacuation_outlook cycle_pace_outlook(const struct collector *collector);

void cycle_pace_end(struct collector *collector, const struct cycle_outcome *outcome);

#endif
