/*
 * A heap whose size is given has it from the start and cannot grow, so that the collector runs when all of it is used up,
 * as late as it may. Left to itself it would begin smaller and collect more often. Marker threads, which it otherwise starts
 * with the program's second thread, are there from the start; in incremental mode it has none.
 *
 * A stop lasts from before the other threads are stopped until they run again, as the collector tells. What it does outside
 * of that - it marks little by little in allocations in incremental mode, and sweeps in them - is no stop, but seen in the
 * latency of operations.
 */
#include "bench/managers/manager.h"

#include "bench/managers/bdwgc.h"
#include "bench/measures/clock.h"

#include <stdio.h>

enum { COLLECTIONS_BEFORE_FAILING = 3 };

const char manager_name[] = "bdwgc";
const struct manager_abilities manager_abilities = {.heap = true, .incremental = true};

/* Added to by the thread that collects, which has the collector's lock then. */
static struct stops stops;
static uint64_t stop_began;

void manager_mode(const struct manager_options *options, char mode[MANAGER_MODE_MAX])
{
    snprintf(mode, MANAGER_MODE_MAX, "%s", options->incremental ? "incremental" : "");
}

static void on_event(GC_EventType event)
{
    if (event == GC_EVENT_PRE_STOP_WORLD)
        stop_began = clock_wall();
    else if (event == GC_EVENT_POST_START_WORLD)
        stops_add(&stops, stop_began, clock_wall());
}

/* Its warnings are about its own search for memory. */
static void be_quiet(char *message, GC_word argument)
{
    (void)message;
    (void)argument;
}

static void set_heap_size(size_t bytes)
{
    size_t now = GC_get_heap_size();
    if (now > bytes || (now < bytes && GC_expand_hp(bytes - now) == 0))
        workload_fail("the collector does not accept this heap size");
    GC_set_max_heap_size(bytes);
    GC_set_max_retries(COLLECTIONS_BEFORE_FAILING);
}

void manager_open(const struct manager_options *options)
{
    GC_set_warn_proc(be_quiet);
    if (options->markers != 0)
        GC_set_markers_count(options->markers);
    GC_INIT();
    GC_allow_register_threads();
    if (options->incremental)
        GC_enable_incremental();
    else if (options->markers != 1)
        GC_start_mark_threads();
    GC_set_on_collection_event(on_event);
    GC_exclude_static_roots(&stops, &stops + 1);
    if (options->heap_bytes != 0)
        set_heap_size(options->heap_bytes);
}

void manager_close(void)
{
}

/* The main thread is known. */
struct memory *manager_attach(void)
{
    if (!GC_thread_is_registered()) {
        struct GC_stack_base base;
        GC_get_stack_base(&base);
        GC_register_my_thread(&base);
        return (struct memory *)&stops; /* to be unregistered */
    }
    return NULL;
}

void manager_detach(struct memory *memory)
{
    if (memory != NULL)
        GC_unregister_my_thread();
}

void manager_enter_blocking(struct memory *memory)
{
    (void)memory;
}

void manager_leave_blocking(struct memory *memory)
{
    (void)memory;
}

memory_type manager_record(const char *name, size_t size, size_t references)
{
    (void)name;
    (void)size;
    return references == 0 ? NULL : (memory_type)(const void *)manager_name;
}

memory_type manager_references(const char *name)
{
    (void)name;
    return (memory_type)(const void *)manager_name;
}

memory_type manager_words(const char *name)
{
    (void)name;
    return NULL;
}

memory_type manager_bytes(const char *name)
{
    (void)name;
    return NULL;
}

void manager_tick(void)
{
}

void manager_measure(struct manager_measures *measures, uint64_t begin, uint64_t end)
{
    *measures = (struct manager_measures){.has_stops = true, .has_mmu = stops.lost == 0, .has_cycles = true};
    measures->stops = (struct manager_stops){.count = stops.count,
                                             .total = stops_total(&stops),
                                             .p50 = stops_percentile(&stops, 500000),
                                             .p99 = stops_percentile(&stops, 990000),
                                             .maximum = stops_longest(&stops)};
    for (size_t i = 0; i < MMU_WINDOWS; i++)
        measures->mmu[i] = stops_minimum_utilisation(&stops, begin, end, mmu_windows[i] * UINT64_C(1000000));
    measures->cycles = GC_get_gc_no();
    snprintf(measures->details, sizeof measures->details, "%d markers", GC_get_parallel() + 1);
}
