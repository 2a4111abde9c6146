/*
 * What Shale must reach, each as a ratio of two things measured in turn in one run.
 */
#ifndef BENCH_TARGETS_TARGETS_H
#define BENCH_TARGETS_TARGETS_H

#include <stdbool.h>
#include <stddef.h>

/* The finding: written by a measuring function. */
struct finding {
    double value;
    double limit;
    bool at_least;      /* the value must be at least the limit; otherwise at most */
    bool impossible;    /* this machine cannot measure it; `details` says why */
    char details[256];  /* the two absolute numbers, and what else tells about the value */
    char remarks[4096]; /* further lines, printed after the target's; "" for none */
};

struct target {
    const char *name;
    const char *summary;
    void (*measure)(struct finding *finding);
};

void measure_flip_pause_heap_size(struct finding *finding);
void measure_flip_pause_live_objects(struct finding *finding);
void measure_flip_pause_pins(struct finding *finding);
void measure_cycle_heap_maximum(struct finding *finding);
void measure_fault_thread(struct finding *finding);
void measure_fault_signal(struct finding *finding);
void measure_after_flip(struct finding *finding);
void measure_page_build_small(struct finding *finding);
void measure_page_build_bulk(struct finding *finding);
void measure_allocation_instructions(struct finding *finding);
void measure_allocation_speed(struct finding *finding);
void measure_pinned_allocate(struct finding *finding);
void measure_store_idle(struct finding *finding);
void measure_store_marking(struct finding *finding);
void measure_gcbench_malloc(struct finding *finding);
void measure_gcbench_bdwgc(struct finding *finding);
void measure_conservative(struct finding *finding);
void measure_trees_malloc(struct finding *finding);
void measure_trees_bdwgc(struct finding *finding);
void measure_global_stop(struct finding *finding);
void measure_pages_stop(struct finding *finding);
void measure_pages_store(struct finding *finding);
void measure_stop_p99(struct finding *finding);
void measure_marking_workers(struct finding *finding);
void measure_large_access(struct finding *finding);
void measure_large_allocate(struct finding *finding);
void measure_large_stop(struct finding *finding);

/* For the functions above: text as by printf. `add_remark` appends a line. */
void set_details(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void add_remark(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether heaps cannot be compacted concurrently here; then the finding says that it is impossible, and why. */
bool cannot_compact(struct finding *finding);

/* The same for heaps without a write barrier. */
bool cannot_track(struct finding *finding);

/* A line on standard error that tells how far a measurement is; replaced by the next one on a terminal. Says
 * nothing during the first two seconds of a target. */
void progress(const char *what, size_t done, size_t total);

/* --show was given: print what a number was counted from. */
extern bool show_evidence;

/* --full was given: measure for as long as the target is meant for, not only for a few seconds. */
extern bool full_length;

#endif
