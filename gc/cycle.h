/*
 * A cycle: the order of its phases.
 *
 * [cycle] Phases run one after the other on the collector thread, and a cycle is complete before the next
 * starts. What each may assume and must leave behind is in its own header.
 */
#ifndef SHALE_GC_CYCLE_H
#define SHALE_GC_CYCLE_H

#include "gc/collector.h"

/* Runs cycle `number`. */
void cycle_run(struct collector *collector, uint64_t number, enum plan_scope scope);

#endif
