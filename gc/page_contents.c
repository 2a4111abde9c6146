#include "gc/page_contents.h"

bool page_has_contents(const struct plan *plan, page_number page)
{
    const struct views *views = &plan->memory->views;
    size_t start = (size_t)page << views->page_shift;
    if (start >= views->regions)
        return memory_fixed_object(plan->memory, start) != OFFSET_NONE;
    switch (plan->roles[region_of(start)]) {
    case ROLE_DESTINATION:
        return destination_has_contents(plan, start);
    case ROLE_STAY: {
        granule_number end = granule_of(start + views->page_size - 1) + 1;
        return bits_next(plan->memory->live_bits, granule_of(start), end) < end ||
               object_across(plan, start) != GRANULE_NONE;
    }
    default:
        return false;
    }
}

/* Whether one of the regions that go by a name is evacuated. */
static bool name_is_evacuated(const struct plan *plan, uint64_t name)
{
    const struct memory *memory = plan->memory;
    region_number first = (region_number)(name - 1) << memory->leads.shift;
    region_number end = first + (1u << memory->leads.shift);
    for (region_number region = first; region < end && region < memory->regions.count; region++) {
        if (plan->roles[region] == ROLE_EVACUATED)
            return true;
    }
    return false;
}

static bool leads_to_evacuated(const struct plan *plan, page_number page)
{
    uint64_t leads = atomic_u64_load(&plan->memory->leads.pages[page]);
    if (leads == LEADS_ANYWHERE || atomic_u8_load(&plan->memory->leads.stored[page]) != 0)
        return true;
    for (; leads != 0; leads >>= LEADS_NAME_BITS) {
        if (name_is_evacuated(plan, leads & LEADS_NAME_MASK))
            return true;
    }
    return false;
}

bool page_is_clean(const struct plan *plan, page_number page)
{
    const struct memory *memory = plan->memory;
    size_t end = (size_t)(page + 1) << memory->views.page_shift;
    if (end > memory->views.regions) /* born ones are taken for stored to [large] */
        return memory->leads.complete && !leads_to_evacuated(plan, page) && page_has_contents(plan, page);
    region_number region = region_of(end - 1);
    return memory->leads.complete && plan->roles[region] == ROLE_STAY &&
           end - region_start(region) <= atomic_u32_load(&memory->regions.regions[region].born_from) &&
           !leads_to_evacuated(plan, page) && page_has_contents(plan, page);
}
