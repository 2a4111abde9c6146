/*
 * Handles: references from outside the heap, in blocks that never move, so that a handle's address is its
 * identity and reading one is one load.
 *
 * Who writes what: the free list and `used` under `lock`; a handle's object by its user with a barrier
 * [heap-roots], and by the collector while the world is stopped.
 */
#ifndef SHALE_RUNTIME_HANDLES_H
#define SHALE_RUNTIME_HANDLES_H

#include "heap/object.h"

#include <pthread.h>

struct handle {
    struct shale_handle api; /* first: a shale_handle is a handle */
    struct handle *next_free;
    bool used;
};

struct handle_block;

struct handles {
    pthread_mutex_t lock;
    struct handle_block *blocks;
    struct handle *free;
};

void handles_init(struct handles *handles);
void handles_destroy(struct handles *handles);

/* NULL when memory is out. */
struct handle *handles_take(struct handles *handles, void *object);
/* False: it is not in use. */
bool handles_give_back(struct handles *handles, struct handle *handle);

/* Shows all of them. */
void handles_visit(struct handles *handles, struct shale_visitor *visitor);

#endif
