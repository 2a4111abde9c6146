#include "runtime/mutator.h"

#include "runtime/error.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

__thread struct inside inside;

shale_status mutator_fail(struct mutator *mutator, shale_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    mutator->error = (shale_error){.status = status};
    vsnprintf(mutator->error.message, sizeof mutator->error.message, format, arguments);
    va_end(arguments);
    return status;
}

shale_status mutator_misuse(struct mutator *mutator, shale_status status, const char *function,
                            const char *what)
{
    log_line(&mutator->heap->log, SHALE_LOG_ERROR, "%s: %s", function, what);
    if (pthread_equal(mutator->owner, pthread_self()))
        mutator_fail(mutator, status, "%s: %s", function, what);
    return status;
}

shale_status mutator_check(struct mutator *mutator, const char *function)
{
    if (mutator == NULL)
        return SHALE_ERROR_MISUSE;
    if (atomic_u32_load(&mutator->heap->forked) != 0)
        return mutator_misuse(
            mutator, SHALE_ERROR_FORKED, function,
            "this process is a child of the one that owns the heap; create a heap of its own");
    if (!mutator->attached)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, function, "the mutator is detached");
    if (!pthread_equal(mutator->owner, pthread_self()))
        return mutator_misuse(
            mutator, SHALE_ERROR_MISUSE, function,
            "the mutator belongs to another thread; attach this one and use what shale_attach returns");
    if (mutator->native)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, function,
                              "the thread is in a native section; call shale_leave_native first");
    return SHALE_OK;
}

/* In fault mode "signal" a blocked SIGBUS would end the process at the first fault. */
static bool faults_reach_this_thread(const shale_heap *heap)
{
    if (heap->collector.options.compaction != SHALE_COMPACTION_FAULT_SIGNAL)
        return true;
    sigset_t mask;
    return pthread_sigmask(SIG_SETMASK, NULL, &mask) != 0 || sigismember(&mask, SIGBUS) != 1;
}

/* One that was detached before, or a new one. */
static struct mutator *obtain(shale_heap *heap)
{
    pthread_mutex_lock(&heap->safepoint.lock);
    struct mutator *mutator = heap->safepoint.detached;
    if (mutator != NULL)
        heap->safepoint.detached = mutator->next;
    pthread_mutex_unlock(&heap->safepoint.lock);
    if (mutator == NULL) {
        mutator = calloc(1, sizeof *mutator);
        if (mutator != NULL) {
            pthread_mutex_init(&mutator->roots_lock, NULL);
            root_list_init(&mutator->roots, heap, mutator);
        }
    }
    return mutator;
}

static void give_back(shale_heap *heap, struct mutator *mutator)
{
    pthread_mutex_lock(&heap->safepoint.lock);
    mutator->next = heap->safepoint.detached;
    heap->safepoint.detached = mutator;
    pthread_mutex_unlock(&heap->safepoint.lock);
}

/* Under stress every page is a slow path, and so an occasion to move everything. */
static size_t chunk_size(const shale_heap *heap)
{
    return heap->options.stress != 0 ? heap->memory.views.page_size
                                     : round_up(BUMP_CHUNK_SIZE, heap->memory.views.page_size);
}

/* ---- conservative mutators ------------------------------------------------------------------------- */

/* What such a mutator needs besides. The first of a heap waits for a cycle that runs: it has not kept what is needed to find
 * objects. A later one sees `wanted` when it begins. */
static shale_status begin_conservative(shale_heap *heap, struct stacks *stacks, shale_error *error)
{
    const struct os *os = heap->memory.os;
    uintptr_t low;
    uintptr_t high;
    if (!signal_stop_reaches_this_thread()) {
        log_line(&heap->log, SHALE_LOG_ERROR, "shale_attach_with: this thread blocks SIGURG");
        return error_set(
            error, SHALE_ERROR_MISUSE,
            "shale_attach_with: this thread blocks SIGURG, by which a thread whose stack is scanned is "
            "stopped; unblock it");
    }
    int status = os->thread_stack(os, &low, &high);
    if (status != 0)
        return error_set_system(error, -status, "finding the thread's stack", "attach it with exact roots");
    status = signal_stop_add();
    if (status != 0)
        return error_set_system(error, -status, "installing the handler of SIGURG",
                                "attach the thread with exact roots");
    stacks_begin(stacks, low, high);
    struct collector *collector = &heap->collector;
    if (atomic_u32_load(&collector->mark.conservative.wanted) == 0) {
        atomic_u32_store_full(&collector->mark.conservative.wanted, 1);
        uint64_t running = collector_running(collector);
        if (running != 0)
            collector_wait_completed(collector, running);
    }
    return SHALE_OK;
}

