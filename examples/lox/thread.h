/*
 * A thread that runs Lox: its mutator, its registers and its calls.
 *
 * Registers of one call follow those of its caller, whose last ones are the callee and its arguments. Everything
 * below `top` of the newest call is shown to the collector; what calls that have ended left above is forgotten
 * whenever the collector looks, so no word ever becomes a register's content again that the collector has not kept right.
 * Where the garbage of ended calls ends is not tracked by each call: `touched` is moved up in steps.
 */
#ifndef LOX_THREAD_H
#define LOX_THREAD_H

#include "world.h"

enum {
    CALLS_MAX = 64,
    REGISTERS_MAX = 65000, /* of a function; their numbers have 16 bits */
    TOUCHED_STEP = 1024
};

struct call {
    const union word
        *ip;     /* the next instruction; right only while another call runs, or an error is reported */
    value *base; /* R */
    value *top;
    value *constants; /* K */
    struct closure *closure;
};

struct thread {
    shale_mutator *mutator;
    struct world *world;
    bool alone;                                /* no other thread has ever run Lox in this world */
    struct call *call;                         /* the newest; the first element: none */
    const struct native_method *native_method; /* of the receiver that is about to be called; else NULL */
    value *touched;                            /* registers from here on are zero */
    value *registers;
#ifdef LOX_BUDGET
    uint64_t budget; /* rounds of loops and calls until the program is ended; for the fuzz target */
#endif
    struct call calls[CALLS_MAX + 1]; /* the first is none: what called the first one */
};

/* Attaches the calling thread to the world's heap. False, with `error` filled in, if that fails. */
bool thread_start(struct thread *thread, struct world *world, shale_error *error);
void thread_end(struct thread *thread);

#endif
