#include "gc/trace_parts.h"
#include "heap/live_bits.h"

/* ---- noted regions ---------------------------------------------------------------------------------- */

/* Mutators set bits meanwhile, those of what was born among them, which need not be looked at. Loading the word once
 * more acquires what the setter released: header and `born_from`, or that a cell is born [cells]. */
static void rescan_region(struct tracer *tracer, region_number region)
{
    const struct memory *memory = tracer->memory;
    const uint64_t *bits = memory->live_bits;
    bool cells = region_get_state_acquire(&memory->regions, region) == REGION_PINNED;
    granule_number granule = granule_of(region_start(region));
    granule_number end = granule + REGION_GRANULES;
    for (; (granule = bits_next(bits, granule, end)) < end; granule++) {
        atomic_u64_load_acquire((const atomic_u64 *)&bits[granule >> 6]);
        size_t offset = granule_start(granule);
        if (tracer->births ||
            (cells ? !cells_is_born(memory, offset) : !region_born_at(&memory->regions, offset)))
            trace_object(tracer, granule);
    }
}

bool trace_rescan(struct tracer *tracer)
{
    struct region_table *regions = &tracer->memory->regions;
    if (atomic_u32_load_acquire(&tracer->work->noted) == 0)
        return false;
    /* Cleared first, here and below: what is noted from now on is looked at next time. */
    atomic_u32_store_full(&tracer->work->noted, 0);
    for (region_number r = 0, touched = region_touched(regions); r < touched; r++) {
        struct region *region = &regions->regions[r];
        if (atomic_u8_load_acquire(&region->rescan) == 0)
            continue;
        atomic_u8_store_full(&region->rescan, 0);
        rescan_region(tracer, r);
    }
    return true;
}

/* ---- written pages --------------------------------------------------------------------------------- */

/* Looks again at the slots of an object that lie on a page; at all of one of which more is to be known than its slots, or
 * of which which slots there are may have been written just there. */
static void look_again_at(struct tracer *tracer, granule_number granule, page_number page)
{
    const struct memory *memory = tracer->memory;
    size_t offset = granule_start(granule);
    uint64_t header = memory_header(memory, offset);
    const struct type *type = memory_type(memory, header);
    if (type->strength != STRENGTH_STRONG || type->shape == SHAPE_CUSTOM) {
        trace_object(tracer, granule);
        return;
    }
    size_t start = (size_t)page << memory->views.page_shift;
    size_t end = start + memory->views.page_size;
    trace_page(tracer, offset, header, page, start > offset ? start - offset : 0, end - offset);
}

/* Whether a marked object that begins before `start`, in the same region, reaches beyond it. */
static bool reaches_beyond(const struct memory *memory, granule_number granule, size_t start)
{
    size_t offset = granule_start(granule);
    return offset - HEADER_SIZE + memory_object_size(memory, offset) > start;
}

static void look_again_at_page(struct tracer *tracer, page_number page)
{
    const struct memory *memory = tracer->memory;
    const uint64_t *bits = memory->live_bits;
    size_t start = (size_t)page << memory->views.page_shift;
    granule_number first = granule_of(region_start(region_of(start)));
    granule_number granule = granule_of(start);
    /* The header of an object that begins with the page is on the page before. */
    granule_number end = granule_of(start + memory->views.page_size);
    granule_number across = granule != first ? bits_previous(bits, first, granule - 1) : GRANULE_NONE;
    if (across != GRANULE_NONE) {
        atomic_u64_load_acquire((const atomic_u64 *)&bits[across >> 6]);
        if (reaches_beyond(memory, across, start))
            look_again_at(tracer, across, page);
    }
    for (; (granule = bits_next(bits, granule, end)) < end; granule++) {
        atomic_u64_load_acquire((const atomic_u64 *)&bits[granule >> 6]);
        look_again_at(tracer, granule, page);
    }
}

void trace_look_again(struct tracer *tracer, page_number first, uint64_t pages)
{
    for (; pages != 0; pages &= pages - 1) {
        look_again_at_page(tracer, first + (page_number)__builtin_ctzl(pages));
        if (tracer->stack_count >= TRACE_STACK / 2)
            trace_drain(tracer);
    }
}

void trace_look_again_at_large(struct tracer *tracer, size_t offset, page_number page)
{
    const struct memory *memory = tracer->memory;
    uint64_t header = memory_header(memory, offset);
    size_t start = (size_t)page << memory->views.page_shift;
    size_t end = start + memory->views.page_size;
    if (memory_type(memory, header)->shape == SHAPE_CUSTOM)
        trace_page(tracer, offset, header, page, 0, SIZE_MAX);
    else
        trace_page(tracer, offset, header, page, start > offset ? start - offset : 0, end - offset);
    if (tracer->stack_count >= TRACE_STACK / 2)
        trace_drain(tracer);
}
