/*
 * Stopping the mutators.
 *
 * [stop] A mutator is RUNNING, STOPPED (inside shale_poll or an allocation) or NATIVE (outside the heap).
 * While `stopping` is set none is RUNNING once `running` has reached 0, and none becomes so: who wants to run
 * again waits until `stopping` is cleared. So between safepoint_stop and safepoint_resume the collector has
 * the heap, all allocation buffers and all roots to itself.
 *
 * Who writes what: everything here under `lock`, mutators' `state` too; a mutator's poll word by the
 * collector under `lock`, read by its owner without (relaxed: it only hints that the lock should be taken,
 * and the lock orders the rest).
 *
 * Lost stop? The collector sets `stopping`, then the poll words, then waits for `running`. A mutator M that
 * polls just before its word is set runs on to its next poll, no further. A thread that attaches or leaves a
 * native section takes the lock and sees `stopping`. So each M is either counted in `running`, with its word
 * set, or waits.
 */
#ifndef SHALE_RUNTIME_SAFEPOINT_H
#define SHALE_RUNTIME_SAFEPOINT_H

#include <pthread.h>
#include <shale/shale.h>

struct mutator;

enum mutator_state { MUTATOR_RUNNING, MUTATOR_STOPPED, MUTATOR_NATIVE };

struct safepoint {
    pthread_mutex_t lock;
    pthread_cond_t all_stopped;
    pthread_cond_t resumed;
    bool stopping;
    unsigned running;
    struct mutator *mutators; /* attached */
    struct mutator *detached; /* kept for reuse, see [handle] */
};

void safepoint_init(struct safepoint *safepoint);
void safepoint_destroy(struct safepoint *safepoint);

/* Collector thread. */
void safepoint_stop(struct safepoint *safepoint);
void safepoint_resume(struct safepoint *safepoint);

/* A mutator's own thread. Attaching and leaving a native section wait for a stop to end. */
void safepoint_attach(struct safepoint *safepoint, struct mutator *mutator);
void safepoint_detach(struct safepoint *safepoint, struct mutator *mutator);
void safepoint_poll(struct safepoint *safepoint, struct mutator *mutator);
void safepoint_enter_native(struct safepoint *safepoint, struct mutator *mutator);
void safepoint_leave_native(struct safepoint *safepoint, struct mutator *mutator);

#endif
