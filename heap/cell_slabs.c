#include "heap/cell_slabs.h"

#include "heap/announce.h"

/* Where the space of a kind starts. */
static size_t space_start(const struct views *views, enum cell_kind kind)
{
    return kind == CELLS_POINTER_FREE ? views->data : 0;
}

/* ---- lists ------------------------------------------------------------------------- */

static uint64_t free_bytes(const struct cells *cells, const struct cell_block *block)
{
    return (uint64_t)block->free * cell_block_class(cells, block)->granules << GRANULE_SHIFT;
}

void cell_block_list(struct cells *cells, struct cell_block *block, uint32_t free)
{
    struct cell_block **head = &cells->with_free[cell_block_index(block)];
    block->free = free;
    block->listed = free != 0;
    if (!block->listed)
        return;
    block->next = *head;
    block->previous = NULL;
    if (*head != NULL)
        (*head)->previous = block;
    *head = block;
    atomic_u64_fetch_add(&cells->free_bytes, free_bytes(cells, block));
}

void cell_block_unlist(struct cells *cells, struct cell_block *block)
{
    if (!block->listed)
        return;
    block->listed = false;
    if (block->next != NULL)
        block->next->previous = block->previous;
    if (block->previous != NULL)
        block->previous->next = block->next;
    else
        cells->with_free[cell_block_index(block)] = block->next;
    atomic_u64_fetch_add(&cells->free_bytes, -free_bytes(cells, block));
}

/* What of a slab is in use has changed: whether there is room for small blocks. */
static void list_slab(struct cells *cells, struct cell_slab *slab, enum cell_kind kind)
{
    struct cell_slab **head = &cells->with_room[kind];
    bool room = slab->used != 0 && slab->used != UINT8_MAX;
    if (room == slab->listed)
        return;
    slab->listed = room;
    if (room) {
        slab->next_with_room = *head;
        slab->previous_with_room = NULL;
        if (*head != NULL)
            (*head)->previous_with_room = slab;
        *head = slab;
        return;
    }
    if (slab->next_with_room != NULL)
        slab->next_with_room->previous_with_room = slab->previous_with_room;
    if (slab->previous_with_room != NULL)
        slab->previous_with_room->next_with_room = slab->next_with_room;
    else
        *head = slab->next_with_room;
}

/* ---- blocks ------------------------------------------------------------------------------ */

static size_t block_size(const struct size_class *class)
{
    return class->words * CHUNK_SIZE;
}

/* Bits of the parts of a slab that a block takes up. */
static uint8_t parts_of(const struct size_class *class, unsigned part)
{
    return (uint8_t)(((1u << cell_class_parts(class)) - 1) << part);
}

/* A part of a slab becomes a block that the caller owns. */
static struct cell_block *make_block(struct memory *memory, struct cell_slab *slab, unsigned part,
                                     unsigned index)
{
    struct cells *cells = &memory->cells;
    struct cell_block *block = &slab->blocks[part];
    uint8_t parts = parts_of(cell_class(cells, index), part);
    size_t start = slab->start + part * SMALL_BLOCK_SIZE;
    block->start = start;
    enum cell_kind kind = cell_kind_of(index);
    block->live = kind == CELLS_POINTER_FREE ? memory->fixed.marks + (fixed_bit(&memory->fixed, start) >> 6)
                                             : (atomic_u64 *)memory->live_bits + (start >> CHUNK_SHIFT);
    block->taken = cells->taken[kind] + ((start - space_start(&memory->views, kind)) >> CHUNK_SHIFT);
    block->owned = true;
    block->listed = false;
    block->clean = (slab->clean & parts) == parts;
    slab->used |= parts;
    slab->clean &= (uint8_t)~parts;
    atomic_u8_store_release(&block->index, (uint8_t)(index + 1));
    atomic_u64_fetch_add(&cells->free_bytes, -block_size(cell_class(cells, index)));
    list_slab(cells, slab, kind);
    return block;
}

void cell_block_unmake(struct cells *cells, struct cell_slab *slab, struct cell_block *block)
{
    const struct size_class *class = cell_block_class(cells, block);
    enum cell_kind kind = cell_kind_of(cell_block_index(block));
    cell_block_unlist(cells, block);
    slab->used &= (uint8_t)~parts_of(class, (unsigned)(block - slab->blocks));
    atomic_u8_store(&block->index, 0);
    atomic_u64_fetch_add(&cells->free_bytes, block_size(class));
    list_slab(cells, slab, kind);
}

