/*
 * Shale with default options but for the heap's size, the fault mode and the barrier. A heap whose size is given
 * may be used up, as those of the others are: they do not keep to a multiple of what is live either.
 */
#include "bench/managers/manager.h"

#include "bench/managers/shale.h"

#include <stdio.h>
#include <string.h>

enum { TARGET_MOST = 1000 }; /* percent of what is live */

const char manager_name[] = "shale";
const struct manager_abilities manager_abilities = {.heap = true, .faults = true};

static shale_heap *heap;

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

/* The percentiles are those of the flip, which is the longer of two kinds of stop in a heap without a write barrier, and the
 * only kind in others. */
static void measure_stops(struct manager_stops *stops, const shale_statistics *statistics)
{
    const shale_durations *flip = &statistics->flip_pause;
    const shale_durations *remark = &statistics->remark_pause;
    stops->count = flip->count + remark->count;
    stops->total = flip->total + remark->total;
    stops->p50 = flip->p50 > remark->p50 ? flip->p50 : remark->p50;
    stops->p99 = flip->p99 > remark->p99 ? flip->p99 : remark->p99;
    stops->maximum = flip->maximum > remark->maximum ? flip->maximum : remark->maximum;
}

void manager_measure(struct manager_measures *measures, uint64_t begin, uint64_t end)
{
    (void)begin;
    (void)end;
    shale_statistics statistics;
    *measures = (struct manager_measures){.has_stops = true};
    if (shale_heap_statistics(heap, &statistics) != SHALE_OK)
        workload_fail("the heap has no statistics");
    measure_stops(&measures->stops, &statistics);
    measures->has_faults = true;
    measures->faults = statistics.faults;
    measures->has_allocation_stalls = true;
    measures->allocation_stalls = statistics.allocation_stalls;
    measures->has_cycles = true;
    measures->cycles = statistics.cycles;
    snprintf(measures->details, sizeof measures->details, "%s; %zu cycles moved objects",
             shale_compaction_name(statistics.compaction), (size_t)statistics.flips);
}
