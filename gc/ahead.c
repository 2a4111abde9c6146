#include "gc/ahead.h"

/* Regions that are kept ready, at most: what a mutator fills in some dozens of milliseconds, which is what a cycle may take. */
enum { AHEAD_MOST = 64 };

/* Bytes in one call, so that a thread of the program that changes its mappings does not wait for it long. */
#define AHEAD_SLICE ((size_t)64 << 10)

/* Of a heap so far; a small program is not to hold what it will never use. */
enum { AHEAD_PART = 16 };

static uint32_t less(uint32_t a, uint32_t b)
{
    return a > b ? a - b : 0;
}

/* Regions that mutators are going to take before a cycle gives them others: the heap is let grow to its goal. */
static uint32_t before_goal(const struct collector *collector)
{
    const struct region_table *regions = &collector->memory->regions;
    uint64_t goal = atomic_u64_load(&collector->statistics.goal_bytes) >> REGION_SHIFT;
    uint32_t beyond = goal < regions->count ? regions->count - (uint32_t)goal : 0;
    return less(region_free_count(regions), beyond > collector->reserve ? beyond : collector->reserve);
}

/* Regions that ought to be ready. */
static uint32_t wanted(const struct collector *collector)
{
    uint32_t most = before_goal(collector);
    uint32_t wanted = region_touched(&collector->memory->regions) / AHEAD_PART;
    wanted = wanted < AHEAD_MOST ? wanted : AHEAD_MOST;
    return wanted < most ? wanted : most;
}

/* Whether one more region with memory is within the budget. */
static bool fits(const struct collector *collector)
{
    const struct memory *memory = collector->memory;
    uint32_t spare = less(region_free_count(&memory->regions), collector->reserve);
    return budget_idle(&memory->fixed.budget) + REGION_SIZE <= region_start(spare);
}

bool ahead_is_due(const struct collector *collector)
{
    return region_resident_count(&collector->memory->regions) < wanted(collector) / 2 &&
           atomic_u32_load(&collector->never_ahead) == 0 && fits(collector);
}

static int populate(const struct memory *memory, region_number region)
{
    int status = 0;
    for (size_t at = 0; at < REGION_SIZE && status == 0; at += AHEAD_SLICE)
        status = memory->os->populate(memory->os, views_mutator(&memory->views, region_start(region) + at),
                                      AHEAD_SLICE);
    return status;
}

bool ahead_prepare(struct collector *collector)
{
    struct memory *memory = collector->memory;
    struct region_table *regions = &memory->regions;
    if (region_resident_count(regions) >= wanted(collector) || !fits(collector))
        return false;
    region_number region = region_take_hole(regions, collector->reserve);
    if (region == REGION_NONE)
        return false;
    int status = populate(memory, region);
    /* Should that have failed half way, the region counts as one with memory, which it may be in part; it is zero in any case.
     * Whoever fills it gets the rest as ever, and is told there if there is none. */
    budget_set_time(&memory->fixed.budget, clock_nanoseconds());
    region_return_zero(regions, region);
    if (status != 0)
        atomic_u32_store(&collector->never_ahead, 1);
    return status == 0;
}
