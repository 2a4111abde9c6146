/*
 * A heap without a program: random objects, live bits as marking would leave them, and the plan that
 * follows. The benchmark is the world and runs the phases itself, as often as it likes, on one plan.
 *
 * Regions are sparse (a random part of their objects is live, so the plan evacuates them) or dense (all
 * objects are live, so the plan leaves them), in turn as the shape says. A reference leads to a live object
 * chosen at random: a near one from the few hundred to either side, as those between objects of one
 * structure that were allocated together do; any other from the whole heap, which is the least favourable
 * for caches.
 *
 * A page of a destination region may be built again and again: what it is built from does not change. A
 * page of a region that stays is changed by being built; graph_restore puts its first contents back.
 */
#ifndef BENCH_SUPPORT_GRAPH_H
#define BENCH_SUPPORT_GRAPH_H

#include "gc/collector.h"

#include "bench/support/samples.h"

enum { GRAPH_ROOTS = 1024, GRAPH_NEAR = 512 };

struct graph_shape {
    uint32_t object_size; /* from one object to the next, header included */
    uint32_t references;  /* slots of each object */
    uint32_t near;        /* of them */
    uint32_t sparse_regions;
    uint32_t dense_regions;
    uint32_t live_percent;   /* of the objects in sparse regions */
    uint32_t hashed_percent; /* of all objects: their identity hash was asked for, and is not stored */
    enum shale_compaction compaction;
};

struct graph {
    struct memory memory;
    struct collector collector;
    struct world world;
    granule_number *objects; /* live ones */
    size_t object_count;
    region_number *dense;
    region_number dense_count;
    char *first_contents; /* of the dense regions */
    page_number *moved_pages;
    size_t moved_count;
    page_number *staying_pages;
    size_t staying_count;
    uint64_t roots[GRAPH_ROOTS]; /* addresses of random objects */
    uint64_t random;
    pthread_t worker;
    bool working;
};

/* Whether the kernel offers what SHALE_COMPACTION_FAULT_... needs; if not, says why in `reason`. */
bool graph_can_compact(enum shale_compaction compaction, const char **reason);

void graph_create(struct graph *graph, const struct graph_shape *shape);
void graph_destroy(struct graph *graph);

/* Takes the plan back, so that plan_make can be run again. */
void graph_forget_plan(struct graph *graph);

/* Notes where the references on each page lead, as marking does. Before that no page is taken for clean. */
void graph_note_leads(struct graph *graph);

/* Puts the regions that stay back to what they were. */
void graph_restore(struct graph *graph);

/* The flip, from where on pages are stale; if wanted, a thread that builds them in order, as the collector's
 * does; and the rest of the compaction, which leaves the plan in place. */
void graph_flip(struct graph *graph);
void graph_start_worker(struct graph *graph);
void graph_finish(struct graph *graph);

static inline size_t graph_page_size(const struct graph *graph)
{
    return graph->memory.views.page_size;
}

#endif
