#include "gc/conservative.h"

#include "gc/hold_back.h"
#include "heap/announce.h"
#include "heap/cells.h"
#include "heap/live_bits.h"
#include "heap/object.h"

#include <string.h>

int conservative_create(struct conservative *conservative, struct memory *memory)
{
    *conservative = (struct conservative){.memory = memory};
    size_t count = round_up(memory->views.size, REGION_SIZE) >> REGION_SHIFT;
    size_t pointed_size = count * REGION_CHUNKS * sizeof(uint64_t);
    size_t size = starts_size(memory);
    conservative->table.size = size + pointed_size + count * (sizeof(region_number) + sizeof(atomic_u8));
    int status = memory->os->map_table(memory->os, conservative->table.size, &conservative->table.start);
    if (status != 0) {
        conservative->table.size = 0;
        return status;
    }
    starts_init(&conservative->starts, memory, conservative->table.start);
    conservative->pointed = (uint64_t *)((char *)conservative->table.start + size);
    conservative->hits = (region_number *)((char *)conservative->pointed + pointed_size);
    conservative->hit = (atomic_u8 *)(conservative->hits + count);
    return 0;
}

void conservative_destroy(struct conservative *conservative)
{
    if (conservative->table.size != 0)
        conservative->memory->os->unmap(conservative->memory->os, conservative->table.start,
                                        conservative->table.size);
}

void conservative_begin(struct conservative *conservative)
{
    conservative->taken = atomic_u32_load_acquire(&conservative->wanted) != 0;
    if (conservative->seen != NULL)
        seen_words_clear(conservative->seen);
}

void conservative_keep(struct conservative *conservative, region_number region)
{
    if (conservative->taken)
        starts_keep(&conservative->starts, region);
    else
        starts_forget(&conservative->starts, region);
}

void conservative_reclaim(struct conservative *conservative, const struct plan *plan)
{
    if (plan->held_back_count == 0)
        return;
    const uint64_t *live = conservative->memory->live_bits;
    for (region_number i = 0; i < plan->destination_count; i++)
        starts_begin_placed(&conservative->starts, plan->destinations[i]);
    for (region_number i = 0; i < plan->evacuated_count; i++) {
        if (plan->roles[plan->evacuated[i]] != ROLE_EVACUATED)
            continue;
        granule_number granule = granule_of(region_start(plan->evacuated[i]));
        granule_number end = granule + REGION_GRANULES;
        for (; (granule = bits_next(live, granule, end)) < end; granule++)
            bits_set(conservative->starts.words,
                     granule_of(forward_offset(&plan->forwarding, granule_start(granule))));
    }
}

/* ---- marking --------------------------------------------------------------------------------------- */

static inline void note_hit(struct conservative *conservative, region_number region)
{
    atomic_u8 *hit = &conservative->hit[region];
    if (atomic_u8_load(hit) == 0 && atomic_u8_cas_acquire(hit, 0, 1))
        conservative->hits[atomic_u32_fetch_add(&conservative->hits_count, 1)] = region;
}

static inline void note_address(struct conservative *conservative, uint64_t address)
{
    size_t offset = views_offset(&conservative->memory->views, address);
    if (offset >= conservative->memory->views.size)
        return;
    atomic_u64_or_release((atomic_u64 *)&conservative->pointed[offset >> CHUNK_SHIFT],
                          UINT64_C(1) << (offset >> GRANULE_SHIFT & 63));
    note_hit(conservative, region_of(offset));
    if (__builtin_expect(conservative->seen != NULL, 0))
        seen_words_note(conservative->seen, offset);
}

static void note_words(void *context, const volatile uint64_t *from,
                       const volatile uint64_t *to) SHALE_UNCHECKED;
static void note_words(void *context, const volatile uint64_t *from, const volatile uint64_t *to)
{
    struct conservative *conservative = context;
    const shale_encoding *encoding = &conservative->memory->encoding;
    for (; from < to; from++) {
        uint64_t word = announce_any(*from);
        note_address(conservative, word);
        if (value_is_reference(encoding, word))
            note_address(conservative, value_address(encoding, word));
    }
}

static void note_stored(struct memory *memory, size_t from, size_t to)
{
    for (page_number page = memory_page(memory, from); page <= memory_page(memory, to - 1); page++)
        atomic_u8_store(&memory->leads.stored[page], 1);
}

static bool is_in_cells(const struct memory *memory, size_t offset)
{
    return offset < memory->views.regions &&
           region_get_state(&memory->regions, region_of(offset)) == REGION_PINNED;
}

/* The last that was allocated large or pinned, if it still lives. */
static void note_last_fixed(struct conservative *conservative, size_t offset)
{
    struct memory *memory = conservative->memory;
    if (is_in_cells(memory, offset) && cells_object(memory, offset) == offset) {
        size_t end = offset - HEADER_SIZE + memory_object_size(memory, offset);
        note_words(conservative, (const uint64_t *)views_alias(&memory->views, offset),
                   (const uint64_t *)views_alias(&memory->views, end));
        note_stored(memory, offset, end);
    } else if (offset >= memory->views.regions && offset < memory->views.flipped &&
               memory_fixed_object(memory, offset) == offset) {
        note_stored(memory, offset, offset + memory_fixed_size(memory, offset) - FIXED_FIRST_OBJECT);
    }
}

