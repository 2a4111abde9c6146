/*
 * What threads of one program do so that they may share everything.
 *
 * [sharing] Threads run Lox code in parallel, on the same objects, without a lock around it. A program whose threads race on a
 * variable, a field or a list may lose what one of them wrote; it never sees anything but values, and never harms the
 * interpreter or the heap. That rests on this:
 *
 *  - A value is one aligned word, which is read and written as one. What it refers to was complete before it was
 *    written where others find it (shale_store is a release store, and processors order a load after the one that gave it its address).
 *  - Code, constants, strings, closures, bound methods, shapes and what caches hold never change, but for words that are replaced as
 *    a whole: a cache names the shape that it is about, so one that is old does not fit, or is still right.
 *  - An instance's id is written last: who has read it finds all fields of that shape, and room for them never shrinks. It
 *    gains a field in one thread at a time, which says so by an id that fits no cache (instance_claim): without a lock where a cache knows the
 *    next shape and there is room, otherwise with one. Tables know their own length.
 *  - What more than one word must agree on is changed under one of the locks below: the table of strings, shapes' transitions and
 *    the arrays behind instances that gain fields, the table of globals, lists. Reading does without, but for strings.
 *  - Lines of output and reports of errors are written under a lock, so they come whole.
 *
 * Locks are held across allocations, so nobody waits for one outside a native section: else a thread that waits would keep the collector
 * from stopping it, and the collector the holder. A thread holds one at a time, except that LOCK_OUTPUT may be taken within any, and
 * within it none. A thread that is alone, as the first is until it makes another, takes no lock at all.
 *
 * world_lock may collect: plain addresses from before are dead.
 */
#ifndef LOX_SHARING_H
#define LOX_SHARING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct thread;
struct world;

enum { LIST_LOCKS = 16 };

enum shared_part {
    LOCK_STRINGS,
    LOCK_SHAPES,
    LOCK_GLOBALS,
    LOCK_OUTPUT,
    LOCK_LISTS,
    LOCKS = LOCK_LISTS + LIST_LOCKS
};

struct sharing {
    uint32_t lists; /* that were made: which lock is the next one's; atomic */
    pthread_mutex_t locks[LOCKS];
    /* Threads that were spawned; under `lock`, which nobody holds across anything that waits. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned running;
    uint64_t ended;
};

void sharing_init(struct sharing *sharing);
void sharing_destroy(struct sharing *sharing);

/* `part` is an enum shared_part, or LOCK_LISTS and some more. */
void world_lock(struct thread *thread, unsigned part);
void world_unlock(struct thread *thread, unsigned part);

#endif
