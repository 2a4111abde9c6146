/*
 * Finalizers: which objects have one, and which of those have died and wait for the program to take them.
 *
 * [finalizers] Both lists are outside the heap. An entry of the first does not keep its object alive, one of the queue
 * does: the queue is a root of the heap. Entries are in the order in which they were made, also when they are moved to
 * the queue. One that was moved there is only taken when the objects it leads to have been marked, since no barrier
 * is on while they are.
 *
 * After a flip the entries that there were then hold old addresses (they are *stale*), and are rewritten by the
 * collector, some at a time, before the plan is forgotten, rather than in the pause; one that is taken from the queue
 * before that is rewritten by who takes it. New entries are made with new addresses. So in each list the stale entries
 * are a run, [rewritten, stale_end). The first list begins at 0.
 *
 * Who writes what: everything under `lock`, under which nobody touches the heap or waits.
 */
#ifndef SHALE_RUNTIME_FINALIZERS_H
#define SHALE_RUNTIME_FINALIZERS_H

#include "heap/object.h"

#include <pthread.h>

struct finalizer {
    uint64_t object;
    uintptr_t data;
};

struct finalizer_list {
    struct finalizer *entries;
    size_t first; /* entries before it were taken */
    size_t end;
    size_t rewritten;
    size_t stale_end;
};

struct finalizers {
    pthread_mutex_t lock;
    size_t capacity; /* of either list: an entry can always be moved */
    struct finalizer_list registered;
    struct finalizer_list queue;
    size_t ready; /* entries of the queue below may be taken: all that they lead to is marked */
    struct shale_visitor *update; /* of the last flip */
};

void finalizers_init(struct finalizers *finalizers);
void finalizers_destroy(struct finalizers *finalizers);

/* False: no memory is left. */
bool finalizers_add(struct finalizers *finalizers, void *object, uintptr_t data);

/* Takes the first entry of the queue; false when it is empty. `entry` is filled in with an address that is good. */
bool finalizers_take(struct finalizers *finalizers, struct finalizer *entry);

/* How many wait to be taken. */
size_t finalizers_waiting(struct finalizers *finalizers);

/* The collector: see struct world. */
uint64_t finalizers_queue_dead(struct finalizers *finalizers,
                               bool (*is_dead)(void *argument, uint64_t address), void *argument);

/* Shows what was moved to the queue and not published yet. */
void finalizers_visit_queued(struct finalizers *finalizers, struct shale_visitor *visitor);

void finalizers_publish(struct finalizers *finalizers);

/* Shows the queue. */
void finalizers_visit(struct finalizers *finalizers, struct shale_visitor *visitor);

/* The world is stopped: all entries are stale. */
void finalizers_begin_update(struct finalizers *finalizers, struct shale_visitor *visitor);
/* The collector: rewrites them. */
void finalizers_settle(struct finalizers *finalizers);

#endif
