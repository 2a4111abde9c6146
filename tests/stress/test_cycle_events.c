/*
 * The events of cycles under load, in every way of compacting: they nest as the header says, say what the statistics say, to the
 * nanosecond, and name the mutators that were concerned.
 */
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 2, RING = 1 << 17 };

/* All that a heap recorded. */
struct record {
    shale_event *events;
    size_t count;
    shale_statistics statistics;
};

static struct record record_of(shale_heap *heap)
{
    struct record record = {.events = malloc(RING * sizeof *record.events)};
    STRESS_CHECK(record.events != NULL, "no memory");
    uint64_t lost;
    record.count = shale_events_take(heap, record.events, RING, &lost);
    STRESS_CHECK(lost == 0, "%llu events were lost", (unsigned long long)lost);
    STRESS_CHECK(shale_heap_statistics(heap, &record.statistics) == SHALE_OK, "no statistics");
    return record;
}

/* ---- against statistics ---------------------------------------------------------------------------- */

struct sum {
    uint64_t count;
    uint64_t total;
    uint64_t maximum;
    uint64_t first_values;
};

/* Of the events of a kind, with this detail unless it is -1. */
static struct sum sum_up(const struct record *record, shale_event_kind kind, int detail)
{
    struct sum sum = {0, 0, 0, 0};
    for (size_t i = 0; i < record->count; i++) {
        const shale_event *event = &record->events[i];
        if (event->kind != (uint32_t)kind || (detail >= 0 && event->detail != detail))
            continue;
        uint64_t duration = event->end - event->begin;
        sum.count++;
        sum.total += duration;
        sum.maximum = duration > sum.maximum ? duration : sum.maximum;
        sum.first_values += event->values[0];
    }
    return sum;
}

static void check_durations(const struct record *record, shale_event_kind kind, int detail,
                            const shale_durations *durations)
{
    struct sum sum = sum_up(record, kind, detail);
    STRESS_CHECK(sum.count == durations->count && sum.total == durations->total &&
                     sum.maximum == durations->maximum,
                 "%s: %llu events of %llu ns, at most %llu; statistics say %llu of %llu, at most %llu",
                 shale_event_name(kind), (unsigned long long)sum.count, (unsigned long long)sum.total,
                 (unsigned long long)sum.maximum, (unsigned long long)durations->count,
                 (unsigned long long)durations->total, (unsigned long long)durations->maximum);
}

static void check_statistics(const struct record *record)
{
    const shale_statistics *statistics = &record->statistics;
    check_durations(record, SHALE_EVENT_MARK, -1, &statistics->mark_time);
    check_durations(record, SHALE_EVENT_STOP, SHALE_STOP_FLIP, &statistics->flip_pause);
    check_durations(record, SHALE_EVENT_STOP, SHALE_STOP_REMARK, &statistics->remark_pause);
    check_durations(record, SHALE_EVENT_HANDSHAKE, -1, &statistics->handshake);
    check_durations(record, SHALE_EVENT_STALL, -1, &statistics->allocation_stall_time);
    uint64_t to_stop = sum_up(record, SHALE_EVENT_STOP, SHALE_STOP_FLIP).first_values +
                       sum_up(record, SHALE_EVENT_STOP, SHALE_STOP_REMARK).first_values;
    STRESS_CHECK(to_stop == statistics->time_to_stop.total, "times to stop differ");
    uint64_t held_off = sum_up(record, SHALE_EVENT_HOLD_OFF, 1).count;
    STRESS_CHECK(sum_up(record, SHALE_EVENT_CYCLE, -1).count == statistics->cycles, "not all cycles");
    STRESS_CHECK(sum_up(record, SHALE_EVENT_FLIP, -1).count == statistics->flips, "not all flips");
    STRESS_CHECK(sum_up(record, SHALE_EVENT_FAULT, -1).count == statistics->faults, "not all faults");
    STRESS_CHECK(held_off == statistics->flips_held_off, "not all that were held off");
    STRESS_CHECK(sum_up(record, SHALE_EVENT_STOP, SHALE_STOP_GIVE_UP).count == held_off, "no stop for it");
    STRESS_CHECK(sum_up(record, SHALE_EVENT_FLIP, -1).first_values == statistics->bytes_moved,
                 "bytes moved differ");
    STRESS_CHECK(sum_up(record, SHALE_EVENT_MARK, -1).first_values == statistics->objects_marked,
                 "objects marked differ");
}

/* ---- against each other ---------------------------------------------------------------------------- */

