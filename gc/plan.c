#include "gc/plan.h"

#include "heap/live_bits.h"

#include <string.h>

static int map_table(struct plan *plan, int index, size_t size, void *place)
{
    struct memory_table *table = &plan->tables[index];
    int status = plan->memory->os->map_table(plan->memory->os, size, &table->start);
    if (status != 0)
        return status;
    table->size = size;
    memcpy(place, &table->start, sizeof table->start);
    return 0;
}

int plan_create(struct plan *plan, struct memory *memory)
{
    size_t size = memory->views.regions;
    *plan = (struct plan){.memory = memory,
                          .forwarding = {.base = (uintptr_t)views_mutator(&memory->views, 0), .size = size}};
    size_t regions = size >> REGION_SHIFT;
    size_t chunks = size >> CHUNK_SHIFT;
    size_t pages = size >> memory->views.page_shift;
    int status = map_table(plan, 0, regions, &plan->roles);
    if (status == 0)
        status = map_table(plan, 1, chunks * sizeof *plan->forwarding.chunks, &plan->forwarding.chunks);
    if (status == 0)
        status = map_table(plan, 2, pages * sizeof *plan->page_source, &plan->page_source);
    if (status == 0)
        status = map_table(plan, 3, regions * sizeof *plan->next_source, &plan->next_source);
    if (status == 0)
        status = map_table(plan, 4, regions * sizeof *plan->evacuated, &plan->evacuated);
    if (status == 0)
        status = map_table(plan, 5, regions * sizeof *plan->destinations, &plan->destinations);
    if (status == 0)
        status = map_table(plan, 6, regions * sizeof *plan->first_page, &plan->first_page);
    if (status == 0)
        status = growth_create(&plan->growth, memory);
    if (status != 0)
        plan_destroy(plan);
    return status;
}

void plan_destroy(struct plan *plan)
{
    for (size_t i = 0; i < sizeof plan->tables / sizeof plan->tables[0]; i++) {
        if (plan->tables[i].size != 0)
            plan->memory->os->unmap(plan->memory->os, plan->tables[i].start, plan->tables[i].size);
        plan->tables[i].size = 0;
    }
    growth_destroy(&plan->growth);
}

/* ---- taking regions out of use --------------------------------------------------------------------- */

static void free_empty_regions(struct plan *plan)
{
    struct region_table *regions = &plan->memory->regions;
    /* What is taken from now on is not USED before the next cycle. */
    region_number touched = region_touched(regions);
    for (region_number r = 0; r < touched; r++) {
        if (region_get_state(regions, r) != REGION_USED || regions->regions[r].live_bytes != 0)
            continue;
        memory_forget_promises(plan->memory, r);
        memory_seal_region(plan->memory, r);
        region_free(regions, r);
        plan->freed_count++;
    }
}

/* Takes so many free regions, or as many as there are. */
static void take_destinations(struct plan *plan, region_number count)
{
    while (plan->destination_count < count) {
        region_number region = region_take(&plan->memory->regions, REGION_DESTINATION, 0);
        if (region == REGION_NONE)
            return;
        if (!plan->memory->regions.regions[region].dirty)
            budget_fit(&plan->memory->fixed.budget);
        memory_unseal_region(plan->memory, region);
        plan->destinations[plan->destination_count++] = region;
    }
}

static void return_destinations(struct plan *plan, region_number keep)
{
    while (plan->destination_count > keep)
        region_free(&plan->memory->regions, plan->destinations[--plan->destination_count]);
}

/* The evacuation set goes to its destinations in address order, which keeps neighbours neighbours. */
static void sort_regions(region_number *regions, region_number count, const uint8_t *roles,
                         region_number table_count)
{
    region_number sorted = 0;
    for (region_number r = 0; r < table_count && sorted < count; r++) {
        if (roles[r] == ROLE_EVACUATED)
            regions[sorted++] = r;
    }
}

/* The set is what was chosen, less what was pinned since [pin]. */
static void evacuate(struct plan *plan, region_number chosen)
{
    struct region_table *regions = &plan->memory->regions;
    plan->evacuated_count = 0;
    for (region_number i = 0; i < chosen; i++) {
        if (!region_evacuate(regions, plan->evacuated[i]))
            continue;
        plan->roles[plan->evacuated[i]] = ROLE_EVACUATED;
        plan->evacuated_count++;
    }
    sort_regions(plan->evacuated, plan->evacuated_count, plan->roles, regions->count);
    if (plan->evacuated_count == 0)
        return_destinations(plan, 0);
}

/* Mutators may take free regions between the choice and the taking of its destinations. The second choice is made
 * with destinations in hand and is final: what mutators can still take is beyond the reserve. */
