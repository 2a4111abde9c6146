/*
 * Memory ahead of allocation: free regions without memory get it before a mutator takes them.
 *
 * [ahead] The first touch of a page that has no memory costs several times what filling it costs, most of it for
 * the system to find a page and clear it. While a heap grows that is on the path of every allocation; so the collector's
 * thread, when no cycle runs, keeps some regions ready. It does so only while mutators take such regions and ask for more: a
 * program that stopped allocating is not woken, and what it left unused is given back like all idle memory.
 *
 * No more is made ready than mutators are going to take before the heap has grown to its goal, and never beyond what the budget
 * lets a heap keep [budget].
 *
 * Pages get their memory through the mutator view, which gives them entries as well. Nothing can be stale then, nor become so: it
 * is the collector's thread that flips, between cycles the view is not registered for faults, and the regions belong to nobody
 * while they are taken off the table [fault-free].
 */
#ifndef SHALE_GC_AHEAD_H
#define SHALE_GC_AHEAD_H

#include "gc/collector.h"

/* A mutator that has just taken a region: whether to ask for more. */
bool ahead_is_due(const struct collector *collector);

/* The collector's thread, while no cycle runs: makes one region ready. Returns whether there are more to be made. */
bool ahead_prepare(struct collector *collector);

#endif
