#include "heap/cells.h"

#include "heap/announce.h"
#include "heap/cell_slabs.h"
#include "heap/memory.h"

void cells_table_sizes(const struct views *views, size_t sizes[CELL_TABLES])
{
    size_t spaces[CELL_KINDS] = {views->regions, views->size - views->data};
    for (unsigned kind = 0; kind < CELL_KINDS; kind++) {
        sizes[2 * kind] = (spaces[kind] >> REGION_SHIFT) * sizeof(struct cell_slab);
        sizes[2 * kind + 1] = (spaces[kind] >> CHUNK_SHIFT) * sizeof(uint64_t);
    }
}

void cells_init(struct cells *cells, void *const tables[CELL_TABLES])
{
    *cells = (struct cells){.all = NULL};
    pthread_mutex_init(&cells->lock, NULL);
    for (unsigned kind = 0; kind < CELL_KINDS; kind++) {
        cells->slabs[kind] = tables[2 * kind];
        cells->taken[kind] = tables[2 * kind + 1];
    }
    for (unsigned class = 0; class < SIZE_CLASS_COUNT; class ++)
        cells->classes[class] = size_class_describe(class);
}

void cells_destroy(struct cells *cells)
{
    pthread_mutex_destroy(&cells->lock);
}

/* ---- mutators -------------------------------------------------------------------------------------- */

struct cell_block *cells_take_block(struct memory *memory, unsigned index, uint32_t reserve, bool *fresh)
{
    struct cells *cells = &memory->cells;
    pthread_mutex_lock(&cells->lock);
    struct cell_block *block = cell_block_find(memory, index);
    pthread_mutex_unlock(&cells->lock);
    if (block != NULL)
        return block;
    struct cell_slab *slab = cell_slab_take(memory, cell_kind_of(index), reserve);
    if (slab == NULL)
        return NULL;
    *fresh = true;
    pthread_mutex_lock(&cells->lock);
    block = cell_slab_add(memory, slab, index);
    pthread_mutex_unlock(&cells->lock);
    return block;
}

static uint32_t count_free(const struct cells *cells, const struct cell_block *block)
{
    const struct size_class *class = cell_block_class(cells, block);
    uint32_t free = class->count;
    for (unsigned word = 0; word < class->words; word++) {
        uint64_t live = atomic_u64_load_acquire(&block->live[word]);
        free -= (uint32_t)__builtin_popcountll(live | atomic_u64_load(&block->taken[word]));
    }
    return free;
}

void cells_return_block(struct memory *memory, struct cell_block *block, unsigned word, uint64_t reserved)
{
    struct cells *cells = &memory->cells;
    /* The collector goes over the same words. */
    pthread_mutex_lock(&cells->lock);
    if (reserved != 0) {
        /* Since the last flip what is in reserve is not live, and pages may be being built by live bits. */
        if ((atomic_u64_load(&block->live[word]) & reserved) != 0)
            atomic_u64_and_release(&block->live[word], ~reserved);
        atomic_u64_and_release(&block->taken[word], ~reserved);
    }
    block->owned = false;
    cell_block_list(cells, block, count_free(cells, block));
    pthread_mutex_unlock(&cells->lock);
}

void cells_reserve_taken(struct cell_block *block, unsigned word, uint64_t cells)
{
    atomic_u64_or_release(&block->taken[word], cells);
    if ((atomic_u64_load(&block->live[word]) & cells) != 0)
        atomic_u64_and_release(&block->live[word], ~cells);
}

/* Their pages are not clean, as nobody looks at what the objects will refer to [clean]. */
void cells_reserve_born(struct memory *memory, struct cell_block *block, unsigned word, uint64_t cells)
{
    if ((atomic_u64_load(&block->taken[word]) & cells) != 0)
        atomic_u64_and_release(&block->taken[word], ~cells);
    atomic_u64_or_release(&block->live[word], cells);
    if (block->start >= memory->views.regions)
        return;
    size_t first = block->start + ((size_t)word << CHUNK_SHIFT);
    size_t size = (size_t)cell_block_class(&memory->cells, block)->granules << GRANULE_SHIFT;
    size_t from = first + granule_start((granule_number)__builtin_ctzll(cells)) - HEADER_SIZE;
    size_t to = first + granule_start(63 - (granule_number)__builtin_clzll(cells)) - HEADER_SIZE + size;
    for (page_number page = memory_page(memory, from); page <= memory_page(memory, to - 1); page++)
        atomic_u8_store(&memory->leads.stored[page], 1);
    atomic_u8_store(&memory->regions.regions[region_of(block->start)].marked, 1);
}

/* ---- the collector --------------------------------------------------------------------------------- */

/* What is done with each block of a slab, under the lock. */
typedef void (*block_function)(struct memory *memory, struct cell_slab *slab, struct cell_block *block);

static void for_blocks(struct memory *memory, struct cell_slab *slab, block_function function)
{
    for (unsigned part = 0; part < SLAB_BLOCKS; part++) {
        if (atomic_u8_load(&slab->blocks[part].index) != 0)
            function(memory, slab, &slab->blocks[part]);
    }
}

/* Others may have the lock between two slabs, and add some at the head of the list; only this takes any off, those that have
 * no blocks any more. Returns how many. */
static region_number for_slabs(struct memory *memory, block_function function)
{
    struct cells *cells = &memory->cells;
    region_number given_back = 0;
    pthread_mutex_lock(&cells->lock);
    for (struct cell_slab *next, *slab = cells->all; slab != NULL; slab = next) {
        for_blocks(memory, slab, function);
        next = slab->next;
        bool empty = slab->used == 0;
        if (empty)
            cell_slab_remove(cells, slab);
        pthread_mutex_unlock(&cells->lock);
        if (empty) {
            cell_slab_give_back(memory, slab);
            given_back++;
        }
        pthread_mutex_lock(&cells->lock);
    }
    pthread_mutex_unlock(&cells->lock);
    return given_back;
}

