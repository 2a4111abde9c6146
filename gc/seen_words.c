#include "gc/seen_words.h"

#include <string.h>

int seen_words_create(struct seen_words *seen, const struct memory *memory)
{
    size_t count = round_up(memory->views.size, REGION_SIZE) >> REGION_SHIFT;
    size_t granules = count * REGION_CHUNKS * sizeof *seen->granules;
    *seen = (struct seen_words){.memory = memory, .count = (region_number)count};
    int status = memory->os->map_table(memory->os, granules + count, &seen->table.start);
    if (status != 0)
        return status;
    seen->table.size = granules + count;
    seen->granules = seen->table.start;
    seen->regions = (atomic_u8 *)((char *)seen->table.start + granules);
    return 0;
}

void seen_words_destroy(struct seen_words *seen)
{
    if (seen->table.size != 0)
        seen->memory->os->unmap(seen->memory->os, seen->table.start, seen->table.size);
    seen->table.size = 0;
}

void seen_words_clear(struct seen_words *seen)
{
    for (region_number region = 0; region < seen->count; region++) {
        if (atomic_u8_load(&seen->regions[region]) == 0)
            continue;
        memset(&seen->granules[(size_t)region * REGION_CHUNKS], 0, REGION_CHUNKS * sizeof *seen->granules);
        atomic_u8_store(&seen->regions[region], 0);
    }
}

size_t seen_words_next(const struct seen_words *seen, size_t offset)
{
    granule_number from = (granule_number)(offset % REGION_SIZE >> GRANULE_SHIFT);
    for (region_number region = region_of(offset); region < seen->count; region++, from = 0) {
        if (atomic_u8_load(&seen->regions[region]) == 0)
            continue;
        granule_number granule =
            bits_next(&seen->granules[(size_t)region * REGION_CHUNKS], from, REGION_GRANULES);
        if (granule < REGION_GRANULES)
            return region_start(region) + granule_start(granule);
    }
    return OFFSET_NONE;
}
