/*
 * The heaps of this process: the one global table of the runtime, needed to tell a live heap's handle from a
 * stale one without looking inside, and to find all heaps when the process forks.
 *
 * Who writes what: entries are added and removed under a lock; read without it.
 */
#ifndef SHALE_RUNTIME_REGISTRY_H
#define SHALE_RUNTIME_REGISTRY_H

#include <shale/shale.h>

enum { REGISTRY_MAX = 256 };

/* False when there are REGISTRY_MAX heaps already. */
bool registry_add(shale_heap *heap);
/* Whether it was there: of two calls at the same time one wins. */
bool registry_remove(shale_heap *heap);
bool registry_has(const shale_heap *heap);
/* Entry `index`, NULL if it is unused or past the end. */
shale_heap *registry_get(size_t index);

/* Keeps the table as it is across a fork. */
void registry_lock(void);
void registry_unlock(void);

#endif
