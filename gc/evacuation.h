/*
 * The choice of what a cycle moves: the evacuation set. docs/design/evacuation.md has the reasons and the proof.
 *
 * [choice] The set is a function of the regions' states, live bytes and largest objects, of which of them stay because they
 * are pinned, and of the terms. Choosing changes nothing. It is always the sparsest of the candidates, and moving it takes no more destination
 * regions than the terms have room for.
 *
 * [reserve] Mutators leave `reserve` free regions to evacuation, and no compaction ends with fewer.
 *
 * [packing] While 1.15 times the live bytes plus a region for each mutator fit into the heap, every cycle that
 * an allocation waits for makes progress, and after finitely many of them a region is free. A region that stays because of
 * pins counts as if it were full of live bytes; one that is held back costs the cycle what it would have gained.
 */
#ifndef SHALE_GC_EVACUATION_H
#define SHALE_GC_EVACUATION_H

#include "heap/region.h"

/* What is asked for; of two requests the later in this list is served. */
enum plan_scope {
    PLAN_WORTHWHILE, /* sparse regions, if it pays */
    PLAN_TIGHT,     /* an allocation waits: if hardly anything is free, whatever can be packed more densely */
    PLAN_SPARSE,    /* sparse regions, whether or not it pays, if it gains any; PLAN_TIGHT if that applies */
    PLAN_EVERYTHING /* every region that can move, as far as there is room */
};

/* What the pace expects. Zeros: nothing is known. */
struct evacuation_outlook {
    region_number goal;      /* regions that are to be in use at most; 0: all but the reserve */
    region_number meanwhile; /* regions that mutators will take until the cycle ends */
    bool awaited;            /* a mutator waits for it to end, as no region is left to it */
};

struct evacuation_terms {
    enum plan_scope scope;
    unsigned sparse_percent;  /* regions at most so full are sparse */
    region_number reserve;    /* free regions that mutators leave to evacuation */
    region_number free_count; /* free regions, with those that are destinations already */
    region_number room;       /* destination regions that can be had */
    const uint32_t *growth;   /* per region: bytes by which its live objects grow if they move */
    struct evacuation_outlook outlook;
};

struct evacuation {
    region_number *regions; /* the set, sparsest first; the caller's, with room for as many as there are */
    region_number count;
    region_number destinations; /* that it needs at most */
    /* Moving it brings the heap nearer to a free region, or there are regions that were too young to choose from:
     * who waits for memory should try again. */
    bool progress;
    bool young; /* there are such regions */
};

/* The free regions that a heap of so many bytes has beside them as reserve: a thirty-second, and 2 MiB at least.
 * A whole number of HEAP_UNITs. */
region_number evacuation_reserve(size_t heap_size);

/* Chooses, after the regions in which nothing lives were freed. Mutators may run. */
void evacuation_choose(struct evacuation *evacuation, const struct region_table *regions,
                       const struct evacuation_terms *terms);

/* Upper bound of the destination regions for so many live bytes, of which the largest object has `largest`. */
region_number evacuation_destinations(uint64_t bytes, uint32_t largest);

#endif
