#include "heap/starts.h"

#include <string.h>

size_t starts_size(const struct memory *memory)
{
    return memory->regions.count * (REGION_CHUNKS * sizeof(uint64_t) + sizeof(struct starts_region));
}

void starts_init(struct starts *starts, struct memory *memory, void *zeroed)
{
    *starts = (struct starts){.memory = memory, .words = zeroed};
    starts->regions = (struct starts_region *)(starts->words + memory->regions.count * REGION_CHUNKS);
}

static uint64_t *words_of(const struct starts *starts, region_number region)
{
    return starts->words + (size_t)region * REGION_CHUNKS;
}

static void begin(struct starts *starts, region_number number, uint32_t generation, uint32_t from)
{
    starts->regions[number] = (struct starts_region){
        .from = from < REGION_FIRST_OBJECT ? REGION_FIRST_OBJECT : from, .generation = generation};
}

void starts_keep(struct starts *starts, region_number number)
{
    const struct memory *memory = starts->memory;
    const struct region *region = &memory->regions.regions[number];
    /* First: if the region is taken meanwhile, what follows is not looked at. */
    uint32_t generation = atomic_u32_load(&region->generation);
    uint32_t born_from = atomic_u32_load(&region->born_from);
    bool marked = atomic_u8_load(&region->marked) != 0;
    if (starts->regions[number].placed && starts->regions[number].generation == generation && !marked) {
        starts->regions[number].placed = false;
        return;
    }
    if (marked)
        memcpy(words_of(starts, number), memory->live_bits + (size_t)number * REGION_CHUNKS,
               REGION_CHUNKS * sizeof(uint64_t));
    else
        memset(words_of(starts, number), 0, REGION_CHUNKS * sizeof(uint64_t));
    begin(starts, number, generation, marked || born_from < REGION_SIZE ? born_from : 0);
}

void starts_forget(struct starts *starts, region_number number)
{
    if (starts->regions[number].placed)
        starts->regions[number].placed = false;
}

void starts_begin_placed(struct starts *starts, region_number number)
{
    memset(words_of(starts, number), 0, REGION_CHUNKS * sizeof(uint64_t));
    begin(starts, number, atomic_u32_load(&starts->memory->regions.regions[number].generation), REGION_SIZE);
    starts->regions[number].placed = true;
}

/* Where objects end that were not born in the running cycle; 0: there are none. */
static size_t end_of(const struct memory *memory, region_number number)
{
    const struct region *region = &memory->regions.regions[number];
    switch (region_get_state_acquire(&memory->regions, number)) {
    case REGION_ALLOCATING:
    case REGION_BORN:
        return atomic_u32_load(&region->scanned_to);
    case REGION_USED:
        return region->top + HEADER_SIZE < REGION_SIZE ? region->top + HEADER_SIZE : REGION_SIZE;
    default:
        return 0;
    }
}

static void walk(struct starts *starts, region_number number, size_t end)
{
    const struct memory *memory = starts->memory;
    struct starts_region *region = &starts->regions[number];
    region->walked = true;
    for (size_t at = region->from; at < end;) {
        size_t offset = region_start(number) + at;
        uint64_t header = memory_header(memory, offset);
        if (header != 0)
            bits_set(starts->words, granule_of(offset));
        at += header != 0 ? object_size(memory_type(memory, header), header) : GRANULE_SIZE;
    }
}

granule_number starts_find(struct starts *starts, granule_number granule)
{
    const struct memory *memory = starts->memory;
    size_t offset = granule_start(granule);
    region_number number = region_of(offset);
    size_t end = end_of(memory, number);
    if (offset - region_start(number) >= end)
        return GRANULE_NONE;
    struct starts_region *region = &starts->regions[number];
    uint32_t generation = atomic_u32_load(&memory->regions.regions[number].generation);
    if (region->generation != generation) {
        memset(words_of(starts, number), 0, REGION_CHUNKS * sizeof(uint64_t));
        begin(starts, number, generation, 0);
    }
    if (offset - region_start(number) >= region->from && !region->walked)
        walk(starts, number, end);
    granule_number found = bits_previous(starts->words, granule_of(region_start(number)), granule);
    if (found == GRANULE_NONE ||
        granule_start(found) + memory_object_size(memory, granule_start(found)) <= offset)
        return GRANULE_NONE;
    return found;
}