/* Through the alias view: where the pages are not stale yet, it is all the same. */
static void note_last_object(struct conservative *conservative, const struct bump *bump)
{
    struct memory *memory = conservative->memory;
    size_t offset = bump_last_object(bump, memory);
    if (offset == 0)
        return;
    uint64_t header = memory_header(memory, offset);
    size_t end = offset - HEADER_SIZE + object_size(memory_type(memory, header), header);
    /* Weak references are complete when their thread has them. */
    if (memory_type(memory, header)->strength == STRENGTH_STRONG)
        note_words(conservative, (const uint64_t *)views_alias(&memory->views, offset),
                   (const uint64_t *)views_alias(&memory->views, end));
    note_stored(memory, offset, end);
}

void conservative_scan(struct conservative *conservative, const struct world *world,
                       struct mutator_local *local)
{
    if (!local->bump.conservative || !conservative->taken)
        return;
    world->visit_stacks(world->context, local, note_words, conservative);
    note_last_object(conservative, &local->bump);
    note_last_fixed(conservative, local->last_fixed);
}

size_t conservative_find(struct conservative *conservative, size_t offset)
{
    if (offset >= conservative->memory->views.regions)
        return memory_fixed_object(conservative->memory, offset);
    if (is_in_cells(conservative->memory, offset))
        return cells_object(conservative->memory, offset);
    granule_number granule = starts_find(&conservative->starts, granule_of(offset));
    return granule != GRANULE_NONE ? granule_start(granule) : OFFSET_NONE;
}

static void shade_region(struct conservative *conservative, region_number region, struct work *work,
                         struct packet **packet)
{
    struct memory *memory = conservative->memory;
    const uint64_t *pointed = &conservative->pointed[(size_t)region * REGION_CHUNKS];
    bool kept = false;
    for (granule_number i = 0; (i = bits_next(pointed, i, REGION_GRANULES)) < REGION_GRANULES; i++) {
        size_t object = conservative_find(conservative, region_start(region) + granule_start(i));
        if (object == OFFSET_NONE)
            continue;
        shade(work, memory, packet, (uint64_t)(uintptr_t)views_mutator(&memory->views, object));
        kept = true;
    }
    if (kept && region < memory->regions.count)
        region_keep_this_cycle(&memory->regions, region);
    memset(&conservative->pointed[(size_t)region * REGION_CHUNKS], 0, REGION_CHUNKS * sizeof(uint64_t));
    atomic_u8_store(&conservative->hit[region], 0);
}

void conservative_shade(struct conservative *conservative, struct work *work)
{
    if (!conservative->taken)
        return;
    struct packet *packet = NULL;
    uint32_t count = atomic_u32_load(&conservative->hits_count);
    for (uint32_t i = 0; i < count; i++)
        shade_region(conservative, conservative->hits[i], work, &packet);
    atomic_u32_store(&conservative->hits_count, 0);
    shade_offer(work, &packet);
}

/* ---- the flip -------------------------------------------------------------------------------------- */

struct holding {
    struct conservative *conservative;
    const struct world *world;
    struct plan *plan;
};

static inline void hold_back_region_of(struct holding *holding, uint64_t address)
{
    const struct memory *memory = holding->conservative->memory;
    struct seen_words *seen = holding->conservative->seen;
    size_t offset = views_offset(&memory->views, address);
    if (offset < memory->views.regions)
        hold_back(holding->plan, region_of(offset));
    if (__builtin_expect(seen != NULL, 0) && offset < memory->views.size)
        seen_words_note(seen, offset);
}

static void hold_back_words(void *context, const volatile uint64_t *from,
                            const volatile uint64_t *to) SHALE_UNCHECKED;
static void hold_back_words(void *context, const volatile uint64_t *from, const volatile uint64_t *to)
{
    struct holding *holding = context;
    const shale_encoding *encoding = &holding->conservative->memory->encoding;
    for (; from < to; from++) {
        uint64_t word = announce_any(*from);
        hold_back_region_of(holding, word);
        if (value_is_reference(encoding, word))
            hold_back_region_of(holding, value_address(encoding, word));
    }
}

static void hold_back_local(void *argument, struct mutator_local *local)
{
    struct holding *holding = argument;
    if (local->bump.conservative)
        holding->world->visit_stacks(holding->world->context, local, hold_back_words, holding);
}

void conservative_hold_back(struct conservative *conservative, const struct world *world, struct plan *plan)
{
    struct holding holding = {conservative, world, plan};
    if (conservative->seen != NULL)
        seen_words_clear(conservative->seen);
    if (atomic_u32_load(&conservative->wanted) != 0)
        world->visit_mutators(world->context, hold_back_local, &holding);
}
