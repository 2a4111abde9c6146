#include "gc/workers.h"

#include <stdio.h>

/* The lock is held. */
static bool may_join(const struct worker_thread *self)
{
    const struct workers *workers = self->workers;
    return workers->open && self->index < workers->invited && self->round != workers->round;
}

static void *worker_main(void *argument)
{
    struct worker_thread *self = argument;
    struct workers *workers = self->workers;
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        while (!workers->quit && !may_join(self))
            pthread_cond_wait(&workers->offered, &workers->lock);
        if (workers->quit)
            break;
        self->round = workers->round;
        workers->joined++;
        pthread_mutex_unlock(&workers->lock);
        workers->task(workers->argument, self->index);
        pthread_mutex_lock(&workers->lock);
        if (--workers->joined == 0)
            pthread_cond_signal(&workers->left);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

static int start_one(struct workers *workers)
{
    struct worker_thread *thread = &workers->threads[workers->count];
    *thread = (struct worker_thread){.workers = workers, .index = workers->count};
    char name[16];
    snprintf(name, sizeof name, "shale-worker-%u", thread->index);
    int status = workers->os->thread_start(workers->os, &thread->thread, name, worker_main, thread);
    if (status == 0)
        workers->count++;
    return status;
}

static void init(struct workers *workers, const struct os *os, unsigned limit)
{
    *workers = (struct workers){.os = os, .limit = limit < WORKERS_MAX ? limit : WORKERS_MAX, .count = 1};
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->offered, NULL);
    pthread_cond_init(&workers->left, NULL);
}

int workers_create(struct workers *workers, const struct os *os, unsigned count)
{
    init(workers, os, count);
    while (workers->count < workers->limit) {
        int status = start_one(workers);
        if (status != 0) {
            workers_destroy(workers);
            return status;
        }
    }
    return 0;
}

void workers_create_later(struct workers *workers, const struct os *os, unsigned limit,
                          const struct worker_processors *processors)
{
    init(workers, os, limit);
    workers->processors = *processors;
}

void workers_destroy(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->quit = true;
    pthread_cond_broadcast(&workers->offered);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 1; i < workers->count; i++)
        pthread_join(workers->threads[i].thread, NULL);
    pthread_cond_destroy(&workers->left);
    pthread_cond_destroy(&workers->offered);
    pthread_mutex_destroy(&workers->lock);
}

/* How many may work now, the calling thread included. */
static unsigned count_allowed(const struct workers *workers)
{
    const struct worker_processors *processors = &workers->processors;
    if (processors->count == 0)
        return workers->limit;
    unsigned busy = processors->count_busy(processors->context);
    unsigned left = busy < processors->count ? processors->count - busy : 1;
    return left < workers->limit ? left : workers->limit;
}

/* The lock is held. */
static void invite(struct workers *workers)
{
    workers->invited = count_allowed(workers);
    if (workers->invited > workers->wanted)
        workers->wanted = workers->invited;
    if (workers->open && workers->invited > 1)
        pthread_cond_broadcast(&workers->offered);
}

/* Only here, as starting a thread takes longer than whoever waits for memory would want to do it for others. */
static void start_wanted(struct workers *workers, unsigned wanted)
{
    while (!workers->failed && workers->count < wanted)
        workers->failed = start_one(workers) != 0;
}

void workers_run(struct workers *workers, worker_task task, void *argument)
{
    if (workers->limit == 1) {
        task(argument, 0);
        return;
    }
    pthread_mutex_lock(&workers->lock);
    workers->task = task;
    workers->argument = argument;
    workers->round++;
    workers->open = true;
    invite(workers);
    unsigned wanted = workers->wanted;
    pthread_mutex_unlock(&workers->lock);
    start_wanted(workers, wanted);
    task(argument, 0);
    pthread_mutex_lock(&workers->lock);
    workers->open = false;
    while (workers->joined != 0)
        pthread_cond_wait(&workers->left, &workers->lock);
    pthread_mutex_unlock(&workers->lock);
}

void workers_invite(struct workers *workers)
{
    if (workers->limit == 1)
        return;
    pthread_mutex_lock(&workers->lock);
    invite(workers);
    pthread_mutex_unlock(&workers->lock);
}
