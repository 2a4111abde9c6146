#include "gc/hold_back.h"

#include "heap/live_bits.h"

#include <string.h>

static uint64_t count_live(const struct memory *memory, region_number region)
{
    const uint64_t *live = memory->live_bits + (size_t)region * REGION_CHUNKS;
    uint64_t count = 0;
    for (size_t i = 0; i < REGION_CHUNKS; i++)
        count += (uint64_t)__builtin_popcountll(live[i]);
    return count;
}

bool hold_back(struct plan *plan, region_number region)
{
    struct memory *memory = plan->memory;
    if (plan->roles[region] != ROLE_EVACUATED)
        return false;
    plan->objects -= count_live(memory, region);
    plan->bytes -= memory->regions.regions[region].live_bytes + plan->growth.bytes[region];
    plan->roles[region] = ROLE_STAY;
    struct chunk_move *chunks = plan->forwarding.chunks + (size_t)region * REGION_CHUNKS;
    memset(chunks, 0, REGION_CHUNKS * sizeof *chunks);
    growth_forget(&plan->growth, region);
    region_hold_back(&memory->regions, region);
    plan->held_back_count++;
    return true;
}

void hold_back_late(struct plan *plan)
{
    region_number region;
    while ((region = region_take_late(&plan->memory->regions)) != REGION_NONE)
        hold_back(plan, region);
}
