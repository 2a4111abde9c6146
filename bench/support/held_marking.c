#include "bench/support/held_marking.h"

#include "bench/support/samples.h"
#include "gc/mutator_local.h"

#include <sched.h>
#include <time.h>

enum { UP_TO_SETTLING = 2, UP_TO_SCANNING = 3 }; /* handshakes */

static void *hold(void *argument)
{
    struct held_marking *held = argument;
    shale_mutator *mutator = shale_attach(held->heap, NULL);
    bench_require(mutator != NULL, "a thread could not be attached");
    __atomic_store_n(&held->attached, 1, __ATOMIC_RELEASE);
    for (unsigned served = 0; served < held->handshakes;) {
        if (__atomic_load_n(&mutator->poll, __ATOMIC_RELAXED) == 0)
            continue;
        shale_poll(mutator);
        served++;
    }
    while (__atomic_load_n(&held->released, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
    shale_detach(mutator);
    return NULL;
}

void held_marking_begin(struct held_marking *held, shale_heap *heap, shale_mutator *mutator,
                        unsigned trace_milliseconds)
{
    *held = (struct held_marking){.heap = heap,
                                  .handshakes = trace_milliseconds != 0 ? UP_TO_SCANNING : UP_TO_SETTLING};
    bench_require(pthread_create(&held->thread, NULL, hold, held) == 0, "a thread could not be started");
    while (__atomic_load_n(&held->attached, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
    shale_collect_start(mutator, SHALE_COLLECT_NORMAL);
    while ((mutator->barrier & (BARRIER_OLD | BARRIER_NEW)) != BARRIER_OLD)
        shale_poll(mutator);
    nanosleep(&(struct timespec){trace_milliseconds / 1000, trace_milliseconds % 1000 * 1000000L}, NULL);
}

void held_marking_end(struct held_marking *held, shale_mutator *mutator)
{
    __atomic_store_n(&held->released, 1, __ATOMIC_RELEASE);
    shale_enter_native(mutator);
    pthread_join(held->thread, NULL);
    shale_leave_native(mutator);
}
