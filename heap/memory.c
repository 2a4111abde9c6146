#include "heap/memory.h"

#include "heap/announce.h"
#include "heap/weak_object.h"

#include <errno.h>
#include <string.h>

static int map_table(struct memory *memory, int index, size_t size)
{
    struct memory_table *table = &memory->tables[index];
    int status = memory->os->map_table(memory->os, size, &table->start);
    if (status == 0)
        table->size = size;
    return status;
}

static void unmap_tables(struct memory *memory)
{
    for (size_t i = 0; i < sizeof memory->tables / sizeof memory->tables[0]; i++) {
        if (memory->tables[i].size != 0)
            memory->os->unmap(memory->os, memory->tables[i].start, memory->tables[i].size);
    }
}

/* Registers a type of objects whose first slots are not like others. */
static struct type *register_weak(struct type_table *table, const char *name, size_t size,
                                  const uint32_t *pointers, size_t pointer_count, enum type_strength strength)
{
    shale_type_spec spec = {.name = name, .size = size, .pointers = pointers, .pointer_count = pointer_count};
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    struct type *type = type_register(table, &spec, &status, message, sizeof message);
    if (type != NULL) {
        /* Nobody has seen it yet. */
        type->strength = strength;
        type->plain_slots = SLOTS_NOT_PLAIN;
    }
    return type;
}

static bool register_weak_types(struct memory *memory)
{
    static const uint32_t weak[] = {offsetof(struct weak_object, referent),
                                    offsetof(struct weak_object, next)};
    static const uint32_t ephemeron[] = {offsetof(struct ephemeron_object, key),
                                         offsetof(struct ephemeron_object, value),
                                         offsetof(struct ephemeron_object, next)};
    memory->weak_type = register_weak(&memory->types, "weak reference", sizeof(struct weak_object), weak,
                                      sizeof weak / sizeof weak[0], STRENGTH_WEAK);
    memory->ephemeron_type =
        register_weak(&memory->types, "ephemeron", sizeof(struct ephemeron_object), ephemeron,
                      sizeof ephemeron / sizeof ephemeron[0], STRENGTH_EPHEMERON);
    return memory->weak_type != NULL && memory->ephemeron_type != NULL;
}

/* Those beside the region space, and the pages of whatever a flip takes away; then those of fixed objects. */
static int map_tables(struct memory *memory, region_number count)
{
    const struct views *views = &memory->views;
    size_t pages = views->flipped >> views->page_shift;
    size_t sizes[TABLES_BESIDE + FIXED_TABLES + CELL_TABLES] = {
        count * sizeof(struct region),
        pages,
        (views->regions >> CHUNK_SHIFT) * sizeof(uint64_t),
        (TYPE_NUMBER_MAX + 1) * sizeof(struct type *),
        pages * sizeof(atomic_u64),
        pages,
        (views->regions >> GRANULE_SHIFT) * sizeof(atomic_u64)};
    fixed_table_sizes(views, sizes + TABLES_BESIDE);
    cells_table_sizes(views, sizes + TABLES_BESIDE + FIXED_TABLES);
    int status = 0;
    for (int i = 0; i < TABLES_BESIDE + FIXED_TABLES + CELL_TABLES && status == 0; i++)
        status = map_table(memory, i, sizes[i]);
    return status;
}

static void init_fixed(struct memory *memory)
{
    void *tables[FIXED_TABLES];
    for (int i = 0; i < FIXED_TABLES; i++)
        tables[i] = memory->tables[TABLES_BESIDE + i].start;
    fixed_init(&memory->fixed, &memory->views, &memory->regions, tables);
}

static void init_cells(struct memory *memory)
{
    void *tables[CELL_TABLES];
    for (int i = 0; i < CELL_TABLES; i++)
        tables[i] = memory->tables[TABLES_BESIDE + FIXED_TABLES + i].start;
    cells_init(&memory->cells, tables);
}

static void destroy_parts(struct memory *memory)
{
    type_table_destroy(&memory->types);
    cells_destroy(&memory->cells);
    fixed_destroy(&memory->fixed);
    region_table_destroy(&memory->regions);
    unmap_tables(memory);
    views_destroy(&memory->views);
}

