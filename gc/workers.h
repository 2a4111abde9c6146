/*
 * The collector's worker threads.
 *
 * [workers] A task runs on all workers at once, the calling thread being the first, and is over when it has returned
 * on each. Tasks do not overlap, so what the caller wrote before one is seen in it, and what any worker wrote in it is seen
 * after it.
 *
 * Who writes what: everything under `lock`.
 */
#ifndef SHALE_GC_WORKERS_H
#define SHALE_GC_WORKERS_H

#include "heap/os.h"

#include <pthread.h>

enum { WORKERS_MAX = 64 };

/* `index` is 0 on the calling thread, and below the number of workers on the others. */
typedef void (*worker_task)(void *argument, unsigned index);

struct worker_thread {
    struct workers *workers;
    unsigned index;
    pthread_t thread;
};

struct workers {
    const struct os *os;
    unsigned count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool quit;
    uint64_t round; /* tasks so far */
    unsigned running;
    worker_task task;
    void *argument;
    struct worker_thread threads[WORKERS_MAX]; /* from 1 on */
};

/* Starts `count` - 1 threads. Returns 0 or a negative errno value. */
int workers_create(struct workers *workers, const struct os *os, unsigned count);
void workers_destroy(struct workers *workers);

/* One thread at a time. */
void workers_run(struct workers *workers, worker_task task, void *argument);

#endif
