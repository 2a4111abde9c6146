#include "runtime/heap.h"
#include "runtime/inside.h"

const char *shale_compaction_name(shale_compaction compaction)
{
    switch (compaction) {
    case SHALE_COMPACTION_FAULT_THREAD:
        return "faults answered by a thread";
    case SHALE_COMPACTION_FAULT_SIGNAL:
        return "faults answered in place by SIGBUS";
    case SHALE_COMPACTION_IN_PAUSE:
        return "compaction inside the pause";
    }
    return "unknown";
}

shale_status shale_heap_statistics(shale_heap *heap, shale_statistics *statistics)
{
    INSIDE();
    shale_status status = heap_check(heap, "shale_heap_statistics", NULL);
    if (status != SHALE_OK || statistics == NULL)
        return status != SHALE_OK ? status : SHALE_ERROR_ARGUMENT;
    const struct collector *collector = &heap->collector;
    const struct collector_statistics *counted = &collector->statistics;
    const struct region_table *regions = &heap->memory.regions;
    bool in_pause = collector->options.compaction == SHALE_COMPACTION_IN_PAUSE;
    /* More than the heap's size while a compaction has taken of the reserve [reserve]. */
    uint64_t used = (uint64_t)(regions->count - region_free_count(regions)) << REGION_SHIFT;
    uint64_t worker_pages = 0;
    uint64_t clean =
        atomic_u64_load(&collector->server.builder.clean) + atomic_u64_load(&collector->handlers.clean);
    for (unsigned i = 0; i < collector->workers.limit; i++) {
        worker_pages += atomic_u64_load(&collector->builders[i].pages);
        clean += atomic_u64_load(&collector->builders[i].clean);
    }
    *statistics = (shale_statistics){
        .compaction = collector->options.compaction,
        .cycles = atomic_u64_load(&collector->completed),
        .flips = atomic_u64_load(&counted->flips),
        .objects_marked = atomic_u64_load(&counted->objects_marked),
        .bytes_marked = atomic_u64_load(&counted->bytes_marked),
        .objects_moved = atomic_u64_load(&counted->objects_moved),
        .bytes_moved = atomic_u64_load(&counted->bytes_moved),
        .pages_by_workers = in_pause ? 0 : worker_pages,
        .pages_by_server = atomic_u64_load(&collector->server.builder.pages),
        .pages_by_mutators = atomic_u64_load(&collector->handlers.pages),
        .pages_in_pause = in_pause ? worker_pages : 0,
        .pages_clean = clean,
        .faults = collector_faults(collector),
        .faults_last_cycle = atomic_u64_load(&counted->faults_last_cycle),
        .faults_worst_cycle = atomic_u64_load(&counted->faults_worst_cycle),
        .bytes_allocated = atomic_u64_load(&heap->memory.bytes_allocated),
        .live_bytes = atomic_u64_load(&counted->live_bytes),
        .finalizers_waiting = finalizers_waiting(&heap->finalizers),
        .external_bytes = atomic_u64_load(&collector->external_bytes),
        .flips_held_off = atomic_u64_load(&counted->flips_held_off),
        .regions_held_back = atomic_u64_load(&counted->regions_held_back),
        .regions_pinned = atomic_u64_load(&counted->regions_pinned),
        .regions_pinned_long = atomic_u64_load(&counted->regions_pinned_long),
        .bytes_pinned_long = atomic_u64_load(&counted->bytes_pinned_long),
        .heap_size = heap->options.heap_size,
        .goal_bytes = atomic_u64_load(&counted->goal_bytes),
        .mark_rounds = atomic_u64_load(&counted->mark_rounds),
        .pages_rescanned = atomic_u64_load(&counted->pages_rescanned),
        .pinned_bytes = atomic_u64_load(&heap->memory.cells.slab_bytes),
        .pinned_free_bytes = atomic_u64_load(&heap->memory.cells.free_bytes),
        .used_bytes = used < heap->options.heap_size ? used : heap->options.heap_size,
    };
    statistics->large_objects = atomic_u64_load(&heap->memory.fixed.large_objects);
    statistics->large_bytes = atomic_u64_load(&heap->memory.fixed.large_bytes);
    statistics->data_bytes = atomic_u64_load(&heap->memory.fixed.data_bytes);
    heap->memory.os->file_memory(heap->memory.os, heap->memory.views.file, &statistics->committed_bytes);
    durations_summarize(&counted->flip_pause, &statistics->flip_pause);
    durations_summarize(&counted->remark_pause, &statistics->remark_pause);
    durations_summarize(&counted->mark_time, &statistics->mark_time);
    durations_summarize(&counted->handshake, &statistics->handshake);
    durations_summarize(&counted->time_to_stop, &statistics->time_to_stop);
    durations_summarize(&heap->allocation_stalls, &statistics->allocation_stall_time);
    statistics->allocation_stalls = statistics->allocation_stall_time.count;
    return SHALE_OK;
}
