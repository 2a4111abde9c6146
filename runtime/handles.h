/*
 * Handles that live until they are dropped: references from outside the heap, in blocks that never move, so that a
 * handle's address is its identity and reading one is one load. (Local handles: scopes.h.)
 *
 * Who writes what: the free list and `used` under `lock`; a handle's object by its user with a barrier
 * [heap-roots], and by the collector while the world is stopped.
 */
#ifndef SHALE_RUNTIME_HANDLES_H
#define SHALE_RUNTIME_HANDLES_H

#include "heap/object.h"

#include <pthread.h>

/* What a handle is can be asked of its block: blocks of all kinds are aligned, and begin with it. The size is what malloc
 * can put one beside the other. */
enum handle_kind { HANDLE_KEPT = 1, HANDLE_LOCAL };
enum { HANDLE_BLOCK_ALIGNMENT = 4096, HANDLE_BLOCK_SIZE = HANDLE_BLOCK_ALIGNMENT - 16 };

struct handle_block_head {
    enum handle_kind kind; /* never changes */
};

/* Zeroed but for its head; given back by free. NULL when memory is out. */
void *handle_block_allocate(enum handle_kind kind);

static inline bool handle_is_local(const shale_handle *handle)
{
    const char *block = (const char *)handle - ((uintptr_t)handle & (HANDLE_BLOCK_ALIGNMENT - 1));
    return ((const struct handle_block_head *)block)->kind == HANDLE_LOCAL;
}

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
