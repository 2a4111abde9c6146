#include "gc/cycle_outcome.h"

#include <inttypes.h>
#include <stdio.h>

void outcome_of_plan(struct cycle_outcome *outcome, struct collector *collector)
{
    const struct plan *plan = &collector->plan;
    outcome->moved = plan->bytes;
    outcome->freed = plan->freed_count;
    outcome->evacuated = plan->evacuated_count;
    outcome->destinations = plan->destination_count;
    outcome->gained = plan->progress || plan->freed_count + plan->evacuated_count > plan->destination_count;
    outcome->faults_before = collector_faults(collector);
}

void outcome_record(struct cycle_outcome *outcome, struct collector *collector)
{
    struct collector_statistics *statistics = &collector->statistics;
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
    char flipped[96] = "no flip";
    if (outcome->evacuated != 0)
        snprintf(flipped, sizeof flipped,
                 "%" PRIu64 " us to stop, %" PRIu64 " us in the flip, %" PRIu64 " faults",
                 collector->last_time_to_stop / 1000, collector->last_flip_pause / 1000, outcome->faults);
    collector_log(collector, SHALE_LOG_INFO,
                  "cycle %" PRIu64 ": %" PRIu64 " KiB live, marked in %" PRIu64 " ms, %" PRIu32
                  " regions freed, %" PRIu32 " evacuated, %" PRIu64 " KiB moved, %s, %" PRIu32 " of %" PRIu32
                  " regions free; the next within %" PRIu64 " KiB",
                  outcome->number, collector->mark.bytes >> 10, collector->last_mark_time / 1000000,
                  outcome->freed, outcome->evacuated, outcome->moved >> 10, flipped,
                  region_free_count(regions), regions->count, collector->pace.goal >> 10);
}
