#include "runtime/safepoint.h"

#include "gc/durations.h"
#include "runtime/mutator.h"

#include <inttypes.h>

void safepoint_init(struct safepoint *safepoint, const struct os *os, const struct log *log,
                    struct events *events, uint64_t patience)
{
    *safepoint =
        (struct safepoint){.stage = STAGE_IDLE, .os = os, .log = log, .events = events, .patience = patience};
    pthread_mutex_init(&safepoint->lock, NULL);
    pthread_cond_init(&safepoint->go_on, NULL);
}

void safepoint_destroy(struct safepoint *safepoint)
{
    pthread_cond_destroy(&safepoint->go_on);
    pthread_mutex_destroy(&safepoint->lock);
}

static void set_poll_word(struct mutator *mutator, bool wanted)
{
    atomic_u32_store((atomic_u32 *)&mutator->local.bump.api.poll, wanted);
}

void safepoint_arrive(struct safepoint *safepoint)
{
    atomic_u32_fetch_add_full(&safepoint->arrivals, 1);
    safepoint->os->word_wake(safepoint->os, &safepoint->arrivals);
}

/* ---- conservative mutators; the lock is held ------------------------------------------------------- */

static bool is_conservative(const struct mutator *mutator)
{
    return mutator->local.bump.conservative;
}

/* Asks those that the collector waits for. */
static void ask_by_signal(struct safepoint *safepoint)
{
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next) {
        if (is_conservative(mutator) && mutator->state == MUTATOR_RUNNING &&
            (safepoint->stopping || mutator->asked))
            signal_stop_ask(mutator);
    }
}

/* Counts those that are held as stopped. */
static void count_held(struct safepoint *safepoint)
{
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next) {
        if (is_conservative(mutator) && mutator->state == MUTATOR_RUNNING && signal_stop_holds(mutator)) {
            mutator->state = MUTATOR_HELD;
            safepoint->running--;
        }
    }
}

static void run_on(struct safepoint *safepoint, struct mutator *mutator)
{
    if (mutator->state == MUTATOR_HELD) {
        mutator->state = MUTATOR_RUNNING;
        safepoint->running++;
        atomic_u64_store(&mutator->last_safepoint, clock_nanoseconds());
    }
    if (is_conservative(mutator))
        signal_stop_let_go(mutator);
}

static void let_all_go(struct safepoint *safepoint)
{
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next)
        run_on(safepoint, mutator);
}

/* Whether only conservative mutators still run. */
static bool others_have_stopped(const struct safepoint *safepoint)
{
    unsigned running = 0;
    for (const struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next)
        running += is_conservative(mutator) && mutator->state == MUTATOR_RUNNING;
    return running == safepoint->running;
}

static struct mutator *find_held(const struct safepoint *safepoint)
{
    struct mutator *mutator = safepoint->mutators;
    while (mutator != NULL && mutator->state != MUTATOR_HELD)
        mutator = mutator->next;
    return mutator;
}

static bool any_is_astray(const struct safepoint *safepoint)
{
    const struct mutator *mutator = safepoint->mutators;
    while (mutator != NULL && !(is_conservative(mutator) && signal_stop_is_astray(mutator)))
        mutator = mutator->next;
    return mutator != NULL;
}

/* ---- the collector waits --------------------------------------------------------------------------- */

/* Threads that keep the collector waiting; more than a few need not be named. */
enum { LATE_MAX = 4 };

struct late {
    unsigned count;
    int thread_ids[LATE_MAX];
    bool conservative[LATE_MAX];
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
        late->conservative[late->count] = is_conservative(mutator);
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
                 " ms for the thread \"%s\" (%d), whose last safepoint was %" PRIu64 " ms ago: %s",
                 (now - began) / 1000000, name, late->thread_ids[i],
                 (now - late->last_safepoints[i]) / 1000000,
                 late->conservative[i]
                     ? "have it let SIGURG through, and register the stacks that it runs on"
                     : "have it call shale_poll more often, or put what blocks into a native section");
    }
}

