/*
 * Roots: frames, registered visitors, handles and pins.
 *
 * [roots] A mutator's own roots - frames, local handles, its visitors - are read and rewritten only while it is stopped or native, or by
 * itself in a safepoint. In a flip the heap's own roots are rewritten inside the stop; each
 * mutator's are only marked as stale, and rewritten by whoever comes first, under the mutator's roots_lock:
 *
 *   - the mutator, before it runs on or leaves its native section (roots_update), or
 *   - the collector, for those that stay native, before the plan is forgotten (roots_settle).
 *
 * A mutator that does it for itself then brings in the pages that its innermost roots refer to (roots_bring): it is about to
 * touch them, and would fault on each. By then the others run, and no lock is held [fault-free].
 *
 * So no mutator ever runs with roots from before the flip [view], and no root is forwarded twice.
 *
 * [heap-roots] The heap's roots - handles, and what visitors of the heap show - belong to no mutator, so that no
 * handshake is a good moment to read them: marking treats them like slots of objects. They are written by stores that
 * shade [shade]. A visitor of the heap that is added or removed shades all it shows, as storing or
 * overwriting each slot would. Either the collector, which looks at `active` being set before it visits the
 * list, sees the visitor, or whoever changed the list sees `active`: both hold the list's lock meanwhile. When marking
 * ends, the collector clears `active` and takes the lock once more, since who changes the list need not be a mutator: so
 * nobody shades any more when no handshake would wait for it.
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
void root_list_destroy(struct root_list *list);
/* Unregisters all. */
void root_list_clear(struct root_list *list);

/* The mutator's own thread, in a safepoint, or the collector while it is native: shows its own roots. */
void roots_visit_own(struct mutator *mutator, struct shale_visitor *visitor);

/* Running: shows the roots of the heap. */
void roots_visit_heap(shale_heap *heap, struct shale_visitor *visitor);

/* Running: waits for whoever is adding or removing visitors of the heap. */
void roots_await_changes(shale_heap *heap);

/* The world is stopped: shows all roots of all mutators and of the heap. */
void roots_visit(shale_heap *heap, struct shale_visitor *visitor);

/* The world is stopped: a flip's root update, see above. */
void roots_begin_update(shale_heap *heap, struct shale_visitor *visitor);
/* Returns whether it had not been done. */
bool roots_update(struct mutator *mutator);
void roots_settle(shale_heap *heap);

/* The mutator's own thread, running, after roots_update. */
void roots_bring(struct mutator *mutator);

#endif
