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
    if (type != NULL)
        type->strength = strength; /* nobody has seen it yet */
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

int memory_create(struct memory *memory, const struct os *os, size_t size, const shale_encoding *encoding,
                  const char **failed)
{
    *memory = (struct memory){.os = os, .encoding = *encoding, .announce = announce_wanted()};
#ifdef SHALE_DEBUG
    memory->poison = true;
#endif
    int status = views_create(&memory->views, os, size, failed);
    if (status != 0)
        return status;

    *failed = "reserving the tables beside the heap (mmap)";
    size_t regions = size >> REGION_SHIFT;
    size_t sizes[] = {regions * sizeof(struct region),
                      size >> memory->views.page_shift,
                      (size >> CHUNK_SHIFT) * sizeof(uint64_t),
                      (TYPE_NUMBER_MAX + 1) * sizeof(struct type *),
                      (size >> memory->views.page_shift) * sizeof(atomic_u64),
                      size >> memory->views.page_shift};
    for (int i = 0; i < 6; i++) {
        status = map_table(memory, i, sizes[i]);
        if (status != 0) {
            unmap_tables(memory);
            views_destroy(&memory->views);
            return status;
        }
    }
    region_table_init(&memory->regions, memory->tables[0].start, (region_number)regions);
    page_states_init(&memory->pages, &memory->views, memory->tables[1].start, -1);
    memory->live_bits = memory->tables[2].start;
    type_table_init(&memory->types, memory->tables[3].start);
    leads_init(&memory->leads, memory->tables[4].start, memory->tables[5].start, (region_number)regions);
    if (!register_weak_types(memory)) {
        *failed = "registering the types of weak references (malloc)";
        type_table_destroy(&memory->types);
        region_table_destroy(&memory->regions);
        unmap_tables(memory);
        views_destroy(&memory->views);
        return -ENOMEM;
    }
    announce_free(memory->views.mutator, size);
    return 0;
}

void memory_destroy(struct memory *memory)
{
    announce_unmapped(memory->views.mutator, memory->views.size);
    type_table_destroy(&memory->types);
    region_table_destroy(&memory->regions);
    unmap_tables(memory);
    views_destroy(&memory->views);
}

void memory_set_live_bits(struct memory *memory, size_t object, size_t end)
{
    if (object < end)
        atomic_u8_store(&memory->regions.regions[region_of(object)].marked, 1);
    while (object < end) {
        /* A word is written once, since others may be at work on the same one. */
        chunk_number chunk = granule_of(object) >> 6;
        uint64_t bits = 0;
        for (; object < end && granule_of(object) >> 6 == chunk; object += memory_object_size(memory, object))
            bits |= UINT64_C(1) << (granule_of(object) & 63);
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

void memory_clear_marks(struct memory *memory, region_number region)
{
    size_t chunks = REGION_CHUNKS;
    page_number first = memory_page(memory, region_start(region));
    page_number end = memory_page(memory, region_start(region + 1));
    for (page_number page = first; page < end; page++) {
        atomic_u64_store(&memory->leads.pages[page], 0);
        atomic_u8_store(&memory->leads.stored[page], 0);
    }
    memset(memory->live_bits + (size_t)region * chunks, 0, chunks * sizeof(uint64_t));
    atomic_u8_store(&memory->regions.regions[region].marked, 0);
}

/* No address, no small number and no header: a reference read from freed memory is caught by every check. */
enum { POISON_BYTE = 0xdb };

void memory_seal_region(struct memory *memory, region_number region)
{
    announce_free(views_mutator(&memory->views, region_start(region)), REGION_SIZE);
    if (!memory->poison)
        return;
    memset(views_alias(&memory->views, region_start(region)), POISON_BYTE, REGION_SIZE);
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
