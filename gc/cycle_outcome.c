#include "gc/cycle_outcome.h"

#include <inttypes.h>
#include <stdio.h>

/* Says how much memory pins cost, when that was never said or has doubled since. */
static void report_pins(struct collector *collector)
{
    struct collector_statistics *statistics = &collector->statistics;
    const struct region_pins *pinned = &collector->plan.pinned;
    atomic_u64_store(&statistics->regions_pinned, pinned->regions);
    atomic_u64_store(&statistics->regions_pinned_long, pinned->long_regions);
    atomic_u64_store(&statistics->bytes_pinned_long, pinned->long_bytes);
    if (pinned->long_regions <= collector->pins_reported / 4)
        collector->pins_reported = pinned->long_regions;
    if (pinned->long_regions == 0 || pinned->long_regions < 2 * collector->pins_reported)
        return;
    collector->pins_reported = pinned->long_regions;
    collector_log(collector, SHALE_LOG_WARNING,
                  "%" PRIu32 " regions of 256 KiB have been pinned for %d cycles or more, and %" PRIu64
                  " KiB in them that are not live cannot be used: pin objects for a shorter time",
                  pinned->long_regions, REGION_PINNED_LONG, pinned->long_bytes >> 10);
}

void outcome_of_plan(struct cycle_outcome *outcome, struct collector *collector)
{
    const struct plan *plan = &collector->plan;
    outcome->moved = plan->bytes;
    outcome->freed += plan->freed_count;
    outcome->evacuated = plan->evacuated_count;
    outcome->destinations = plan->destination_count;
    outcome->gained = plan->progress || outcome->swept.objects != 0 ||
                      outcome->freed + plan->evacuated_count > plan->destination_count;
    outcome->faults_before = collector_faults(collector);
    report_pins(collector);
}

void outcome_of_giving_up(struct cycle_outcome *outcome, struct collector *collector)
{
    outcome->held_off = true;
    outcome->moved = 0;
    outcome->evacuated = 0;
    outcome->destinations = 0;
    outcome->gained = collector->plan.young || outcome->freed != 0;
    atomic_u64_fetch_add(&collector->statistics.flips_held_off, 1);
}

void outcome_of_flip(struct cycle_outcome *outcome, const struct collector *collector)
{
    const struct plan *plan = &collector->plan;
    if (plan->held_back_count == 0)
        return;
    outcome->moved = plan->bytes;
    outcome->held_back = plan->held_back_count;
    /* That the plan would have packed regions is not much use if the same ones are held back each time. */
    outcome->gained = plan->young || outcome->swept.objects != 0 ||
                      outcome->freed + outcome->evacuated - outcome->held_back > outcome->destinations;
}

void outcome_record(struct cycle_outcome *outcome, struct collector *collector)
{
    struct collector_statistics *statistics = &collector->statistics;
    atomic_u64_fetch_add(&statistics->regions_held_back, outcome->held_back);
    if (outcome->evacuated != 0) {
        outcome->faults = collector_faults(collector) - outcome->faults_before;
        atomic_u64_store(&statistics->faults_last_cycle, outcome->faults);
        if (outcome->faults > atomic_u64_load(&statistics->faults_worst_cycle))
            atomic_u64_store(&statistics->faults_worst_cycle, outcome->faults);
    }
    if (outcome->gained || region_free_count(&collector->memory->regions) > collector->reserve)
        atomic_u64_store(&collector->gained, outcome->number);
}

void outcome_log(const struct cycle_outcome *outcome, const struct collector *collector)
{
    const struct region_table *regions = &collector->memory->regions;
    char flipped[96];
    snprintf(flipped, sizeof flipped, "%s", outcome->held_off ? "the flip was held off" : "no flip");
    if (outcome->evacuated != 0)
        snprintf(flipped, sizeof flipped,
                 "%" PRIu64 " us to stop, %" PRIu64 " us in the flip, %" PRIu64 " faults",
                 (collector->last_flip.stopped - collector->last_flip.asked) / 1000,
                 (collector->last_flip.ended - collector->last_flip.stopped) / 1000, outcome->faults);
    char held_back[32] = "";
    if (outcome->held_back != 0)
        snprintf(held_back, sizeof held_back, " (%" PRIu32 " held back)", outcome->held_back);
    char remarked[112] = "";
    if (collector->options.no_barrier)
        snprintf(remarked, sizeof remarked,
                 " (%" PRIu32 " rounds, %" PRIu64 " pages looked at again; %" PRIu64 " us to stop, %" PRIu64
                 " us in the remark)",
                 collector->mark_pages.rounds, collector->mark_pages.pages,
                 (collector->mark_pages.remark.stopped - collector->mark_pages.remark.asked) / 1000,
                 (collector->mark_pages.remark.ended - collector->mark_pages.remark.stopped) / 1000);
    collector_log(collector, SHALE_LOG_INFO,
                  "cycle %" PRIu64 ": %" PRIu64 " KiB live, marked in %" PRIu64 " ms%s, %" PRIu32
                  " regions freed, %" PRIu32 " evacuated%s, %" PRIu64 " KiB moved, %s, %" PRIu64
                  " KiB in large objects freed, %" PRIu32 " of %" PRIu32
                  " regions free; the next within %" PRIu64 " KiB",
                  outcome->number, collector->mark.bytes >> 10, collector->last_mark_time / 1000000, remarked,
                  outcome->freed, outcome->evacuated, held_back, outcome->moved >> 10, flipped,
                  outcome->swept.bytes >> 10, region_free_count(regions), regions->count,
                  collector->pace.goal >> 10);
}
