/*
 * Faults answered in place: the thread that touches a stale page gets SIGBUS, and its handler builds and
 * publishes the page, or waits for whoever is building it. An order of magnitude quicker than waking another
 * thread, but of no use for faults that the kernel takes on a thread's behalf: those make the system call fail.
 *
 * Signal dispositions belong to the process, so this file holds the library's only process-wide state of the
 * collector: a table of heaps. The handler reads it without a lock. An entry's fields are written before its
 * `size` (release), and `size` is set to 0 first when it is removed; a heap is only removed when no mutator is
 * attached to it, so no handler is at work for it then. Addresses outside all heaps go to the handler that was
 * there before.
 */
#ifndef SHALE_GC_FAULT_SIGNAL_H
#define SHALE_GC_FAULT_SIGNAL_H

#include "gc/compact.h"

enum { FAULT_SIGNAL_HEAPS_MAX = 64 };

/* Adds a heap; installs the handler with the first. Returns 0, -ENOSPC when the table is full, or another
 * negative errno value. `answers` counts for all threads. */
int fault_signal_add(struct compaction *compaction, struct builder *answers);

/* Removes it; puts back the former handler with the last, if ours is still installed. */
void fault_signal_remove(struct compaction *compaction);

/* Around a fork: the child finds the table unlocked and whole. */
void fault_signal_lock(void);
void fault_signal_unlock(void);

#endif
