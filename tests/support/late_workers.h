/*
 * Workers that join tasks at any moment: a thread of its own pretends that processors become free and are taken.
 */
#ifndef SHALE_TESTS_LATE_WORKERS_H
#define SHALE_TESTS_LATE_WORKERS_H

#include "gc/workers.h"
#include "tests/support/test_random.h"

enum { LATE_WORKERS = 4 };

struct late_workers {
    struct workers workers;
    struct test_random random; /* the thread's */
    uint32_t busy;             /* atomic */
    uint32_t ends;             /* atomic */
    pthread_t thread;
};

void late_workers_create(struct late_workers *late, const struct os *os, uint64_t stream);
void late_workers_destroy(struct late_workers *late);

#endif
