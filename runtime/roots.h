/*
 * Roots: frames, registered visitors and handles.
 *
 * [roots] Roots are read and rewritten only while their mutator is stopped or native, or by the mutator
 * itself on its way out of a stop. In a flip the heap's own roots are rewritten inside the stop; each
 * mutator's are only marked as stale, and rewritten by whoever comes first, under the mutator's roots_lock:
 *
 *   - the mutator, before it runs on or leaves its native section (roots_update), or
 *   - the collector, for those that stay native, before the plan is forgotten (roots_settle).
 *
 * So no mutator ever runs with roots from before the flip [view], and no root is forwarded twice.
 */
#ifndef SHALE_RUNTIME_ROOTS_H
#define SHALE_RUNTIME_ROOTS_H

#include "heap/object.h"

#include <pthread.h>

struct mutator;

struct shale_root_visitor {
    struct shale_root_visitor *next;
    struct root_list *list;
    shale_root_function visit;
    void *context;
};

/* Registered visitors, of a mutator or of the heap. `lock` orders registration with the collector's use; the
 * heap's is held throughout a stop, so that all looks at the roots during it see the same. */
struct root_list {
    pthread_mutex_t lock;
    struct shale_root_visitor *first;
    shale_heap *heap;
    struct mutator *mutator; /* NULL: the heap's */
};

void root_list_init(struct root_list *list, shale_heap *heap, struct mutator *mutator);
/* Unregisters all. */
void root_list_clear(struct root_list *list);

/* The world is stopped: shows all roots of all mutators and of the heap. */
void roots_visit(shale_heap *heap, struct shale_visitor *visitor);

/* The world is stopped: a flip's root update, see above. */
void roots_begin_update(shale_heap *heap, struct shale_visitor *visitor);
void roots_update(struct mutator *mutator);
void roots_settle(shale_heap *heap);

#endif