/* The first part of a slab that a block of a class can begin at: one that is a multiple of its parts; SLAB_BLOCKS: none. */
static unsigned find_parts(const struct cell_slab *slab, const struct size_class *class)
{
    unsigned step = cell_class_parts(class);
    unsigned part = 0;
    while (part < SLAB_BLOCKS && (slab->used & parts_of(class, part)) != 0)
        part += step;
    return part;
}

struct cell_block *cell_block_find(struct memory *memory, unsigned index)
{
    struct cells *cells = &memory->cells;
    struct cell_block *block = cells->with_free[index];
    if (block != NULL) {
        cell_block_unlist(cells, block);
        block->owned = true;
        block->clean = false;
        return block;
    }
    /* Of the slabs with room only some are looked at: there may be many in which small blocks are here and there. */
    enum { TRIES = 8 };
    const struct size_class *class = cell_class(cells, index);
    struct cell_slab *slab = cells->with_room[cell_kind_of(index)];
    for (unsigned tries = 0; slab != NULL && tries < TRIES; tries++, slab = slab->next_with_room) {
        unsigned part = find_parts(slab, class);
        if (part < SLAB_BLOCKS)
            return make_block(memory, slab, part, index);
    }
    return NULL;
}

/* ---- slabs ----------------------------------------------------------------------------------------- */

static struct cell_slab *take_pinned_region(struct memory *memory, uint32_t reserve)
{
    region_number region = region_take(&memory->regions, REGION_ALLOCATING, reserve);
    if (region == REGION_NONE)
        return NULL;
    bool dirty = memory->regions.regions[region].dirty;
    if (!dirty)
        budget_fit(&memory->fixed.budget);
    memory_unseal_region(memory, region);
    memory->regions.regions[region].top = REGION_SIZE;
    struct cell_slab *slab = &memory->cells.slabs[CELLS_WITH_SLOTS][region];
    slab->start = region_start(region);
    slab->clean = dirty ? 0 : UINT8_MAX;
    region_set_state(&memory->regions, region, REGION_PINNED);
    return slab;
}

/* Runs lie anywhere, but no two of them start in the same REGION_SIZE bytes. */
static struct cell_slab *take_run(struct memory *memory, uint32_t reserve)
{
    struct fixed *fixed = &memory->fixed;
    enum run_state was;
    size_t start = fixed_take(fixed, &fixed->data, (page_number)(REGION_SIZE >> memory->views.page_shift),
                              reserve, &was);
    if (start == OFFSET_NONE)
        return NULL;
    if (memory->announce)
        announce_free(views_mutator(&memory->views, start), REGION_SIZE);
    struct cell_slab *slab = &memory->cells.slabs[CELLS_POINTER_FREE][region_of(start - memory->views.data)];
    slab->start = start;
    slab->clean = was == RUN_DIRTY ? 0 : UINT8_MAX;
    page_runs_set_state(&fixed->data, fixed_page(fixed, &fixed->data, start), RUN_BLOCK);
    return slab;
}

struct cell_slab *cell_slab_take(struct memory *memory, enum cell_kind kind, uint32_t reserve)
{
    return kind == CELLS_POINTER_FREE ? take_run(memory, reserve) : take_pinned_region(memory, reserve);
}

static void link_slab(struct cells *cells, struct cell_slab *slab)
{
    slab->next = cells->all;
    slab->previous = NULL;
    if (cells->all != NULL)
        cells->all->previous = slab;
    cells->all = slab;
    atomic_u64_fetch_add(&cells->slab_bytes, REGION_SIZE);
    atomic_u64_fetch_add(&cells->free_bytes, REGION_SIZE);
}

struct cell_block *cell_slab_add(struct memory *memory, struct cell_slab *slab, unsigned index)
{
    link_slab(&memory->cells, slab);
    return make_block(memory, slab, 0, index);
}

void cell_slab_remove(struct cells *cells, struct cell_slab *slab)
{
    if (slab->next != NULL)
        slab->next->previous = slab->previous;
    if (slab->previous != NULL)
        slab->previous->next = slab->next;
    else
        cells->all = slab->next;
    atomic_u64_fetch_add(&cells->slab_bytes, -REGION_SIZE);
    atomic_u64_fetch_add(&cells->free_bytes, -REGION_SIZE);
}

void cell_slab_give_back(struct memory *memory, const struct cell_slab *slab)
{
    if (slab->start >= memory->views.data) {
        fixed_free(&memory->fixed, slab->start);
        return;
    }
    memory_seal_region(memory, region_of(slab->start));
    region_free(&memory->regions, region_of(slab->start));
}
