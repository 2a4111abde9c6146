/*
 * Shale with default options but for the heap's size, the fault mode and the barrier. A heap whose size is given
 * may be used up, as those of the others are: they do not keep to a multiple of what is live either.
 *
 * Its stops are those of all threads, from when they are asked for until they run again. The utilisation counts more: everything
 * that held a mutator up, also alone - faults, handshakes, waiting for memory - and is that of the mutator with the
 * least. Events are taken while the program runs, so that the heap need not keep many.
 */
#include "bench/managers/manager.h"

#include "bench/managers/shale.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TARGET_MOST = 1000, /* percent of what is live */
    EVENTS = 1 << 14,   /* in the heap: more than a thread can have in the time between two ticks */
    TAKEN_AT_A_TIME = 256,
    HELD_UP_MAX = 1 << 20
};

const char manager_name[] = "shale";
const struct manager_abilities manager_abilities = {.heap = true, .faults = true};

static shale_heap *heap;

/* Who was held up when. */
struct held_up {
    uint64_t begin;
    uint64_t end;
    uint32_t mutator;
    uint32_t kind;
};

/* One thread at a time takes events: that of the ticks, then the main one. */
static struct held_up held_up[HELD_UP_MAX];
static size_t held_up_count;
static uint64_t lost;
static struct stops stops;
static uint64_t mutators; /* attached so far */

void manager_mode(const struct manager_options *options, char mode[MANAGER_MODE_MAX])
{
    bool by_signal = options->faults == FAULTS_SIGNAL;
    if (!MANAGER_FRAMES)
        snprintf(mode, MANAGER_MODE_MAX, by_signal ? "conservative" : "conservative-thread");
    else if (!MANAGER_STORES)
        snprintf(mode, MANAGER_MODE_MAX, by_signal ? "pages" : "pages-thread");
    else
        snprintf(mode, MANAGER_MODE_MAX, by_signal ? "signal" : "thread");
}

void manager_open(const struct manager_options *options)
{
    shale_error error;
    shale_options shale;
    shale_options_init(&shale);
    shale.ignore_environment = true;
    shale.faults = options->faults == FAULTS_SIGNAL ? SHALE_FAULTS_SIGNAL : SHALE_FAULTS_THREAD;
    shale.events = EVENTS;
    shale.barrier = MANAGER_STORES ? SHALE_BARRIER_STORES : SHALE_BARRIER_PAGES;
    if (options->heap_bytes != 0) {
        shale.heap_size = options->heap_bytes;
        shale.target = TARGET_MOST;
    }
    heap = shale_heap_create(&shale, &error);
    if (heap == NULL)
        workload_fail(error.message);
}

void manager_close(void)
{
    shale_heap_destroy(heap, NULL);
}

struct memory *manager_attach(void)
{
    shale_error error;
    shale_attach_options options;
    shale_attach_options_init(&options);
    options.conservative = !MANAGER_FRAMES;
    shale_mutator *mutator = shale_attach_with(heap, &options, &error);
    if (mutator == NULL)
        workload_fail(error.message);
    return (struct memory *)mutator;
}

void manager_detach(struct memory *memory)
{
    shale_detach(memory_mutator(memory));
}

void manager_enter_blocking(struct memory *memory)
{
    shale_enter_native(memory_mutator(memory));
}

void manager_leave_blocking(struct memory *memory)
{
    shale_leave_native(memory_mutator(memory));
}

static memory_type register_type(const shale_type_spec *spec)
{
    shale_error error;
    const shale_type *type = shale_type_register(heap, spec, &error);
    if (type == NULL)
        workload_fail(error.message);
    return (memory_type)type;
}

memory_type manager_record(const char *name, size_t size, size_t references)
{
    static const uint32_t offsets[MANAGER_REFERENCES_MAX] = {0, 8, 16, 24, 32, 40, 48, 56};
    return register_type(
        &(shale_type_spec){.name = name, .size = size, .pointers = offsets, .pointer_count = references});
}

