/*
 * Sharing marking work between tracers, and knowing when there is none left.
 *
 * [work] A tracer is busy or idle. Only busy ones and mutators offer packets; a tracer becomes idle only when it has
 * nothing in hand and there is no packet or slice to take. So when all tracers are idle and there is none, no tracer has
 * anything to do, nor will have before somebody else offers something. What mutators still have in their
 * buffers is asked for by a handshake (mark.h).
 *
 * A tracer may join late: from then on it counts, as a busy one, so that all others cannot be out of work before it is. Before,
 * it has nothing and offers nothing, and nobody passes work on to it. Once tracing is over none can join; what is done by
 * then was done by others. The first tracer counts from the beginning, as it may have something in hand.
 *
 * Lost wake-up? An idle tracer raises `idle`, then looks for a packet, then waits; who offers pushes the packet, then
 * looks at `idle`; each with full ordering in between. So one of them sees the other. The first holds the
 * lock from its look until it waits, and the other takes the lock to signal.
 *
 * Who writes what: `idle` tracers, under `lock`, read by anyone; `tracers` and `over` under `lock`; `noted` anyone who notes a
 * region, after the region's own flag, and cleared before those are looked at.
 */
#ifndef SHALE_GC_WORK_H
#define SHALE_GC_WORK_H

#include "gc/packet.h"
#include "gc/slices.h"

#include <pthread.h>

struct work {
    struct packet_pool pool;
    struct slices slices;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned tracers; /* that take part */
    atomic_u32 idle;
    bool over;
    atomic_u32 noted; /* not 0: regions have marked objects whose slots are to be looked at */
    /* What was marked in place, without a tracer to count it. */
    atomic_u64 placed_objects;
    atomic_u64 placed_bytes;
};

/* Returns 0 or a negative errno value. */
int work_create(struct work *work, const struct os *os, uint32_t packet_limit);
void work_destroy(struct work *work);

/* No tracer runs: the first one is about to. */
void work_begin(struct work *work);

/* Another tracer, with nothing in hand: takes part from now on. False: tracing is over. */
bool work_join(struct work *work);

/* Nobody offers or takes: forgets all work, and what was counted. */
void work_drop(struct work *work);

/* Any thread: a packet with work for whoever comes first. */
void work_offer(struct work *work, struct packet *packet);

/* Whether some tracer has nothing to do: a hint. */
static inline bool work_is_wanted(const struct work *work)
{
    return atomic_u32_load(&work->idle) != 0;
}

/* The same of a large object that was marked. */
void work_offer_large(struct work *work, struct memory *memory, size_t offset);

/* A tracer with nothing in hand: waits for a packet. NULL: there are slices to take, or all tracers are out of work. */
struct packet *work_take(struct work *work);

/* Whether all tracers are out of work, for one that was given nothing. */
bool work_is_over(struct work *work);

#endif
