/*
 * What events cost: writing one where they are off and on, by threads at once, taking them, and what a fault in place pays to find
 * out whose it is; and minimum mutator utilisation by the number of events.
 */
#include "bench/gbench.h"
#include "gc/durations.h"
#include "gc/events.h"

#include <stdlib.h>

enum { RING = 1 << 16, BATCH = 1 << 12 };

static struct events off;
static struct events on;

static void write_one(struct events *events)
{
    events_span(events, SHALE_EVENT_FAULT, 1, 2, 3);
}

static void write_off(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state))
        write_one(&off);
}

static void write_on(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state))
        write_one(&on);
}

/* All that is done for a fault besides: two looks at the clock, and the thread's number. */
static void record_fault(gbench_state *state, void *context)
{
    (void)context;
    const struct os *os = os_linux();
    while (gbench_keep_running(state)) {
        uint64_t began = clock_nanoseconds();
        uint64_t mutator = events_mutator_of(&on, os->thread_id(os));
        events_span(&on, SHALE_EVENT_FAULT, mutator, began, clock_nanoseconds());
    }
}

static void write_and_take(gbench_state *state, void *context)
{
    (void)context;
    static shale_event taken[BATCH];
    while (gbench_keep_running(state)) {
        for (int i = 0; i < BATCH; i++)
            write_one(&on);
        gbench_keep((void *)events_take(&on, taken, BATCH, NULL));
    }
    gbench_set_items_processed(state, gbench_iterations(state) * BATCH);
}

static void utilisation(gbench_state *state, void *context)
{
    (void)context;
    size_t count = (size_t)gbench_arg(state, 0);
    shale_event *events = calloc(count, sizeof *events);
    for (size_t i = 0; events != NULL && i < count; i++) {
        uint64_t begin = 1000 * (uint64_t)(i * 7919 % count);
        events[i] = (shale_event){.kind = SHALE_EVENT_STOP, .begin = begin, .end = begin + 300};
    }
    double sum = 0;
    while (gbench_keep_running(state))
        sum += shale_minimum_utilisation(events, count, 0, 0, 1000 * (uint64_t)count, 50000);
    if (sum < 0)
        gbench_skip_with_error(state, "no memory");
    gbench_set_items_processed(state, gbench_iterations(state) * (int64_t)count);
    free(events);
}

int main(int argc, char **argv)
{
    static const int64_t counts[] = {1000, 100000};
    if (events_create(&on, os_linux(), RING) != 0)
        return 1;
    gbench_register("events/off", write_off, NULL);
    gbench_register("events/on", write_on, NULL);
    gbench_case *threads = gbench_register("events/on_two_threads", write_on, NULL);
    gbench_set_threads(threads, 2);
    gbench_register("events/fault", record_fault, NULL);
    gbench_register("events/write_and_take", write_and_take, NULL);
    gbench_case *windows = gbench_register("utilisation", utilisation, NULL);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        gbench_add_args(windows, &counts[i], 1);
    int status = gbench_main(argc, argv);
    events_destroy(&on);
    return status;
}
