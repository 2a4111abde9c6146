#include "tests/support/late_workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAUSE_MAX = 50 }; /* microseconds */

static unsigned count_busy(void *context)
{
    return __atomic_load_n(&((struct late_workers *)context)->busy, __ATOMIC_SEQ_CST);
}

static void *call_in(void *argument)
{
    struct late_workers *late = argument;
    while (__atomic_load_n(&late->ends, __ATOMIC_SEQ_CST) == 0) {
        __atomic_store_n(&late->busy, (uint32_t)test_random_below(&late->random, LATE_WORKERS + 1),
                         __ATOMIC_SEQ_CST);
        workers_invite(&late->workers);
        if (test_random_chance(&late->random, 50))
            usleep((useconds_t)test_random_below(&late->random, PAUSE_MAX));
    }
    return NULL;
}

void late_workers_create(struct late_workers *late, const struct os *os, uint64_t stream)
{
    *late = (struct late_workers){.random = test_random_make(test_seed(), stream), .busy = LATE_WORKERS};
    const struct worker_processors processors = {LATE_WORKERS, count_busy, late};
    workers_create_later(&late->workers, os, LATE_WORKERS, &processors);
    if (pthread_create(&late->thread, NULL, call_in, late) != 0) {
        fprintf(stderr, "the test could not start a thread\n");
        abort();
    }
}

void late_workers_destroy(struct late_workers *late)
{
    __atomic_store_n(&late->ends, 1, __ATOMIC_SEQ_CST);
    pthread_join(late->thread, NULL);
    workers_destroy(&late->workers);
}