static void choose(struct plan *plan, struct evacuation_terms terms)
{
    struct region_table *regions = &plan->memory->regions;
    struct evacuation evacuation = {.regions = plan->evacuated};
    free_empty_regions(plan);
    growth_record(&plan->growth);
    region_note_pins(regions, &plan->pinned);
    terms.free_count = region_free_count(regions);
    terms.room = terms.free_count;
    terms.growth = plan->growth.bytes;
    terms.outlook = plan->outlook;
    evacuation_choose(&evacuation, regions, &terms);
    take_destinations(plan, evacuation.destinations);
    region_number left = plan->destination_count + region_free_count(regions);
    if (left < terms.free_count) {
        terms.free_count = left;
        terms.room = plan->destination_count;
        evacuation_choose(&evacuation, regions, &terms);
        return_destinations(plan, evacuation.destinations);
    }
    plan->progress = evacuation.progress;
    plan->young = evacuation.young;
    evacuate(plan, evacuation.count);
}

/* ---- where everything goes ------------------------------------------------------------------------- */

/* The place that the next group gets. */
struct placement {
    struct plan *plan;
    region_number destination; /* index into plan->destinations */
    size_t next;               /* offset of the next object's address */
    size_t end;                /* of the destination region */
    size_t pages_sourced;      /* pages below have their source */
};

static void open_destination(struct placement *placement, region_number index)
{
    size_t start = region_start(placement->plan->destinations[index]);
    placement->destination = index;
    placement->next = start + REGION_FIRST_OBJECT;
    placement->end = start + REGION_SIZE;
    placement->pages_sourced = memory_page(placement->plan->memory, start);
}

static void close_destination(struct placement *placement)
{
    struct plan *plan = placement->plan;
    region_number region = plan->destinations[placement->destination];
    plan->memory->regions.regions[region].top =
        (uint32_t)(placement->next - HEADER_SIZE - region_start(region));
}

/* Places the group of a chunk: `bytes` of objects that start in it, after `spill` granules of an earlier
 * chunk's last object. Some may grow. */
static void place_group(struct placement *placement, chunk_number chunk, size_t bytes, unsigned spill)
{
    struct plan *plan = placement->plan;
    bytes += (size_t)__builtin_popcountll(growth_of_chunk(&plan->growth, chunk)) << GRANULE_SHIFT;
    if (placement->next + bytes > placement->end) {
        close_destination(placement);
        open_destination(placement, placement->destination + 1);
    }
    plan->forwarding.chunks[chunk].shift =
        placement->next - granule_start(spill) - ((size_t)chunk << CHUNK_SHIFT);
    size_t last_byte = placement->next - HEADER_SIZE + bytes - 1;
    size_t last_page = memory_page(plan->memory, last_byte);
    while (placement->pages_sourced <= last_page)
        plan->page_source[placement->pages_sourced++] = chunk;
    placement->next += bytes;
    plan->bytes += bytes;
}

/* The granules [from, from + count) are live. */
static void close_gaps(struct plan *plan, granule_number from, size_t count)
{
    struct chunk_move *chunk = &plan->forwarding.chunks[from >> 6];
    size_t first = from & 63;
    while (count != 0) {
        size_t here = 64 - first < count ? 64 - first : count;
        chunk->gaps &= ~((~UINT64_C(0) >> (64 - here)) << first);
        chunk++;
        count -= here;
        first = 0;
    }
}

static void open_gaps(struct plan *plan, region_number region)
{
    struct chunk_move *chunks = &plan->forwarding.chunks[(size_t)region * REGION_CHUNKS];
    for (size_t i = 0; i < REGION_CHUNKS; i++)
        chunks[i] = (struct chunk_move){.gaps = ~UINT64_C(0)};
}

/* Live objects of a region are met far apart, and for each of them only its header is looked at: most of the time
 * would go into waiting for memory. So headers are asked for this many objects ahead. */
enum { HEADERS_AHEAD = 12 };

struct header_prefetch {
    const struct memory *memory;
    granule_number next; /* the live object to ask for */
    granule_number end;
};

static inline void prefetch_header(struct header_prefetch *prefetch)
{
    if (prefetch->next >= prefetch->end)
        return;
    __builtin_prefetch(views_alias(&prefetch->memory->views, granule_start(prefetch->next) - HEADER_SIZE));
    prefetch->next = bits_next(prefetch->memory->live_bits, prefetch->next + 1, prefetch->end);
}

