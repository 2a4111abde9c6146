#include "gc/collector.h"

#include "gc/ahead.h"
#include "gc/cycle.h"
#include "gc/cycle_pace.h"
#include "gc/fault_signal.h"
#include "gc/reclaim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

bool collector_log(const struct collector *collector, shale_log_level level, const char *format, ...)
{
    char line[SHALE_ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return collector->world->log(collector->world->context, level, line);
}

_Noreturn void collector_verify_failed(const struct collector *collector, const char *when, const char *what)
{
    bool printed = collector_log(collector, SHALE_LOG_ERROR, "verification %s failed: %s", when, what);
    /* Whoever asked for verification wants to know even without a logger, or with one that does not say it. */
    if (!printed)
        fprintf(stderr, "shale: verification %s failed: %s\n", when, what);
    abort();
}

void collector_verify(struct collector *collector, char *view, enum verify_moment moment, const char *when,
                      struct verify_summary *summary)
{
    char message[SHALE_ERROR_MESSAGE_MAX];
    if (!verify_graph(&collector->verify, &collector->plan, collector->world, view, moment, summary, message,
                      sizeof message))
        collector_verify_failed(collector, when, message);
}

/* ---- events ---------------------------------------------------------------------------------------- */

void collector_record_stop(struct collector *collector, const struct stop_times *times,
                           enum shale_stop_cause cause)
{
    events_write(collector->options.events, &(shale_event){
                                                .kind = SHALE_EVENT_STOP,
                                                .detail = (uint16_t)cause,
                                                .begin = times->stopped,
                                                .end = times->ended,
                                                .values = {times->stopped - times->asked},
                                            });
}

void collector_stop(struct collector *collector, struct stop_times *times)
{
    times->asked = clock_nanoseconds();
    collector->world->stop(collector->world->context);
    times->stopped = clock_nanoseconds();
}

void collector_resume(struct collector *collector, struct stop_times *times, enum shale_stop_cause cause)
{
    times->ended = clock_nanoseconds();
    collector->world->resume(collector->world->context);
    collector_record_stop(collector, times, cause);
}

void collector_record_phase(struct collector *collector, shale_event_kind kind, uint64_t began,
                            uint64_t ended, uint64_t first_value, uint64_t second_value)
{
    events_write(collector->options.events, &(shale_event){
                                                .kind = kind,
                                                .begin = began,
                                                .end = ended,
                                                .values = {first_value, second_value},
                                            });
}

/* ---- requests -------------------------------------------------------------------------------------- */

uint64_t collector_request(struct collector *collector, enum plan_scope scope, enum shale_cycle_reason reason)
{
    pthread_mutex_lock(&collector->lock);
    uint64_t number = collector->started + 1;
    if (collector->wanted < number) {
        collector->wanted = number;
        collector->wanted_scope = scope;
        collector->wanted_reason = reason;
        pthread_cond_broadcast(&collector->changed);
    } else if (collector->wanted_scope < scope) {
        collector->wanted_scope = scope;
    }
    pthread_mutex_unlock(&collector->lock);
    return number;
}

void collector_suggest(struct collector *collector, enum shale_cycle_reason reason)
{
    pthread_mutex_lock(&collector->lock);
    if (collector->wanted == atomic_u64_load(&collector->completed)) {
        collector->wanted = collector->started + 1;
        collector->wanted_scope = PLAN_WORTHWHILE;
        collector->wanted_reason = reason;
        pthread_cond_broadcast(&collector->changed);
    }
    pthread_mutex_unlock(&collector->lock);
}

void collector_prepare_ahead(struct collector *collector)
{
    if (!ahead_is_due(collector))
        return;
    pthread_mutex_lock(&collector->lock);
    if (!collector->ahead && collector->wanted == atomic_u64_load(&collector->completed)) {
        collector->ahead = true;
        pthread_cond_broadcast(&collector->changed);
    }
    pthread_mutex_unlock(&collector->lock);
}

void collector_wait_flipped(struct collector *collector, uint64_t number)
{
    pthread_mutex_lock(&collector->lock);
    while (collector->flipped < number)
        pthread_cond_wait(&collector->changed, &collector->lock);
    pthread_mutex_unlock(&collector->lock);
}

void collector_wait_completed(struct collector *collector, uint64_t number)
{
    pthread_mutex_lock(&collector->lock);
    while (atomic_u64_load(&collector->completed) < number)
        pthread_cond_wait(&collector->changed, &collector->lock);
    pthread_mutex_unlock(&collector->lock);
}

uint64_t collector_running(struct collector *collector)
{
    pthread_mutex_lock(&collector->lock);
    uint64_t running = atomic_u64_load(&collector->completed) < collector->started ? collector->started : 0;
    pthread_mutex_unlock(&collector->lock);
    return running;
}

uint64_t collector_faults(const struct collector *collector)
{
    return atomic_u64_load(&collector->server.builder.faults) + atomic_u64_load(&collector->handlers.faults);
}

void collector_set_flipped(struct collector *collector, uint64_t number)
{
    pthread_mutex_lock(&collector->lock);
    collector->flipped = number;
    pthread_cond_broadcast(&collector->changed);
    pthread_mutex_unlock(&collector->lock);
}

/* The lock is held. Makes memory ready while mutators want it [ahead]. */
static void prepare_ahead(struct collector *collector)
{
    while (collector->ahead && !collector->quit && collector->wanted <= collector->started) {
        pthread_mutex_unlock(&collector->lock);
        bool more = ahead_prepare(collector);
        pthread_mutex_lock(&collector->lock);
        collector->ahead = more;
    }
    collector->ahead = false;
}

/* The lock is held. Returns when a cycle was asked for, or at the end; in between gives back memory that is not
 * used any more. */
static void wait_for_request(struct collector *collector)
{
    for (;;) {
        prepare_ahead(collector);
        pthread_mutex_unlock(&collector->lock);
        uint64_t due = reclaim_memory(collector, clock_nanoseconds());
        pthread_mutex_lock(&collector->lock);
        if (collector->quit || collector->wanted > collector->started)
            return;
        if (collector->ahead)
            continue;
        if (due == RECLAIM_NEVER) {
            pthread_cond_wait(&collector->changed, &collector->lock);
        } else {
            struct timespec until = {.tv_sec = (time_t)(due / 1000000000u),
                                     .tv_nsec = (long)(due % 1000000000u)};
            pthread_cond_timedwait(&collector->changed, &collector->lock, &until);
        }
    }
}

static void *collector_main(void *argument)
{
    struct collector *collector = argument;
    pthread_mutex_lock(&collector->lock);
    for (;;) {
        wait_for_request(collector);
        if (collector->wanted <= collector->started)
            break; /* quit, and nobody waits for a cycle any more */
        uint64_t number = ++collector->started;
        enum plan_scope scope = collector->wanted_scope;
        collector->reason = collector->wanted_reason;
        pthread_mutex_unlock(&collector->lock);
        cycle_run(collector, number, scope);
        pthread_mutex_lock(&collector->lock);
        collector->flipped = number;
        atomic_u64_store(&collector->completed, number);
        pthread_cond_broadcast(&collector->changed);
        pthread_mutex_unlock(&collector->lock);
        reclaim_entries(collector);
        pthread_mutex_lock(&collector->lock);
    }
    pthread_mutex_unlock(&collector->lock);
    return NULL;
}

/* ---- creation -------------------------------------------------------------------------------------- */

static int start_fault_handling(struct collector *collector, const char **failed)
{
    switch (collector->options.compaction) {
    case SHALE_COMPACTION_FAULT_THREAD:
        *failed = "starting the fault server thread";
        return fault_server_start(&collector->server, collector->memory->os, &collector->compaction,
                                  collector->options.faults);
    case SHALE_COMPACTION_FAULT_SIGNAL:
        *failed = "installing the SIGBUS handler";
        compact_answer_in_place(&collector->compaction);
        return fault_signal_add(&collector->compaction, &collector->handlers);
    default:
        return 0;
    }
}

static void stop_fault_handling(struct collector *collector)
{
    if (collector->options.compaction == SHALE_COMPACTION_FAULT_THREAD)
        fault_server_stop(&collector->server);
    else if (collector->options.compaction == SHALE_COMPACTION_FAULT_SIGNAL)
        fault_signal_remove(&collector->compaction);
}

static int start(struct collector *collector, const char **failed)
{
    int status = start_fault_handling(collector, failed);
    if (status != 0)
        return status;
    *failed = "starting the collector thread";
    status = collector->memory->os->thread_start(collector->memory->os, &collector->thread, "shale-collector",
                                                 collector_main, collector);
    if (status != 0)
        stop_fault_handling(collector);
    return status;
}

static void destroy_mark(struct collector *collector)
{
    if (collector->options.no_barrier)
        mark_pages_destroy(&collector->mark_pages);
    mark_destroy(&collector->mark);
}

static int create_tables(struct collector *collector)
{
    int status = mark_create(&collector->mark, collector->memory, collector->world, &collector->workers,
                             collector->options.mark_packets);
    if (status != 0)
        return status;
    if (collector->options.no_barrier) {
        status = mark_pages_create(&collector->mark_pages, &collector->mark, &collector->options.writes);
        if (status != 0) {
            mark_destroy(&collector->mark);
            return status;
        }
    }
    status = plan_create(&collector->plan, collector->memory);
    if (status == 0) {
        status = verify_create(&collector->verify, collector->memory, &collector->mark.conservative,
                               collector->options.verify);
        if (status == 0)
            return 0;
        plan_destroy(&collector->plan);
    }
    destroy_mark(collector);
    return status;
}

static void destroy_tables(struct collector *collector)
{
    verify_destroy(&collector->verify);
    plan_destroy(&collector->plan);
    destroy_mark(collector);
}

/* Waits on it are timed by the clock of clock_nanoseconds. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static int create_workers(struct collector *collector)
{
    const struct collector_options *options = &collector->options;
    const struct os *os = collector->memory->os;
    if (options->processors == 0)
        return workers_create(&collector->workers, os, options->workers);
    const struct world *world = collector->world;
    struct worker_processors processors = {
        .count = options->processors,
        .count_busy = world->count_busy,
        .context = world->context,
    };
    workers_create_later(&collector->workers, os, options->workers, &processors);
    return 0;
}

int collector_create(struct collector *collector, struct memory *memory, const struct world *world,
                     const struct collector_options *options, const char **failed)
{
    *collector = (struct collector){.memory = memory, .world = world, .options = *options};
    memory->pages.faults = options->faults;
    *failed = "starting worker threads";
    int status = create_workers(collector);
    if (status != 0)
        return status;
    *failed = "reserving the collector's tables (mmap)";
    status = create_tables(collector);
    if (status != 0) {
        workers_destroy(&collector->workers);
        return status;
    }
    compaction_init(&collector->compaction, memory, &collector->plan);
    collector->compaction.events = options->events;
    collector->reserve = options->reserve;
    /* What is idle is given back at once. */
    atomic_u32_store(&collector->never_ahead, options->release_delay == 0);
    cycle_pace_init(collector);
    pthread_mutex_init(&collector->lock, NULL);
    init_condition(&collector->changed);
    status = start(collector, failed);
    if (status != 0) {
        pthread_cond_destroy(&collector->changed);
        pthread_mutex_destroy(&collector->lock);
        destroy_tables(collector);
        workers_destroy(&collector->workers);
    }
    return status;
}

void collector_destroy(struct collector *collector)
{
    pthread_mutex_lock(&collector->lock);
    collector->quit = true;
    pthread_cond_broadcast(&collector->changed);
    pthread_mutex_unlock(&collector->lock);
    pthread_join(collector->thread, NULL);
    stop_fault_handling(collector);
    pthread_cond_destroy(&collector->changed);
    pthread_mutex_destroy(&collector->lock);
    destroy_tables(collector);
    workers_destroy(&collector->workers);
}
