/*
 * The plan of one cycle: where every live granule of the evacuation set goes, and where the contents of
 * every destination page come from.
 *
 * [pure] Forwarding and page building are pure functions of the plan, the live bits and the old contents;
 * they run the same in the collector, in the fault server, in a signal handler and in a unit test with no
 * kernel.
 *
 * The plan is written by the collector between marking and the flip, and is immutable from the flip until
 * the cycle ends. Readers see it through the flip's stop (mutators), through being started after it (fault
 * server), or by being its writer.
 *
 * Where an object goes (after Kermany and Petrank, "The Compressor", PLDI 2006): one bitmap has a bit for
 * each live granule of the evacuation set; each chunk, which is one word of it, has a destination. The
 * objects that *start* in a chunk form its group and stay together, in order:
 *
 *     new granule = chunk_destination[chunk] + popcount(bits of the chunk below the object's)
 *
 * An object that began in an earlier chunk may cover the first bits of this one; those are in the popcount
 * of this chunk's objects, so the destination is stored less their number, modulo 2^32. A group lies in one
 * destination region; between groups a destination region may end.
 */
#ifndef SHALE_GC_PLAN_H
#define SHALE_GC_PLAN_H

#include "heap/memory.h"

/* What compaction does with a region's pages. */
enum plan_role {
    ROLE_STAY = 0,   /* references are rewritten in place */
    ROLE_EVACUATED,  /* nobody may see it again; its contents are what destination pages are made from */
    ROLE_DESTINATION /* built from evacuated regions */
};

struct plan {
    struct memory *memory;
    uintptr_t base; /* of the mutator view */
    size_t size;
    uint8_t *roles;              /* per region: enum plan_role */
    uint64_t *granules;          /* per chunk: live granules of the evacuation set */
    uint32_t *chunk_destination; /* per chunk of the evacuation set */
    chunk_number *page_source;   /* per destination page: the first chunk whose group touches it */
    region_number *next_source;  /* per evacuated region: the next one in destination order */

    region_number *evacuated; /* the evacuation set, in destination order */
    region_number evacuated_count;
    region_number *destinations;
    region_number destination_count;
    region_number freed_count; /* regions that held nothing live and were freed without moving anything */
    uint32_t largest;          /* bytes of the largest object that may move */
    uint64_t objects;          /* that move */
    uint64_t bytes;            /* that move, headers included */

    struct memory_table tables[7];
};

enum plan_scope {
    PLAN_WORTHWHILE, /* regions sparse enough, while fewer destination regions are needed than freed */
    PLAN_TIGHT,      /* the heap is nearly full: any region whose move gains space */
    PLAN_EVERYTHING  /* every region that can move, as far as there is room */
};

/* Returns 0 or a negative errno value. */
int plan_create(struct plan *plan, struct memory *memory);
void plan_destroy(struct plan *plan);

/* Frees regions that hold nothing live, chooses the evacuation set and says where everything goes. Regions
 * at most `evacuate_percent` live are worthwhile. Mutators may run. Afterwards evacuated_count tells whether
 * there is anything to move; if not, the plan is empty. */
void plan_make(struct plan *plan, enum plan_scope scope, unsigned evacuate_percent);

/* Forgets everything, after reclaim. */
void plan_clear(struct plan *plan);

/* A check of the whole plan against its definition, for verification and tests; NULL or what is wrong. */
const char *plan_check(const struct plan *plan);

static inline __attribute__((always_inline)) uint32_t plan_forward_granule(const struct plan *plan,
                                                                           granule_number granule)
{
    chunk_number chunk = granule >> 6;
    uint64_t below = plan->granules[chunk] & ((UINT64_C(1) << (granule & 63)) - 1);
    return plan->chunk_destination[chunk] + (uint32_t)__builtin_popcountll(below);
}

/* The new address of the object at `address`: itself, unless it lies in the evacuation set. Any word may be
 * asked for; only addresses of live objects have a meaningful answer there. (signal) */
static inline __attribute__((always_inline)) uint64_t plan_forward(const struct plan *plan, uint64_t address)
{
    size_t offset = address - plan->base;
    if (offset >= plan->size || plan->roles[offset >> REGION_SHIFT] != ROLE_EVACUATED)
        return address;
    return plan->base + granule_start(plan_forward_granule(plan, granule_of(offset)));
}

#endif