/* Nanoseconds: a thread that was astray when the signal came is sent another after so long; and so long threads are held while
 * others are waited for. */
enum { ASK_AGAIN_AFTER = 1000000 };

/* Waits for more arrivals than `seen`. After a while names those that do not arrive, once. The lock is held, but not while
 * lines are logged, when no thread is held either. */
static void wait_for_arrival(struct safepoint *safepoint, uint32_t seen, uint64_t began, bool *named)
{
    bool patient = safepoint->patience == 0 || *named;
    uint64_t late_at = patient ? OS_FOREVER : began + safepoint->patience;
    uint64_t until = late_at;
    if (find_held(safepoint) != NULL || any_is_astray(safepoint)) {
        uint64_t soon = clock_nanoseconds() + ASK_AGAIN_AFTER;
        until = until < soon ? until : soon;
    }
    pthread_mutex_unlock(&safepoint->lock);
    safepoint->os->word_wait(safepoint->os, &safepoint->arrivals, seen, until);
    pthread_mutex_lock(&safepoint->lock);
    if (atomic_u32_load_acquire(&safepoint->arrivals) != seen || patient || clock_nanoseconds() < late_at)
        return;
    *named = true;
    struct late late;
    find_late(safepoint, &late);
    let_all_go(safepoint);
    pthread_mutex_unlock(&safepoint->lock);
    name_late(safepoint, &late, began);
    pthread_mutex_lock(&safepoint->lock);
}

/* A thread that is held may have a lock in hand that another waits for inside, where that is not held: malloc's, say. So all run on
 * for a while, a longer one each time. The lock is held, and released meanwhile. */
static void let_run(struct safepoint *safepoint, unsigned *attempt)
{
    enum { ATTEMPTS_LONGER = 6 };
    let_all_go(safepoint);
    uint64_t until = clock_nanoseconds() + ((uint64_t)ASK_AGAIN_AFTER << *attempt);
    if (*attempt < ATTEMPTS_LONGER)
        ++*attempt;
    pthread_mutex_unlock(&safepoint->lock);
    while (clock_nanoseconds() < until)
        safepoint->os->word_wait(safepoint->os, &safepoint->arrivals, atomic_u32_load(&safepoint->arrivals),
                                 until);
    pthread_mutex_lock(&safepoint->lock);
}

void safepoint_lock_to_fork(struct safepoint *safepoint)
{
    for (;;) {
        pthread_mutex_lock(&safepoint->lock);
        bool held = false;
        for (const struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next)
            held = held || (is_conservative(mutator) && signal_stop_holds(mutator));
        if (!held)
            break;
        pthread_mutex_unlock(&safepoint->lock);
        uint64_t soon = clock_nanoseconds() + ASK_AGAIN_AFTER / 10;
        safepoint->os->word_wait(safepoint->os, &safepoint->arrivals, atomic_u32_load(&safepoint->arrivals),
                                 soon);
    }
    let_all_go(safepoint);
}

void safepoint_stop(struct safepoint *safepoint)
{
    uint64_t began = clock_nanoseconds();
    bool named = false;
    pthread_mutex_lock(&safepoint->lock);
    safepoint->stopping = true;
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next)
        set_poll_word(mutator, true);
    for (unsigned attempt = 0;;) {
        uint32_t seen = atomic_u32_load_acquire(&safepoint->arrivals);
        count_held(safepoint);
        if (safepoint->running == 0)
            break;
        if (others_have_stopped(safepoint))
            ask_by_signal(safepoint);
        wait_for_arrival(safepoint, seen, began, &named);
        if (find_held(safepoint) != NULL && atomic_u32_load_acquire(&safepoint->arrivals) == seen)
            let_run(safepoint, &attempt);
    }
    atomic_u32_store(&safepoint->stopped, 1);
    pthread_mutex_unlock(&safepoint->lock);
}

