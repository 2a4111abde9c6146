/*
 * shale-targets: measures what has a target and prints a line for each.
 *
 *     ok|MISS  name  value  target  (details)
 *
 * "skip" stands for what this machine cannot measure. Exit status: 0 when all is ok or skipped, 1 when a
 * target is missed, 2 when the command line is wrong or something cannot be set up.
 */
#include "bench/support/graph.h"
#include "bench/targets/targets.h"

#include "gc/durations.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct target targets[] = {
    {"flip-pause-heap-size", "flip pause with 4 GiB populated, over that with 64 MiB",
     measure_flip_pause_heap_size},
    {"flip-pause-live-objects",
     "flip pause with 32-byte objects, over that with as many bytes in 32 KiB objects",
     measure_flip_pause_live_objects},
    {"flip-pause-pins", "flip pause with 200,000 pinned objects, over that with none",
     measure_flip_pause_pins},
    {"cycle-heap-maximum", "a cycle with 10 MiB live in a heap of at most 16 GiB, over one in 64 MiB",
     measure_cycle_heap_maximum},
    {"fault-thread", "p50 of a fault, over a bare poll, read and UFFDIO_CONTINUE", measure_fault_thread},
    {"fault-signal", "p50 of a fault, over a bare SIGBUS handler with UFFDIO_CONTINUE", measure_fault_signal},
    {"after-flip", "faults of a mutator that runs over its heap after a flip, over those with none avoided",
     measure_after_flip},
    {"page-build-small", "bandwidth of building pages of 32-byte objects with two references, over memcpy",
     measure_page_build_small},
    {"page-build-bulk", "bandwidth of building pages of pointer-free 1 KiB objects, over memcpy",
     measure_page_build_bulk},
    {"allocation-instructions", "instructions on the fast path of shale_allocate",
     measure_allocation_instructions},
    {"allocation-speed", "speed of allocating small objects, over glibc's malloc and free",
     measure_allocation_speed},
    {"pinned-allocate", "time of allocating small objects that never move, over mimalloc's malloc and free",
     measure_pinned_allocate},
    {"store-idle", "time of shale_store with no barrier up, over a plain store", measure_store_idle},
    {"pages-store", "time of a plain store in a heap without a write barrier, over that in one with",
     measure_pages_store},
    {"store-marking", "time of shale_store while marking, over a plain store", measure_store_marking},
    {"gcbench-malloc", "time of GCBench over malloc and free, over that with Shale", measure_gcbench_malloc},
    {"gcbench-bdwgc", "time of GCBench over bdwgc, over that with Shale", measure_gcbench_bdwgc},
    {"conservative", "time of GCBench with its stack scanned, over that with frames", measure_conservative},
    {"trees-malloc", "time of binary trees over malloc and free, over that with Shale", measure_trees_malloc},
    {"trees-bdwgc", "time of binary trees over bdwgc, over that with Shale", measure_trees_bdwgc},
    {"marking-workers", "speed of marking 512 MiB with 2 workers, over that with 1", measure_marking_workers},
    {"large-access", "longest read of an array of references that is fixed up, over the longest bare fault",
     measure_large_access},
    {"large-stop", "longest global stop with a huge array of references alive, over that without",
     measure_large_stop},
    {"large-allocate", "speed of allocating large buffers, over glibc's malloc and free",
     measure_large_allocate},
    {"global-stop", "longest global stop with 2 GiB live, over that with 64 MiB", measure_global_stop},
    {"pages-stop", "longest global stop without a write barrier, over that with one", measure_pages_stop},
    {"stop-p99", "99th percentile of the flip pause with four threads, in microseconds", measure_stop_p99},
};

enum { TARGET_COUNT = sizeof targets / sizeof targets[0], NAME_WIDTH = 24 };

bool show_evidence;
bool full_length;
static uint64_t target_started;
static bool progress_shown;

void set_details(struct finding *finding, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->details, sizeof finding->details, format, arguments);
    va_end(arguments);
}

void add_remark(struct finding *finding, const char *format, ...)
{
    size_t used = strlen(finding->remarks);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->remarks + used, sizeof finding->remarks - used, format, arguments);
    va_end(arguments);
    used = strlen(finding->remarks);
    snprintf(finding->remarks + used, sizeof finding->remarks - used, "\n");
}

