/*
 * What is on a page, and so whether it must be built before mutators may see it.
 *
 * [contents] Decided from the plan, the live bits, the regions and the leads alone, which do not change from the flip
 * until no page is stale; so all threads and signal handlers come to the same answer.
 */
#ifndef SHALE_GC_PAGE_CONTENTS_H
#define SHALE_GC_PAGE_CONTENTS_H

#include "gc/plan.h"
#include "heap/live_bits.h"

/* Whether a stale page holds anything that must be built before a mutator may see it. Pages that hold nothing
 * live need no building: nobody can touch them until an allocating mutator has cleared them. (signal) */
bool page_has_contents(const struct plan *plan, page_number page);

/* Whether a page holds something live and needs no building: it stays, and no reference on it leads into the
 * evacuation set, by what marking and the stores since have noted [clean]. From the flip on. (signal) */
bool page_is_clean(const struct plan *plan, page_number page);

/* The live object that begins before the page and ends on or after it; GRANULE_NONE if there is none. Headers
 * lie in front of addresses, so an object whose address is the page's start belongs here. */
static inline granule_number object_across(const struct plan *plan, size_t page_start)
{
    granule_number first = granule_of(region_start(region_of(page_start)));
    granule_number granule = bits_previous(plan->memory->live_bits, first, granule_of(page_start));
    if (granule == GRANULE_NONE)
        return GRANULE_NONE;
    size_t at = granule_start(granule);
    return at - HEADER_SIZE + memory_object_size(plan->memory, at) > page_start ? granule : GRANULE_NONE;
}

static inline bool destination_has_contents(const struct plan *plan, size_t page_start)
{
    region_number region = region_of(page_start);
    return page_start - region_start(region) < plan->memory->regions.regions[region].top;
}

#endif