int memory_create(struct memory *memory, const struct os *os, size_t regions, const shale_encoding *encoding,
                  const char **failed)
{
    *memory = (struct memory){.os = os, .encoding = *encoding, .announce = announce_wanted()};
#ifdef SHALE_DEBUG
    memory->poison = true;
#endif
    int status = views_create(&memory->views, os, regions, failed);
    if (status != 0)
        return status;

    *failed = "reserving the tables beside the heap (mmap)";
    region_number count = (region_number)(regions >> REGION_SHIFT);
    status = map_tables(memory, count);
    if (status != 0) {
        unmap_tables(memory);
        views_destroy(&memory->views);
        return status;
    }
    region_table_init(&memory->regions, memory->tables[0].start, count);
    page_states_init(&memory->pages, &memory->views, memory->tables[1].start, -1);
    memory->live_bits = memory->tables[2].start;
    type_table_init(&memory->types, memory->tables[3].start);
    leads_init(&memory->leads, memory->tables[4].start, memory->tables[5].start, count);
    init_fixed(memory);
    memory->promises = memory->tables[6].start;
    init_cells(memory);
    if (!register_weak_types(memory)) {
        *failed = "registering the types of weak references (malloc)";
        destroy_parts(memory);
        return -ENOMEM;
    }
    /* The other spaces are too large for this; they are announced run by run. */
    announce_free(memory->views.mutator, regions);
    return 0;
}

void memory_destroy(struct memory *memory)
{
    announce_unmapped(memory->views.mutator, memory->views.size);
    destroy_parts(memory);
}

void memory_set_live_bits(struct memory *memory, size_t object, size_t end)
{
    if (object < end)
        atomic_u8_store(&memory->regions.regions[region_of(object)].marked, 1);
    while (object < end) {
        /* A word is written once, since others may be at work on the same one. */
        chunk_number chunk = granule_of(object) >> 6;
        uint64_t bits = 0;
        while (object < end && granule_of(object) >> 6 == chunk) {
            uint64_t header = memory_header(memory, object);
            bits |= (uint64_t)(header != 0) << (granule_of(object) & 63);
            object += header != 0 ? object_size(memory_type(memory, header), header) : GRANULE_SIZE;
        }
        atomic_u64_or_release((atomic_u64 *)&memory->live_bits[chunk], bits);
    }
}

void memory_record_births(struct memory *memory, region_number region)
{
    const struct region *born = &memory->regions.regions[region];
    size_t from = atomic_u32_load(&born->born_from);
    if (from < REGION_FIRST_OBJECT)
        from = REGION_FIRST_OBJECT;
    /* A flip may have left the cursor beyond the region's end. */
    size_t end = born->top + HEADER_SIZE < REGION_SIZE ? born->top + HEADER_SIZE : REGION_SIZE;
    memory_set_live_bits(memory, region_start(region) + from, region_start(region) + end);
}

static size_t object_in(const struct memory *memory, const struct page_runs *runs, size_t offset)
{
    page_number first = page_runs_find(runs, fixed_page(&memory->fixed, runs, offset));
    if (first == RUN_NONE || page_runs_state(runs, first) != RUN_OBJECT)
        return OFFSET_NONE;
    return fixed_page_start(&memory->fixed, runs, first) + FIXED_FIRST_OBJECT;
}

size_t memory_fixed_object(const struct memory *memory, size_t offset)
{
    const struct views *views = &memory->views;
    if (offset >= views->regions && offset < views->flipped)
        return object_in(memory, &memory->fixed.large, offset);
    if (offset < views->data || offset >= views->size)
        return OFFSET_NONE;
    size_t object = object_in(memory, &memory->fixed.data, offset);
    return object != OFFSET_NONE ? object : cells_object(memory, offset);
}

size_t memory_fixed_size(const struct memory *memory, size_t offset)
{
    const struct fixed *fixed = &memory->fixed;
    const struct page_runs *runs = offset < memory->views.flipped ? &fixed->large : &fixed->data;
    page_number first = page_runs_find(runs, fixed_page(fixed, runs, offset));
    if (first == RUN_NONE || page_runs_state(runs, first) != RUN_OBJECT)
        return memory_object_size(memory, offset);
    return (size_t)page_runs_pages(runs, first) << memory->views.page_shift;
}

