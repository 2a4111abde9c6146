/*
 * How long the program stands still, while four of its threads allocate.
 *
 * The threads (bench/support/mutators) replace a part of what they keep alive all the time, 64 MiB a second
 * each, so that cycles come and flip. The longest global stop is told from the heap's statistics: the longest
 * time_to_stop and the longest pause together, of which the true longest stop cannot be more. All stops since
 * the heap was created count, those while it is filled too.
 *
 *   global-stop   with 2 GiB live, over that with 64 MiB live; the two programs take turns, and one that does not
 *                 run waits. Takes about 3.2 GiB of memory
 *   large-stop    with 64 MiB live and an array of 32 Mi references beside (100 million with --full, 800 MB), over that with
 *                 64 MiB live alone, in heaps of the same size
 *   pages-stop    with 64 MiB live, without a write barrier, over that with one: there are two stops in a cycle, the
 *                 remark and the flip. The median of many short runs of each in turn, since the longest stop of one run
 *                 tells more about what else the machine does
 *   stop-p99      the 99th percentile of flip_pause, in microseconds, with 32 MiB live
 *
 * Each program runs for 5 s, with --full for 60; longer when it has not flipped three times by then.
 */
#include "bench/support/mutators.h"
#include "bench/support/samples.h"
#include "bench/targets/targets.h"

enum { RUNS = 9, TURNS = 5, TURNS_MAX = 30, FLIPS_LEAST = 3, SECONDS = 5, SECONDS_FULL = 60 };

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static const double P99_MICROSECONDS = 200;

static unsigned seconds(void)
{
    return full_length ? SECONDS_FULL : SECONDS;
}

static const char *length(void)
{
    return full_length ? "60 s each" : "5 s each, --full: 60 s";
}

static bool flipped_enough(struct mutators *mutators, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        shale_statistics statistics;
        shale_heap_statistics(mutators[i].heap, &statistics);
        if (statistics.flips < FLIPS_LEAST)
            return false;
    }
    return true;
}

static void take_turns(struct mutators *mutators, size_t count)
{
    for (size_t turn = 0; turn < TURNS || !flipped_enough(mutators, count); turn++) {
        bench_require(turn < TURNS_MAX, "cycles do not flip, so there is nothing to measure");
        for (size_t i = 0; i < count; i++)
            mutators_turn(&mutators[i], (uint64_t)seconds() * 1000000000u / TURNS);
        progress("turns", turn + 1, turn < TURNS ? TURNS : TURNS_MAX);
    }
}

static double microseconds(uint64_t nanoseconds)
{
    return (double)nanoseconds / 1000;
}

/* Microseconds. */
static double longest_stop(const shale_statistics *statistics)
{
    uint64_t pause = statistics->flip_pause.maximum;
    if (pause < statistics->remark_pause.maximum)
        pause = statistics->remark_pause.maximum;
    return microseconds(statistics->time_to_stop.maximum + pause);
}

static void describe(struct finding *finding, const char *live, const shale_statistics *statistics)
{
    add_remark(
        finding,
        "%s live: %zu cycles, %zu flips; p99 and longest: to stop %.0f and %.0f us, flip %.0f and %.0f", live,
        (size_t)statistics->cycles, (size_t)statistics->flips, microseconds(statistics->time_to_stop.p99),
        microseconds(statistics->time_to_stop.maximum), microseconds(statistics->flip_pause.p99),
        microseconds(statistics->flip_pause.maximum));
}

void measure_global_stop(struct finding *finding)
{
    if (cannot_compact(finding))
        return;
    struct mutators mutators[2];
    shale_statistics statistics[2];
    progress("filling heaps", 0, 2);
    mutators_create(&mutators[0], 2 * GIB, SHALE_BARRIER_STORES);
    mutators_create(&mutators[1], 64 * MIB, SHALE_BARRIER_STORES);
    take_turns(mutators, 2);
    for (size_t i = 0; i < 2; i++) {
        shale_heap_statistics(mutators[i].heap, &statistics[i]);
        mutators_destroy(&mutators[i]);
    }
    double large = longest_stop(&statistics[0]);
    double small = longest_stop(&statistics[1]);
    finding->value = large / small;
    finding->limit = 3;
    set_details(finding, "longest stop with 2 GiB live %.0f us, with 64 MiB %.0f us; %s", large, small,
                length());
    describe(finding, "2 GiB", &statistics[0]);
    describe(finding, "64 MiB", &statistics[1]);
}

