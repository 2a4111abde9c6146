#include "runtime/critical.h"

#include "gc/durations.h"
#include "runtime/mutator.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

void critical_init(struct critical *critical, uint64_t patience)
{
    *critical = (struct critical){.patience = patience};
    pthread_mutex_init(&critical->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&critical->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void critical_destroy(struct critical *critical)
{
    pthread_cond_destroy(&critical->changed);
    pthread_mutex_destroy(&critical->lock);
}

/* ---- the collector --------------------------------------------------------------------------------- */

/* Threads whose sections hold off a flip; more than a few need not be named. */
enum { NAMED_MAX = 4 };

static void name_inside(struct safepoint *safepoint)
{
    int thread_ids[NAMED_MAX];
    uint64_t since[NAMED_MAX];
    unsigned count = 0;
    pthread_mutex_lock(&safepoint->lock);
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL && count < NAMED_MAX;
         mutator = mutator->next) {
        uint64_t began = atomic_u64_load(&mutator->critical_since);
        if (began == 0 || mutator->critical_named == began)
            continue;
        mutator->critical_named = began;
        thread_ids[count] = mutator->thread_id;
        since[count++] = began;
    }
    pthread_mutex_unlock(&safepoint->lock);
    uint64_t now = clock_nanoseconds();
    for (unsigned i = 0; i < count; i++) {
        char name[OS_THREAD_NAME_SIZE];
        safepoint->os->thread_name(safepoint->os, thread_ids[i], name);
        log_line(safepoint->log, SHALE_LOG_WARNING,
                 "a cycle moves nothing, because the thread \"%s\" (%d) has been in a critical section for "
                 "%" PRIu64 " ms: keep critical sections short, or use pinned memory",
                 name, thread_ids[i], (now - since[i]) / 1000000);
    }
}

bool critical_begin_moving(struct critical *critical, struct safepoint *safepoint)
{
    uint64_t until = clock_nanoseconds() + critical->patience;
    struct timespec deadline = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
    pthread_mutex_lock(&critical->lock);
    critical->wanted = true;
    while (critical->inside != 0 && critical->stuck == 0) {
        if (pthread_cond_timedwait(&critical->changed, &critical->lock, &deadline) == ETIMEDOUT)
            break;
    }
    bool moving = critical->inside == 0;
    critical->wanted = false;
    critical->moving = moving;
    if (!moving)
        pthread_cond_broadcast(&critical->changed);
    pthread_mutex_unlock(&critical->lock);
    if (!moving)
        name_inside(safepoint);
    return moving;
}

void critical_end_moving(struct critical *critical)
{
    pthread_mutex_lock(&critical->lock);
    critical->moving = false;
    pthread_cond_broadcast(&critical->changed);
    pthread_mutex_unlock(&critical->lock);
}

/* ---- mutators -------------------------------------------------------------------------------------- */

/* The lock is held. */
static bool may_enter(const struct critical *critical)
{
    return !critical->moving && !critical->wanted;
}

static void enter(struct mutator *mutator)
{
    struct critical *critical = &mutator->heap->critical;
    pthread_mutex_lock(&critical->lock);
    bool waits = !may_enter(critical);
    uint64_t began = waits ? clock_nanoseconds() : 0;
    if (waits) {
        pthread_mutex_unlock(&critical->lock);
        mutator_begin_wait(mutator);
        workers_invite(&mutator->heap->collector.workers);
        pthread_mutex_lock(&critical->lock);
        while (!may_enter(critical))
            pthread_cond_wait(&critical->changed, &critical->lock);
    }
    critical->inside++;
    pthread_mutex_unlock(&critical->lock);
    uint64_t entered = clock_nanoseconds();
    atomic_u64_store(&mutator->critical_since, entered);
    if (waits) {
        events_span(&mutator->heap->events, SHALE_EVENT_CRITICAL, mutator->number, began, entered);
        mutator_end_wait(mutator);
    }
}

static void leave(struct mutator *mutator)
{
    struct critical *critical = &mutator->heap->critical;
    atomic_u64_store(&mutator->critical_since, 0);
    pthread_mutex_lock(&critical->lock);
    if (--critical->inside == 0 && critical->wanted)
        pthread_cond_broadcast(&critical->changed);
    pthread_mutex_unlock(&critical->lock);
}

void critical_begin_stuck(struct mutator *mutator)
{
    if (mutator->critical_depth == 0)
        return;
    struct critical *critical = &mutator->heap->critical;
    pthread_mutex_lock(&critical->lock);
    critical->stuck++;
    pthread_cond_broadcast(&critical->changed);
    pthread_mutex_unlock(&critical->lock);
}

void critical_end_stuck(struct mutator *mutator)
{
    if (mutator->critical_depth == 0)
        return;
    struct critical *critical = &mutator->heap->critical;
    pthread_mutex_lock(&critical->lock);
    critical->stuck--;
    pthread_mutex_unlock(&critical->lock);
}

shale_status shale_enter_critical(shale_mutator *api)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_enter_critical");
    if (status != SHALE_OK)
        return status;
    if (mutator->critical_depth++ == 0)
        enter(mutator);
    return SHALE_OK;
}

shale_status shale_leave_critical(shale_mutator *api)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_leave_critical");
    if (status != SHALE_OK)
        return status;
    if (mutator->critical_depth == 0)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_leave_critical",
                              "the thread is not in a critical section");
    if (--mutator->critical_depth == 0)
        leave(mutator);
    return SHALE_OK;
}
