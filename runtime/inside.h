/*
 * Whether this thread is inside the library.
 *
 * [inside] A thread whose mutator is conservative is stopped by a signal, but never while it is inside: it may hold locks there,
 * or be half-way through something that has no safepoint. `depth` counts the calls into the library that the thread is in, and the
 * handler leaves the thread alone unless it is 0. What was asked of it meanwhile is served on the way out:
 *
 *     leaving:    depth = 0; then look at the poll words        the collector:    poll word = 1; then send the signal
 *
 * If the thread looks before the word is set, the signal comes after depth became 0, so the handler stops it. If it looks
 * afterwards, it sees the word. The handler runs on the thread itself, so it is the order of the program that
 * counts, which the compiler must not change; the collector's two steps are ordered by the kernel. Looking is repeated after each
 * request that was served.
 *
 * Every call that a thread with such a mutator may make begins with INSIDE(), unless it neither takes a lock, nor
 * allocates, nor looks at or changes anything that a stop in between may change. Calls on heaps do as well as those on mutators.
 *
 * All fields are the thread's own; its handler reads them.
 */
#ifndef SHALE_RUNTIME_INSIDE_H
#define SHALE_RUNTIME_INSIDE_H

#include "heap/atomic.h"

#include <stddef.h>

struct mutator;

struct inside {
    uint32_t depth;
    struct mutator *mutators; /* the conservative ones of this thread */
};

extern __thread struct inside inside __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The compiler keeps the order of what is before and after. */
#define INSIDE_ORDER() atomic_fence_compiler()

/* Serves what was asked of this thread's conservative mutators. */
void inside_serve(void);

static inline int inside_enter(void)
{
    inside.depth++;
    INSIDE_ORDER();
    return 0;
}

static inline void inside_leave(const int *scope)
{
    (void)scope;
    INSIDE_ORDER();
    inside.depth--;
    INSIDE_ORDER();
    if (__builtin_expect(inside.mutators != NULL && inside.depth == 0, 0))
        inside_serve();
}

/* The rest of the block is inside. */
#define INSIDE() int inside_scope __attribute__((cleanup(inside_leave), unused)) = inside_enter()

#endif
