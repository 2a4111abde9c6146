#include "heap/cell_cache.h"

#include "heap/announce.h"

#include <string.h>

void cell_caches_init(struct cell_caches *caches, struct shale_mutator *api, size_t enough)
{
    *caches = (struct cell_caches){.runs = api->cells, .enough = enough};
    memset(api->cells, 0, sizeof api->cells);
}

/* What is left of the run. */
static uint64_t *run_of(struct cell_caches *caches, const struct memory *memory, unsigned index)
{
    return memory->announce || caches->hide ? &caches->caches[index].hidden : &caches->runs[index].free;
}

/* ---- fresh memory ---------------------------------------------------------------------------------- */

/* Whether no live object is on a page of the block. */
static bool page_is_vacant(const struct memory *memory, const struct cell_block *block,
                           const struct size_class *class, page_number page)
{
    size_t start = (size_t)page << memory->views.page_shift;
    size_t end = start + memory->views.page_size;
    /* The cell that the page's first byte is in; in front of the first cell there is nothing. */
    size_t at = start - block->start;
    uint32_t cell = at < HEADER_SIZE ? 0 : (uint32_t)((at - HEADER_SIZE) >> GRANULE_SHIFT) / class->granules;
    granule_number from = granule_of(block->start) + 1 + cell * class->granules;
    granule_number to = granule_of(end + HEADER_SIZE);
    granule_number block_end = granule_of(block->start) + class->words * 64;
    to = to < block_end ? to : block_end;
    return bits_next(memory->live_bits, from, to) >= to;
}

/* While pages are stale: those that need no building are published, and some behind them, rather than faulted on one by
 * one. */
static void publish_vacant(struct memory *memory, const struct cell_block *block,
                           const struct size_class *class, size_t start, size_t end)
{
    enum { AHEAD = 16 << 10 };
    size_t block_end = block->start + class->words * CHUNK_SIZE;
    /* Where a page holds several blocks, it is not looked at for whether all are vacant. */
    if (memory->views.page_size > SMALL_BLOCK_SIZE)
        return;
    end = end + AHEAD < block_end ? end + AHEAD : block_end;
    page_number last = memory_page(memory, end - 1);
    page_number run = memory_page(memory, start);
    page_number page = run;
    for (; page <= last; page++) {
        if (!page_is_stale(&memory->pages, page) || !page_is_vacant(memory, block, class, page) ||
            !page_claim(&memory->pages, page)) {
            if (run < page)
                page_publish(&memory->pages, run, page - run);
            run = page + 1;
        }
    }
    if (run < page)
        page_publish(&memory->pages, run, page - run);
}

/* Asks for the memory of a word's granules, of which the next run will be, if it is memory that was written to before. */
static void prefetch_word(const struct memory *memory, const struct cell_block *block, unsigned word)
{
    enum { LINE = 64 };
    const char *start = views_mutator(&memory->views, block->start + ((size_t)word << CHUNK_SHIFT));
    for (size_t i = 0; i < CHUNK_SIZE; i += LINE)
        __builtin_prefetch(start + i, 1);
}

/* Makes cells of one word zero, neighbours together; `starts` are all that begin there. Returns how many bytes they are. Nobody
 * else looks at them. Pages that they are on may be stale; on one that holds something the fault is taken here rather than when
 * the object is written. A checking tool knows nothing of objects there yet, of the mutator view. */
static size_t zero(struct memory *memory, const struct cell_block *block, const struct size_class *class,
                   unsigned word, uint64_t cells, uint64_t starts)
{
    size_t first = block->start + ((size_t)word << CHUNK_SHIFT) - HEADER_SIZE;
    size_t size = (size_t) class->granules << GRANULE_SHIFT;
    size_t end = granule_start(63 - (granule_number)__builtin_clzll(cells)) + size;
    char *view = memory->announce ? memory->views.alias : memory->views.mutator;
    if (block->start < memory->views.flipped && page_states_active(&memory->pages))
        publish_vacant(memory, block, class, first + granule_start((granule_number)__builtin_ctzll(cells)),
                       first + end);
    size_t bytes = 0;
    while (cells != 0) {
        size_t from = granule_start((granule_number)__builtin_ctzll(cells));
        /* Up to the next that holds something. */
        uint64_t others = starts & ~cells & ~(cells ^ (cells - 1));
        size_t to = others != 0 ? granule_start((granule_number)__builtin_ctzll(others)) : end;
        cells = others != 0 ? cells & ~(others ^ (others - 1)) : 0;
        bytes += to - from;
        if (!block->clean)
            memset(view + (first + from), 0, to - from);
    }
    return bytes;
}

/* ---- filling runs ---------------------------------------------------------------------------------- */

static void set_active(struct cell_caches *caches, unsigned index, bool active)
{
    uint64_t bit = UINT64_C(1) << (index & 63);
    caches->active[index >> 6] =
        active ? caches->active[index >> 6] | bit : caches->active[index >> 6] & ~bit;
}

/* The word that the run is of. */
static unsigned run_word(const struct cell_cache *cache)
{
    return cache->word - 1;
}

static void give_up(struct cell_caches *caches, struct memory *memory, unsigned index)
{
    struct cell_cache *cache = &caches->caches[index];
    uint64_t *run = run_of(caches, memory, index);
    cells_return_block(memory, cache->block, run_word(cache), *run);
    *run = 0;
    *cache = (struct cell_cache){.block = NULL};
    set_active(caches, index, false);
}

/* The next word of which cells are free, and these; 0: there is none. `starts` is set to all cells of it. `live` is read
 * first, see cells.h. */