static void keep_late_births(struct memory *memory, struct cell_slab *slab, struct cell_block *block)
{
    (void)slab;
    uint32_t words = cell_block_class(&memory->cells, block)->words;
    for (unsigned word = 0; word < words; word++) {
        uint64_t late = atomic_u64_load(&block->live[word]) & ~atomic_u64_load(&block->taken[word]);
        if (late != 0)
            atomic_u64_or_release(&block->taken[word], late);
        if (block->start >= memory->views.regions)
            atomic_u64_store_release(&block->live[word], 0);
    }
}

void cells_begin_cycle(struct memory *memory)
{
    for_slabs(memory, keep_late_births);
    /* Who finds a live bit cleared by what follows finds the cell taken. */
    atomic_fence_full();
}

static void announce_dead(const struct memory *memory, const struct cell_block *block, unsigned word,
                          uint64_t dead)
{
    size_t size = (size_t)cell_block_class(&memory->cells, block)->granules << GRANULE_SHIFT;
    for (; dead != 0; dead &= dead - 1) {
        size_t at = block->start + ((size_t)word << CHUNK_SHIFT) +
                    granule_start((granule_number)__builtin_ctzll(dead));
        announce_free(views_mutator(&memory->views, at - HEADER_SIZE), size);
    }
}

static void sweep(struct memory *memory, struct cell_slab *slab, struct cell_block *block)
{
    struct cells *cells = &memory->cells;
    const struct size_class *class = cell_block_class(cells, block);
    uint32_t used = 0;
    for (unsigned word = 0; word < class->words; word++) {
        uint64_t live = atomic_u64_load_acquire(&block->live[word]);
        uint64_t taken = atomic_u64_load(&block->taken[word]);
        used += live != 0 ? (uint32_t)__builtin_popcountll(live) : 0;
        if (taken == live)
            continue;
        if (memory->announce)
            announce_dead(memory, block, word, taken & ~live);
        atomic_u64_store_release(&block->taken[word], live);
    }
    if (block->owned)
        return;
    if (used == 0) {
        cell_block_unmake(cells, slab, block);
    } else {
        cell_block_unlist(cells, block);
        cell_block_list(cells, block, class->count - used);
    }
}

region_number cells_sweep(struct memory *memory)
{
    return for_slabs(memory, sweep);
}

/* ---- anyone ---------------------------------------------------------------------------------------- */

/* The slab that an offset lies in, if it lies in any. */
static const struct cell_slab *find_slab(const struct memory *memory, size_t offset)
{
    const struct views *views = &memory->views;
    if (offset < views->regions &&
        region_get_state_acquire(&memory->regions, region_of(offset)) == REGION_PINNED)
        return &memory->cells.slabs[CELLS_WITH_SLOTS][region_of(offset)];
    if (offset < views->data || offset >= views->size)
        return NULL;
    const struct page_runs *runs = &memory->fixed.data;
    page_number first = page_runs_find(runs, fixed_page(&memory->fixed, runs, offset));
    if (first == RUN_NONE || page_runs_state(runs, first) != RUN_BLOCK)
        return NULL;
    size_t start = fixed_page_start(&memory->fixed, runs, first);
    return &memory->cells.slabs[CELLS_POINTER_FREE][region_of(start - views->data)];
}

/* The block of a slab that an offset lies in, and its class; NULL: there is none. A block of several parts begins at a multiple of
 * as many. */
static const struct cell_block *find_block(const struct cells *cells, const struct cell_slab *slab,
                                           size_t offset, const struct size_class **class)
{
    unsigned part = (unsigned)((offset - slab->start) / SMALL_BLOCK_SIZE);
    for (unsigned parts = SLAB_BLOCKS; parts != 0; parts /= 2) {
        const struct cell_block *block = &slab->blocks[part - part % parts];
        unsigned index = atomic_u8_load_acquire(&block->index);
        if (index == 0)
            continue;
        *class = cell_class(cells, index - 1);
        if (cell_class_parts(*class) == parts)
            return block;
    }
    return NULL;
}

size_t cells_object(const struct memory *memory, size_t offset)
{
    const struct cell_slab *slab = find_slab(memory, offset);
    if (slab == NULL)
        return OFFSET_NONE;
    const struct size_class *class;
    const struct cell_block *block = find_block(&memory->cells, slab, offset, &class);
    if (block == NULL || offset - block->start < HEADER_SIZE)
        return OFFSET_NONE;
    uint32_t number = (uint32_t)((offset - block->start - HEADER_SIZE) >> GRANULE_SHIFT) / class->granules;
    if (number >= class->count)
        return OFFSET_NONE;
    uint32_t granule = 1 + number * class->granules;
    size_t object = block->start + granule_start(granule);
    /* In this order, see cells_begin_cycle. */
    uint64_t bits = atomic_u64_load_acquire(&block->live[granule >> 6]);
    bits |= atomic_u64_load_acquire(&block->taken[granule >> 6]);
    return (bits >> (granule & 63) & 1) != 0 && memory_header(memory, object) != 0 ? object : OFFSET_NONE;
}

bool cells_is_born(const struct memory *memory, size_t offset)
{
    const atomic_u64 *taken = memory->cells.taken[CELLS_WITH_SLOTS];
    return (atomic_u64_load(&taken[offset >> CHUNK_SHIFT]) >> (granule_of(offset) & 63) & 1) == 0;
}
