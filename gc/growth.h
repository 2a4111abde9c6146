/*
 * Which objects grow in this cycle, because they take an identity hash along that they have no room for [hash].
 *
 * Written by the plan, between the start of planning and its end, and forgotten with it: bit g of `bits` is set
 * exactly when the object at granule g grows by a granule. What is recorded is final, whatever mutators do to
 * headers afterwards: it decides where objects go, and by it mutators know (hash_window.h). The tables are
 * touched for regions only in which hashes were asked for.
 */
#ifndef SHALE_GC_GROWTH_H
#define SHALE_GC_GROWTH_H

#include "heap/memory.h"

struct growth {
    struct memory *memory;
    uint64_t *bits;          /* per granule; zeros for regions that are not recorded */
    uint32_t *bytes;         /* per region: by which its objects grow */
    region_number *recorded; /* regions for which that is not 0 */
    region_number recorded_count;
    struct memory_table tables[3];
};

/* Returns 0 or a negative errno value. */
int growth_create(struct growth *growth, struct memory *memory);
void growth_destroy(struct growth *growth);

/* Records the live objects that have to grow if they move. */
void growth_record(struct growth *growth);

/* Forgets regions that will not be evacuated after all, so that none of their bits are set. */
void growth_keep_evacuated(struct growth *growth);

/* Forgets one region, of which nothing moves. Constant work. */
void growth_forget(struct growth *growth, region_number region);

/* Forgets all. */
void growth_clear(struct growth *growth);

/* The bits of one chunk. */
static inline uint64_t growth_of_chunk(const struct growth *growth, chunk_number chunk)
{
    return growth->bytes[chunk / REGION_CHUNKS] != 0 ? growth->bits[chunk] : 0;
}

static inline bool growth_test(const struct growth *growth, granule_number granule)
{
    return (growth_of_chunk(growth, granule >> 6) >> (granule & 63) & 1) != 0;
}

#endif
