/*
 * A mutex that mutators may hold across calls that may collect. Copy this if your program shares heap
 * objects between threads.
 *
 * The trap. A stop of the collector is complete when every mutator is at a safepoint (an allocation, a poll)
 * or in a native section. Suppose thread A holds a mutex, allocates, and is stopped there. Thread B waits
 * for that mutex in pthread_mutex_lock: it is neither at a safepoint nor native, so the stop waits for B,
 * B waits for A, and A waits for the stop. Nothing ever moves again.
 *
 * The way out taken here is that nobody waits for the mutex outside a native section:
 *
 *  - The usual case, a free mutex, is one trylock. It waits for nothing.
 *  - Otherwise the thread goes native, waits, and comes back. While it waits the collector does not count
 *    on it. Coming back may wait for a stop to end, now with the mutex held; that is harmless, because
 *    every other thread that wants the mutex is native too, so the stop does not depend on them.
 *
 * What the caller must keep to:
 *
 *  - lock_shard may collect. Addresses held in plain variables are dead after it; fetch them from a handle
 *    or a frame afterwards.
 *  - Whoever waits for this mutex by other means (pthread_mutex_lock, a condition variable) brings the trap
 *    back. There is one way to take it, and it is this function.
 *  - One shard at a time, and not from inside a native section: those do not nest.
 *
 * The other way out, never to allocate while a lock is held, needs no native section, but then every
 * insertion must prepare its objects before it knows whether it needs them.
 */
#ifndef CONCORDANCE_SHARD_LOCK_H
#define CONCORDANCE_SHARD_LOCK_H

#include <pthread.h>
#include <shale/shale.h>

static inline void lock_shard(shale_mutator *mutator, pthread_mutex_t *lock)
{
    if (pthread_mutex_trylock(lock) == 0)
        return;
    shale_enter_native(mutator);
    pthread_mutex_lock(lock);
    shale_leave_native(mutator);
}

static inline void unlock_shard(pthread_mutex_t *lock)
{
    pthread_mutex_unlock(lock);
}

#endif
