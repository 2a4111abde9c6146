/*
 * Verification: an independent look at the whole object graph while the world is stopped.
 *
 * [verify] It shares with the collector only the definition of types and slots. It follows every reference
 * from the roots, breadth first, and checks that each leads to an object: aligned, in a region that is in use
 * and not evacuated, of a known type, inside its region, and, right after marking and before a flip, with its
 * live bit set. It counts objects and bytes and makes a checksum of the graph's structure, contents and identity
 * hashes, in which references stand for the order in which objects were found, so that moving objects does not
 * change it: neither does where a hash is stored.
 *
 * The words of conservative mutators are roots as well, as they were seen in the cycle [conservative]:
 *
 *   - when marking is complete, each object that one pointed at when its mutator was scanned has its live bit, and its region
 *     is kept. Which objects these are is found out again, not taken from what was shaded;
 *   - in the flip's stop no word points into a region that is evacuated, and what is live where one points is followed like what
 *     any root holds, before and after the flip. A word may point at what is dead: the thread has had it lying about.
 *
 * When the cycle ends, words that were seen are no more what the threads hold, and nothing is known of those they hold then.
 *
 * A failure is a bug in Shale or memory that was overwritten: it is logged and the process aborts, since
 * every further step could destroy the evidence.
 *
 * Only the collector thread uses this.
 */
#ifndef SHALE_GC_VERIFY_H
#define SHALE_GC_VERIFY_H

#include "gc/conservative.h"
#include "gc/plan.h"
#include "gc/world.h"

struct verify_summary {
    uint64_t objects;
    uint64_t bytes; /* stored hashes included: more when objects have moved */
    uint64_t checksum;
};

struct verify {
    struct memory *memory;
    struct conservative *conservative;
    struct seen_words seen;
    int level;       /* see shale_options.verify */
    uint32_t *order; /* per granule: 1 + the object's place in the order of finding */
    size_t *found;   /* objects in that order */
    struct memory_table tables[2];
};

/* When in a cycle the graph is looked at, which decides what else must hold. */
enum verify_moment {
    VERIFY_MARKED,   /* live bits are set, nothing is planned */
    VERIFY_FLIPPING, /* the same, in the flip's stop: what the plan evacuates will move */
    VERIFY_FLIPPED,  /* still in it: no reference leads to a region that the plan evacuates */
    VERIFY_ENDED     /* the same, and threads have run since */
};

/* Returns 0 or a negative errno value; takes nothing when `level` is 0. */
int verify_create(struct verify *verify, struct memory *memory, struct conservative *conservative, int level);
void verify_destroy(struct verify *verify);

/* The world is stopped and its roots are settled. Looks at the graph through `view`, the start of either view.
 * Returns false, with a sentence in `message`, at the first thing that is wrong. */
bool verify_graph(struct verify *verify, const struct plan *plan, const struct world *world, char *view,
                  enum verify_moment moment, struct verify_summary *summary, char *message,
                  size_t message_size);

#endif