static void end_conservative(struct mutator *mutator)
{
    struct mutator **link = &inside.mutators;
    while (*link != mutator)
        link = &(*link)->next_of_thread;
    *link = mutator->next_of_thread;
    stacks_end(&mutator->stacks);
    signal_stop_remove();
}

void inside_serve(void)
{
    for (struct mutator *mutator = inside.mutators; mutator != NULL; mutator = mutator->next_of_thread) {
        while (!mutator->native && atomic_u32_load((atomic_u32 *)&mutator->local.bump.api.poll) != 0) {
            inside.depth++;
            INSIDE_ORDER();
            mutator_poll(mutator);
            INSIDE_ORDER();
            inside.depth--;
            INSIDE_ORDER();
        }
    }
}

/* ---- attaching ------------------------------------------------------------------------------------- */

void shale_attach_options_init(shale_attach_options *options)
{
    *options = (shale_attach_options){.struct_size = sizeof *options};
}

shale_mutator *shale_attach(shale_heap *heap, shale_error *error)
{
    return shale_attach_with(heap, NULL, error);
}

shale_mutator *shale_attach_with(shale_heap *heap, const shale_attach_options *options, shale_error *error)
{
    INSIDE();
    error_clear(error);
    if (heap_check(heap, "shale_attach", error) != SHALE_OK)
        return NULL;
    if (options != NULL && options->struct_size != sizeof *options) {
        error_set(error, SHALE_ERROR_ARGUMENT,
                  "shale_attach_with: the options were not initialised by shale_attach_options_init");
        return NULL;
    }
    if (!faults_reach_this_thread(heap)) {
        log_line(&heap->log, SHALE_LOG_ERROR, "shale_attach: this thread blocks SIGBUS");
        error_set(error, SHALE_ERROR_MISUSE,
                  "shale_attach: this thread blocks SIGBUS, which fault mode \"signal\" needs; unblock it");
        return NULL;
    }
    struct mutator *mutator = obtain(heap);
    if (mutator == NULL) {
        error_set(error, SHALE_ERROR_MEMORY, "shale_attach: there is no memory for another mutator");
        return NULL;
    }
    bool conservative = options != NULL && options->conservative;
    if (conservative && begin_conservative(heap, &mutator->stacks, error) != SHALE_OK) {
        give_back(heap, mutator);
        return NULL;
    }
    bump_init(&mutator->local.bump, chunk_size(heap));
    mutator->local.bump.conservative = conservative;
    mutator->local.last_fixed = 0;
    cell_caches_init(&mutator->local.cells, &mutator->local.bump.api, chunk_size(heap));
    mutator->local.cells.hide = conservative;
    /* Where there is no barrier, a stop before the store does no harm. */
    bool stores_inside = conservative && heap->options.barrier != SHALE_BARRIER_PAGES;
    mutator->local.bump.api.barrier =
        (heap->options.verify != 0 ? BARRIER_CHECK : 0) | (stores_inside ? BARRIER_STORE : 0);
    mutator->heap = heap;
    mutator->owner = pthread_self();
    mutator->native = false;
    mutator->roots_stale = false;
    mutator->slow_paths = 0;
    mutator->pin_scopes = NULL;
    mutator->critical_depth = 0;
    mutator->critical_named = 0;
    mutator->held_up_at = 0;
    atomic_u64_store(&mutator->critical_since, 0);
    mutator->error = (shale_error){.status = SHALE_OK};
    mutator->thread_id = heap->memory.os->thread_id(heap->memory.os);
    mutator->attached = true;
    atomic_u32_store(&mutator->hold, HOLD_NONE);
    atomic_u32_store(&mutator->astray, 0);
    safepoint_attach(&heap->safepoint, mutator);
    mutator->held_up_at = 0; /* it was none of the heap's while it waited */
    if (conservative) {
        mutator->next_of_thread = inside.mutators;
        inside.mutators = mutator;
    }
    return &mutator->local.bump.api;
}

shale_status shale_detach(shale_mutator *api)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_detach");
    if (status != SHALE_OK)
        return status;
    if (api->frames != NULL)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_detach",
                              "frames are still pushed; pop them first");
    if (api->scopes != NULL)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_detach",
                              "handle scopes are still open; close them first");
    if (mutator->pin_scopes != NULL)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_detach",
                              "pin scopes are still open; end them first");
    if (mutator->critical_depth != 0)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_detach",
                              "the thread is in a critical section; leave it first");
    mutator_poll(mutator);
    bump_close(&mutator->local.bump, &mutator->heap->memory);
    cell_caches_close(&mutator->local.cells, &mutator->heap->memory);
    root_list_clear(&mutator->roots);
    scopes_end(mutator);
    mark_detach(&mutator->heap->collector.mark, &mutator->local);
    mutator->attached = false;
    if (mutator->local.bump.conservative)
        end_conservative(mutator);
    safepoint_detach(&mutator->heap->safepoint, mutator);
    return SHALE_OK;
}

