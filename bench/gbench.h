/*
 * Google Benchmark for C programs: register benchmarks, iterate, report numbers, read the results back.
 *
 * Two kinds of program use it.
 *
 *  - bench_*.c hands its command line to gbench_main, which accepts Google Benchmark's own flags
 *    (--help lists them) and prints its table:
 *
 *        static void copy_page(gbench_state *state, void *context)
 *        {
 *            size_t bytes = (size_t)gbench_arg(state, 0);
 *            ...
 *            while (gbench_keep_running(state))
 *                gbench_keep(memcpy(to, from, bytes));
 *            gbench_set_bytes_processed(state, gbench_iterations(state) * (int64_t)bytes);
 *        }
 *
 *        int main(int argc, char **argv)
 *        {
 *            gbench_case *copy = gbench_register("copy_page", copy_page, NULL);
 *            gbench_add_args(copy, (const int64_t[]){4096}, 1);
 *            gbench_add_args(copy, (const int64_t[]){65536}, 1);
 *            return gbench_main(argc, argv);
 *        }
 *
 *  - a program that judges the numbers registers the same way, then calls gbench_run, which prints nothing
 *    and hands each finished run to a function.
 *
 * Invariant: everything is called on the main thread, except that a function that was registered with
 * gbench_set_threads runs on several threads at once, each with a state of its own.
 */
#ifndef BENCH_GBENCH_H
#define BENCH_GBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One registered benchmark: a family with one run for each list of arguments. Lives until the program ends. */
typedef struct gbench_case gbench_case;

/* One run in progress. Valid inside the registered function only. */
typedef struct gbench_state gbench_state;

/* A benchmark's body. Google Benchmark calls it several times with growing numbers of iterations, so what it
 * sets up it must also tear down. It must iterate to the end, or call gbench_skip_with_error. */
typedef void (*gbench_function)(gbench_state *state, void *context);

typedef enum gbench_unit { GBENCH_NS, GBENCH_US, GBENCH_MS, GBENCH_S } gbench_unit;

/* ---- registration, before gbench_main or gbench_run ---- */

/* `name` is copied; a slash in it starts a group for filters. */
gbench_case *gbench_register(const char *name, gbench_function function, void *context);

/* One more run, with these arguments. */
void gbench_add_args(gbench_case *benchmark, const int64_t *args, size_t count);

/* Names for the arguments, shown in the run's name: copy_page/bytes:4096. */
void gbench_set_arg_names(gbench_case *benchmark, const char *const *names, size_t count);

/* The unit that the table is printed in. Results that are handed to C are in nanoseconds always. */
void gbench_set_unit(gbench_case *benchmark, gbench_unit unit);

/* Judge by wall-clock time (for work that other threads do), or by the times that the body itself measured
 * and gave to gbench_set_iteration_time. Without either, the main thread's CPU time decides how long to run. */
void gbench_use_real_time(gbench_case *benchmark);
void gbench_use_manual_time(gbench_case *benchmark);

/* Seconds to run at least, or an exact number of iterations instead. */
void gbench_set_min_time(gbench_case *benchmark, double seconds);
void gbench_set_iterations(gbench_case *benchmark, int64_t iterations);

/* Runs of the whole; above 1 the mean, median and deviation follow as runs with `aggregate` set. */
void gbench_set_repetitions(gbench_case *benchmark, int count);

/* Threads that execute the body at once. */
void gbench_set_threads(gbench_case *benchmark, int count);

/* ---- in the body ---- */

int64_t gbench_arg(const gbench_state *state, size_t index);

/* True once for each iteration; the clock runs from the first call to the one that returns false. A call costs
 * about a nanosecond. For shorter bodies take all iterations at once and loop over them yourself: */
bool gbench_keep_running(gbench_state *state);

/* The number of iterations to do on the first call, which starts the clock, and 0 on the second, which stops it:
 *
 *     uint64_t count;
 *     while ((count = gbench_take_all(state)) != 0)
 *         for (uint64_t i = 0; i < count; i++) ...
 */
uint64_t gbench_take_all(gbench_state *state);

/* Hold the clock for set-up inside an iteration. A pair costs some hundred nanoseconds: use manual time for
 * short work. */
void gbench_pause_timing(gbench_state *state);
void gbench_resume_timing(gbench_state *state);

/* With gbench_use_manual_time: how long this iteration took. */
void gbench_set_iteration_time(gbench_state *state, double seconds);

/* End the run as failed; iterating ends with it, and gbench_main returns 1. `message` is copied. */
void gbench_skip_with_error(gbench_state *state, const char *message);

/* Iterations done: all of them, once iterating has ended. */
int64_t gbench_iterations(const gbench_state *state);

int gbench_thread_index(const gbench_state *state);
int gbench_threads(const gbench_state *state);

/* A number shown beside the times and handed over with the result. */
typedef enum gbench_counter_kind {
    GBENCH_VALUE,        /* as it is (summed over threads) */
    GBENCH_RATE,         /* divided by the run's seconds */
    GBENCH_PER_ITERATION /* divided by the iterations */
} gbench_counter_kind;

void gbench_set_counter(gbench_state *state, const char *name, double value, gbench_counter_kind kind);

/* Totals over all iterations, shown as rates (counters bytes_per_second, items_per_second). */
void gbench_set_bytes_processed(gbench_state *state, int64_t bytes);
void gbench_set_items_processed(gbench_state *state, int64_t items);

void gbench_set_label(gbench_state *state, const char *label);

/* The compiler must assume that what `value` points to is read here, and that all memory is. */
static inline void gbench_keep(const void *value)
{
    __asm__ volatile("" : : "g"(value) : "memory");
}

static inline void gbench_clobber_memory(void)
{
    __asm__ volatile("" : : : "memory");
}

/* ---- running ---- */

/* Runs what the flags select. Returns main's exit status: 0, or 1 for a flag that is not known, for a filter
 * that selects nothing, and when a run was skipped with an error. */
int gbench_main(int argc, char **argv);

typedef struct gbench_counter {
    const char *name;
    double value; /* final: a rate is per second */
} gbench_counter;

/* A finished run, valid during the call that it is handed to. */
typedef struct gbench_result {
    const char *name;      /* copy_page/4096, with /real_time, /threads:2 and so on where those were set */
    const char *aggregate; /* "mean", "median", "stddev", "cv"; NULL for a run of its own */
    const char *label;     /* "" when there is none */
    const char *error;     /* NULL, or what gbench_skip_with_error said: then the rest means nothing */
    int64_t iterations;
    double real_time; /* nanoseconds an iteration ("cv": a ratio); manual time where that is used */
    double cpu_time;
    const gbench_counter *counters;
    size_t counter_count;
} gbench_result;

typedef void (*gbench_result_function)(const gbench_result *result, void *context);

/* Runs the registered benchmarks whose names match the extended regular expression `filter` (NULL: all), without
 * printing. Returns how many matched. May be called again with another filter. */
size_t gbench_run(const char *filter, gbench_result_function function, void *context);

/* The named counter of a result, or `otherwise` when it has none of that name. */
double gbench_result_counter(const gbench_result *result, const char *name, double otherwise);

#ifdef __cplusplus
}
#endif

#endif
