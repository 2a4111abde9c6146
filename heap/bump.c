#include "heap/bump.h"

#include "heap/announce.h"
#include "heap/live_bits.h"

#include <string.h>

void bump_init(struct bump *bump, size_t chunk_size)
{
    *bump = (struct bump){.region = REGION_NONE, .chunk_size = chunk_size};
}

void bump_record(struct bump *bump, struct memory *memory)
{
    if (bump->region == REGION_NONE || !bump->recording)
        return;
    memory_set_live_bits(memory, views_offset(&memory->views, bump->recorded),
                         views_offset(&memory->views, bump->api.cursor));
    bump->recorded = bump->api.cursor;
}

void bump_record_eagerly(struct bump *bump, struct memory *memory)
{
    bump->eager = bump->recording;
    bump_record(bump, memory);
}

void bump_start_recording(struct bump *bump, struct memory *memory)
{
    bump->recording = true;
    bump->recorded = bump->api.cursor;
    if (bump->region != REGION_NONE) {
        /* At a region's end there may be no room for another object, and its cursor at the next region. */
        size_t from = views_offset(&memory->views, bump->api.cursor) - region_start(bump->region);
        struct region *region = &memory->regions.regions[bump->region];
        from = from < REGION_SIZE ? from : REGION_SIZE;
        atomic_u32_store(&region->scanned_to, (uint32_t)from);
        atomic_u32_store(&region->born_from, (uint32_t)from);
    }
}

void bump_stop_recording(struct bump *bump)
{
    bump->recording = false;
    bump->eager = false;
}

void bump_close(struct bump *bump, struct memory *memory)
{
    if (bump->region == REGION_NONE)
        return;
    if (bump->eager)
        bump_record(bump, memory);
    struct region *region = &memory->regions.regions[bump->region];
    size_t cursor = views_offset(&memory->views, bump->api.cursor);
    size_t top = cursor - HEADER_SIZE - region_start(bump->region);
    region->top = (uint32_t)(top < REGION_SIZE ? top : REGION_SIZE);
    /* [born-live] */
    region_set_state(&memory->regions, bump->region, bump->recording ? REGION_BORN : REGION_USED);
    bump->region = REGION_NONE;
    bump->api.cursor = 0;
    bump->api.limit = 0;
    bump->chunk_end = 0;
    bump->region_end = 0;
    bump->left = false;
}

/* The cursor's page holds objects, so it becomes stale like any other; the pages after it are prepared again before use. The
 * header of the next object must not be on the old page either. If none was prepared since the last time, none is left out: what is
 * between objects is zero [starts]. */
static void leave_page(struct bump *bump, struct memory *memory)
{
    uintptr_t page_end = bump->api.cursor - REGION_FIRST_OBJECT;
    if (page_end != bump->chunk_end)
        page_end = round_up(bump->api.cursor - HEADER_SIZE, memory->views.page_size);
    bump->api.cursor = page_end + REGION_FIRST_OBJECT;
    if (!bump->recording)
        bump->recorded = bump->api.cursor;
    bump->walk_from = bump->api.cursor;
    bump->chunk_end = page_end;
    bump->left = false;
}

void bump_give_up(struct bump *bump, struct memory *memory)
{
    if (bump->left)
        leave_page(bump, memory);
    bump_close(bump, memory);
}

void bump_flip(struct bump *bump, struct memory *memory)
{
    bump_record(bump, memory);
    bump_stop_recording(bump);
    if (bump->region == REGION_NONE)
        return;
    bump->api.limit = 0;
    if (bump->conservative)
        bump->left = true;
    else
        leave_page(bump, memory);
}

size_t bump_last_object(const struct bump *bump, const struct memory *memory)
{
    if (bump->region == REGION_NONE)
        return 0;
    size_t end = views_offset(&memory->views, bump->api.cursor);
    size_t last = 0;
    for (size_t at = views_offset(&memory->views, bump->walk_from); at < end;) {
        uint64_t header = memory_header(memory, at);
        if (header != 0)
            last = at;
        at += header != 0 ? object_size(memory_type(memory, header), header) : GRANULE_SIZE;
    }
    return last;
}

