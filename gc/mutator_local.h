/*
 * What the collector keeps for each mutator: its allocation buffer, and the references it has shaded.
 *
 * [stage] The stage says what a mutator does for a marking that is under way. It changes for one mutator at a
 * time, in a handshake, and for one that attaches it is what the last handshake asked for:
 *
 *   IDLE     no cycle, or one past its flip
 *   BEGUN    stores shade what they overwrite and what they store; objects that are allocated are to be marked
 *   TRACING  the mutator's roots were shaded: stores shade what they overwrite; what is allocated is born
 *   DECIDED  marking is complete; what is allocated is born
 *   RECORDING  the same, and there will be a flip: live bits of what is born are set eagerly
 *
 * From BEGUN until IDLE stores also note the page that they store to [clean]. In a heap without a write barrier there is only
 *
 *   TRACKED  the mutator's roots were shaded; what is allocated is born, and its live bits are set eagerly [remark]
 *
 * All fields are the owning thread's, and the collector's while that thread is stopped or, in a handshake, native.
 */
#ifndef SHALE_GC_MUTATOR_LOCAL_H
#define SHALE_GC_MUTATOR_LOCAL_H

#include "gc/packet.h"
#include "heap/bump.h"
#include "heap/cell_cache.h"

enum mark_stage { STAGE_IDLE, STAGE_BEGUN, STAGE_TRACING, STAGE_DECIDED, STAGE_RECORDING, STAGE_TRACKED };

/* What a store does besides storing, in shale_mutator.barrier. */
enum barrier {
    BARRIER_OLD = 1,    /* shade what is overwritten */
    BARRIER_NEW = 2,    /* shade what is stored */
    BARRIER_CHECK = 4,  /* check what is stored: verification is on */
    BARRIER_PAGES = 16, /* note the page that is stored to [clean] */
    BARRIER_REFUSE = 8, /* say that the heap may not be used, instead of all else */
    /* Of a conservative mutator, at all times: the slow path makes the store as well. Its thread may be stopped between
     * the test of the barrier and the store, and the store would go by a test that is out of date. */
    BARRIER_STORE = 32
};

struct mutator_local {
    struct bump bump;      /* first: it begins with what <shale/inline.h> sees */
    struct packet *shaded; /* references to mark, not yet offered; NULL: none */
    size_t
        last_fixed; /* offset of the large or pinned object that was allocated last, which may be gone; 0: none */
    struct cell_caches cells;
};

static inline void local_set_barrier(struct mutator_local *local, uint32_t barrier)
{
    local->bump.api.barrier = (local->bump.api.barrier & (BARRIER_CHECK | BARRIER_STORE)) | barrier;
}

#endif
