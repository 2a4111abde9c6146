#include "gc/cycle_pace.h"

/* Mutators compare the number of free regions, which they have at hand when they take one. */
static void publish_pace(struct collector *collector)
{
    const struct pace *pace = &collector->pace;
    uint32_t count = collector->memory->regions.count;
    uint64_t trigger = pace->trigger >> REGION_SHIFT;
    uint32_t left = trigger < count ? count - (uint32_t)trigger : 0;
    atomic_u32_store(&collector->trigger, left > collector->reserve ? left : collector->reserve);
    atomic_u64_store(&collector->statistics.goal_bytes, pace->goal);
    atomic_u64_store(&collector->external_trigger, pace->external_trigger);
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
        .external_added = atomic_u64_load(&collector->external_added),
    };
}

void cycle_pace_start(struct collector *collector)
{
    struct pace_moment start = moment(collector);
    pace_cycle_started(&collector->pace, &start);
}

void cycle_pace_marked(struct collector *collector)
{
    uint64_t now = clock_nanoseconds();
    pace_cycle_marked(&collector->pace, now);
    budget_set_time(&collector->memory->fixed.budget, now); /* of what is freed in this cycle */
}

static region_number regions_for(uint64_t bytes)
{
    uint64_t regions = (bytes + REGION_SIZE - 1) >> REGION_SHIFT;
    return regions < REGION_NONE ? (region_number)regions : REGION_NONE - 1;
}

struct evacuation_outlook cycle_pace_outlook(const struct collector *collector)
{
    const struct pace *pace = &collector->pace;
    uint64_t live = collector->mark.bytes;
    double meanwhile = pace_expected_after_marking(pace, live);
    return (struct evacuation_outlook){
        .awaited = atomic_u64_load(&collector->stalled_at) != 0,
        .goal = regions_for(pace_goal(pace, live)),
        .meanwhile = meanwhile < (double)pace->settings.maximum ? regions_for((uint64_t)meanwhile) : 0,
    };
}

void cycle_pace_end(struct collector *collector, const struct cycle_outcome *outcome)
{
    const struct region_table *regions = &collector->memory->regions;
    struct pace_moment now = moment(collector);
    /* Compaction took regions before it gave any back. */
    uint32_t copies = outcome->destinations > outcome->freed ? outcome->destinations - outcome->freed : 0;
    /* Free cells are had before regions are taken for others. */
    uint32_t used = regions->count - region_free_count(regions);
    uint32_t spare = cells_spare(&collector->memory->cells);
    used -= spare < used ? spare : used;
    struct pace_outcome result = {
        .live = atomic_u64_load(&collector->statistics.live_bytes),
        .used = (uint64_t)used << REGION_SHIFT,
        .copies = (uint64_t)copies << REGION_SHIFT,
        .moved = outcome->evacuated != 0,
        .external = atomic_u64_load(&collector->external_bytes),
    };
    /* Who stalls between the two looks is forgotten, and has memory now. */
    atomic_u64_store(&collector->stalled_at, 0);
    pace_cycle_ended(&collector->pace, &now, &result);
    publish_pace(collector);
}