memory_type manager_references(const char *name)
{
    static const uint32_t offset[] = {0};
    return register_type(&(shale_type_spec){.name = name,
                                            .element_size = sizeof(void *),
                                            .element_pointers = offset,
                                            .element_pointer_count = 1});
}

memory_type manager_words(const char *name)
{
    return register_type(&(shale_type_spec){.name = name, .element_size = sizeof(uint64_t)});
}

memory_type manager_bytes(const char *name)
{
    return register_type(&(shale_type_spec){.name = name, .element_size = 1});
}

static void add_event(const shale_event *event)
{
    if (event->kind < SHALE_EVENT_STOP)
        return; /* a phase, while the program ran */
    if (event->kind == SHALE_EVENT_STOP)
        stops_add(&stops, event->begin - event->values[0], event->end);
    if (event->mutator > mutators)
        mutators = event->mutator;
    if (held_up_count == HELD_UP_MAX)
        lost++;
    else
        held_up[held_up_count++] = (struct held_up){.begin = event->begin,
                                                    .end = event->end,
                                                    .mutator = (uint32_t)event->mutator,
                                                    .kind = event->kind};
}

void manager_tick(void)
{
    shale_event events[TAKEN_AT_A_TIME];
    uint64_t lost_now;
    size_t count;
    do {
        count = shale_events_take(heap, events, TAKEN_AT_A_TIME, &lost_now);
        lost += lost_now;
        for (size_t i = 0; i < count; i++)
            add_event(&events[i]);
    } while (count == TAKEN_AT_A_TIME);
}

static void measure_stops(struct manager_stops *measured)
{
    *measured = (struct manager_stops){.count = stops.count,
                                       .total = stops_total(&stops),
                                       .p50 = stops_percentile(&stops, 500000),
                                       .p99 = stops_percentile(&stops, 990000),
                                       .maximum = stops_longest(&stops)};
}

static double least_utilisation(const shale_event *events, uint64_t begin, uint64_t end, uint64_t window)
{
    double least = 1;
    for (uint64_t mutator = 1; mutator <= mutators; mutator++) {
        double own = shale_minimum_utilisation(events, held_up_count, mutator, begin, end, window);
        if (own < least)
            least = own;
    }
    return least;
}

static void measure_utilisation(struct manager_measures *measures, uint64_t begin, uint64_t end)
{
    shale_event *events = calloc(held_up_count + 1, sizeof *events);
    if (events == NULL || lost != 0) {
        free(events);
        return;
    }
    for (size_t i = 0; i < held_up_count; i++)
        events[i] = (shale_event){.kind = held_up[i].kind,
                                  .mutator = held_up[i].mutator,
                                  .begin = held_up[i].begin,
                                  .end = held_up[i].end};
    for (size_t i = 0; i < MMU_WINDOWS; i++)
        measures->mmu[i] = least_utilisation(events, begin, end, mmu_windows[i] * UINT64_C(1000000));
    measures->has_mmu = true;
    free(events);
}

void manager_measure(struct manager_measures *measures, uint64_t begin, uint64_t end)
{
    shale_statistics statistics;
    *measures = (struct manager_measures){.has_stops = stops.lost == 0};
    if (shale_heap_statistics(heap, &statistics) != SHALE_OK)
        workload_fail("the heap has no statistics");
    measure_stops(&measures->stops);
    measure_utilisation(measures, begin, end);
    measures->has_faults = true;
    measures->faults = statistics.faults;
    measures->has_allocation_stalls = true;
    measures->allocation_stalls = statistics.allocation_stalls;
    measures->has_cycles = true;
    measures->cycles = statistics.cycles;
    snprintf(measures->details, sizeof measures->details,
             "%s; %zu cycles moved objects; threads held up %zu times, %zu of them lost",
             shale_compaction_name(statistics.compaction), (size_t)statistics.flips, held_up_count,
             (size_t)lost);
}
