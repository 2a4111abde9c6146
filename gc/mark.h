/*
 * Marking: which objects can be reached from the roots.
 *
 * [mark] Runs while the world is stopped. Afterwards the live bits are set for exactly the reachable objects
 * [live], and every region's live_bytes and largest describe them. An object is pushed once, when its bit is
 * set, so the work list never holds more entries than there are objects and is reserved for that many; depth
 * costs no stack.
 *
 * Only the collector thread uses any of this.
 */
#ifndef SHALE_GC_MARK_H
#define SHALE_GC_MARK_H

#include "gc/world.h"

/* Objects on their way into the cache: looked at once their header and bit have had time to arrive. */
enum { MARK_PREFETCH = 16 };

struct mark {
    struct memory *memory;
    uintptr_t base; /* of the mutator view */
    size_t size;
    granule_number *work;
    size_t work_count;
    size_t work_peak;
    granule_number pending[MARK_PREFETCH]; /* ring */
    unsigned pending_first;
    unsigned pending_count;
    uint64_t objects; /* found live by the last mark */
    uint64_t bytes;
    struct memory_table table;
};

/* Returns 0 or a negative errno value. */
int mark_create(struct mark *mark, struct memory *memory);
void mark_destroy(struct mark *mark);

/* Before the stop: clears what the last cycle left, so that the stop need not. */
void mark_prepare(struct mark *mark);

/* The world is stopped: marks all that can be reached. */
void mark_run(struct mark *mark, const struct world *world);

/* After the stop: gives the work list's memory back when it was large. */
void mark_trim(struct mark *mark);

#endif
