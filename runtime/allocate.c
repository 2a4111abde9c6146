/*
 * The allocation slow path: safepoint, stress, more memory, waiting for a cycle, out of memory, in this order.
 *
 * [fault-free] Nothing here holds a lock while it touches the heap.
 */
#include "heap/large.h"
#include "runtime/mutator.h"

#include <inttypes.h>

/* An allocation that finds no region waits for cycles. It gives up when so many in a row gained nothing for
 * anybody: the one that may be running when it begins to wait, and two that looked for whatever can be packed
 * [packing]. The second sees regions that others filled during the first, which were too young for it. */
enum { STALLS_MAX = 3 };

/* For a large object a cycle has gained something if there are more free regions than there ever were while it was waited for. Packing what is
 * sparse may take some cycles in which there are not. */
enum { LARGE_STALLS_MAX = 6 };

/* Bytes from which on clearing them takes so long that the collector does not wait for it. */
#define CLEARING_IS_LONG ((uint64_t)1 << 20)

/* Under stress each N-th slow path waits until everything has moved, and then runs on while it is compacted. What was
 * allocated last moves as well, since that is what programs forget to show: so the region is given up, which is packed
 * with the others. */
static void stress(struct mutator *mutator)
{
    struct collector *collector = &mutator->heap->collector;
    unsigned every = mutator->heap->options.stress;
    if (every == 0 || ++mutator->slow_paths % every != 0)
        return;
    bump_give_up(&mutator->local.bump, &mutator->heap->memory);
    mutator_await_cycle(mutator, collector_wait_flipped,
                        collector_request(collector, PLAN_EVERYTHING, SHALE_REASON_STRESS));
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
static bool stall(struct mutator *mutator, unsigned attempt, enum plan_scope scope)
{
    struct collector *collector = &mutator->heap->collector;
    /* First the cycle that is running, which may be about to free something. */
    uint64_t number = attempt == 0 ? collector_running(collector) : 0;
    if (number == 0)
        number = collector_request(collector, scope, SHALE_REASON_STALL);
    uint64_t began = clock_nanoseconds();
    atomic_u64_cas_full(&collector->stalled_at, 0, began);
    mutator_begin_wait_for_cycle(mutator);
    collector_wait_completed(collector, number);
    critical_end_stuck(mutator);
    uint64_t ended = clock_nanoseconds();
    uint64_t waited = ended - began;
    durations_record(&mutator->heap->allocation_stalls, waited);
    mutator_record_wait(mutator, SHALE_EVENT_STALL, number, began, ended);
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

/* What is asked for. */
struct request {
    size_t size; /* bytes, header included */
    uint64_t header;
    unsigned cells; /* of objects that never move: their class and kind; of others CELL_INDEX_NONE */
};

/* 0: there is no memory. `fresh`: a region was taken. */
static uintptr_t attempt_once(struct mutator *mutator, const struct request *request, bool *fresh)
{
    shale_heap *heap = mutator->heap;
    struct bump *bump = &mutator->local.bump;
    if (request->cells != CELL_INDEX_NONE)
        return cell_caches_allocate(&mutator->local.cells, &heap->memory, request->cells, request->header,
                                    heap->collector.reserve, bump->recording, fresh);
    region_number before = bump->region;
    uintptr_t address =
        bump_allocate(bump, &heap->memory, request->size, request->header, heap->collector.reserve);
    *fresh = bump->region != before;
    return address;
}

/* Free cells are as good as free regions, and are had before them. */
static bool cycle_is_due(const shale_heap *heap)
{
    uint64_t available =
        (uint64_t)region_free_count(&heap->memory.regions) + cells_spare(&heap->memory.cells);
    return available <= atomic_u32_load(&heap->collector.trigger);
}

static void region_taken(shale_heap *heap)
{
    if (cycle_is_due(heap))
        collector_suggest(&heap->collector, SHALE_REASON_PACE);
    else
        collector_prepare_ahead(&heap->collector);
}

/* NULL: the heap is full of live objects. */
static void *obtain(struct mutator *mutator, const struct request *request)
{
    shale_heap *heap = mutator->heap;
    for (unsigned attempt = 0;;) {
        bool fresh;
        uintptr_t address = attempt_once(mutator, request, &fresh);
        if (address != 0) {
            if (fresh)
                region_taken(heap);
            return (void *)address;
        }
        /* When others took what a cycle gained, the heap is not full: try again, as they make progress. Nor is
         * it when a cycle packed regions and has not freed one yet; it is packed once and for all in the end. */
        if (attempt < STALLS_MAX)
            attempt = stall(mutator, attempt, PLAN_TIGHT) ? 0 : attempt + 1;
        else if (ask_embedder(mutator, request->size))
            attempt = 0;
        else
            return NULL;
    }
}

/* The run is nobody's business until it is complete; so the collector may do as it likes meanwhile. */
static struct large_run take_large(struct mutator *mutator, const struct large_request *request)
{
    shale_heap *heap = mutator->heap;
    bool slow = request->payload >= CLEARING_IS_LONG;
    if (slow) {
        atomic_u32_fetch_add(&heap->clearing, 1); /* no processor is free meanwhile */
        mutator_begin_wait(mutator);
    }
    struct large_run run = large_take(&heap->memory, request, heap->collector.reserve);
    if (slow) {
        mutator_end_wait(mutator);
        atomic_u32_fetch_add(&heap->clearing, (uint32_t)-1);
    }
    return run;
}

/* NULL: there is no room for it. */
static void *obtain_large(struct mutator *mutator, const struct large_request *request)
{
    shale_heap *heap = mutator->heap;
    uint32_t most_free = 0;
    for (unsigned attempt = 0;;) {
        struct large_run run = take_large(mutator, request);
        if (run.start != OFFSET_NONE) {
            uintptr_t address = large_complete(&heap->memory, request, &run, mutator->local.bump.recording);
            if (cycle_is_due(heap))
                collector_suggest(&heap->collector, SHALE_REASON_PACE);
            return (void *)address;
        }
        if (attempt < LARGE_STALLS_MAX) {
            /* Much may be free, and too little for this: then what is sparse is packed though that does not pay. */
            stall(mutator, attempt++, PLAN_SPARSE);
            uint32_t free_count = region_free_count(&heap->memory.regions);
            if (free_count > most_free)
                attempt = 0;
            most_free = free_count > most_free ? free_count : most_free;
        } else if (ask_embedder(mutator, request->payload)) {
            attempt = 0;
            most_free = 0;
        } else {
            return NULL;
        }
    }
}

/* Whether an object of `length` elements can be in this heap at all. */
static bool fits_heap(const struct mutator *mutator, const struct type *type, size_t length,
                      struct large_request *request)
{
    *request = (struct large_request){.type = type, .length = length};
    return !__builtin_mul_overflow((uint64_t)length, (uint64_t)type->api.element_size, &request->payload) &&
           !__builtin_add_overflow(request->payload, (uint64_t)type->fixed_size, &request->payload) &&
           request->payload <= mutator->heap->options.heap_size &&
           large_run_size(&mutator->heap->memory, request->payload) <= mutator->heap->options.heap_size;
}

static struct request request_of(const struct type *type, size_t length, bool pinned)
{
    struct request request = {.header = type->api.header | (uint64_t)length << 32, .cells = CELL_INDEX_NONE};
    request.size = object_size(type, request.header);
    if (pinned)
        request.cells = cell_index(request.size, type->shape == SHAPE_POINTER_FREE);
    return request;
}

static void *allocate(struct mutator *mutator, const char *function, const shale_type *api_type,
                      size_t length, bool pinned)
{
    if (mutator_check(mutator, function) != SHALE_OK)
        return NULL;
    const struct type *type = (const struct type *)api_type;
    if (type == NULL || type->owner != &mutator->heap->memory.types) {
        mutator_misuse(mutator, SHALE_ERROR_MISUSE, function, "the type was registered with another heap");
        return NULL;
    }
    struct large_request large;
    if (length != 0 && api_type->element_size == 0) {
        mutator_fail(mutator, SHALE_ERROR_TOO_LARGE, "objects of type %s have no array, so not %zu elements",
                     type->name, length);
        return NULL;
    }
    if (!fits_heap(mutator, type, length, &large)) {
        mutator_fail(mutator, SHALE_ERROR_TOO_LARGE,
                     "an object of type %s with %zu elements is too large for the heap of %zu MiB; create a "
                     "larger heap",
                     type->name, length, mutator->heap->options.heap_size >> 20);
        return NULL;
    }
    mutator_poll(mutator);
    stress(mutator);
    void *object;
    if (large.payload > SHALE_OBJECT_MAX) {
        object = obtain_large(mutator, &large);
        mutator->local.last_fixed =
            object != NULL ? views_offset(&mutator->heap->memory.views, (uintptr_t)object) : 0;
    } else {
        struct request request = request_of(type, length, pinned);
        object = obtain(mutator, &request);
    }
    if (object == NULL)
        mutator_fail(mutator, SHALE_ERROR_OUT_OF_HEAP,
                     "the heap of %zu MiB is full: %" PRIu64 " KiB are live and %" PRIu64
                     " bytes were asked for; drop "
                     "references, or create a larger heap",
                     mutator->heap->options.heap_size >> 20,
                     atomic_u64_load(&mutator->heap->collector.statistics.live_bytes) >> 10, large.payload);
    return object;
}

void *shale_allocate_slow(shale_mutator *api, const shale_type *type, size_t length)
{
    INSIDE();
    return allocate(mutator_of(api), "shale_allocate", type, length, false);
}

void *shale_allocate_pinned_slow(shale_mutator *api, const shale_type *type, size_t length)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    /* Runs of arrays are looked at here, and all runs are empty when the call is not right. */
    if (SHALE_LIKELY(length <= type->length_max && type->cells != CELL_INDEX_NONE)) {
        struct request request = {.header = type->header, .cells = type->cells};
        if (length != 0)
            request = request_of((const struct type *)type, length, true);
        uintptr_t address = cell_caches_continue(&mutator->local.cells, &mutator->heap->memory, request.cells,
                                                 request.header, mutator->local.bump.recording);
        if (SHALE_LIKELY(address != 0)) {
            mutator->local.last_fixed = views_offset(&mutator->heap->memory.views, address);
            return (void *)address;
        }
    }
    void *object = allocate(mutator, "shale_allocate_pinned", type, length, true);
    mutator->local.last_fixed =
        object != NULL ? views_offset(&mutator->heap->memory.views, (uintptr_t)object) : 0;
    return object;
}
