/*
 * A thread's membership of a heap.
 *
 * Who writes what: `local`, `error`, `slow_paths`, `scope_blocks`, `pin_scopes` the owning thread, and the collector while that is stopped or
 * native; `state`, `asked`, `served`, `next` under the safepoint's lock; `last_safepoint` the owning thread, read by the
 * collector for a message; `roots_stale` under `roots_lock`; `stacks` as said there; `hold`, `astray` as signal_stop.h says;
 * the rest at attach and detach.
 */
#ifndef SHALE_RUNTIME_MUTATOR_H
#define SHALE_RUNTIME_MUTATOR_H

#include "gc/mutator_local.h"
#include "runtime/heap.h"
#include "runtime/inside.h"
#include "runtime/scopes.h"
#include "runtime/signal_stop.h"
#include "runtime/stacks.h"

struct mutator {
    struct mutator_local local; /* first: it begins with what <shale/inline.h> sees */
    shale_heap *heap;
    struct mutator *next;
    enum mutator_state state;
    bool asked;  /* the running handshake has not reached it yet */
    bool served; /* the collector does so, on its own thread */
    bool attached;
    bool native; /* between shale_enter_native and shale_leave_native; the owning thread's */
    pthread_t owner;
    int thread_id;             /* the same, as the system numbers it */
    atomic_u64 last_safepoint; /* nanoseconds, see clock_nanoseconds */
    struct root_list roots;
    struct scope_blocks scope_blocks;
    shale_pin_scope *pin_scopes; /* the innermost open one */
    unsigned critical_depth;     /* [critical]; and the following */
    uint64_t number;             /* in events; from 1 on */
    uint64_t held_up_at; /* when it began to wait for a stop or to be served; 0: it did not. Its own */
    uint64_t critical_named;
    atomic_u64 critical_since; /* nanoseconds; 0: in no section */
    pthread_mutex_t roots_lock;
    bool roots_stale; /* the last flip's root update is still to be done */
    unsigned slow_paths;
    /* Of conservative mutators. */
    struct stacks stacks;
    atomic_u32 hold;   /* enum hold */
    atomic_u32 astray; /* not 0: the signal found it on a stack that is not known */
    struct mutator *next_of_thread;
    shale_error error;
};

static inline struct mutator *mutator_of(shale_mutator *api)
{
    return (struct mutator *)api;
}

/* Whether a public call on the mutator may go on: it is attached, this is its thread, and this process owns
 * the heap. If not, records and logs why. */
shale_status mutator_check(struct mutator *mutator, const char *function);

/* Records an error for shale_last_error and returns its status. */
shale_status mutator_fail(struct mutator *mutator, shale_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for misuse, which is told to the log as well, since whoever misuses a call seldom looks at what it returned.
 * The mutator's own error is left alone when it belongs to another thread. */
shale_status mutator_misuse(struct mutator *mutator, shale_status status, const char *function,
                            const char *what);

/* Stops here if the collector wants it. */
void mutator_poll(struct mutator *mutator);

/* mutator_begin_wait where a cycle is waited for: holds off none by being in a critical section, until
 * critical_end_stuck, and leaves its processor to the collector's workers. */
void mutator_begin_wait_for_cycle(struct mutator *mutator);

/* Waits for a cycle by one of the functions for it. */
void mutator_await_cycle(struct mutator *mutator, void (*await)(struct collector *collector, uint64_t number),
                         uint64_t number);

/* Records that it waited for a cycle. */
void mutator_record_wait(struct mutator *mutator, shale_event_kind kind, uint64_t cycle, uint64_t began,
                         uint64_t ended);

/* Around anything in a call that waits: the collector does not wait for this thread meanwhile. */
void mutator_begin_wait(struct mutator *mutator);
void mutator_end_wait(struct mutator *mutator);

/* Frees what detached mutators leave behind; the heap is going. */
void mutator_free_detached(shale_heap *heap);

#endif
