#include "runtime/safepoint.h"

#include "runtime/mutator.h"

void safepoint_init(struct safepoint *safepoint)
{
    *safepoint = (struct safepoint){.stopping = false};
    pthread_mutex_init(&safepoint->lock, NULL);
    pthread_cond_init(&safepoint->all_stopped, NULL);
    pthread_cond_init(&safepoint->resumed, NULL);
}

void safepoint_destroy(struct safepoint *safepoint)
{
    pthread_cond_destroy(&safepoint->resumed);
    pthread_cond_destroy(&safepoint->all_stopped);
    pthread_mutex_destroy(&safepoint->lock);
}

static void set_poll_words(struct safepoint *safepoint, uint32_t word)
{
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next)
        atomic_u32_store((atomic_u32 *)&mutator->bump.api.poll, word);
}

void safepoint_stop(struct safepoint *safepoint)
{
    pthread_mutex_lock(&safepoint->lock);
    safepoint->stopping = true;
    set_poll_words(safepoint, 1);
    while (safepoint->running != 0)
        pthread_cond_wait(&safepoint->all_stopped, &safepoint->lock);
    pthread_mutex_unlock(&safepoint->lock);
}

void safepoint_resume(struct safepoint *safepoint)
{
    pthread_mutex_lock(&safepoint->lock);
    safepoint->stopping = false;
    set_poll_words(safepoint, 0);
    pthread_cond_broadcast(&safepoint->resumed);
    pthread_mutex_unlock(&safepoint->lock);
}

/* The lock is held. */
static void stop_running(struct safepoint *safepoint, struct mutator *mutator, enum mutator_state state)
{
    mutator->state = state;
    safepoint->running--;
    if (safepoint->stopping && safepoint->running == 0)
        pthread_cond_signal(&safepoint->all_stopped);
}

static void start_running(struct safepoint *safepoint, struct mutator *mutator)
{
    while (safepoint->stopping)
        pthread_cond_wait(&safepoint->resumed, &safepoint->lock);
    mutator->state = MUTATOR_RUNNING;
    safepoint->running++;
}

void safepoint_attach(struct safepoint *safepoint, struct mutator *mutator)
{
    pthread_mutex_lock(&safepoint->lock);
    start_running(safepoint, mutator);
    mutator->next = safepoint->mutators;
    safepoint->mutators = mutator;
    pthread_mutex_unlock(&safepoint->lock);
}

void safepoint_detach(struct safepoint *safepoint, struct mutator *mutator)
{
    pthread_mutex_lock(&safepoint->lock);
    struct mutator **link = &safepoint->mutators;
    while (*link != mutator)
        link = &(*link)->next;
    *link = mutator->next;
    mutator->next = safepoint->detached;
    safepoint->detached = mutator;
    stop_running(safepoint, mutator, MUTATOR_NATIVE);
    pthread_mutex_unlock(&safepoint->lock);
}

void safepoint_poll(struct safepoint *safepoint, struct mutator *mutator)
{
    pthread_mutex_lock(&safepoint->lock);
    if (safepoint->stopping) {
        stop_running(safepoint, mutator, MUTATOR_STOPPED);
        start_running(safepoint, mutator);
    }
    pthread_mutex_unlock(&safepoint->lock);
}

void safepoint_enter_native(struct safepoint *safepoint, struct mutator *mutator)
{
    pthread_mutex_lock(&safepoint->lock);
    stop_running(safepoint, mutator, MUTATOR_NATIVE);
    pthread_mutex_unlock(&safepoint->lock);
}

void safepoint_leave_native(struct safepoint *safepoint, struct mutator *mutator)
{
    pthread_mutex_lock(&safepoint->lock);
    start_running(safepoint, mutator);
    pthread_mutex_unlock(&safepoint->lock);
}