static bool within(const shale_event *inner, const shale_event *outer)
{
    return outer->begin <= inner->begin && inner->end <= outer->end;
}

/* The only event of a kind in a cycle, or NULL. */
static const shale_event *only(const struct record *record, uint64_t cycle, shale_event_kind kind)
{
    const shale_event *found = NULL;
    for (size_t i = 0; i < record->count; i++) {
        if (record->events[i].cycle != cycle || record->events[i].kind != (uint32_t)kind)
            continue;
        STRESS_CHECK(found == NULL, "cycle %llu has two events %s", (unsigned long long)cycle,
                     shale_event_name(kind));
        found = &record->events[i];
    }
    return found;
}

/* What must enclose an event of the collector's. */
static shale_event_kind outer_kind(const shale_event *event)
{
    if (event->kind == SHALE_EVENT_WEAK ||
        (event->kind == SHALE_EVENT_STOP && event->detail == SHALE_STOP_REMARK))
        return SHALE_EVENT_MARK;
    if (event->kind == SHALE_EVENT_STOP && event->detail == SHALE_STOP_FLIP)
        return SHALE_EVENT_FLIP;
    return SHALE_EVENT_CYCLE;
}

static void check_cycle(const struct record *record, uint64_t cycle)
{
    static const shale_event_kind order[] = {SHALE_EVENT_MARK, SHALE_EVENT_PLAN,    SHALE_EVENT_HOLD_OFF,
                                             SHALE_EVENT_FLIP, SHALE_EVENT_COMPACT, SHALE_EVENT_RECLAIM};
    const shale_event *whole = only(record, cycle, SHALE_EVENT_CYCLE);
    STRESS_CHECK(whole != NULL, "there is no event of cycle %llu", (unsigned long long)cycle);
    STRESS_CHECK(whole->reason != SHALE_REASON_NONE, "cycle %llu has no reason", (unsigned long long)cycle);
    uint64_t last = whole->begin;
    bool moved = only(record, cycle, SHALE_EVENT_FLIP) != NULL;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const shale_event *phase = only(record, cycle, order[i]);
        STRESS_CHECK(phase != NULL || (i >= 2 && !moved), "cycle %llu: no phase %s",
                     (unsigned long long)cycle, shale_event_name(order[i]));
        if (phase == NULL)
            continue;
        STRESS_CHECK(phase->begin >= last && phase->end <= whole->end, "phase %s is not in order",
                     shale_event_name(order[i]));
        last = phase->end;
    }
}

static bool is_of_mutator(const shale_event *event)
{
    return event->kind > SHALE_EVENT_STOP;
}

static void check_nesting(const struct record *record, uint64_t mutators)
{
    for (uint64_t cycle = 1; cycle <= record->statistics.cycles; cycle++)
        check_cycle(record, cycle);
    for (size_t i = 0; i < record->count; i++) {
        const shale_event *event = &record->events[i];
        STRESS_CHECK(event->begin <= event->end, "%s ends before it begins",
                     shale_event_name((shale_event_kind)event->kind));
        STRESS_CHECK((event->mutator != 0) == is_of_mutator(event) && event->mutator <= mutators,
                     "%s of mutator %llu", shale_event_name((shale_event_kind)event->kind),
                     (unsigned long long)event->mutator);
        if (is_of_mutator(event) || event->kind == SHALE_EVENT_CYCLE)
            continue;
        const shale_event *outer = only(record, event->cycle, outer_kind(event));
        STRESS_CHECK(outer != NULL && within(event, outer), "%s lies outside of its phase",
                     shale_event_name((shale_event_kind)event->kind));
    }
}

/* The longer the window, the better on the whole; no worse than it is for all. */
static void check_utilisation(const struct record *record, uint64_t mutator)
{
    uint64_t begin = UINT64_MAX;
    uint64_t end = 0;
    for (size_t i = 0; i < record->count; i++) {
        begin = record->events[i].begin < begin ? record->events[i].begin : begin;
        end = record->events[i].end > end ? record->events[i].end : end;
    }
    uint64_t span = end - begin;
    double whole = shale_minimum_utilisation(record->events, record->count, mutator, begin, end, span);
    double short_window = shale_minimum_utilisation(record->events, record->count, mutator, begin, end, 1000);
    double all = shale_minimum_utilisation(record->events, record->count, 0, begin, end, span);
    STRESS_CHECK(whole >= 0 && whole <= all && all <= 1 && short_window <= whole + 1e-9,
                 "utilisation of mutator %llu: %f over all, %f by stops alone, %f in a microsecond",
                 (unsigned long long)mutator, whole, all, short_window);
}

