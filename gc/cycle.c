#include "gc/cycle.h"

#include "gc/dead.h"
#include "gc/flip.h"
#include "gc/reclaim.h"

#include <inttypes.h>

static void record_local(void *argument, struct mutator_local *local)
{
    bump_record(&local->bump, argument);
}

/* What is live must have its bit: what can be reached now is part of what could be when marking began, or was born. */
static void verify_marks(struct collector *collector)
{
    const struct world *world = collector->world;
    struct verify_summary summary;
    world->stop(world->context);
    world->visit_mutators(world->context, record_local, collector->memory);
    collector_verify(collector, views_alias(&collector->memory->views, 0), VERIFY_MARKED, "after marking",
                     &summary);
    world->resume(world->context);
}

static void mark(struct collector *collector)
{
    struct collector_statistics *statistics = &collector->statistics;
    uint64_t began = clock_nanoseconds();
    mark_run(&collector->mark);
    durations_record(&statistics->mark_time, clock_nanoseconds() - began);
    atomic_u64_fetch_add(&statistics->objects_marked, collector->mark.objects);
    atomic_u64_fetch_add(&statistics->bytes_marked, collector->mark.bytes);
    atomic_u64_store(&statistics->live_bytes, collector->mark.bytes);
    if (collector->options.verify != 0)
        verify_marks(collector);
}

static void stop_recording_local(void *argument, struct mutator_local *local)
{
    (void)argument;
    mark_end_local(local);
    bump_stop_recording(&local->bump);
}

/* Nothing moves: mutators need not record what they allocate. When all have taken part, none of them is still setting
 * bits that the next cycle is about to clear. */
static void stop_recording(struct collector *collector)
{
    const struct world *world = collector->world;
    world->handshake(world->context, STAGE_IDLE, stop_recording_local, NULL);
}

static void plan(struct collector *collector, enum plan_scope scope)
{
    plan_make(&collector->plan, scope, collector->options.evacuate_percent, collector->reserve);
    dead_announce(collector->memory);
    moved_announce(&collector->plan);
    if (collector->options.verify != 0) {
        const char *wrong = plan_check(&collector->plan);
        if (wrong != NULL)
            collector_verify_failed(collector, "after planning", wrong);
    }
}

static void compact_task(void *argument, unsigned index)
{
    struct collector *collector = argument;
    while (compact_next_region(&collector->compaction, &collector->builders[index]))
        continue;
}

static void compact(struct collector *collector, bool concurrent)
{
    if (concurrent) {
        workers_run(&collector->workers, compact_task, collector);
        compact_end(&collector->compaction, &collector->builders[0]);
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

/* ---- pacing ---------------------------------------------------------------------------------------- */

/* Mutators compare the number of free regions, which they have at hand when they take one. */
static void publish_pace(struct collector *collector)
{
    const struct pace *pace = &collector->pace;
    uint32_t count = collector->memory->regions.count;
    uint64_t trigger = pace->trigger >> REGION_SHIFT;
    uint32_t left = trigger < count ? count - (uint32_t)trigger : 0;
    atomic_u32_store(&collector->trigger, left > collector->reserve ? left : collector->reserve);
    atomic_u64_store(&collector->statistics.goal_bytes, pace->goal);
}

void cycle_pace_init(struct collector *collector)
{
    struct pace_settings settings = {
        .target_percent = collector->options.target_percent,
        .maximum = (uint64_t)(collector->memory->regions.count - collector->reserve) << REGION_SHIFT,
    };
    pace_init(&collector->pace, &settings, clock_nanoseconds());
    publish_pace(collector);
}

static struct pace_moment moment(struct collector *collector)
{
    return (struct pace_moment){
        .now = clock_nanoseconds(),
        .allocated = atomic_u64_load(&collector->memory->bytes_allocated),
        .stalled_at = atomic_u64_load(&collector->stalled_at),
    };
}

/* `copies`: regions that compaction took before it gave any back. */
static void pace_next(struct collector *collector, uint32_t copies, bool moved)
{
    const struct region_table *regions = &collector->memory->regions;
    struct pace_moment now = moment(collector);
    struct pace_outcome outcome = {
        .live = atomic_u64_load(&collector->statistics.live_bytes),
        .used = (uint64_t)(regions->count - region_free_count(regions)) << REGION_SHIFT,
        .copies = (uint64_t)copies << REGION_SHIFT,
        .moved = moved,
    };
    /* Who stalls between the two looks is forgotten, and has memory now. */
    atomic_u64_store(&collector->stalled_at, 0);
    pace_cycle_ended(&collector->pace, &now, &outcome);
    publish_pace(collector);
}

static uint64_t record_faults(struct collector *collector, uint64_t before)
{
    struct collector_statistics *statistics = &collector->statistics;
    uint64_t faults = collector_faults(collector) - before;
    atomic_u64_store(&statistics->faults_last_cycle, faults);
    if (faults > atomic_u64_load(&statistics->faults_worst_cycle))
        atomic_u64_store(&statistics->faults_worst_cycle, faults);
    return faults;
}

void cycle_run(struct collector *collector, uint64_t number, enum plan_scope scope)
{
    struct pace_moment start = moment(collector);
    pace_cycle_started(&collector->pace, &start);
    mark(collector);
    uint64_t marked = clock_nanoseconds();
    pace_cycle_marked(&collector->pace, marked);
    region_table_set_time(&collector->memory->regions, marked);
    plan(collector, scope);
    uint64_t moved = collector->plan.bytes;
    uint32_t evacuated = collector->plan.evacuated_count;
    uint32_t freed = collector->plan.freed_count;
    uint32_t destinations = collector->plan.destination_count;
    uint64_t faults_before = collector_faults(collector);
    uint64_t faults = 0;
    bool gained = collector->plan.progress || freed + evacuated > destinations;
    if (evacuated == 0) {
        stop_recording(collector);
        plan_clear(&collector->plan);
    } else {
        bool concurrent = flip(collector);
        collector_set_flipped(collector, number);
        compact(collector, concurrent);
        reclaim(collector, concurrent);
        faults = record_faults(collector, faults_before);
    }
    if (collector->options.verify != 0)
        verify_end(collector);
    if (gained || region_free_count(&collector->memory->regions) > collector->reserve)
        atomic_u64_store(&collector->gained, number);
    pace_next(collector, destinations > freed ? destinations - freed : 0, evacuated != 0);
    collector_log(collector, SHALE_LOG_INFO,
                  "cycle %" PRIu64 ": %" PRIu64 " KiB live, %" PRIu32 " regions freed, %" PRIu32
                  " evacuated, %" PRIu64 " KiB moved, %" PRIu64 " faults, %" PRIu32 " of %" PRIu32
                  " regions free; the next within %" PRIu64 " KiB",
                  number, collector->mark.bytes >> 10, freed, evacuated, moved >> 10, faults,
                  region_free_count(&collector->memory->regions), collector->memory->regions.count,
                  collector->pace.goal >> 10);
}