/* Walks the live objects of one region of the evacuation set. */
static void place_region(struct placement *placement, region_number region)
{
    struct plan *plan = placement->plan;
    const uint64_t *live = plan->memory->live_bits;
    granule_number granule = granule_of(region_start(region));
    granule_number end = granule + REGION_GRANULES;
    open_gaps(plan, region);
    granule_number covered = granule; /* granules below belong to objects already placed */
    granule = bits_next(live, granule, end);
    granule_number first = granule;
    struct header_prefetch prefetch = {.memory = plan->memory, .next = first, .end = end};
    for (int i = 0; i < HEADERS_AHEAD; i++)
        prefetch_header(&prefetch);
    while (granule < end) {
        chunk_number chunk = granule >> 6;
        granule_number chunk_start = (granule_number)chunk << 6;
        granule_number chunk_end = chunk_start + 64;
        unsigned spill = covered > chunk_start ? covered - chunk_start : 0;
        size_t bytes = 0;
        while (granule < chunk_end) {
            prefetch_header(&prefetch);
            size_t size = memory_object_size(plan->memory, granule_start(granule));
            close_gaps(plan, granule, size >> GRANULE_SHIFT);
            covered = granule + (granule_number)(size >> GRANULE_SHIFT);
            bytes += size;
            plan->objects++;
            granule = bits_next(live, covered < end ? covered : end, end);
        }
        place_group(placement, chunk, bytes, spill);
    }
    size_t first_byte = forward_offset(&plan->forwarding, granule_start(first)) - HEADER_SIZE;
    plan->first_page[region] = memory_page(plan->memory, first_byte);
}

static void place(struct plan *plan)
{
    for (region_number i = 0; i < plan->destination_count; i++)
        plan->roles[plan->destinations[i]] = ROLE_DESTINATION;
    struct placement placement = {.plan = plan};
    open_destination(&placement, 0);
    for (region_number i = 0; i < plan->evacuated_count; i++) {
        region_number region = plan->evacuated[i];
        bool last = i + 1 == plan->evacuated_count;
        plan->next_source[region] = last ? REGION_NONE : plan->evacuated[i + 1];
        place_region(&placement, region);
    }
    close_destination(&placement);
    /* The bound was generous: what no object went to is free again. */
    for (region_number i = placement.destination + 1; i < plan->destination_count; i++)
        plan->roles[plan->destinations[i]] = ROLE_STAY;
    return_destinations(plan, placement.destination + 1);
}

void plan_make(struct plan *plan, enum plan_scope scope, unsigned sparse_percent, region_number reserve)
{
    /* From here on mutators leave it to the plan which objects grow: hash_window.h. */
    atomic_u32_store(&plan->stage, PLAN_MAKING);
    atomic_fence_full();
    choose(plan,
           (struct evacuation_terms){.scope = scope, .sparse_percent = sparse_percent, .reserve = reserve});
    growth_keep_evacuated(&plan->growth);
    plan->forwarding.growers = plan->growth.recorded_count != 0 ? plan->growth.bits : NULL;
    if (plan->evacuated_count != 0)
        place(plan);
    atomic_u32_store_release(&plan->stage, PLAN_MADE);
}

void plan_drop(struct plan *plan)
{
    atomic_u32_store(&plan->stage, PLAN_NONE);
}

void plan_return_regions(struct plan *plan)
{
    struct memory *memory = plan->memory;
    for (region_number i = 0; i < plan->evacuated_count; i++)
        region_hold_back(&memory->regions, plan->evacuated[i]);
    for (region_number i = 0; i < plan->destination_count; i++) {
        plan->roles[plan->destinations[i]] = ROLE_STAY;
        memory_seal_region(memory, plan->destinations[i]);
    }
    return_destinations(plan, 0);
}

void plan_clear(struct plan *plan)
{
    for (region_number i = 0; i < plan->evacuated_count; i++) {
        region_number region = plan->evacuated[i];
        plan->roles[region] = ROLE_STAY;
        memset(plan->forwarding.chunks + (size_t)region * REGION_CHUNKS, 0,
               REGION_CHUNKS * sizeof *plan->forwarding.chunks);
    }
    for (region_number i = 0; i < plan->destination_count; i++)
        plan->roles[plan->destinations[i]] = ROLE_STAY;
    plan->evacuated_count = 0;
    plan->destination_count = 0;
    plan->freed_count = 0;
    plan->held_back_count = 0;
    plan->objects = 0;
    plan->bytes = 0;
    plan->forwarding.growers = NULL;
    growth_clear(&plan->growth);
    atomic_u32_store(&plan->stage, PLAN_NONE);
    /* Pinned since, in a cycle that did not flip. */
    while (region_take_late(&plan->memory->regions) != REGION_NONE)
        continue;
}
