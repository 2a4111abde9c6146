#include "gc/dead.h"

#include "heap/announce.h"
#include "heap/live_bits.h"

static void announce_gaps(const struct memory *memory, region_number region)
{
    granule_number granule = granule_of(region_start(region));
    granule_number end = granule + REGION_GRANULES;
    size_t dead = region_start(region); /* bytes from here on belong to no live object */
    while (granule < end) {
        granule = bits_next(memory->live_bits, granule, end);
        size_t object = granule_start(granule) - (granule < end ? HEADER_SIZE : 0);
        if (dead < object)
            announce_free(views_mutator(&memory->views, dead), object - dead);
        if (granule == end)
            return;
        size_t size = memory_object_size(memory, granule_start(granule));
        dead = object + size;
        granule += (granule_number)(size >> GRANULE_SHIFT);
    }
}

void moved_announce(const struct plan *plan)
{
    const struct memory *memory = plan->memory;
    if (!memory->announce)
        return;
    for (region_number i = 0; i < plan->destination_count; i++) {
        /* Objects lie back to back there. */
        size_t start = region_start(plan->destinations[i]) + HEADER_SIZE;
        size_t end = region_start(plan->destinations[i]) + memory->regions.regions[plan->destinations[i]].top;
        announce_object(views_mutator(&memory->views, start), end - start);
    }
}

void dead_announce(const struct memory *memory)
{
    if (!memory->announce)
        return;
    for (region_number region = 0; region < region_touched(&memory->regions); region++) {
        if (region_get_state(&memory->regions, region) == REGION_USED)
            announce_gaps(memory, region);
    }
}
