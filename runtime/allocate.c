/*
 * The allocation slow path: safepoint, stress, more memory, waiting for a cycle, out of memory, in this order.
 *
 * [fault-free] Nothing here holds a lock while it touches the heap.
 */
#include "runtime/mutator.h"

#include <inttypes.h>

/* An allocation that finds no region waits for cycles. It gives up when so many in a row gained nothing for
 * anybody: the one that may be running when it begins to wait, and two that looked for whatever can be packed
 * [packing]. The second sees regions that others filled during the first, which were too young for it. */
enum { STALLS_MAX = 3 };

/* Under stress each N-th slow path waits until everything has moved, and then runs on while it is compacted. */
static void stress(struct mutator *mutator)
{
    struct collector *collector = &mutator->heap->collector;
    unsigned every = mutator->heap->options.stress;
    if (every == 0 || ++mutator->slow_paths % every != 0)
        return;
    uint64_t number = collector_request(collector, PLAN_EVERYTHING);
    mutator_begin_wait(mutator);
    collector_wait_flipped(collector, number);
    mutator_end_wait(mutator);
}

/* Says once for each cycle that somebody had to wait for it. No lock is held, and the thread counts as native. */
static void log_stall(const struct mutator *mutator, uint64_t cycle, uint64_t nanoseconds)
{
    shale_heap *heap = mutator->heap;
    uint64_t logged = atomic_u64_load(&heap->stall_logged);
    if (logged >= cycle || !atomic_u64_cas_full(&heap->stall_logged, logged, cycle))
        return;
    log_line(&heap->log, SHALE_LOG_WARNING,
             "allocation stall: a thread waited %" PRIu64 ".%03" PRIu64 " ms for cycle %" PRIu64
             " to free memory; create a heap larger than %zu MiB, or lower its target to have cycles start "
             "earlier",
             nanoseconds / 1000000, nanoseconds / 1000 % 1000, cycle, heap->options.heap_size >> 20);
}

/* Waits for a cycle. Returns whether it, or one after it, gained anything, for whomever. */
static bool stall(struct mutator *mutator, unsigned attempt)
{
    struct collector *collector = &mutator->heap->collector;
    /* First the cycle that is running, which may be about to free something. */
    uint64_t number = attempt == 0 ? collector_running(collector) : 0;
    if (number == 0)
        number = collector_request(collector, PLAN_TIGHT);
    uint64_t began = clock_nanoseconds();
    atomic_u64_cas_full(&collector->stalled_at, 0, began);
    mutator_begin_wait(mutator);
    collector_wait_completed(collector, number);
    uint64_t waited = clock_nanoseconds() - began;
    durations_record(&mutator->heap->allocation_stalls, waited);
    log_stall(mutator, number, waited);
    mutator_end_wait(mutator);
    return atomic_u64_load(&collector->gained) >= number;
}

static bool ask_embedder(struct mutator *mutator, size_t bytes)
{
    const shale_options *options = &mutator->heap->options;
    return options->out_of_memory != NULL &&
           options->out_of_memory(options->out_of_memory_context, &mutator->local.bump.api, bytes);
}

/* NULL: the heap is full of live objects. */
static void *obtain(struct mutator *mutator, size_t size, uint64_t header)
{
    shale_heap *heap = mutator->heap;
    region_number before = mutator->local.bump.region;
    for (unsigned attempt = 0;;) {
        uintptr_t address =
            bump_allocate(&mutator->local.bump, &heap->memory, size, header, heap->collector.reserve);
        if (address != 0) {
            if (mutator->local.bump.region != before &&
                region_free_count(&heap->memory.regions) <= atomic_u32_load(&heap->collector.trigger))
                collector_suggest(&heap->collector);
            return (void *)address;
        }
        /* When others took what a cycle gained, the heap is not full: try again, as they make progress. Nor is
         * it when a cycle packed regions and has not freed one yet; it is packed once and for all in the end. */
        if (attempt < STALLS_MAX)
            attempt = stall(mutator, attempt) ? 0 : attempt + 1;
        else if (ask_embedder(mutator, size))
            attempt = 0;
        else
            return NULL;
    }
}

void *shale_allocate_slow(shale_mutator *api, const shale_type *api_type, size_t length)
{
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_allocate") != SHALE_OK)
        return NULL;
    const struct type *type = (const struct type *)api_type;
    if (type == NULL || type->owner != &mutator->heap->memory.types) {
        log_line(&mutator->heap->log, SHALE_LOG_ERROR,
                 "shale_allocate: the type was registered with another heap");
        mutator_fail(mutator, SHALE_ERROR_MISUSE,
                     "shale_allocate: the type was registered with another heap");
        return NULL;
    }
    if (length > api_type->length_max) {
        mutator_fail(
            mutator, SHALE_ERROR_TOO_LARGE,
            "an object of type %s with %zu elements is too large: objects have at most %zu bytes, so "
            "at most %" PRIu32 " elements",
            type->name, length, SHALE_OBJECT_MAX, api_type->length_max);
        return NULL;
    }
    uint64_t header = api_type->header | (uint64_t)length << 32;
    size_t size = object_size(type, header);
    mutator_poll(mutator);
    stress(mutator);
    void *object = obtain(mutator, size, header);
    if (object == NULL)
        mutator_fail(mutator, SHALE_ERROR_OUT_OF_HEAP,
                     "the heap of %zu MiB is full: %" PRIu64
                     " KiB are live and %zu bytes were asked for; drop "
                     "references, or create a larger heap",
                     mutator->heap->options.heap_size >> 20,
                     atomic_u64_load(&mutator->heap->collector.statistics.live_bytes) >> 10, size);
    return object;
}
