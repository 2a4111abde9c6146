/*
 * A world for the collector without threads: the roots are a model's, the mutators the test's own, handshakes are
 * served at once and stopping only counts. A whole cycle runs on the test's thread.
 *
 * Half of the roots are the heap's, and rewritten as soon as a root update begins; the others are the first
 * mutator's, and rewritten on the way out of the stop or, now and then, only when roots are settled.
 */
#ifndef SHALE_TESTS_FAKE_WORLD_H
#define SHALE_TESTS_FAKE_WORLD_H

#include "gc/mark.h"
#include "tests/support/log_lines.h"
#include "tests/support/model_heap.h"

enum { FAKE_MUTATORS = 2, FAKE_FINALIZERS = 8192 };

/* Objects with finalizers, and those that wait to be taken: roots of the heap from when they were queued. */
struct fake_finalizers {
    uint64_t registered[FAKE_FINALIZERS];
    size_t registered_count;
    uint64_t queue[FAKE_FINALIZERS];
    size_t queue_count;
    size_t published;
};

struct fake_world {
    struct world world;
    struct model *model;
    struct mutator_local locals[FAKE_MUTATORS];
    enum mark_stage stage;
    unsigned handshakes;
    bool stopped;
    unsigned stops;
    struct shale_visitor *update; /* not yet done for the mutator's roots */
    struct log_lines lines;
    struct fake_finalizers *finalizers; /* NULL: none */
    /* Called, if set, when the world has stopped, when it runs again, and before and after each handshake, which
     * `handshakes` counts. */
    void (*on_stopped)(void *context);
    void (*on_resumed)(void *context);
    void (*before_handshake)(void *context, enum mark_stage stage);
    void (*on_handshake)(void *context);
    /* Whether critical sections hold off the flip; NULL: never. */
    bool (*held_off)(void *context);
    void *context;
    bool moving;
    const char *violation;
};

void fake_world_init(struct fake_world *fake, struct model *model);
void fake_world_destroy(struct fake_world *fake);

#endif
