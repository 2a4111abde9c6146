#include "gc_report.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { TAKEN_AT_ONCE = 512, PERIOD = 50000000, KEPT_MAX = 1 << 20 };

/* A thread of the program. */
struct lifetime {
    uint64_t mutator;
    uint64_t begin;
    uint64_t end;
};

/* Of the cycle whose events are coming in, in nanoseconds. */
struct phases {
    uint64_t mark, plan, flip, stop, compact;
    uint64_t faults;
    bool moved;
};

struct gc_report {
    shale_heap *heap;
    bool log, summary;
    FILE *trace;
    uint64_t began;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over; /* with the lock, as are the lifetimes */
    struct lifetime *lifetimes;
    size_t lifetime_count, lifetime_room;
    /* The thread's, and when it has ended gc_report_end's: */
    struct phases phases;
    shale_event *kept;
    size_t kept_count, kept_room;
    uint64_t lost;
    uint64_t fault_time, longest_fault;
    bool traced_any;
};

uint64_t gc_report_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double milliseconds(uint64_t nanoseconds)
{
    return (double)nanoseconds / 1e6;
}

static double mebibytes(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

/* ---- one event --------------------------------------------------------------------------------------- */

static void log_cycle(const struct gc_report *report, const shale_event *cycle)
{
    const struct phases *phases = &report->phases;
    char moved[96] = "nothing moved";
    if (phases->moved)
        snprintf(moved, sizeof moved, "stopped %.3f ms, compacted in %.1f ms, %" PRIu64 " faults",
                 milliseconds(phases->stop), milliseconds(phases->compact), phases->faults);
    fprintf(stderr,
            "[gc %.3f s] cycle %" PRIu64 " (%s): %.1f -> %.1f MiB in %.1f ms; marked in %.1f ms, %s\n",
            milliseconds(cycle->end - report->began) / 1000, cycle->cycle,
            shale_cycle_reason_name((shale_cycle_reason)cycle->reason), mebibytes(cycle->values[0]),
            mebibytes(cycle->values[1]), milliseconds(cycle->end - cycle->begin), milliseconds(phases->mark),
            moved);
}

/* Phases of a cycle end before it does, so they come before it. */
static void note_phase(struct gc_report *report, const shale_event *event)
{
    struct phases *phases = &report->phases;
    uint64_t duration = event->end - event->begin;
    switch ((shale_event_kind)event->kind) {
    case SHALE_EVENT_MARK:
        phases->mark = duration;
        break;
    case SHALE_EVENT_STOP:
        phases->stop += duration;
        break;
    case SHALE_EVENT_COMPACT:
        phases->compact = duration;
        phases->faults = event->values[0];
        phases->moved = true;
        break;
    case SHALE_EVENT_CYCLE:
        if (report->log)
            log_cycle(report, event);
        *phases = (struct phases){0};
        break;
    default:
        break;
    }
}

/* The format of Chrome's trace viewer, which others read as well: a line of the picture for each thread. */
static void trace_event(struct gc_report *report, const shale_event *event)
{
    fprintf(report->trace,
            "%s{\"name\":\"%s\",\"ph\":\"X\",\"pid\":1,\"tid\":%" PRIu64 ",\"ts\":%.3f,\"dur\":%.3f,"
            "\"args\":{\"cycle\":%" PRIu64 "}}",
            report->traced_any ? ",\n" : "", shale_event_name((shale_event_kind)event->kind), event->mutator,
            (double)(event->begin - report->began) / 1000, (double)(event->end - event->begin) / 1000,
            event->cycle);
    report->traced_any = true;
}

/* For the utilisation; what there is no memory or room for counts as lost. */
static void keep(struct gc_report *report, const shale_event *event)
{
    if (event->kind < SHALE_EVENT_STOP)
        return;
    if (report->kept_count == report->kept_room) {
        size_t room = report->kept_room == 0 ? 1024 : 2 * report->kept_room;
        shale_event *more = room > KEPT_MAX ? NULL : realloc(report->kept, room * sizeof *more);
        if (more == NULL) {
            report->lost++;
            return;
        }
        report->kept = more;
        report->kept_room = room;
    }
    report->kept[report->kept_count++] = *event;
}

static void note(struct gc_report *report, const shale_event *event)
{
    uint64_t duration = event->end - event->begin;
    note_phase(report, event);
    if (event->kind == SHALE_EVENT_FAULT) {
        report->fault_time += duration;
        if (duration > report->longest_fault)
            report->longest_fault = duration;
    }
    if (report->trace != NULL)
        trace_event(report, event);
    if (report->summary)
        keep(report, event);
}

static void take_all(struct gc_report *report)
{
    shale_event events[TAKEN_AT_ONCE];
    size_t count;
    do {
        uint64_t lost;
        count = shale_events_take(report->heap, events, TAKEN_AT_ONCE, &lost);
        report->lost += lost;
        for (size_t i = 0; i < count; i++)
            note(report, &events[i]);
    } while (count == TAKEN_AT_ONCE);
}

static void *report_main(void *argument)
{
    struct gc_report *report = argument;
    pthread_mutex_lock(&report->lock);
    while (!report->over) {
        uint64_t until = gc_report_clock() + PERIOD;
        struct timespec deadline = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
        pthread_cond_timedwait(&report->changed, &report->lock, &deadline);
        pthread_mutex_unlock(&report->lock);
        take_all(report);
        pthread_mutex_lock(&report->lock);
    }
    pthread_mutex_unlock(&report->lock);
    return NULL;
}

/* ---- the summary ------------------------------------------------------------------------------------- */

/* Of the thread that fared worst, of those that ran for so long. */
static double worst_utilisation(const struct gc_report *report, uint64_t window)
{
    double worst = 1;
    for (size_t i = 0; i < report->lifetime_count; i++) {
        const struct lifetime *lifetime = &report->lifetimes[i];
        if (lifetime->end - lifetime->begin < window)
            continue;
        double utilisation = shale_minimum_utilisation(report->kept, report->kept_count, lifetime->mutator,
                                                       lifetime->begin, lifetime->end, window);
        if (utilisation >= 0 && utilisation < worst)
            worst = utilisation;
    }
    return worst;
}

static void print_summary(const struct gc_report *report)
{
    static const unsigned windows[] = {1, 10, 100};
    shale_statistics now;
    shale_heap_statistics(report->heap, &now);
    fprintf(stderr,
            "gc: %" PRIu64 " cycles, %" PRIu64
            " of them moved objects; %.1f MiB allocated, %.1f MiB live at last\n",
            now.cycles, now.flips, mebibytes(now.bytes_allocated), mebibytes(now.live_bytes));
    fprintf(stderr, "gc: pauses: %" PRIu64 ", median %.3f ms, 99 %% %.3f ms, longest %.3f ms\n",
            now.flip_pause.count, milliseconds(now.flip_pause.p50), milliseconds(now.flip_pause.p99),
            milliseconds(now.flip_pause.maximum));
    fprintf(stderr,
            "gc: page faults: %" PRIu64 ", %.3f ms waited, longest %.3f ms; waits for memory: %" PRIu64 "\n",
            now.faults, milliseconds(report->fault_time), milliseconds(report->longest_fault),
            now.allocation_stalls);
    fputs("gc: a thread could run in", stderr);
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++)
        fprintf(stderr, "%s at least %.1f %% of any %u ms", i == 0 ? "" : ",",
                100 * worst_utilisation(report, windows[i] * UINT64_C(1000000)), windows[i]);
    fputc('\n', stderr);
    if (report->lost != 0)
        fprintf(stderr, "gc: %" PRIu64 " events were lost, and are not in these shares\n", report->lost);
}