bool cannot_compact(struct finding *finding)
{
    const char *reason;
    if (graph_can_compact(SHALE_COMPACTION_FAULT_THREAD, &reason))
        return false;
    finding->impossible = true;
    set_details(finding, "no userfaultfd with minor faults: %s", reason);
    return true;
}

bool cannot_track(struct finding *finding)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = (size_t)4 << 20;
    options.barrier = SHALE_BARRIER_PAGES;
    shale_heap *heap = shale_heap_create(&options, &error);
    if (heap != NULL) {
        shale_heap_destroy(heap, NULL);
        return false;
    }
    finding->impossible = true;
    set_details(finding, "%.200s", error.message);
    return true;
}

void progress(const char *what, size_t done, size_t total)
{
    static uint64_t last;
    uint64_t now = clock_nanoseconds();
    bool terminal = isatty(STDERR_FILENO) != 0;
    uint64_t interval = terminal ? 200000000u : 5000000000u;
    if (now - target_started < 2000000000u || now - last < interval)
        return;
    last = now;
    progress_shown = terminal;
    fprintf(stderr, "%s...   %s, %zu of %zu%s", terminal ? "\r\033[K" : "", what, done, total,
            terminal ? "" : "\n");
    fflush(stderr);
}

static void clear_progress(void)
{
    if (progress_shown)
        fprintf(stderr, "\r\033[K");
    progress_shown = false;
}

static void print_remarks(char *remarks)
{
    for (char *line = strtok(remarks, "\n"); line != NULL; line = strtok(NULL, "\n"))
        printf("      %s\n", line);
}

/* Returns whether the target is missed. */
static bool run(const struct target *target)
{
    struct finding finding = {.value = 0};
    target_started = clock_nanoseconds();
    target->measure(&finding);
    clear_progress();
    bool reached = finding.at_least ? finding.value >= finding.limit : finding.value <= finding.limit;
    if (finding.impossible)
        printf("skip  %-*s  %7s  %9s  (%s)\n", NAME_WIDTH, target->name, "-", "-", finding.details);
    else
        printf("%-4s  %-*s  %7.2f  %s %6.2f  (%s)\n", reached ? "ok" : "MISS", NAME_WIDTH, target->name,
               finding.value, finding.at_least ? ">=" : "<=", finding.limit, finding.details);
    print_remarks(finding.remarks);
    fflush(stdout);
    return !finding.impossible && !reached;
}

static const struct target *find(const char *name)
{
    for (size_t i = 0; i < TARGET_COUNT; i++) {
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    }
    return NULL;
}

static void list(FILE *to)
{
    for (size_t i = 0; i < TARGET_COUNT; i++)
        fprintf(to, "%-*s  %s\n", NAME_WIDTH, targets[i].name, targets[i].summary);
}

static void usage(FILE *to)
{
    fprintf(to, "usage: shale-targets [--show] [--full] [NAME...]\n\n"
                "Measures what has a target and prints a line for each: ok|MISS  name  value  target  "
                "(details).\nMost are ratios of two things measured in turn, so that what else the machine "
                "does hits both.\nThe exit status is 1 when a target is missed.\n\n"
                "  --full   measure global stops for a minute instead of a few seconds\n"
                "  --list   the names\n"
                "  --show   also print what a number was counted from (the disassembly)\n\n");
    list(to);
}

int main(int argc, char **argv)
{
    bool missed = false;
    int named = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--list") == 0) {
            list(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--show") == 0) {
            show_evidence = true;
        } else if (strcmp(argv[i], "--full") == 0) {
            full_length = true;
        } else if (find(argv[i]) == NULL) {
            fprintf(stderr, "shale-targets: there is no target \"%s\"; --list names them\n", argv[i]);
            return 2;
        } else {
            named++;
        }
    }
    for (size_t i = 0; named == 0 && i < TARGET_COUNT; i++)
        missed |= run(&targets[i]);
    for (int i = 1; i < argc; i++) {
        const struct target *target = find(argv[i]);
        if (target != NULL)
            missed |= run(target);
    }
    return missed ? 1 : 0;
}
