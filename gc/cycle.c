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
    struct stop_times times;
    record_births(collector);
    collector_stop(collector, &times);
    world->visit_mutators(world->context, record_local, collector->memory);
    collector_verify(collector, views_alias(&collector->memory->views, 0), VERIFY_MARKED, "after marking",
                     &summary);
    collector_resume(collector, &times, SHALE_STOP_VERIFY);
}

static void mark_by_pages(struct collector *collector)
{
    struct collector_statistics *statistics = &collector->statistics;
    struct mark_pages *pages = &collector->mark_pages;
    mark_pages_run(pages);
    durations_record(&statistics->time_to_stop, pages->remark.stopped - pages->remark.asked);
    durations_record(&statistics->remark_pause, pages->remark.ended - pages->remark.stopped);
    collector_record_stop(collector, &pages->remark, SHALE_STOP_REMARK);
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
    uint64_t ended = clock_nanoseconds();
    collector->last_mark_time = ended - began;
    durations_record(&statistics->mark_time, collector->last_mark_time);
    collector_record_phase(collector, SHALE_EVENT_WEAK, collector->mark.weak_began,
                           collector->mark.weak_ended, 0, 0);
    collector_record_phase(collector, SHALE_EVENT_MARK, began, ended, collector->mark.objects,
                           collector->mark.bytes);
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

/* Frees what is dead where it is, and plans what to move. */
static void plan(struct collector *collector, enum plan_scope scope, struct cycle_outcome *outcome)
{
    uint64_t began = clock_nanoseconds();
    outcome->swept = large_sweep(collector->memory);
    outcome->freed = cells_sweep(collector->memory);
    collector->plan.outlook = cycle_pace_outlook(collector);
    plan_make(&collector->plan, scope, collector->options.evacuate_percent, collector->reserve);
    dead_announce(collector->memory);
    moved_announce(&collector->plan);
    if (collector->options.verify != 0) {
        const char *wrong = plan_check(&collector->plan);
        if (wrong != NULL)
            collector_verify_failed(collector, "after planning", wrong);
    }
    outcome_of_plan(outcome, collector);
    collector_record_phase(collector, SHALE_EVENT_PLAN, began, clock_nanoseconds(), outcome->freed,
                           outcome->evacuated);
}

/* Whether what is planned may be done. */
static bool begin_moving(struct collector *collector)
{
    const struct world *world = collector->world;
    uint64_t began = clock_nanoseconds();
    bool moving = world->begin_moving(world->context);
    events_write(collector->options.events, &(shale_event){
                                                .kind = SHALE_EVENT_HOLD_OFF,
                                                .detail = !moving,
                                                .begin = began,
                                                .end = clock_nanoseconds(),
                                            });
    return moving;
}

/* Mutators that look at the plan for identity hashes do so between safepoints: after the stop, which is as short as any, none
 * does, and what they were told before is kept [hash]. */
static void give_up_moving(struct collector *collector)
{
    struct stop_times times;
    collector_stop(collector, &times);
    plan_drop(&collector->plan);
    collector_resume(collector, &times, SHALE_STOP_GIVE_UP);
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

static uint64_t pages_brought(const struct collector *collector)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < collector->workers.count; i++)
        pages +=
            atomic_u64_load(&collector->builders[i].pages) + atomic_u64_load(&collector->builders[i].clean);
    return pages + atomic_u64_load(&collector->server.builder.pages) +
           atomic_u64_load(&collector->server.builder.clean) + atomic_u64_load(&collector->handlers.pages) +
           atomic_u64_load(&collector->handlers.clean);
}

static void compact(struct collector *collector, bool concurrent)
{
    uint64_t began = clock_nanoseconds();
    uint64_t pages = pages_brought(collector);
    uint64_t faults = collector_faults(collector);
    if (concurrent) {
        workers_run(&collector->workers, compact_task, collector);
        compact_end(&collector->compaction, &collector->builders[0]);
    }
    collector->world->settle_roots(collector->world->context);
    atomic_u64_fetch_add(&collector->statistics.flips, 1);
    atomic_u64_fetch_add(&collector->statistics.objects_moved, collector->plan.objects);
    atomic_u64_fetch_add(&collector->statistics.bytes_moved, collector->plan.bytes);
    collector_record_phase(collector, SHALE_EVENT_COMPACT, began, clock_nanoseconds(),
                           collector_faults(collector) - faults, pages_brought(collector) - pages);
}

