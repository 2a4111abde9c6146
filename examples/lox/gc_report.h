/*
 * What the collector did, told from its events: a line for each cycle (--gc-log), a file for trace viewers (--gc-trace), and a
 * summary at the end (--gc-stats).
 *
 * A thread that is no mutator takes events from time to time, so nobody else is held up by writing lines; the last are taken when the
 * program has ended. For the summary all times in which threads could not run are kept, up to a limit.
 */
#ifndef LOX_GC_REPORT_H
#define LOX_GC_REPORT_H

#include <shale/shale.h>
#include <stdio.h>

enum { GC_REPORT_EVENTS = 1 << 16 }; /* the heap's option */

struct gc_report;

/* Begins. `trace` may be NULL; it is closed at the end. NULL when memory or threads are out. */
struct gc_report *gc_report_start(shale_heap *heap, bool log, bool summary, FILE *trace);

/* The calling thread, which is about to detach, has run since then. `report` may be NULL. */
void gc_report_thread(struct gc_report *report, shale_mutator *mutator, uint64_t since);

/* All threads are detached; the heap is still there. Prints the summary. `report` may be NULL. */
void gc_report_end(struct gc_report *report);

/* Nanoseconds of the clock that events are told by. */
uint64_t gc_report_clock(void);

#endif