/* ---- the load -------------------------------------------------------------------------------------- */

enum { NODES = 3000, NODE_WORDS = 60 };

struct node {
    uint64_t number;
    uint64_t rest[NODE_WORDS]; /* copies of it */
};

/* A table of nodes, which are replaced and looked at in random order: most pages are touched soon after a flip. */
struct load {
    shale_mutator *mutator;
    const shale_type *node;
    struct stress_random random;
    struct {
        struct node **table;
    } locals;
    shale_frame frame;
};

static void load_open(struct load *load, shale_heap *heap, uint64_t seed)
{
    static const uint32_t first[] = {0};
    shale_error error;
    shale_type_spec table = {
        .name = "table", .element_size = 8, .element_pointers = first, .element_pointer_count = 1};
    shale_type_spec node = {.name = "node", .size = sizeof(struct node)};
    memset(load, 0, sizeof *load);
    load->mutator = stress_attach(heap);
    load->random = stress_random_make(seed);
    load->node = shale_type_register(heap, &node, &error);
    const shale_type *table_type = shale_type_register(heap, &table, &error);
    STRESS_CHECK(load->node != NULL && table_type != NULL, "no types: %s", error.message);
    shale_frame_push(load->mutator, &load->frame, &load->locals, 1);
    load->locals.table = shale_allocate_array(load->mutator, table_type, NODES);
    STRESS_CHECK(load->locals.table != NULL, "no table");
}

static void load_close(struct load *load)
{
    shale_frame_pop(load->mutator, &load->frame);
    STRESS_CHECK(shale_detach(load->mutator) == SHALE_OK, "detaching");
}

static void load_run(struct load *load, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        struct node *node = shale_allocate(load->mutator, load->node);
        STRESS_CHECK(node != NULL, "no memory");
        node->number = stress_random_next(&load->random);
        for (unsigned word = 0; word < NODE_WORDS; word++)
            node->rest[word] = node->number;
        size_t at = stress_random_below(&load->random, NODES);
        shale_store(load->mutator, load->locals.table, &load->locals.table[at], node);
        const struct node *other = load->locals.table[stress_random_below(&load->random, NODES)];
        STRESS_CHECK(other == NULL || other->number == other->rest[other->number % NODE_WORDS],
                     "a node is not what it was");
    }
}

