#include "runtime/safepoint.h"

#include "gc/durations.h"
#include "runtime/mutator.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

void safepoint_init(struct safepoint *safepoint, const struct os *os, const struct log *log,
                    uint64_t patience)
{
    *safepoint = (struct safepoint){.stage = STAGE_IDLE, .os = os, .log = log, .patience = patience};
    pthread_mutex_init(&safepoint->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&safepoint->arrived, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&safepoint->go_on, NULL);
}

void safepoint_destroy(struct safepoint *safepoint)
{
    pthread_cond_destroy(&safepoint->go_on);
    pthread_cond_destroy(&safepoint->arrived);
    pthread_mutex_destroy(&safepoint->lock);
}

static void set_poll_word(struct mutator *mutator, bool wanted)
{
    atomic_u32_store((atomic_u32 *)&mutator->local.bump.api.poll, wanted);
}

/* ---- the collector waits --------------------------------------------------------------------------- */

/* Threads that keep the collector waiting; more than a few need not be named. */
enum { LATE_MAX = 4 };

struct late {
    unsigned count;
    int thread_ids[LATE_MAX];
    uint64_t last_safepoints[LATE_MAX];
};

/* The lock is held. */
static void find_late(const struct safepoint *safepoint, struct late *late)
{
    late->count = 0;
    for (const struct mutator *mutator = safepoint->mutators; mutator != NULL && late->count < LATE_MAX;
         mutator = mutator->next) {
        if (safepoint->stopping ? mutator->state != MUTATOR_RUNNING : !mutator->asked)
            continue;
        late->thread_ids[late->count] = mutator->thread_id;
        late->last_safepoints[late->count++] = atomic_u64_load(&mutator->last_safepoint);
    }
}

static void name_late(const struct safepoint *safepoint, const struct late *late, uint64_t began)
{
    uint64_t now = clock_nanoseconds();
    for (unsigned i = 0; i < late->count; i++) {
        char name[OS_THREAD_NAME_SIZE];
        safepoint->os->thread_name(safepoint->os, late->thread_ids[i], name);
        log_line(safepoint->log, SHALE_LOG_WARNING,
                 "the collector has waited %" PRIu64
                 " ms for the thread \"%s\" (%d), whose last safepoint was %" PRIu64
                 " ms ago: have it call shale_poll more often, or put what blocks into a native section",
                 (now - began) / 1000000, name, late->thread_ids[i],
                 (now - late->last_safepoints[i]) / 1000000);
    }
}

/* Waits until the next mutator arrives. After a while names those that do not, once. The lock is held, but not while
 * lines are logged. */
static void wait_for_arrival(struct safepoint *safepoint, uint64_t began, bool *named)
{
    if (safepoint->patience == 0 || *named) {
        pthread_cond_wait(&safepoint->arrived, &safepoint->lock);
        return;
    }
    uint64_t until = began + safepoint->patience;
    struct timespec deadline = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
    if (pthread_cond_timedwait(&safepoint->arrived, &safepoint->lock, &deadline) != ETIMEDOUT)
        return;
    *named = true;
    struct late late;
    find_late(safepoint, &late);
    pthread_mutex_unlock(&safepoint->lock);
    name_late(safepoint, &late, began);
    pthread_mutex_lock(&safepoint->lock);
}

void safepoint_stop(struct safepoint *safepoint)
{
    uint64_t began = clock_nanoseconds();
    bool named = false;
    pthread_mutex_lock(&safepoint->lock);
    safepoint->stopping = true;
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next)
        set_poll_word(mutator, true);
    while (safepoint->running != 0)
        wait_for_arrival(safepoint, began, &named);
    pthread_mutex_unlock(&safepoint->lock);
}

void safepoint_resume(struct safepoint *safepoint)
{
    pthread_mutex_lock(&safepoint->lock);
    safepoint->stopping = false;
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next)
        set_poll_word(mutator, false);
    pthread_cond_broadcast(&safepoint->go_on);
    pthread_mutex_unlock(&safepoint->lock);
}

/* The lock is held, and released while the function runs. */
static void serve(struct safepoint *safepoint, struct mutator *mutator)
{
    pthread_mutex_unlock(&safepoint->lock);
    safepoint->function(safepoint->argument, &mutator->local);
    pthread_mutex_lock(&safepoint->lock);
    mutator->asked = false;
    safepoint->asked--;
    set_poll_word(mutator, safepoint->stopping);
}

static struct mutator *find_native(struct safepoint *safepoint)
{
    struct mutator *mutator = safepoint->mutators;
    while (mutator != NULL && !(mutator->asked && mutator->state == MUTATOR_NATIVE))
        mutator = mutator->next;
    return mutator;
}

void safepoint_handshake(struct safepoint *safepoint, enum mark_stage stage, local_function function,
                         void *argument)
{
    uint64_t began = clock_nanoseconds();
    bool named = false;
    pthread_mutex_lock(&safepoint->lock);
    safepoint->stage = stage;
    safepoint->function = function;
    safepoint->argument = argument;
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next) {
        mutator->asked = true;
        safepoint->asked++;
        set_poll_word(mutator, true);
    }
    while (safepoint->asked != 0) {
        struct mutator *native = find_native(safepoint);
        if (native == NULL) {
            wait_for_arrival(safepoint, began, &named);
            continue;
        }
        native->served = true;
        serve(safepoint, native);
        native->served = false;
        pthread_cond_broadcast(&safepoint->go_on);
    }
    pthread_mutex_unlock(&safepoint->lock);
}

/* ---- mutators -------------------------------------------------------------------------------------- */

/* The lock is held. */
static void serve_own(struct safepoint *safepoint, struct mutator *mutator)
{
    if (!mutator->asked)
        return;
    serve(safepoint, mutator);
    if (safepoint->asked == 0)
        pthread_cond_signal(&safepoint->arrived);
}

static void stop_running(struct safepoint *safepoint, struct mutator *mutator, enum mutator_state state)
{
    mutator->state = state;
    safepoint->running--;
    if ((safepoint->stopping && safepoint->running == 0) || mutator->asked)
        pthread_cond_signal(&safepoint->arrived);
}

static void start_running(struct safepoint *safepoint, struct mutator *mutator)
{
    while (safepoint->stopping || mutator->served)
        pthread_cond_wait(&safepoint->go_on, &safepoint->lock);
    mutator->state = MUTATOR_RUNNING;
    safepoint->running++;
    atomic_u64_store(&mutator->last_safepoint, clock_nanoseconds());
}

void safepoint_attach(struct safepoint *safepoint, struct mutator *mutator)
{
    pthread_mutex_lock(&safepoint->lock);
    mutator->asked = false;
    mutator->served = false;
    start_running(safepoint, mutator);
    mark_attach(&mutator->local, safepoint->stage);
    mutator->next = safepoint->mutators;
    safepoint->mutators = mutator;
    pthread_mutex_unlock(&safepoint->lock);
}

void safepoint_detach(struct safepoint *safepoint, struct mutator *mutator)
{
    pthread_mutex_lock(&safepoint->lock);
    serve_own(safepoint, mutator);
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
    atomic_u64_store(&mutator->last_safepoint, clock_nanoseconds());
    if (atomic_u32_load((atomic_u32 *)&mutator->local.bump.api.poll) == 0)
        return;
    pthread_mutex_lock(&safepoint->lock);
    serve_own(safepoint, mutator);
    while (safepoint->stopping) {
        stop_running(safepoint, mutator, MUTATOR_STOPPED);
        start_running(safepoint, mutator);
        serve_own(safepoint, mutator); /* what was asked since the stop ended */
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