void measure_large_stop(struct finding *finding)
{
    if (cannot_compact(finding))
        return;
    size_t slots = full_length ? 100000000 : 32 * MIB;
    size_t heap_size = full_length ? 2 * GIB : 640 * MIB;
    struct mutators mutators[2];
    shale_statistics statistics[2];
    for (size_t i = 0; i < 2; i++)
        mutators_create_in(&mutators[i], 64 * MIB, SHALE_BARRIER_STORES, heap_size);
    mutators_hold_array(&mutators[0], slots);
    take_turns(mutators, 2);
    for (size_t i = 0; i < 2; i++) {
        shale_heap_statistics(mutators[i].heap, &statistics[i]);
        mutators_destroy(&mutators[i]);
    }
    double with = longest_stop(&statistics[0]);
    double without = longest_stop(&statistics[1]);
    finding->value = with / without;
    finding->limit = 3;
    set_details(finding, "longest stop with %zu million references in an array %.0f us, without %.0f us; %s",
                slots / 1000000, with, without, length());
    describe(finding, "array and 64 MiB", &statistics[0]);
    describe(finding, "64 MiB", &statistics[1]);
    add_remark(finding, "median flip with the array %.0f us, without %.0f us; marking %.0f and %.0f ms",
               microseconds(statistics[0].flip_pause.p50), microseconds(statistics[1].flip_pause.p50),
               microseconds(statistics[0].mark_time.p50) / 1000,
               microseconds(statistics[1].mark_time.p50) / 1000);
}

/* One short program: its longest stop. */
static double run_once(struct finding *finding, int barrier, size_t run)
{
    struct mutators mutators;
    shale_statistics statistics;
    mutators_create(&mutators, 64 * MIB, barrier);
    for (size_t turn = 0; turn == 0 || !flipped_enough(&mutators, 1); turn++) {
        bench_require(turn < TURNS_MAX, "cycles do not flip, so there is nothing to measure");
        mutators_turn(&mutators, (uint64_t)seconds() * 1000000000u / RUNS);
    }
    shale_heap_statistics(mutators.heap, &statistics);
    mutators_destroy(&mutators);
    if (run != 0)
        return longest_stop(&statistics);
    describe(finding, barrier == SHALE_BARRIER_PAGES ? "without a barrier, 64 MiB" : "with one, 64 MiB",
             &statistics);
    if (barrier == SHALE_BARRIER_PAGES)
        add_remark(finding,
                   "remark: median %.0f us, p99 %.0f, longest %.0f; %.1f rounds and %.0f pages a cycle",
                   microseconds(statistics.remark_pause.p50), microseconds(statistics.remark_pause.p99),
                   microseconds(statistics.remark_pause.maximum),
                   (double)statistics.mark_rounds / (double)statistics.cycles,
                   (double)statistics.pages_rescanned / (double)statistics.cycles);
    return longest_stop(&statistics);
}

void measure_pages_stop(struct finding *finding)
{
    if (cannot_compact(finding) || cannot_track(finding))
        return;
    struct samples pages = {0};
    struct samples stores = {0};
    for (size_t run = 0; run < RUNS; run++) {
        samples_add(&pages, run_once(finding, SHALE_BARRIER_PAGES, run));
        samples_add(&stores, run_once(finding, SHALE_BARRIER_STORES, run));
        progress("runs", run + 1, RUNS);
    }
    finding->value = samples_median(&pages) / samples_median(&stores);
    finding->limit = 5;
    set_details(finding, "longest stop, median of %d runs, without a barrier %.0f us, with one %.0f us; %s",
                RUNS, samples_median(&pages), samples_median(&stores), length());
    samples_free(&pages);
    samples_free(&stores);
}

void measure_stop_p99(struct finding *finding)
{
    if (cannot_compact(finding))
        return;
    struct mutators mutators;
    shale_statistics statistics;
    mutators_create(&mutators, 32 * MIB, SHALE_BARRIER_STORES);
    take_turns(&mutators, 1);
    shale_heap_statistics(mutators.heap, &statistics);
    mutators_destroy(&mutators);
    finding->value = microseconds(statistics.flip_pause.p99);
    finding->limit = P99_MICROSECONDS;
    set_details(finding, "us, p99 of %zu flips; median %.0f us, longest %.0f us; %s",
                (size_t)statistics.flips, microseconds(statistics.flip_pause.p50),
                microseconds(statistics.flip_pause.maximum), length());
    describe(finding, "32 MiB", &statistics);
}