/* While pages are stale. The chunk is up to date when it is zero; of the pages behind it, up to `ahead`, nobody knows an address
 * yet, and they are cleared when it is their turn, so they can be published with it: one call for all. */
static void prepare_stale(struct memory *memory, size_t start, size_t end, size_t ahead, bool dirty)
{
    struct views *views = &memory->views;
    if (dirty)
        memset(views_alias(views, start), 0, end - start);
    if (page_is_mapped(&memory->pages, memory_page(memory, start)) &&
        page_is_mapped(&memory->pages, memory_page(memory, end - 1)))
        return; /* with a chunk in front of it */
    /* Publishing finds holes one by one. If this fails it does so, and fills each. */
    if (!dirty)
        views->os->populate(views->os, views_alias(views, start), ahead - start);
    memory_publish_fresh(memory, start, ahead);
}

/* Makes the pages [start, end) of the mutator's region zero and mapped. */
static void prepare(struct memory *memory, size_t start, size_t end, bool dirty)
{
    struct views *views = &memory->views;
    if (page_states_active(&memory->pages)) {
        size_t ahead = round_up(end, MEMORY_MAPPED_AROUND);
        prepare_stale(memory, start, end, ahead, dirty);
        return;
    }
    /* What is not dirty is zero: holes, which get memory one by one when they are written to, or pages that were prepared. */
    memory_map_around(memory, start, end);
    /* There are no objects yet, which a checking tool knows of the mutator view. */
    if (dirty)
        memset(memory->announce ? views_alias(views, start) : views_mutator(views, start), 0, end - start);
}

static bool take_region(struct bump *bump, struct memory *memory, uint32_t reserve)
{
    region_number region = region_take(&memory->regions, REGION_ALLOCATING, reserve);
    if (region == REGION_NONE)
        return false;
    if (!memory->regions.regions[region].dirty)
        budget_fit(&memory->fixed.budget);
    memory_unseal_region(memory, region);
    uintptr_t start = (uintptr_t)views_mutator(&memory->views, region_start(region));
    if (bump->recording)
        atomic_u32_store(&memory->regions.regions[region].born_from, 0);
    bump->region = region;
    bump->api.cursor = start + REGION_FIRST_OBJECT;
    bump->recorded = bump->api.cursor;
    bump->chunk_end = start;
    bump->region_end = start + REGION_SIZE;
    return true;
}

/* Prepares chunks until an object of `size` bytes fits. False: it does not fit this region. */
static bool extend(struct bump *bump, struct memory *memory, size_t size)
{
    uintptr_t need = bump->api.cursor + size;
    if (bump->region == REGION_NONE || need > bump->region_end)
        return false;
    if (bump->eager)
        bump_record(bump, memory);
    uintptr_t end = bump->chunk_end;
    do {
        end += bump->chunk_size;
    } while (end < need);
    if (end > bump->region_end)
        end = bump->region_end;
    size_t start = views_offset(&memory->views, bump->chunk_end);
    prepare(memory, start, views_offset(&memory->views, end), memory->regions.regions[bump->region].dirty);
    atomic_u64_fetch_add(&memory->bytes_allocated, end - bump->chunk_end);
    bump->chunk_end = end;
    if (!memory->announce)
        bump->api.limit = end;
    return true;
}

uintptr_t bump_allocate(struct bump *bump, struct memory *memory, size_t size, uint64_t header,
                        uint32_t reserve)
{
    if (bump->left)
        leave_page(bump, memory);
    while (bump->api.cursor + size > bump->chunk_end || bump->region == REGION_NONE) {
        if (extend(bump, memory, size))
            break;
        bump_close(bump, memory);
        if (!take_region(bump, memory, reserve))
            return 0;
    }
    uintptr_t address = bump->api.cursor;
    bump->walk_from = address;
    bump->api.cursor = address + size;
    if (memory->announce)
        announce_object((const void *)(address - HEADER_SIZE), size);
    ((uint64_t *)address)[-1] = header;
    return address;
}