static uint64_t next_free(struct cell_cache *cache, const struct size_class *class, uint64_t *starts)
{
    const struct cell_block *block = cache->block;
    while (cache->word < class->words) {
        *starts = size_class_starts(class, cache->word, cache->phase);
        uint64_t live = atomic_u64_load_acquire(&block->live[cache->word]);
        uint64_t free = *starts & ~(live | atomic_u64_load(&block->taken[cache->word]));
        cache->word++;
        cache->phase = size_class_next_phase(class, cache->phase);
        if (free != 0)
            return free;
    }
    return 0;
}

static bool take_block(struct cell_caches *caches, struct memory *memory, unsigned index, uint32_t reserve,
                       bool *fresh)
{
    struct cell_block *block = cells_take_block(memory, index, reserve, fresh);
    if (block == NULL)
        return false;
    caches->caches[index] =
        (struct cell_cache){.block = block, .phase = size_class_phase(cell_class(&memory->cells, index), 0)};
    set_active(caches, index, true);
    return true;
}

/* The next run of the block that the mutator has. False: there is none. */
static bool begin_run(struct cell_caches *caches, struct memory *memory, unsigned index, bool recording)
{
    struct cell_cache *cache = &caches->caches[index];
    struct cell_block *block = cache->block;
    if (block == NULL)
        return false;
    const struct size_class *class = cell_class(&memory->cells, index);
    uint64_t starts;
    uint64_t free = next_free(cache, class, &starts);
    if (free == 0)
        return false;
    unsigned word = run_word(cache);
    caches->begun += zero(memory, block, class, word, free, starts);
    if (word + 1 < class->words && !block->clean)
        prefetch_word(memory, block, word + 1);
    /* Releases the zeros: who finds a cell by its bits finds no old header. */
    if (recording)
        cells_reserve_born(memory, block, word, free);
    else
        cells_reserve_taken(block, word, free);
    cache->used = true;
    caches->runs[index].base =
        (uintptr_t)views_mutator(&memory->views, block->start + ((size_t)word << CHUNK_SHIFT));
    *run_of(caches, memory, index) = free;
    return true;
}

static uintptr_t take_cell(struct cell_caches *caches, const struct memory *memory, unsigned index,
                           uint64_t header)
{
    uint64_t *run = run_of(caches, memory, index);
    uintptr_t address = caches->runs[index].base + granule_start((granule_number)__builtin_ctzll(*run));
    if (memory->announce)
        announce_object((const void *)(address - HEADER_SIZE),
                        object_size(memory_type(memory, header), header));
    atomic_u64_store((atomic_u64 *)(address - HEADER_SIZE), header);
    atomic_fence_compiler();
    *run &= *run - 1;
    return address;
}

uintptr_t cell_caches_continue(struct cell_caches *caches, struct memory *memory, unsigned index,
                               uint64_t header, bool recording)
{
    if (*run_of(caches, memory, index) == 0 &&
        (caches->begun >= caches->enough || !begin_run(caches, memory, index, recording)))
        return 0;
    return take_cell(caches, memory, index, header);
}

uintptr_t cell_caches_allocate(struct cell_caches *caches, struct memory *memory, unsigned index,
                               uint64_t header, uint32_t reserve, bool recording, bool *fresh)
{
    *fresh = false;
    atomic_u64_fetch_add(&memory->bytes_allocated, caches->begun);
    caches->begun = 0;
    while (*run_of(caches, memory, index) == 0 && !begin_run(caches, memory, index, recording)) {
        if (caches->caches[index].block != NULL)
            give_up(caches, memory, index);
        if (!take_block(caches, memory, index, reserve, fresh))
            return 0;
    }
    return take_cell(caches, memory, index, header);
}

/* ---- handshakes and the flip ----------------------------------------------------------------------- */

typedef void (*cache_function)(struct cell_caches *caches, struct memory *memory, unsigned index);

static inline void for_active(struct cell_caches *caches, struct memory *memory, cache_function function)
{
    for (unsigned i = 0; i < sizeof caches->active / sizeof caches->active[0]; i++) {
        for (uint64_t left = caches->active[i]; left != 0; left &= left - 1)
            function(caches, memory, i * 64 + (unsigned)__builtin_ctzll(left));
    }
}

static void give_up_unused(struct cell_caches *caches, struct memory *memory, unsigned index)
{
    if (caches->caches[index].used)
        caches->caches[index].used = false;
    else
        give_up(caches, memory, index);
}

static void start_births(struct cell_caches *caches, struct memory *memory, unsigned index)
{
    struct cell_cache *cache = &caches->caches[index];
    uint64_t run = *run_of(caches, memory, index);
    if (run != 0)
        cells_reserve_born(memory, cache->block, run_word(cache), run);
}

static void end_births(struct cell_caches *caches, struct memory *memory, unsigned index)
{
    struct cell_cache *cache = &caches->caches[index];
    uint64_t run = *run_of(caches, memory, index);
    if (run != 0)
        cells_reserve_taken(cache->block, run_word(cache), run);
}

void cell_caches_start_recording(struct cell_caches *caches, struct memory *memory, bool give_all)
{
    for_active(caches, memory, give_all ? give_up : give_up_unused);
    for_active(caches, memory, start_births);
}

void cell_caches_flip(struct cell_caches *caches, struct memory *memory)
{
    for_active(caches, memory, end_births);
}

void cell_caches_close(struct cell_caches *caches, struct memory *memory)
{
    for_active(caches, memory, give_up);
}

void cell_caches_abandon(struct cell_caches *caches)
{
    memset(caches->runs, 0, SHALE_CELL_RUNS * sizeof *caches->runs);
    *caches = (struct cell_caches){.runs = caches->runs};
}