struct worker {
    shale_heap *heap;
    unsigned index;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct load load;
    load_open(&load, worker->heap, stress_seed() + worker->index);
    unsigned rounds = stress_quick() || stress_watched() ? 10 : 60;
    for (unsigned i = 0; i < rounds; i++) {
        if (worker->index == 0) /* the others run on, and meet its pages */
            STRESS_CHECK(shale_collect_start(load.mutator, (shale_collect_kind)(i % 3)) == SHALE_OK,
                         "collecting");
        load_run(&load, 4000);
        if (i % 8 == 0)
            STRESS_CHECK(shale_collect(load.mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
        STRESS_CHECK(shale_enter_critical(load.mutator) == SHALE_OK, "a critical section");
        if (i % 10 == 9) /* it finds that nothing may move */
            STRESS_CHECK(shale_collect(load.mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
        STRESS_CHECK(shale_leave_critical(load.mutator) == SHALE_OK, "a critical section");
    }
    load_close(&load);
    return NULL;
}

static shale_heap *open_heap(enum stress_mode mode)
{
    shale_options options;
    stress_options(&options, mode, (size_t)16 << 20, "a cycle moves nothing");
    options.events = RING;
    return stress_heap(&options);
}

/* The last cycle is over, and nobody is left who could ask for another. */
static void settle(shale_heap *heap, shale_collect_kind kind)
{
    shale_mutator *mutator = stress_attach(heap);
    STRESS_CHECK(shale_collect(mutator, kind) == SHALE_OK, "collecting");
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
}

static void run_mode(enum stress_mode mode)
{
    shale_heap *heap = open_heap(mode);
    struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        workers[i] = (struct worker){heap, i};
    stress_threads(THREADS, work, workers, sizeof workers[0]);
    settle(heap, SHALE_COLLECT_COMPACT);
    struct record record = record_of(heap);
    check_statistics(&record);
    check_nesting(&record, THREADS + 1);
    for (uint64_t mutator = 1; mutator <= THREADS; mutator++)
        check_utilisation(&record, mutator);
    const shale_event *last = only(&record, record.statistics.cycles, SHALE_EVENT_CYCLE);
    STRESS_CHECK(last->reason == SHALE_REASON_ASKED && last->detail == SHALE_COLLECT_COMPACT,
                 "the last cycle was asked for");
    STRESS_CHECK(sum_up(&record, SHALE_EVENT_WAIT, -1).count > 0, "nobody waited");
    printf("%s: %zu events of %llu cycles, %llu faults\n", stress_mode_names[mode], record.count,
           (unsigned long long)record.statistics.cycles, (unsigned long long)record.statistics.faults);
    free(record.events);
    stress_heap_end(heap);
}

static void test_thread(void **state)
{
    (void)state;
    run_mode(STRESS_THREAD);
}

static void test_signal(void **state)
{
    (void)state;
    run_mode(STRESS_SIGNAL);
}

static void test_in_pause(void **state)
{
    (void)state;
    run_mode(STRESS_NEVER);
}

/* ---- what was not met above ------------------------------------------------------------------------ */

static void test_stress_and_stalls(void **state)
{
    (void)state;
    shale_options options;
    stress_options(&options, STRESS_THREAD, (size_t)16 << 20, NULL);
    options.events = RING;
    options.stress = 5;
    shale_heap *heap = stress_heap(&options);
    struct load load;
    load_open(&load, heap, stress_seed());
    load_run(&load, 4000);
    load_close(&load);
    settle(heap, SHALE_COLLECT_NORMAL);
    struct record record = record_of(heap);
    bool stressed = false;
    for (size_t i = 0; i < record.count; i++)
        stressed = stressed || (record.events[i].kind == SHALE_EVENT_CYCLE &&
                                record.events[i].reason == SHALE_REASON_STRESS &&
                                record.events[i].detail == SHALE_COLLECT_MOVE_ALL);
    STRESS_CHECK(stressed, "no cycle for stress");
    check_statistics(&record);
    check_nesting(&record, 2);
    free(record.events);
    stress_heap_end(heap);
}

static shale_heap *shared_heap;
static bool polled_on; /* atomic: the thread runs */
static bool go_home;   /* atomic */

/* One never polls: only the signal stops it. The other never waits: it serves every handshake itself. */
static void *compute(void *argument)
{
    bool conservative = *(bool *)argument;
    shale_mutator *mutator =
        conservative ? stress_attach_conservative(shared_heap) : stress_attach(shared_heap);
    STRESS_CHECK(shale_mutator_number(mutator) == 1, "the first mutator");
    __atomic_store_n(&polled_on, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&go_home, __ATOMIC_RELAXED)) {
        if (!conservative)
            shale_poll(mutator);
    }
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

/* With something to move. */
static void collect_something(shale_heap *heap)
{
    struct load load;
    load_open(&load, heap, stress_seed());
    load_run(&load, NODES);
    for (int i = 0; i < 3; i++)
        STRESS_CHECK(shale_collect(load.mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
    load_close(&load);
}

static void run_computing(bool conservative)
{
    shared_heap = open_heap(STRESS_THREAD);
    __atomic_store_n(&polled_on, false, __ATOMIC_RELAXED);
    __atomic_store_n(&go_home, false, __ATOMIC_RELAXED);
    pthread_t thread;
    STRESS_CHECK(pthread_create(&thread, NULL, compute, &conservative) == 0, "no thread");
    while (!__atomic_load_n(&polled_on, __ATOMIC_ACQUIRE))
        sched_yield();
    collect_something(shared_heap);
    __atomic_store_n(&go_home, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    struct record record = record_of(shared_heap);
    uint64_t stopped = 0;
    uint64_t served = 0;
    for (size_t i = 0; i < record.count; i++) {
        stopped += record.events[i].kind == SHALE_EVENT_STOPPED && record.events[i].mutator == 1;
        served += record.events[i].kind == SHALE_EVENT_SERVED && record.events[i].mutator == 1;
    }
    STRESS_CHECK(stopped > 0, "it was never stopped");
    STRESS_CHECK(conservative || served > 0, "it never served a handshake");
    check_statistics(&record);
    check_nesting(&record, 2);
    free(record.events);
    stress_heap_end(shared_heap);
}

static void test_polling(void **state)
{
    (void)state;
    run_computing(false);
}

static void test_conservative(void **state)
{
    (void)state;
    run_computing(true);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread),   cmocka_unit_test(test_signal),
        cmocka_unit_test(test_in_pause), cmocka_unit_test(test_stress_and_stalls),
        cmocka_unit_test(test_polling),  cmocka_unit_test(test_conservative),
    };
    return cmocka_run_group_tests_name("stress.cycle_events", tests, NULL, NULL);
}
