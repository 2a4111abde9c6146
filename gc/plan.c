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
    size_t size = memory->views.size;
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

/* ---- choosing the evacuation set ------------------------------------------------------------------- */

/* Candidates are sorted by how full they are, in classes of this many bytes. */
enum { DENSITY_CLASSES = 64 };

static unsigned density_class(const struct region *region)
{
    unsigned class = (unsigned)((uint64_t)region->live_bytes * DENSITY_CLASSES / REGION_SIZE);
    return class < DENSITY_CLASSES ? class : DENSITY_CLASSES - 1;
}

/* Frees what is empty, and puts what may move into plan->evacuated, sparsest first. */
static region_number collect_candidates(struct plan *plan, uint64_t live_limit)
{
    struct region_table *regions = &plan->memory->regions;
    region_number starts[DENSITY_CLASSES + 1] = {0};
    for (region_number r = 0; r < regions->count; r++) {
        if (region_get_state(regions, r) != REGION_USED)
            continue;
        if (regions->regions[r].live_bytes == 0) {
            memory_seal_region(plan->memory, r);
            region_free(regions, r);
            plan->freed_count++;
        } else if (regions->regions[r].live_bytes <= live_limit) {
            starts[density_class(&regions->regions[r]) + 1]++;
        }
    }
    for (unsigned class = 0; class < DENSITY_CLASSES; class ++)
        starts[class + 1] += starts[class];
    region_number count = starts[DENSITY_CLASSES];
    for (region_number r = 0; r < regions->count; r++) {
        const struct region *region = &regions->regions[r];
        if (region_get_state(regions, r) == REGION_USED && region->live_bytes <= live_limit)
            plan->evacuated[starts[density_class(region)]++] = r;
    }
    return count;
}

/* Upper bound of the destination regions for so many live bytes: each may be left with room for less than
 * the largest group, which is a chunk's worth of object starts of which the last is as large as any, and which
 * may all grow. */
static region_number destinations_needed(const struct plan *plan, uint64_t bytes)
{
    uint64_t group = CHUNK_SIZE - GRANULE_SIZE + plan->largest + growth_of_group_max(&plan->growth);
    uint64_t usable = REGION_CAPACITY - group;
    return (region_number)((bytes + usable - 1) / usable);
}

/* Takes the free regions that `bytes` may need, or as many as there are. */
static void take_destinations(struct plan *plan, uint64_t bytes)
{
    region_number needed = destinations_needed(plan, bytes);
    while (plan->destination_count < needed) {
        region_number region = region_take(&plan->memory->regions, REGION_DESTINATION, 0);
        if (region == REGION_NONE)
            return;
        memory_unseal_region(plan->memory, region);
        plan->destinations[plan->destination_count++] = region;
    }
}

/* What the live objects of a region need in their destinations. */
static uint64_t bytes_to_move(const struct plan *plan, region_number region)
{
    return (uint64_t)plan->memory->regions.regions[region].live_bytes + plan->growth.bytes[region];
}

/* How many of the candidates fit into the destinations that could be had. */
static region_number fitting(const struct plan *plan, region_number candidates, uint64_t *bytes)
{
    region_number count = 0;
    *bytes = 0;
    while (count < candidates) {
        uint64_t more = *bytes + bytes_to_move(plan, plan->evacuated[count]);
        if (destinations_needed(plan, more) > plan->destination_count)
            break;
        *bytes = more;
        count++;
    }
    return count;
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

static void choose(struct plan *plan, enum plan_scope scope, unsigned evacuate_percent)
{
    uint64_t live_limit = REGION_SIZE;
    if (scope == PLAN_WORTHWHILE)
        live_limit = (uint64_t)REGION_SIZE * evacuate_percent / 100;
    region_number candidates = collect_candidates(plan, live_limit);
    growth_record(&plan->growth, plan->evacuated, candidates);
    uint64_t bytes = 0;
    plan->largest = 0;
    for (region_number i = 0; i < candidates; i++) {
        const struct region *region = &plan->memory->regions.regions[plan->evacuated[i]];
        bytes += bytes_to_move(plan, plan->evacuated[i]);
        if (region->largest > plan->largest)
            plan->largest = region->largest;
    }
    take_destinations(plan, bytes);
    region_number count = fitting(plan, candidates, &bytes);
    /* Moving must win regions; the sparsest come first, so dropping from the end only improves the rate. */
    if (scope != PLAN_EVERYTHING && count <= destinations_needed(plan, bytes))
        count = 0;
    plan->evacuated_count = count;
    return_destinations(plan, count == 0 ? 0 : destinations_needed(plan, bytes));
    for (region_number i = 0; i < count; i++) {
        plan->roles[plan->evacuated[i]] = ROLE_EVACUATED;
        region_set_state(&plan->memory->regions, plan->evacuated[i], REGION_EVACUATED);
    }
    sort_regions(plan->evacuated, count, plan->roles, plan->memory->regions.count);
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
    while (granule < end) {
        chunk_number chunk = granule >> 6;
        granule_number chunk_start = (granule_number)chunk << 6;
        granule_number chunk_end = chunk_start + 64;
        unsigned spill = covered > chunk_start ? covered - chunk_start : 0;
        size_t bytes = 0;
        while (granule < chunk_end) {
            size_t size = memory_object_size(plan->memory, granule_start(granule));
            close_gaps(plan, granule, size >> GRANULE_SHIFT);
            covered = granule + (granule_number)(size >> GRANULE_SHIFT);
            bytes += size;
            plan->objects++;
            granule = bits_next(live, covered < end ? covered : end, end);
        }
        place_group(placement, chunk, bytes, spill);
    }
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

void plan_make(struct plan *plan, enum plan_scope scope, unsigned evacuate_percent)
{
    /* From here on mutators leave it to the plan which objects grow: hash_window.h. */
    atomic_u32_store(&plan->stage, PLAN_MAKING);
    atomic_fence_full();
    choose(plan, scope, evacuate_percent);
    growth_keep_evacuated(&plan->growth);
    plan->forwarding.growers = plan->growth.recorded_count != 0 ? plan->growth.bits : NULL;
    if (plan->evacuated_count != 0)
        place(plan);
    atomic_u32_store_release(&plan->stage, PLAN_MADE);
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
    plan->objects = 0;
    plan->bytes = 0;
    plan->forwarding.growers = NULL;
    growth_clear(&plan->growth);
    atomic_u32_store(&plan->stage, PLAN_NONE);
}
