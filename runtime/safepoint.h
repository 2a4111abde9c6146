/*
 * Safepoints: where mutators serve handshakes and stop.
 *
 * [stop] A mutator is RUNNING, STOPPED (inside shale_poll or an allocation), NATIVE (outside the heap), or HELD by a signal,
 * if it is conservative [signal-stop].
 * While `stopping` is set none is RUNNING once `running` has reached 0, and none becomes so: who wants to run
 * again waits until `stopping` is cleared. So between safepoint_stop and safepoint_resume the collector has
 * the heap, all allocation buffers and all roots to itself.
 *
 * [handshake] A handshake runs a function once for each mutator that is attached when it begins: on the mutator's
 * own thread at its next safepoint, or, while that is NATIVE, on the collector's. Nobody else is held up. In the second
 * case the mutator is marked as `served`, and does not leave its native section before that is over. A mutator
 * that attaches later is not asked; it begins at the handshake's `stage`.
 *
 * Who writes what: everything here under `lock`, mutators' `state`, `asked` and `served` too; a mutator's poll word by the
 * collector under `lock`, read by its owner without (relaxed: it only hints that the lock should be taken,
 * and the lock orders the rest).
 *
 * Lost stop? The collector sets `stopping`, then the poll words, then waits for `running`. A mutator M that
 * polls just before its word is set runs on to its next poll, no further. A thread that attaches or leaves a
 * native section takes the lock and sees `stopping`. So each M is either counted in `running`, with its word
 * set, or waits.
 *
 * Lost handshake? The collector sets `asked` and the poll word of each M under the lock, and waits until none is asked
 * any more. M clears `asked` in its next safepoint; or it enters a native section, which signals the collector;
 * or it detaches, which is a safepoint as well. Leaving a native section does not clear anything: M then runs with
 * its word set.
 *
 * Conservative mutators that run are asked by a signal as well. In a handshake each is let go as soon as it was served; in a stop
 * they are asked when all others have stopped, so that they run while others finish what they are at, and roots of a held
 * one are rewritten before it is let go. None is held while a line is logged.
 *
 * The collector sleeps on `arrivals`, which counts what it might wait for; it is a word rather than a condition because handlers of
 * signals add to it. It is read before the mutators are looked at, so that no arrival is missed.
 */
#ifndef SHALE_RUNTIME_SAFEPOINT_H
#define SHALE_RUNTIME_SAFEPOINT_H

#include "gc/events.h"
#include "gc/world.h"
#include "runtime/log.h"

#include <pthread.h>

struct mutator;

enum mutator_state { MUTATOR_RUNNING, MUTATOR_STOPPED, MUTATOR_NATIVE, MUTATOR_HELD };

struct safepoint {
    pthread_mutex_t lock;
    atomic_u32 arrivals;  /* the collector waits: mutators stopped, served a handshake, went native */
    pthread_cond_t go_on; /* mutators wait: for the end of a stop, or of being served */
    bool stopping;
    unsigned running;
    /* Read without the lock, as a hint: mutators that run, or will as soon as a stop ends, and whether all are stopped. */
    atomic_u32 busy;
    atomic_u32 stopped;
    unsigned conservative;   /* mutators */
    unsigned asked;          /* mutators that the running handshake has not reached yet */
    enum mark_stage stage;   /* at which mutators attach */
    local_function function; /* of the running handshake */
    void *argument;
    struct mutator *mutators; /* attached */
    struct mutator *detached; /* kept for reuse, see [handle] */

    uint64_t attached; /* ever: the last mutator's number */

    const struct os *os;
    const struct log *log;
    struct events *events;
    uint64_t
        patience; /* nanoseconds after which a mutator that keeps the collector waiting is named; 0: never */
};

void safepoint_init(struct safepoint *safepoint, const struct os *os, const struct log *log,
                    struct events *events, uint64_t patience);
void safepoint_destroy(struct safepoint *safepoint);

/* Collector thread. */
void safepoint_stop(struct safepoint *safepoint);
void safepoint_resume(struct safepoint *safepoint);
void safepoint_handshake(struct safepoint *safepoint, enum mark_stage stage, local_function function,
                         void *argument);

/* Any thread: how many processors mutators need now. */
unsigned safepoint_count_busy(const struct safepoint *safepoint);

/* A mutator's own thread. Attaching and leaving a native section wait for a stop to end; attaching calls mark_attach
 * with the stage. */
void safepoint_attach(struct safepoint *safepoint, struct mutator *mutator);
void safepoint_detach(struct safepoint *safepoint, struct mutator *mutator);
void safepoint_poll(struct safepoint *safepoint, struct mutator *mutator);
void safepoint_enter_native(struct safepoint *safepoint, struct mutator *mutator);
void safepoint_leave_native(struct safepoint *safepoint, struct mutator *mutator);

/* Before a fork: takes the lock when nobody is held, and nobody comes to be held while it is held: the fork waits for
 * the C library's locks, which a held thread may have. */
void safepoint_lock_to_fork(struct safepoint *safepoint);

/* The collector should look again. (signal) */
void safepoint_arrive(struct safepoint *safepoint);

#endif