void safepoint_resume(struct safepoint *safepoint)
{
    pthread_mutex_lock(&safepoint->lock);
    safepoint->stopping = false;
    atomic_u32_store(&safepoint->stopped, 0);
    for (struct mutator *mutator = safepoint->mutators; mutator != NULL; mutator = mutator->next)
        set_poll_word(mutator, false);
    pthread_cond_broadcast(&safepoint->go_on);
    /* Those that wait for nothing but the lock go first. */
    struct mutator *mutator;
    while ((mutator = find_held(safepoint)) != NULL) {
        pthread_mutex_unlock(&safepoint->lock);
        roots_update(mutator);
        pthread_mutex_lock(&safepoint->lock);
        run_on(safepoint, mutator);
    }
    let_all_go(safepoint); /* of whom nothing is wanted any more */
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

/* Whether the collector can serve it: it does not run, and will not while it is served. */
static bool is_servable(const struct mutator *mutator)
{
    return mutator->asked &&
           (mutator->state == MUTATOR_NATIVE || (is_conservative(mutator) && signal_stop_holds(mutator)));
}

static struct mutator *find_servable(const struct safepoint *safepoint)
{
    struct mutator *mutator = safepoint->mutators;
    while (mutator != NULL && !is_servable(mutator))
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
        uint32_t seen = atomic_u32_load_acquire(&safepoint->arrivals);
        struct mutator *mutator = find_servable(safepoint);
        if (mutator == NULL) {
            ask_by_signal(safepoint);
            wait_for_arrival(safepoint, seen, began, &named);
            continue;
        }
        mutator->served = true;
        serve(safepoint, mutator);
        mutator->served = false;
        run_on(safepoint, mutator);
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
    uint64_t began = events_on(safepoint->events) ? clock_nanoseconds() : 0;
    serve(safepoint, mutator);
    if (events_on(safepoint->events))
        events_span(safepoint->events, SHALE_EVENT_SERVED, mutator->number, began, clock_nanoseconds());
    if (is_conservative(mutator))
        signal_stop_let_go(mutator);
    if (safepoint->asked == 0)
        safepoint_arrive(safepoint);
}

/* The lock is held. */
static void add_busy(struct safepoint *safepoint, int change)
{
    atomic_u32_store(&safepoint->busy, atomic_u32_load(&safepoint->busy) + (uint32_t)change);
}

unsigned safepoint_count_busy(const struct safepoint *safepoint)
{
    return atomic_u32_load(&safepoint->stopped) != 0 ? 0 : atomic_u32_load(&safepoint->busy);
}

static void stop_running(struct safepoint *safepoint, struct mutator *mutator, enum mutator_state state)
{
    mutator->state = state;
    safepoint->running--;
    add_busy(safepoint, -1);
    if (is_conservative(mutator))
        signal_stop_let_go(mutator);
    if ((safepoint->stopping && safepoint->running <= safepoint->conservative) || mutator->asked)
        safepoint_arrive(safepoint);
}

static void start_running(struct safepoint *safepoint, struct mutator *mutator)
{
    /* When a stop ends who waited for that needs its processor at once, though it takes a while to run. */
    add_busy(safepoint, 1);
    bool waits = safepoint->stopping || mutator->served;
    if (waits && events_on(safepoint->events) && mutator->held_up_at == 0)
        mutator->held_up_at = clock_nanoseconds();
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
    mutator->number = ++safepoint->attached;
    start_running(safepoint, mutator);
    events_add_thread(safepoint->events, mutator->thread_id, mutator->number);
    mark_attach(&mutator->local, safepoint->stage);
    mutator->next = safepoint->mutators;
    safepoint->mutators = mutator;
    safepoint->conservative += is_conservative(mutator);
    pthread_mutex_unlock(&safepoint->lock);
}

void safepoint_detach(struct safepoint *safepoint, struct mutator *mutator)
{
    pthread_mutex_lock(&safepoint->lock);
    serve_own(safepoint, mutator);
    events_remove_thread(safepoint->events, mutator->thread_id, mutator->number);
    struct mutator **link = &safepoint->mutators;
    while (*link != mutator)
        link = &(*link)->next;
    *link = mutator->next;
    mutator->next = safepoint->detached;
    safepoint->detached = mutator;
    safepoint->conservative -= is_conservative(mutator);
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
