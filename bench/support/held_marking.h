/*
 * A heap that is being marked for as long as one likes: a second thread does not serve a handshake, either the one in which roots
 * are shaded, so that nothing is marked yet and every store finds something to shade, or the one after all was traced, so
 * that no store does.
 */
#ifndef SHALE_BENCH_HELD_MARKING_H
#define SHALE_BENCH_HELD_MARKING_H

#include <shale/shale.h>

#include <pthread.h>

struct held_marking {
    shale_heap *heap;
    unsigned handshakes; /* to serve */
    uint32_t attached;   /* atomic */
    uint32_t released;   /* atomic */
    pthread_t thread;
};

/* Returns when this thread's stores are those of a mutator that was scanned. `trace_milliseconds` is how long tracing may take;
 * 0: nothing is traced. */
void held_marking_begin(struct held_marking *held, shale_heap *heap, shale_mutator *mutator,
                        unsigned trace_milliseconds);

/* Lets the cycle go on. */
void held_marking_end(struct held_marking *held, shale_mutator *mutator);

#endif
