/*
 * The plan of one cycle: where every live granule of the evacuation set goes, and where the contents of
 * every destination page come from. What the evacuation set is, evacuation.h says.
 *
 * [pure] Forwarding and page building are pure functions of the plan, the live bits and the old contents;
 * they run the same in the collector, in the fault server, in a signal handler and in a unit test with no
 * kernel.
 *
 * The plan is written by the collector between marking and the flip, and is immutable from the end of
 * planning until the cycle ends, but for what is held back in the flip's stop (hold_back.h). Readers see it through the flip's stop (mutators), through being started after
 * it (fault server), by being its writer, or by reading PLAN_MADE (acquire) from `stage`: mutators that ask for
 * an identity hash in between (hash_window.h).
 *
 * Where an object goes (after Kermany and Petrank, "The Compressor", PLDI 2006): each chunk of the evacuation
 * set has a bit for each of its granules, and a destination. The objects that *start* in a chunk form its group
 * and stay together, in order:
 *
 *     new granule = destination + number of the chunk's live granules below the object's
 *
 * An object that began in an earlier chunk may cover the first granules of this one; those are counted for all
 * of this chunk's objects, so the destination is stored less their number. A group lies in one destination
 * region; between groups a destination region may end.
 *
 * An object that grows (growth.h) counts as a granule more for those behind it in its chunk. Only in cycles in which
 * any does is there a second bitmap to look at.
 *
 * Every reference on every page is forwarded, and most need not change, so the form of the table matters more
 * than anything else for how fast pages are built: one entry, in one cache line, and no branch. What is stored
 * is the chunk's *shift*, the distance from the chunk to its destination, and its *gaps*, the granules that
 * hold nothing live; then an entry of zeros leaves addresses as they are, and that is what the entries of all
 * other regions are.
 */
#ifndef SHALE_GC_PLAN_H
#define SHALE_GC_PLAN_H

#include "gc/evacuation.h"
#include "gc/growth.h"

/* What compaction does with a region's pages. */
enum plan_role {
    ROLE_STAY = 0,   /* references are rewritten in place */
    ROLE_EVACUATED,  /* nobody may see it again; its contents are what destination pages are made from */
    ROLE_DESTINATION /* built from evacuated regions */
};

struct chunk_move {
    uint64_t gaps;  /* a bit for each granule that holds nothing live */
    uint64_t shift; /* bytes, modulo 2^64 */
};

/* How far this cycle's plan is. PLAN_MADE is stored with release, PLAN_MAKING before a full fence. */
enum plan_stage { PLAN_NONE = 0, PLAN_MAKING, PLAN_MADE };

/* All that forwarding needs, small enough for a loop that stores references to keep a copy in registers: the
 * compiler could not know that those stores leave the plan alone. */
struct forwarding {
    uintptr_t base; /* of the mutator view */
    size_t size;
    struct chunk_move *chunks; /* per chunk; zeros outside the evacuation set */
    const uint64_t *growers;   /* per chunk: growth.bits; NULL when nothing grows */
};

struct plan {
    struct memory *memory;
    struct forwarding forwarding;
    struct growth growth;
    struct evacuation_outlook outlook; /* set by the collector before it plans; zeros until then */
    atomic_u32 stage;                  /* enum plan_stage */
    uint8_t *roles;                    /* per region: enum plan_role */
    chunk_number *page_source;         /* per destination page: the first chunk whose group touches it */
    region_number *next_source;        /* per evacuated region: the next one in destination order */
    page_number *first_page; /* per evacuated region: the destination page on which its first object begins */

    region_number *evacuated; /* the evacuation set, in destination order */
    region_number evacuated_count;
    region_number *destinations;
    region_number destination_count;
    region_number freed_count; /* regions that held nothing live and were freed without moving anything */
    bool progress;             /* see struct evacuation */
    bool young;                /* the same */
    /* Regions of the set that stay after all [hold-back]; they remain on the list, with another role. */
    region_number held_back_count;
    struct region_pins pinned;
    uint64_t objects; /* that move */
    uint64_t bytes;   /* that move, headers and growth included */

    struct memory_table tables[7];
};

/* Returns 0 or a negative errno value. */
int plan_create(struct plan *plan, struct memory *memory);
void plan_destroy(struct plan *plan);

/* Frees regions that hold nothing live, chooses the evacuation set on the terms given (see struct
 * evacuation_terms) and says where everything goes. Mutators may run. Afterwards evacuated_count tells whether
 * there is anything to move; if not, the plan is empty. */
void plan_make(struct plan *plan, enum plan_scope scope, unsigned sparse_percent, region_number reserve);

/* Nothing will move after all. The world is stopped: nobody looks at the plan any more. */
void plan_drop(struct plan *plan);
/* Then, mutators running: gives the regions back that it had taken. plan_clear is to follow. */
void plan_return_regions(struct plan *plan);

/* Forgets everything, after reclaim. */
void plan_clear(struct plan *plan);

/* A check of the whole plan against its definition, before anything is held back, for verification and tests; NULL or what is
 * wrong. */
const char *plan_check(const struct plan *plan);

/* The new address of the object at `address`: itself, unless it lies in the evacuation set. Any multiple of 16
 * may be asked for; only addresses of live objects have a meaningful answer there. (signal) */
static inline __attribute__((always_inline)) uint64_t forward(const struct forwarding *forwarding,
                                                              uint64_t address)
{
    size_t offset = address - forwarding->base;
    /* Selected rather than branched over: where references lead is not predictable. */
    bool inside = offset < forwarding->size;
    const struct chunk_move *chunk = &forwarding->chunks[inside ? offset >> CHUNK_SHIFT : 0];
    uint64_t below = (UINT64_C(1) << (offset >> GRANULE_SHIFT & 63)) - 1;
    uint64_t preceding = (uint64_t)__builtin_popcountll(~chunk->gaps & below);
    if (forwarding->growers != NULL)
        preceding +=
            (uint64_t)__builtin_popcountll(forwarding->growers[inside ? offset >> CHUNK_SHIFT : 0] & below);
    uint64_t forwarded = (address & ~(CHUNK_SIZE - 1)) + chunk->shift + (preceding << GRANULE_SHIFT);
    return inside ? forwarded : address;
}

/* The same for the object at an offset. */
static inline __attribute__((always_inline)) size_t forward_offset(const struct forwarding *forwarding,
                                                                   size_t offset)
{
    return forward(forwarding, forwarding->base + offset) - forwarding->base;
}

static inline uint64_t plan_forward(const struct plan *plan, uint64_t address)
{
    return forward(&plan->forwarding, address);
}

#endif
