#include "heap/cells.h"

#include "heap/announce.h"
#include "heap/memory.h"

/* Where the space of a kind starts. */
static size_t space_start(const struct views *views, enum cell_kind kind)
{
    return kind == CELLS_POINTER_FREE ? views->data : 0;
}

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

/* ---- lists, under the lock ------------------------------------------------------------------------- */

static unsigned index_of(const struct cell_block *block)
{
    return (unsigned)atomic_u8_load(&block->index) - 1;
}

static enum cell_kind kind_of(unsigned index)
{
    return index % CELL_KINDS;
}

static const struct size_class *class_of(const struct cells *cells, const struct cell_block *block)
{
    return cell_class(cells, index_of(block));
}

static uint64_t free_bytes(const struct cells *cells, const struct cell_block *block)
{
    return (uint64_t)block->free * class_of(cells, block)->granules << GRANULE_SHIFT;
}

/* Puts a block that nobody owns on its list, if it has free cells. */
static void list_block(struct cells *cells, struct cell_block *block, uint32_t free)
{
    struct cell_block **head = &cells->with_free[index_of(block)];
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

static void unlist_block(struct cells *cells, struct cell_block *block)
{
    if (!block->listed)
        return;
    block->listed = false;
    if (block->next != NULL)
        block->next->previous = block->previous;
    if (block->previous != NULL)
        block->previous->next = block->next;
    else
        cells->with_free[index_of(block)] = block->next;
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

/* ---- slabs and blocks ------------------------------------------------------------------------------ */

static bool is_large(const struct size_class *class)
{
    return class->words == LARGE_BLOCK_WORDS;
}

static size_t block_size(const struct size_class *class)
{
    return class->words * CHUNK_SIZE;
}

/* Bits of the parts of a slab that a block takes up. */
static uint8_t parts_of(const struct size_class *class, unsigned part)
{
    return (uint8_t)(is_large(class) ? UINT8_MAX : 1u << part);
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
    enum cell_kind kind = kind_of(index);
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

/* Nobody finds the block any more. */
static void unmake_block(struct cells *cells, struct cell_slab *slab, struct cell_block *block)
{
    const struct size_class *class = class_of(cells, block);
    enum cell_kind kind = kind_of(index_of(block));
    unlist_block(cells, block);
    slab->used &= (uint8_t)~parts_of(class, (unsigned)(block - slab->blocks));
    atomic_u8_store(&block->index, 0);
    atomic_u64_fetch_add(&cells->free_bytes, block_size(class));
    list_slab(cells, slab, kind);
}

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

static void unlink_slab(struct cells *cells, struct cell_slab *slab)
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

/* Without the lock. */
static void give_back(struct memory *memory, const struct cell_slab *slab)
{
    if (slab->start >= memory->views.data) {
        fixed_free(&memory->fixed, slab->start);
        return;
    }
    memory_seal_region(memory, region_of(slab->start));
    region_free(&memory->regions, region_of(slab->start));
}

/* ---- mutators -------------------------------------------------------------------------------------- */

/* Under the lock, from what there is. */
static struct cell_block *find_block(struct memory *memory, unsigned index)
{
    struct cells *cells = &memory->cells;
    struct cell_block *block = cells->with_free[index];
    if (block != NULL) {
        unlist_block(cells, block);
        block->owned = true;
        block->clean = false;
        return block;
    }
    struct cell_slab *slab = cells->with_room[kind_of(index)];
    if (slab == NULL || is_large(cell_class(cells, index)))
        return NULL;
    return make_block(memory, slab, (unsigned)__builtin_ctz(~(unsigned)slab->used), index);
}

struct cell_block *cells_take_block(struct memory *memory, unsigned index, uint32_t reserve, bool *fresh)
{
    struct cells *cells = &memory->cells;
    pthread_mutex_lock(&cells->lock);
    struct cell_block *block = find_block(memory, index);
    pthread_mutex_unlock(&cells->lock);
    if (block != NULL)
        return block;
    struct cell_slab *slab = kind_of(index) == CELLS_POINTER_FREE ? take_run(memory, reserve)
                                                                  : take_pinned_region(memory, reserve);
    if (slab == NULL)
        return NULL;
    *fresh = true;
    pthread_mutex_lock(&cells->lock);
    link_slab(cells, slab);
    block = make_block(memory, slab, 0, index);
    pthread_mutex_unlock(&cells->lock);
    return block;
}

static uint32_t count_free(const struct cells *cells, const struct cell_block *block)
{
    const struct size_class *class = class_of(cells, block);
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
    list_block(cells, block, count_free(cells, block));
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
    size_t size = (size_t)class_of(&memory->cells, block)->granules << GRANULE_SHIFT;
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
            unlink_slab(cells, slab);
        pthread_mutex_unlock(&cells->lock);
        if (empty) {
            give_back(memory, slab);
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
    uint32_t words = class_of(&memory->cells, block)->words;
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
    size_t size = (size_t)class_of(&memory->cells, block)->granules << GRANULE_SHIFT;
    for (; dead != 0; dead &= dead - 1) {
        size_t at = block->start + ((size_t)word << CHUNK_SHIFT) +
                    granule_start((granule_number)__builtin_ctzll(dead));
        announce_free(views_mutator(&memory->views, at - HEADER_SIZE), size);
    }
}

static void sweep(struct memory *memory, struct cell_slab *slab, struct cell_block *block)
{
    struct cells *cells = &memory->cells;
    const struct size_class *class = class_of(cells, block);
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
        unmake_block(cells, slab, block);
    } else {
        unlist_block(cells, block);
        list_block(cells, block, class->count - used);
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

size_t cells_object(const struct memory *memory, size_t offset)
{
    const struct cells *cells = &memory->cells;
    const struct cell_slab *slab = find_slab(memory, offset);
    if (slab == NULL)
        return OFFSET_NONE;
    /* A large block has the slab to itself. */
    const struct cell_block *block = &slab->blocks[0];
    unsigned index = atomic_u8_load_acquire(&block->index);
    if (index == 0 || !is_large(cell_class(cells, index - 1))) {
        block = &slab->blocks[(offset - slab->start) / SMALL_BLOCK_SIZE];
        index = atomic_u8_load_acquire(&block->index);
    }
    if (index == 0 || offset - block->start < HEADER_SIZE)
        return OFFSET_NONE;
    const struct size_class *class = cell_class(cells, index - 1);
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