void mutator_free_detached(shale_heap *heap)
{
    while (heap->safepoint.detached != NULL) {
        struct mutator *mutator = heap->safepoint.detached;
        heap->safepoint.detached = mutator->next;
        pthread_mutex_destroy(&mutator->roots_lock);
        root_list_destroy(&mutator->roots);
        free(mutator);
    }
}

/* ---- safepoints ------------------------------------------------------------------------------------ */

/* Where the stacks must be known: the collector may look at them until the thread runs on. */
static void note_stacks(struct mutator *mutator)
{
    if (mutator->local.bump.conservative)
        stacks_note(&mutator->stacks);
}

/* After a safepoint: its roots are those of the heap that is there now. */
static void go_on(struct mutator *mutator)
{
    struct events *events = &mutator->heap->events;
    uint64_t began = mutator->held_up_at;
    if (began == 0 && events_on(events))
        began = clock_nanoseconds();
    bool updated = roots_update(mutator);
    if (updated)
        roots_bring(mutator);
    if (events_on(events) && (updated || mutator->held_up_at != 0))
        events_span(events, SHALE_EVENT_STOPPED, mutator->number, began, clock_nanoseconds());
    mutator->held_up_at = 0;
}

void mutator_poll(struct mutator *mutator)
{
    note_stacks(mutator);
    safepoint_poll(&mutator->heap->safepoint, mutator);
    go_on(mutator);
}

void mutator_begin_wait(struct mutator *mutator)
{
    note_stacks(mutator);
    safepoint_enter_native(&mutator->heap->safepoint, mutator);
}

void mutator_end_wait(struct mutator *mutator)
{
    safepoint_leave_native(&mutator->heap->safepoint, mutator);
    go_on(mutator);
}

void mutator_begin_wait_for_cycle(struct mutator *mutator)
{
    mutator_begin_wait(mutator);
    critical_begin_stuck(mutator);
    workers_invite(&mutator->heap->collector.workers);
}

void mutator_record_wait(struct mutator *mutator, shale_event_kind kind, uint64_t cycle, uint64_t began,
                         uint64_t ended)
{
    events_write(&mutator->heap->events, &(shale_event){
                                             .kind = kind,
                                             .mutator = mutator->number,
                                             .begin = began,
                                             .end = ended,
                                             .values = {cycle},
                                         });
}

void mutator_await_cycle(struct mutator *mutator, void (*await)(struct collector *collector, uint64_t number),
                         uint64_t number)
{
    bool recorded = events_on(&mutator->heap->events);
    uint64_t began = recorded ? clock_nanoseconds() : 0;
    mutator_begin_wait_for_cycle(mutator);
    await(&mutator->heap->collector, number);
    critical_end_stuck(mutator);
    if (recorded)
        mutator_record_wait(mutator, SHALE_EVENT_WAIT, number, began, clock_nanoseconds());
    mutator_end_wait(mutator);
}

void shale_poll_slow(shale_mutator *api)
{
    INSIDE();
    if (mutator_check(mutator_of(api), "shale_poll") == SHALE_OK)
        mutator_poll(mutator_of(api));
}

shale_status shale_enter_native(shale_mutator *api)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_enter_native");
    if (status != SHALE_OK)
        return status;
    note_stacks(mutator);
    if (mutator->local.bump.conservative && !stacks_copy(&mutator->stacks))
        return mutator_fail(
            mutator, SHALE_ERROR_MEMORY,
            "shale_enter_native: there is no memory for a copy of the stack, or it was not registered");
    mutator->native = true;
    safepoint_enter_native(&mutator->heap->safepoint, mutator);
    return SHALE_OK;
}

shale_status shale_leave_native(shale_mutator *api)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator != NULL && mutator->attached && pthread_equal(mutator->owner, pthread_self())) {
        if (!mutator->native)
            return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_leave_native",
                                  "the thread is not in a native section");
        mutator->native = false;
    }
    shale_status status = mutator_check(mutator, "shale_leave_native");
    if (status == SHALE_OK)
        mutator_end_wait(mutator);
    return status;
}

const shale_error *shale_last_error(const shale_mutator *api)
{
    return &((const struct mutator *)api)->error;
}
