/* The plan's definition, checked against the plan: slow, and sharing no code with what made it. */
#include "gc/plan.h"

#include "heap/identity_hash.h"
#include "heap/live_bits.h"

/* What the objects seen so far say about the next one. */
struct progress {
    region_number destination; /* region of the last object's new place */
    size_t end;                /* where its new bytes end */
    uint64_t objects;
    uint64_t bytes;
};

/* What the object takes up in its new place; 0 when the record of what grows is wrong about it. */
static size_t size_there(const struct plan *plan, granule_number granule)
{
    uint64_t header = memory_header(plan->memory, granule_start(granule));
    const struct type *type = memory_type(plan->memory, header);
    bool recorded = growth_test(&plan->growth, granule);
    bool may_grow = (header & HEADER_ASKED) != 0 && identity_hash_grows(type, header);
    /* Objects whose hash was asked for since do not grow, and are not settled. */
    if (recorded ? !may_grow : may_grow && (header & HEADER_SETTLED) != 0)
        return 0;
    return object_size(type, header) + (recorded ? GRANULE_SIZE : 0);
}

static const char *check_object(const struct plan *plan, struct progress *progress, granule_number granule)
{
    const struct memory *memory = plan->memory;
    size_t size = memory_object_size(memory, granule_start(granule));
    for (size_t i = 0; i < size >> GRANULE_SHIFT; i++) {
        granule_number part = granule + (granule_number)i;
        if ((plan->forwarding.chunks[part >> 6].gaps >> (part & 63) & 1) != 0)
            return "a granule of an object that moves is taken for a gap";
    }
    size = size_there(plan, granule);
    if (size == 0)
        return "what is recorded of an object's growth is not what its header says";
    uint64_t forwarded = plan_forward(plan, plan->forwarding.base + granule_start(granule));
    size_t start = forwarded - plan->forwarding.base - HEADER_SIZE;
    region_number region = region_of(start);
    if (forwarded - plan->forwarding.base >= plan->forwarding.size || plan->roles[region] != ROLE_DESTINATION)
        return "an object goes to a region that is no destination";
    if (start + size > region_start(region) + memory->regions.regions[region].top)
        return "an object goes beyond what its destination region uses";
    if (region == progress->destination ? start != progress->end
                                        : start != region_start(region) + HEADER_SIZE)
        return "objects do not lie back to back in their destination";
    progress->destination = region;
    progress->end = start + size;
    progress->objects++;
    progress->bytes += size;
    return NULL;
}

/* Every destination page's source is the group that its first bytes belong to. */
static const char *check_page_sources(const struct plan *plan)
{
    const struct memory *memory = plan->memory;
    for (region_number i = 0; i < plan->destination_count; i++) {
        size_t start = region_start(plan->destinations[i]);
        size_t end = start + memory->regions.regions[plan->destinations[i]].top;
        for (size_t page = start; page < end; page += memory->views.page_size) {
            chunk_number chunk = plan->page_source[memory_page(memory, page)];
            if (plan->roles[region_of((size_t)chunk << CHUNK_SHIFT)] != ROLE_EVACUATED)
                return "a destination page has a source outside the evacuation set";
            granule_number first =
                bits_next(memory->live_bits, (granule_number)chunk << 6, ((granule_number)chunk << 6) + 64);
            if (first == ((granule_number)chunk << 6) + 64)
                return "a destination page's source is a chunk in which no object starts";
            size_t to = forward_offset(&plan->forwarding, granule_start(first));
            if (region_of(to) != plan->destinations[i] || (to - HEADER_SIZE > page && page != start))
                return "a destination page's source begins after the page";
        }
    }
    return NULL;
}

/* Forwarding looks at the bits wherever references lead. */
static const char *check_growers(const struct plan *plan)
{
    const struct growth *growth = &plan->growth;
    for (region_number i = 0; i < growth->recorded_count; i++) {
        if (plan->roles[growth->recorded[i]] != ROLE_EVACUATED)
            return "objects grow that do not move";
    }
    if (plan->forwarding.growers != (growth->recorded_count != 0 ? growth->bits : NULL))
        return "forwarding does not know that objects grow";
    return NULL;
}

const char *plan_check(const struct plan *plan)
{
    const char *wrong_growers = check_growers(plan);
    if (wrong_growers != NULL)
        return wrong_growers;
    struct progress progress = {.destination = REGION_NONE};
    for (region_number i = 0; i < plan->evacuated_count; i++) {
        granule_number granule = granule_of(region_start(plan->evacuated[i]));
        granule_number end = granule + REGION_GRANULES;
        while ((granule = bits_next(plan->memory->live_bits, granule, end)) < end) {
            const char *wrong = check_object(plan, &progress, granule++);
            if (wrong != NULL)
                return wrong;
        }
    }
    if (progress.objects != plan->objects || progress.bytes != plan->bytes)
        return "the objects that move are not those that were counted";
    return check_page_sources(plan);
}
