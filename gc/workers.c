#include "gc/workers.h"

#include <stdio.h>

static void *worker_main(void *argument)
{
    struct worker_thread *self = argument;
    struct workers *workers = self->workers;
    uint64_t round = 0;
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        while (!workers->quit && workers->round == round)
            pthread_cond_wait(&workers->changed, &workers->lock);
        if (workers->quit)
            break;
        round = workers->round;
        pthread_mutex_unlock(&workers->lock);
        workers->task(workers->argument, self->index);
        pthread_mutex_lock(&workers->lock);
        if (--workers->running == 0)
            pthread_cond_broadcast(&workers->changed);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

static void stop(struct workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->quit = true;
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 1; i < workers->count; i++)
        pthread_join(workers->threads[i].thread, NULL);
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->lock);
}

int workers_create(struct workers *workers, const struct os *os, unsigned count)
{
    *workers = (struct workers){.os = os, .count = 1};
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->changed, NULL);
    for (unsigned i = 1; i < count && i < WORKERS_MAX; i++) {
        struct worker_thread *thread = &workers->threads[i];
        *thread = (struct worker_thread){.workers = workers, .index = i};
        char name[16];
        snprintf(name, sizeof name, "shale-worker-%u", i);
        int status = os->thread_start(os, &thread->thread, name, worker_main, thread);
        if (status != 0) {
            stop(workers);
            return status;
        }
        workers->count++;
    }
    return 0;
}

void workers_destroy(struct workers *workers)
{
    stop(workers);
}

void workers_run(struct workers *workers, worker_task task, void *argument)
{
    if (workers->count > 1) {
        pthread_mutex_lock(&workers->lock);
        workers->task = task;
        workers->argument = argument;
        workers->running = workers->count - 1;
        workers->round++;
        pthread_cond_broadcast(&workers->changed);
        pthread_mutex_unlock(&workers->lock);
    }
    task(argument, 0);
    if (workers->count > 1) {
        pthread_mutex_lock(&workers->lock);
        while (workers->running != 0)
            pthread_cond_wait(&workers->changed, &workers->lock);
        pthread_mutex_unlock(&workers->lock);
    }
}