static size_t next_in(struct memory *memory, struct page_runs *runs, size_t offset)
{
    size_t from = offset > FIXED_FIRST_OBJECT ? offset - FIXED_FIRST_OBJECT : 0;
    size_t start = fixed_start(&memory->fixed, runs);
    page_number page = 0;
    if (from > start)
        page = (page_number)((from - start + memory->views.page_size - 1) >> memory->views.page_shift);
    page_number first = page_runs_next(runs, page, RUN_OBJECT);
    return first == RUN_NONE ? OFFSET_NONE
                             : fixed_page_start(&memory->fixed, runs, first) + FIXED_FIRST_OBJECT;
}

size_t memory_next_large(struct memory *memory, size_t offset)
{
    size_t next = OFFSET_NONE;
    if (offset < memory->views.flipped)
        next = next_in(memory, &memory->fixed.large, offset);
    return next != OFFSET_NONE ? next : next_in(memory, &memory->fixed.data, offset);
}

void memory_forget_promises(struct memory *memory, region_number region)
{
    if (atomic_u8_load(&memory->regions.regions[region].promised) == 0)
        return;
    atomic_u64 *promises = &memory->promises[granule_of(region_start(region))];
    /* Memory that the program has locked cannot be discarded. */
    if (memory->os->discard_table(memory->os, promises, REGION_GRANULES * sizeof *promises) != 0)
        memset(promises, 0, REGION_GRANULES * sizeof *promises);
    atomic_u8_store(&memory->regions.regions[region].promised, 0);
}

void memory_publish_fresh(struct memory *memory, size_t start, size_t end)
{
    /* Publish runs of pages that were stale. One that is mapped was prepared since the flip, or compaction
     * has just ended; either way the mutator view shows it. */
    page_number last = memory_page(memory, end);
    page_number run = memory_page(memory, start);
    for (page_number page = run; page < last; page++) {
        if (!page_claim(&memory->pages, page)) {
            if (run < page)
                page_publish(&memory->pages, run, page - run);
            run = page + 1;
        }
    }
    if (run < last)
        page_publish(&memory->pages, run, last - run);
}

void memory_clear_marks(struct memory *memory, region_number region)
{
    size_t chunks = REGION_CHUNKS;
    page_number first = memory_page(memory, region_start(region));
    page_number end = memory_page(memory, region_start(region + 1));
    for (page_number page = first; page < end; page++) {
        atomic_u64_store(&memory->leads.pages[page], 0);
        atomic_u8_store(&memory->leads.stored[page], 0);
    }
    /* Mutators look for free cells meanwhile. */
    for (size_t i = (size_t)region * chunks; i < (size_t)(region + 1) * chunks; i++)
        atomic_u64_store((atomic_u64 *)&memory->live_bits[i], 0);
    atomic_u8_store(&memory->regions.regions[region].marked, 0);
}

void memory_seal_region(struct memory *memory, region_number region)
{
    announce_free(views_mutator(&memory->views, region_start(region)), REGION_SIZE);
    if (!memory->poison)
        return;
    memset(views_alias(&memory->views, region_start(region)), MEMORY_POISON, REGION_SIZE);
    /* A checking tool knows better; Valgrind would take what is made accessible again for defined memory. */
    if (memory->announce)
        return;
    /* Failing leaves the pages accessible, which only weakens the check. */
    if (memory->os->protect(memory->os, views_mutator(&memory->views, region_start(region)), REGION_SIZE,
                            false) == 0)
        memory->regions.regions[region].sealed = true;
}

void memory_unseal_region(struct memory *memory, region_number region)
{
    if (!memory->regions.regions[region].sealed)
        return;
    struct views *views = &memory->views;
    /* It may split a mapping, which fails when the process has too many of them; unsealing all merges them. */
    if (memory->os->protect(memory->os, views_mutator(views, region_start(region)), REGION_SIZE, true) != 0)
        memory->os->protect(memory->os, views->mutator, views->span, true);
    memory->regions.regions[region].sealed = false;
}

void memory_unseal_all(struct memory *memory)
{
    if (!memory->poison || memory->announce)
        return;
    /* If this fails, so does moving the entries, and regions are unsealed one by one. */
    if (memory->os->protect(memory->os, memory->views.mutator, memory->views.span, true) != 0)
        return;
    for (region_number region = 0; region < region_touched(&memory->regions); region++)
        memory->regions.regions[region].sealed = false;
}