static void verify_end(struct collector *collector)
{
    struct verify_summary summary;
    struct stop_times times;
    collector_stop(collector, &times);
    collector_verify(collector, views_alias(&collector->memory->views, 0), VERIFY_ENDED, "after the cycle",
                     &summary);
    collector_resume(collector, &times, SHALE_STOP_VERIFY);
}

static void move(struct collector *collector, struct cycle_outcome *outcome)
{
    const struct world *world = collector->world;
    record_births(collector);
    if (!begin_moving(collector)) {
        outcome_of_giving_up(outcome, collector);
        give_up_moving(collector);
        return;
    }
    uint64_t began = clock_nanoseconds();
    bool concurrent = flip(collector);
    collector_record_phase(collector, SHALE_EVENT_FLIP, began, clock_nanoseconds(), collector->plan.bytes,
                           concurrent);
    collector_set_flipped(collector, outcome->number);
    outcome_of_flip(outcome, collector);
    compact(collector, concurrent);
    began = clock_nanoseconds();
    reclaim(collector, concurrent);
    collector_record_phase(collector, SHALE_EVENT_RECLAIM, began, clock_nanoseconds(), outcome->evacuated,
                           outcome->held_back);
    world->end_moving(world->context);
}

static uint64_t used_bytes(const struct collector *collector)
{
    const struct region_table *regions = &collector->memory->regions;
    return (uint64_t)(regions->count - region_free_count(regions)) << REGION_SHIFT;
}

/* What a cycle of this scope is called by those who ask for one. */
static shale_collect_kind kind_of(enum plan_scope scope)
{
    if (scope == PLAN_EVERYTHING)
        return SHALE_COLLECT_MOVE_ALL;
    return scope == PLAN_SPARSE ? SHALE_COLLECT_COMPACT : SHALE_COLLECT_NORMAL;
}

static void record_cycle(struct collector *collector, enum plan_scope scope, uint64_t began,
                         uint64_t used_before)
{
    struct events *events = collector->options.events;
    if (!events_on(events))
        return;
    events_write(events, &(shale_event){
                             .kind = SHALE_EVENT_CYCLE,
                             .detail = (uint16_t)kind_of(scope),
                             .reason = (uint16_t)collector->reason,
                             .begin = began,
                             .end = clock_nanoseconds(),
                             .values = {used_before, used_bytes(collector)},
                         });
    atomic_u64_store(&events->cycle, 0);
}

/* The phases. */
static void run_phases(struct collector *collector, enum plan_scope scope, struct cycle_outcome *outcome)
{
    cycle_pace_start(collector);
    mark(collector);
    cycle_pace_marked(collector);
    plan(collector, scope, outcome);
    if (outcome->evacuated == 0) {
        stop_recording(collector);
        plan_clear(&collector->plan);
    } else {
        move(collector, outcome);
    }
    if (collector->options.verify != 0)
        verify_end(collector);
    atomic_u64_fetch_add(&collector->external_bytes,
                         -collector->world->free_external(collector->world->context));
    outcome_record(outcome, collector);
    cycle_pace_end(collector, outcome);
}

void cycle_run(struct collector *collector, uint64_t number, enum plan_scope scope)
{
    struct cycle_outcome outcome = {.number = number};
    uint64_t began = clock_nanoseconds();
    uint64_t used_before = used_bytes(collector);
    if (events_on(collector->options.events))
        atomic_u64_store(&collector->options.events->cycle, number);
    run_phases(collector, scope, &outcome);
    record_cycle(collector, scope, began, used_before);
    outcome_log(&outcome, collector);
}
