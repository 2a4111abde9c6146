#include "gc/cycle.h"

#include "gc/cycle_outcome.h"
#include "gc/cycle_pace.h"
#include "gc/dead.h"
#include "gc/flip.h"
#include "gc/reclaim.h"
#include "gc/sweep_large.h"

#include <string.h>

static void record_local(void *argument, struct mutator_local *local)
{
    bump_record(&local->bump, argument);
}

static void record_eagerly_local(void *argument, struct mutator_local *local)
{
    bump_record_eagerly(&local->bump, argument);
}

/* Page building must find what was born. Mutators set the bits in the regions that they fill; in those that they left
 * before they were asked nobody has. */
static void record_births(struct collector *collector)
{
    struct memory *memory = collector->memory;
    if (collector->options.no_barrier)
        return; /* that was done from the start [remark] */
    collector->world->handshake(collector->world->context, STAGE_RECORDING, record_eagerly_local, memory);
    region_number touched = region_touched(&memory->regions);
    for (region_number region = 0; region < touched; region++) {
        /* One that was left since has its bits; setting them again does no harm. */
        if (region_get_state_acquire(&memory->regions, region) == REGION_BORN)
            memory_record_births(memory, region);
    }
}

/* What is live must have its bit: what can be reached now is part of what could be when marking began, or was born. */
static void verify_marks(struct collector *collector)
{
    const struct world *world = collector->world;
    struct verify_summary summary;
    record_births(collector);
    world->stop(world->context);
    world->visit_mutators(world->context, record_local, collector->memory);
    collector_verify(collector, views_alias(&collector->memory->views, 0), VERIFY_MARKED, "after marking",
                     &summary);
    world->resume(world->context);
}

static void mark_by_pages(struct collector *collector)
{
    struct collector_statistics *statistics = &collector->statistics;
    struct mark_pages *pages = &collector->mark_pages;
    mark_pages_run(pages);
    durations_record(&statistics->time_to_stop, pages->time_to_stop);
    durations_record(&statistics->remark_pause, pages->remark_pause);
    atomic_u64_fetch_add(&statistics->mark_rounds, pages->rounds);
    atomic_u64_fetch_add(&statistics->pages_rescanned, pages->pages);
    uint32_t failure = atomic_u32_load(&pages->written.failure);
    if (failure != 0)
        collector_log(collector, SHALE_LOG_WARNING,
                      "which pages were written could not be found out (%s), so marking looked at all of "
                      "them while the "
                      "program was stopped; check vm.max_map_count and free memory",
                      strerror((int)failure));
}

static void mark(struct collector *collector)
{
    struct collector_statistics *statistics = &collector->statistics;
    uint64_t began = clock_nanoseconds();
    if (collector->options.no_barrier)
        mark_by_pages(collector);
    else
        mark_run(&collector->mark);
    collector->last_mark_time = clock_nanoseconds() - began;
    durations_record(&statistics->mark_time, collector->last_mark_time);
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

/* Mutators that look at the plan for identity hashes do so between safepoints: after the stop, which is as short as any, none
 * does, and what they were told before is kept [hash]. */
static void give_up_moving(struct collector *collector)
{
    const struct world *world = collector->world;
    world->stop(world->context);
    plan_drop(&collector->plan);
    world->resume(world->context);
    stop_recording(collector);
    plan_return_regions(&collector->plan);
    plan_clear(&collector->plan);
}

static void compact_task(void *argument, unsigned index)
{
    struct collector *collector = argument;
    while (compact_next_unit(&collector->compaction, &collector->builders[index]))
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
    collector_verify(collector, views_alias(&collector->memory->views, 0), VERIFY_ENDED, "after the cycle",
                     &summary);
    world->resume(world->context);
}

static void move(struct collector *collector, struct cycle_outcome *outcome)
{
    const struct world *world = collector->world;
    record_births(collector);
    if (!world->begin_moving(world->context)) {
        outcome_of_giving_up(outcome, collector);
        give_up_moving(collector);
        return;
    }
    bool concurrent = flip(collector);
    collector_set_flipped(collector, outcome->number);
    outcome_of_flip(outcome, collector);
    compact(collector, concurrent);
    reclaim(collector, concurrent);
    world->end_moving(world->context);
}

void cycle_run(struct collector *collector, uint64_t number, enum plan_scope scope)
{
    struct cycle_outcome outcome = {.number = number};
    cycle_pace_start(collector);
    mark(collector);
    cycle_pace_marked(collector);
    outcome.swept = large_sweep(collector->memory);
    outcome.freed = cells_sweep(collector->memory);
    plan(collector, scope);
    outcome_of_plan(&outcome, collector);
    if (outcome.evacuated == 0) {
        stop_recording(collector);
        plan_clear(&collector->plan);
    } else {
        move(collector, &outcome);
    }
    if (collector->options.verify != 0)
        verify_end(collector);
    atomic_u64_fetch_add(&collector->external_bytes,
                         -collector->world->free_external(collector->world->context));
    outcome_record(&outcome, collector);
    cycle_pace_end(collector, &outcome);
    outcome_log(&outcome, collector);
}
