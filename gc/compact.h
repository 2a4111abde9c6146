/*
 * Compaction: building and publishing every stale page that holds anything, by whoever comes first.
 *
 * Workers take whole regions, and as large parts of the large space, from a shared cursor, which goes over all twice, large objects
 * first: clean pages are published, a hundred times as quickly as a fault on one could be answered, then the others are built and
 * published in batches.
 * Faults are answered out of order, and mutators that leave the flip bring in the pages of their own roots. All go
 * through the same claim [claim], so a page is built once, and they only differ in what they do when
 * somebody else has the page: a worker goes on, the fault server goes on too (the builder's publishing wakes the
 * waiter), a signal handler waits, and a mutator that brings in pages goes on.
 *
 * Who writes what: `next_unit` anyone, by fetch-and-add; the counts the collector, in compact_begin; `wanted`, a hint, anyone; `events` at creation, `ways` at creation and by
 * benchmarks; `read_ahead` see there; a builder's `run` its own thread; a builder's counters anyone, by fetch-and-add, read for statistics.
 */
#ifndef SHALE_GC_COMPACT_H
#define SHALE_GC_COMPACT_H

#include "gc/events.h"
#include "gc/page_build.h"
#include "gc/read_ahead.h"

/* Pages that a worker builds before it publishes them together: enough to spread the cost of the call, few
 * enough that a mutator that faults on one of them does not wait long. */
enum { COMPACT_BATCH = 16 };

#define PAGE_NONE UINT32_MAX

struct builder {
    page_number run_first; /* pages built and not yet published */
    page_number run_count;
    page_number run_clean; /* of them, those that needed no building */
    atomic_u64 pages;      /* built and published, since the heap was created */
    atomic_u64 clean;      /* published without building */
    atomic_u64 faults;     /* answered */
};

/* What is done for fewer faults. Benchmarks turn parts of it off, to see what each is worth. */
struct compact_ways {
    bool clean; /* clean pages are not built, and published before others */
    /* So many pages beside one that is faulted on are built with it; at most, when faults go on where others were [read-ahead]. In
     * large objects it is none, and half as many. */
    page_number neighbours;
    page_number neighbours_most;
    page_number roots; /* a mutator leaving the flip brings in so many pages of its roots */
    bool hints;        /* workers build next what lies behind a fault */
};

struct compaction {
    struct memory *memory;
    const struct plan *plan;
    struct events *events; /* NULL: nobody wants to know */
    struct compact_ways ways;
    struct read_ahead read_ahead;
    uint32_t region_count;      /* when the world was stopped */
    uint32_t unit_count;        /* with those of the large space */
    page_number large_released; /* pages of the large space below were released at the end */
    atomic_u32 next_unit;       /* the workers' cursor; past the last unit the second time round */
    atomic_u32 wanted;          /* the page behind the last one that was faulted on; PAGE_NONE */
    atomic_u32 failure;         /* errno of a publish that failed; 0 */
    /* A mutator touched a page of the evacuation set: it kept an address that no root showed. */
    atomic_u64 strays;
    atomic_u64 stray_address;
};

void compaction_init(struct compaction *compaction, struct memory *memory, const struct plan *plan);

/* Faults are answered where they happen, not by a thread: does what is best for that. */
void compact_answer_in_place(struct compaction *compaction);

/* Before the flip resumes: the cursor goes back to the start. */
void compact_begin(struct compaction *compaction);

/* Publishes the clean pages of the next unit, a region or as much of the large space, or builds and publishes all its stale
 * pages, if it has any. False: none is left. */
bool compact_next_unit(struct compaction *compaction, struct builder *builder);

enum compact_answer { COMPACT_BUILT, COMPACT_WOKEN, COMPACT_BEING_BUILT };

/* Answers a fault on a page: builds and publishes it and what is worth having with it, or wakes the thread if it is
 * mapped already. COMPACT_BEING_BUILT: another thread has it and will publish it. (signal) */
enum compact_answer compact_fault(struct compaction *compaction, struct builder *builder, page_number page);

/* Records a fault that has been answered, or left to who is building the page. (signal) */
void compact_record_fault(const struct compaction *compaction, const struct os_fault *fault,
                          enum compact_answer answer, uint64_t began);

/* A mutator that runs: makes the stale pages of a list mapped, which it is about to touch, without faulting, and their clean neighbours.
 * Leaves those that others are building to them. */
void compact_bring(struct compaction *compaction, struct builder *builder, const page_number *pages,
                   size_t count);

/* The collector, when no unit is left: builds what other workers have not come to yet and waits for what they
 * are building. Afterwards no page is stale. */
void compact_end(struct compaction *compaction, struct builder *builder);

/* The collector, when no touch of a page is a fault any more and before the plan is forgotten: waits for the pages of large
 * objects in memory that was never used before and was taken since compact_end began, which are built like any others at their
 * first touch [large]. Whoever is building one still reads the plan. */
void compact_settle(struct compaction *compaction);

/* Without concurrency: builds every page inside the pause. */
void compact_in_pause(struct compaction *compaction, struct builder *builder);

#endif