/* ---- from beginning to end --------------------------------------------------------------------------- */

static void destroy(struct gc_report *report)
{
    pthread_cond_destroy(&report->changed);
    pthread_mutex_destroy(&report->lock);
    if (report->trace != NULL)
        fclose(report->trace);
    free(report->lifetimes);
    free(report->kept);
    free(report);
}

struct gc_report *gc_report_start(shale_heap *heap, bool log, bool summary, FILE *trace)
{
    struct gc_report *report = calloc(1, sizeof *report);
    if (report == NULL) {
        if (trace != NULL)
            fclose(trace);
        return NULL;
    }
    report->heap = heap;
    report->log = log;
    report->summary = summary;
    report->trace = trace;
    report->began = gc_report_clock();
    pthread_mutex_init(&report->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&report->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (trace != NULL)
        fputs("{\"traceEvents\":[\n", trace);
    if (pthread_create(&report->thread, NULL, report_main, report) == 0)
        return report;
    destroy(report);
    return NULL;
}

void gc_report_thread(struct gc_report *report, shale_mutator *mutator, uint64_t since)
{
    if (report == NULL || !report->summary)
        return;
    pthread_mutex_lock(&report->lock);
    if (report->lifetime_count == report->lifetime_room) {
        size_t room = report->lifetime_room == 0 ? 16 : 2 * report->lifetime_room;
        struct lifetime *more = realloc(report->lifetimes, room * sizeof *more);
        if (more != NULL) {
            report->lifetimes = more;
            report->lifetime_room = room;
        }
    }
    if (report->lifetime_count < report->lifetime_room)
        report->lifetimes[report->lifetime_count++] =
            (struct lifetime){shale_mutator_number(mutator), since, gc_report_clock()};
    pthread_mutex_unlock(&report->lock);
}

void gc_report_end(struct gc_report *report)
{
    if (report == NULL)
        return;
    pthread_mutex_lock(&report->lock);
    report->over = true;
    pthread_cond_signal(&report->changed);
    pthread_mutex_unlock(&report->lock);
    pthread_join(report->thread, NULL);
    take_all(report);
    if (report->summary)
        print_summary(report);
    if (report->trace != NULL)
        fputs("\n]}\n", report->trace);
    destroy(report);
}
