/*
 * Critical sections: while any mutator is in one no flip takes place, and no page is stale.
 *
 * [critical] Between shale_enter_critical and shale_leave_critical nothing moves and all pages of the heap are there, so that
 * system calls may use any of its memory [io]. A section begins only when the last compaction is over, and the collector moves
 * nothing before all sections have ended, or gives up moving in this cycle.
 *
 *   mutator enters              the collector, running
 *   lock                        lock
 *   wait until not moving,      wanted = true
 *     nor wanted                wait until inside is 0, or it takes too long
 *   inside++                    moving = it is 0; wanted = false
 *   unlock                      unlock; if moving: flip, compact, reclaim; then moving = false
 *
 * The mutator waits as in a native section, so neither handshakes nor the flip's stop wait for it. The collector asks before
 * it stops anybody, so that the pause does not depend on sections. `wanted` keeps threads that enter all the time in
 * turns from holding the flip off for ever. A thread in a section that waits for one that wants to enter, or for a cycle, waits for
 * the collector to give up: after a while, and for a cycle at once (`stuck`).
 *
 * Who writes what: all under `lock`, under which nobody waits for anything else; a mutator's depth is its own, `critical_since`
 * is written by it and read by the collector for a message, `critical_named` is the collector's while the section lasts.
 */
#ifndef SHALE_RUNTIME_CRITICAL_H
#define SHALE_RUNTIME_CRITICAL_H

#include "heap/atomic.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct mutator;
struct safepoint;

struct critical {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned inside;   /* mutators */
    unsigned stuck;    /* of them, those that wait for a cycle */
    bool wanted;       /* the collector waits until none is inside */
    bool moving;       /* from before the flip until no page is stale */
    uint64_t patience; /* nanoseconds that it waits */
};

void critical_init(struct critical *critical, uint64_t patience);
void critical_destroy(struct critical *critical);

/* The collector, running: whether it may move objects. If so, nobody enters until critical_end_moving; if not, says in the log
 * whose sections are to blame, once for each. */
bool critical_begin_moving(struct critical *critical, struct safepoint *safepoint);
void critical_end_moving(struct critical *critical);

/* A mutator's own thread, around waiting for a cycle. Does nothing outside of sections. */
void critical_begin_stuck(struct mutator *mutator);
void critical_end_stuck(struct mutator *mutator);

#endif
