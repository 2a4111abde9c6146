#include "gc/growth.h"

#include "heap/identity_hash.h"
#include "heap/live_bits.h"

#include <string.h>

int growth_create(struct growth *growth, struct memory *memory)
{
    *growth = (struct growth){.memory = memory};
    size_t regions = memory->views.regions >> REGION_SHIFT;
    size_t sizes[] = {(memory->views.regions >> CHUNK_SHIFT) * sizeof *growth->bits,
                      regions * sizeof *growth->bytes, regions * sizeof *growth->recorded};
    for (int i = 0; i < 3; i++) {
        int status = memory->os->map_table(memory->os, sizes[i], &growth->tables[i].start);
        if (status != 0) {
            growth_destroy(growth);
            return status;
        }
        growth->tables[i].size = sizes[i];
    }
    growth->bits = growth->tables[0].start;
    growth->bytes = growth->tables[1].start;
    growth->recorded = growth->tables[2].start;
    return 0;
}

void growth_destroy(struct growth *growth)
{
    for (int i = 0; i < 3; i++) {
        if (growth->tables[i].size != 0)
            growth->memory->os->unmap(growth->memory->os, growth->tables[i].start, growth->tables[i].size);
        growth->tables[i].size = 0;
    }
}

static void record_region(struct growth *growth, region_number region)
{
    const struct memory *memory = growth->memory;
    granule_number end = granule_of(region_start(region)) + REGION_GRANULES;
    granule_number granule = bits_next(memory->live_bits, granule_of(region_start(region)), end);
    uint32_t bytes = 0;
    for (; granule < end; granule = bits_next(memory->live_bits, granule + 1, end)) {
        uint64_t header = memory_header(memory, granule_start(granule));
        if ((header & HEADER_ASKED) == 0 || !identity_hash_grows(memory_type(memory, header), header))
            continue;
        bits_set(growth->bits, granule);
        bytes += (uint32_t)GRANULE_SIZE;
    }
    growth->bytes[region] = bytes;
    if (bytes != 0)
        growth->recorded[growth->recorded_count++] = region;
}

void growth_record(struct growth *growth)
{
    const struct region_table *regions = &growth->memory->regions;
    for (region_number r = 0, touched = region_touched(regions); r < touched; r++) {
        if (region_get_state(regions, r) == REGION_USED && atomic_u8_load(&regions->regions[r].asked) != 0)
            record_region(growth, r);
    }
}

void growth_forget(struct growth *growth, region_number region)
{
    if (growth->bytes[region] == 0)
        return;
    memset(growth->bits + (size_t)region * REGION_CHUNKS, 0, REGION_CHUNKS * sizeof *growth->bits);
    growth->bytes[region] = 0;
}

void growth_keep_evacuated(struct growth *growth)
{
    region_number kept = 0;
    for (region_number i = 0; i < growth->recorded_count; i++) {
        region_number region = growth->recorded[i];
        if (region_get_state(&growth->memory->regions, region) == REGION_EVACUATED)
            growth->recorded[kept++] = region;
        else
            growth_forget(growth, region);
    }
    growth->recorded_count = kept;
}

void growth_clear(struct growth *growth)
{
    for (region_number i = 0; i < growth->recorded_count; i++)
        growth_forget(growth, growth->recorded[i]);
    growth->recorded_count = 0;
}
