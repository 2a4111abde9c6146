/*
 * The collector's worker threads.
 *
 * [workers] A task runs on the calling thread and on workers that join it, each once, until it has returned on the
 * caller; it is over when it has returned on all that joined. So a task must be one that the caller completes alone when
 * nobody comes. Tasks do not overlap, so what the caller wrote before one is seen in it, and what any worker wrote in it
 * is seen after it.
 *
 * Either all workers are invited to each task; or as many as there are processors that mutators leave, looked at when a
 * task begins, and again when somebody asks for that, having begun to wait: they join the task that is running. They are started when
 * they are first wanted, at the beginning of a task. Those that have joined stay to its end, though mutators may need their
 * processors by then; the next task knows that.
 *
 * Lost invitation? A mutator counts itself out, then takes the lock and looks whether a task is open; who begins a task
 * opens it and counts under the lock. Whoever has the lock second sees what the first did.
 *
 * `lock` is taken last: nothing that waits or calls out is done while it is held, other than `count_busy`, which only loads.
 *
 * Who writes what: `count`, `failed` and `threads` the thread that runs tasks; all others under `lock`.
 */
#ifndef SHALE_GC_WORKERS_H
#define SHALE_GC_WORKERS_H

#include "heap/os.h"

#include <pthread.h>

enum { WORKERS_MAX = 64 };

/* `index` is 0 on the calling thread, and below the limit on the others. */
typedef void (*worker_task)(void *argument, unsigned index);

struct worker_thread {
    struct workers *workers;
    unsigned index;
    uint64_t round; /* of the last task it joined */
    pthread_t thread;
};

/* How many processors there are, and how many of them others are busy on. Any thread. */
struct worker_processors {
    unsigned count;
    unsigned (*count_busy)(void *context);
    void *context;
};

struct workers {
    const struct os *os;
    struct worker_processors processors; /* `count` 0: all take part always */
    unsigned limit;                      /* never changes: the calling thread and as many as may be started */
    unsigned count;                      /* the calling thread and those that were started */
    bool failed;                         /* one could not be started */
    pthread_mutex_t lock;
    pthread_cond_t offered; /* workers wait: for a task they may join */
    pthread_cond_t left;    /* the caller waits: for those that joined */
    bool quit;
    bool open;        /* there is a task, and it may be joined */
    uint64_t round;   /* tasks so far */
    unsigned invited; /* workers below this index may join; 0 is the caller */
    unsigned wanted;  /* the most that were ever invited */
    unsigned joined;  /* workers that are in the task */
    worker_task task;
    void *argument;
    struct worker_thread threads[WORKERS_MAX]; /* from 1 on */
};

/* Starts `count` - 1 threads, which take part in every task. Returns 0 or a negative errno value. */
int workers_create(struct workers *workers, const struct os *os, unsigned count);

/* Starts none: up to `limit` - 1 will be, for as many take part as there are processors left. If that fails there are fewer. */
void workers_create_later(struct workers *workers, const struct os *os, unsigned limit,
                          const struct worker_processors *processors);
void workers_destroy(struct workers *workers);

/* One thread at a time. */
void workers_run(struct workers *workers, worker_task task, void *argument);

/* Any thread, when fewer processors are busy: workers may join the task that runs. */
void workers_invite(struct workers *workers);

#endif
