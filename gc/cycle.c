#include "gc/cycle.h"

#include "gc/dead.h"
#include "gc/flip.h"
#include "gc/reclaim.h"

#include <inttypes.h>

static void start_recording(struct bump *bump, struct memory *memory)
{
    (void)memory;
    bump_start_recording(bump);
}

static void mark(struct collector *collector)
{
    const struct world *world = collector->world;
    struct collector_statistics *statistics = &collector->statistics;
    mark_prepare(&collector->mark);

    uint64_t asked = clock_nanoseconds();
    world->stop(world->context);
    uint64_t stopped = clock_nanoseconds();
    mark_run(&collector->mark, world);
    atomic_u32_store(&collector->memory->recording, 1);
    world->visit_buffers(world->context, start_recording);
    if (collector->options.verify != 0) {
        struct verify_summary summary;
        collector_verify(collector, views_alias(&collector->memory->views, 0), VERIFY_MARKED, "after marking",
                         &summary);
        if (summary.objects != collector->mark.objects || summary.bytes != collector->mark.bytes)
            collector_verify_failed(collector, "after marking",
                                    "marking counted other objects than there are");
    }
    uint64_t done = clock_nanoseconds();
    world->resume(world->context);

    durations_record(&statistics->time_to_stop, stopped - asked);
    durations_record(&statistics->mark_pause, done - stopped);
    atomic_u64_fetch_add(&statistics->objects_marked, collector->mark.objects);
    atomic_u64_fetch_add(&statistics->bytes_marked, collector->mark.bytes);
    atomic_u64_store(&statistics->live_bytes, collector->mark.bytes);
    mark_trim(&collector->mark);
}

/* Nothing moves: mutators need not record what they allocate. Being stopped for it makes sure that none of
 * them is still setting bits when the next cycle clears them. */
static void stop_recording(struct collector *collector)
{
    const struct world *world = collector->world;
    world->stop(world->context);
    atomic_u32_store(&collector->memory->recording, 0);
    world->resume(world->context);
}

static void plan(struct collector *collector, enum plan_scope scope)
{
    plan_make(&collector->plan, scope, collector->options.evacuate_percent);
    dead_announce(collector->memory);
    moved_announce(&collector->plan);
    if (collector->options.verify != 0) {
        const char *wrong = plan_check(&collector->plan);
        if (wrong != NULL)
            collector_verify_failed(collector, "after planning", wrong);
    }
}

static void compact(struct collector *collector, bool concurrent)
{
    if (concurrent) {
        while (compact_next_region(&collector->compaction, &collector->worker))
            continue;
        compact_end(&collector->compaction, &collector->worker);
    }
    collector->world->settle_roots(collector->world->context);
    atomic_u64_fetch_add(&collector->statistics.flips, 1);
    atomic_u64_fetch_add(&collector->statistics.objects_moved, collector->plan.objects);
    atomic_u64_fetch_add(&collector->statistics.bytes_moved, collector->plan.bytes);
}

static void verify_end(struct collector *collector)
{
    const struct world *world = collector->world;
    struct verify_summary summary;
    world->stop(world->context);
    collector_verify(collector, views_alias(&collector->memory->views, 0), VERIFY_FLIPPED, "after the cycle",
                     &summary);
    world->resume(world->context);
}

void cycle_pace(struct collector *collector)
{
    uint64_t free_count = region_free_count(&collector->memory->regions);
    uint64_t used_up = free_count * collector->options.trigger_percent / 100;
    uint64_t trigger = free_count - used_up;
    if (trigger < collector->reserve)
        trigger = collector->reserve;
    atomic_u32_store(&collector->trigger, (uint32_t)trigger);
}

void cycle_run(struct collector *collector, uint64_t number, enum plan_scope scope)
{
    mark(collector);
    plan(collector, scope);
    uint64_t moved = collector->plan.bytes;
    uint32_t evacuated = collector->plan.evacuated_count;
    uint32_t freed = collector->plan.freed_count;
    bool gained = freed + evacuated > collector->plan.destination_count;
    if (evacuated == 0) {
        stop_recording(collector);
        plan_clear(&collector->plan);
    } else {
        bool concurrent = flip(collector);
        collector_set_flipped(collector, number);
        compact(collector, concurrent);
        reclaim(collector, concurrent);
    }
    if (collector->options.verify != 0)
        verify_end(collector);
    gained = gained || region_free_count(&collector->memory->regions) > collector->reserve;
    atomic_u32_store(&collector->gained, gained);
    cycle_pace(collector);
    reclaim_memory(collector);
    collector_log(collector, SHALE_LOG_INFO,
                  "cycle %" PRIu64 ": %" PRIu64 " KiB live, %" PRIu32 " regions freed, %" PRIu32
                  " evacuated, %" PRIu64 " KiB moved, %" PRIu32 " of %" PRIu32 " regions free",
                  number, collector->mark.bytes >> 10, freed, evacuated, moved >> 10,
                  region_free_count(&collector->memory->regions), collector->memory->regions.count);
}
