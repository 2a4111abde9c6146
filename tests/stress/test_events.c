/*
 * The ring of events with many writers at once, among them handlers of signals that interrupt a writer, and several takers: no
 * record is torn, each is given out once, and those given out and those lost are all that were written.
 */
#include "gc/events.h"
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WRITERS = 3, TAKERS = 2, SOURCES = 2 * WRITERS, AT_ONCE = 37, YIELD_EVERY = 256 };

enum state { STARTING, RUNNING, WRITTEN, LEFT_ALONE };

static struct events events;
static uint32_t per_writer;
static pthread_barrier_t start;
static atomic_u32 writers_left;
static atomic_u64 lost_in_all;
static atomic_u8 *seen[SOURCES]; /* by number: how often it was given out */
static pthread_t threads[WRITERS];
static atomic_u32 states[WRITERS]; /* enum state */
static uint32_t written_by_handler[WRITERS];
static __thread unsigned self;

static void write_one(unsigned source, uint32_t number)
{
    uint64_t key = stress_mix((uint64_t)source << 32 | number);
    events_write(&events, &(shale_event){
                              .kind = source + 1,
                              .detail = (uint16_t)key,
                              .reason = (uint16_t)(key >> 16),
                              .mutator = number,
                              .begin = key,
                              .end = ~key,
                              .values = {key * 3, key * 5},
                          });
}

static void check_one(const shale_event *event)
{
    unsigned source = event->kind - 1;
    uint32_t number = (uint32_t)event->mutator;
    STRESS_CHECK(source < SOURCES && number < per_writer, "a record from nowhere: %u, %u", source, number);
    uint64_t key = stress_mix((uint64_t)source << 32 | number);
    STRESS_CHECK(event->detail == (uint16_t)key && event->reason == (uint16_t)(key >> 16) &&
                     event->begin == key && event->end == ~key && event->values[0] == key * 3 &&
                     event->values[1] == key * 5,
                 "record %u of source %u is torn", number, source);
    uint8_t times = atomic_u8_load(&seen[source][number]);
    STRESS_CHECK(times == 0, "record %u of source %u was given out twice", number, source);
    atomic_u8_store(&seen[source][number], 1);
}

static void handle(int number)
{
    (void)number;
    if (written_by_handler[self] < per_writer)
        write_one(WRITERS + self, written_by_handler[self]++);
}

static void *writer(void *argument)
{
    self = *(unsigned *)argument;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    threads[self] = pthread_self();
    atomic_u32_store_release(&states[self], RUNNING);
    pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < per_writer; i++) {
        write_one(self, i);
        if (i % YIELD_EVERY == 0)
            sched_yield(); /* or nobody else gets a word in on a machine of few cores */
    }
    atomic_u32_store_full(&states[self], WRITTEN);
    /* The interrupter may still be at it: it has the last word. */
    while (atomic_u32_load_acquire(&states[self]) != LEFT_ALONE)
        atomic_pause();
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    atomic_u32_fetch_add_full(&writers_left, (uint32_t)-1);
    return NULL;
}

static void *interrupter(void *argument)
{
    (void)argument;
    pthread_barrier_wait(&start);
    for (unsigned over = 0; over < WRITERS;) {
        for (unsigned i = 0; i < WRITERS; i++) {
            if (atomic_u32_load_acquire(&states[i]) == RUNNING)
                pthread_kill(threads[i], SIGUSR1);
        }
        sched_yield();
        over = 0;
        for (unsigned i = 0; i < WRITERS; i++)
            over += atomic_u32_load_acquire(&states[i]) == WRITTEN;
    }
    for (unsigned i = 0; i < WRITERS; i++)
        atomic_u32_store_release(&states[i], LEFT_ALONE);
    return NULL;
}

static void take_some(void)
{
    shale_event taken[AT_ONCE];
    uint64_t lost;
    size_t count = events_take(&events, taken, AT_ONCE, &lost);
    for (size_t i = 0; i < count; i++)
        check_one(&taken[i]);
    atomic_u64_fetch_add(&lost_in_all, lost);
}

static void *taker(void *argument)
{
    (void)argument;
    pthread_barrier_wait(&start);
    while (atomic_u32_load_acquire(&writers_left) != 0)
        take_some();
    return NULL;
}

static void one_run(uint32_t slots)
{
    STRESS_CHECK(events_create(&events, os_linux(), slots) == 0, "no ring");
    memset(written_by_handler, 0, sizeof written_by_handler);
    memset(states, 0, sizeof states);
    atomic_u64_store(&lost_in_all, 0);
    atomic_u32_store(&writers_left, WRITERS);
    for (unsigned i = 0; i < SOURCES; i++)
        memset(seen[i], 0, per_writer * sizeof(atomic_u8));
    pthread_t others[WRITERS + TAKERS + 1];
    pthread_barrier_init(&start, NULL, WRITERS + TAKERS + 1);
    unsigned numbers[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        STRESS_CHECK(pthread_create(&others[i], NULL, writer, &numbers[i]) == 0, "no thread");
    }
    for (unsigned i = 0; i < TAKERS; i++)
        STRESS_CHECK(pthread_create(&others[WRITERS + i], NULL, taker, NULL) == 0, "no thread");
    STRESS_CHECK(pthread_create(&others[WRITERS + TAKERS], NULL, interrupter, NULL) == 0, "no thread");
    for (unsigned i = 0; i < WRITERS + TAKERS + 1; i++)
        pthread_join(others[i], NULL);
    pthread_barrier_destroy(&start);
    for (uint32_t i = 0; i < slots; i++)
        take_some();
    uint64_t written = (uint64_t)WRITERS * per_writer;
    uint64_t given = 0;
    for (unsigned i = 0; i < WRITERS; i++)
        written += written_by_handler[i];
    for (unsigned i = 0; i < SOURCES; i++) {
        for (uint32_t number = 0; number < per_writer; number++)
            given += atomic_u8_load(&seen[i][number]);
    }
    uint64_t lost = atomic_u64_load(&lost_in_all);
    printf("%u slots: %llu written, %llu of them by handlers, %llu lost\n", slots,
           (unsigned long long)written, (unsigned long long)(written - (uint64_t)WRITERS * per_writer),
           (unsigned long long)lost);
    STRESS_CHECK(given + lost == written, "%llu written, %llu given out, %llu lost",
                 (unsigned long long)written, (unsigned long long)given, (unsigned long long)lost);
    events_destroy(&events);
}

static void test_writers_and_takers(void **state)
{
    (void)state;
    static const uint32_t slots[] = {1, 2, 4, 64, 4096, 1 << 16};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    per_writer = stress_quick() || stress_watched() ? 20000 : 100000;
    for (unsigned i = 0; i < SOURCES; i++) {
        seen[i] = calloc(per_writer, sizeof(atomic_u8));
        STRESS_CHECK(seen[i] != NULL, "no memory");
    }
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        one_run(slots[i]);
    for (unsigned i = 0; i < SOURCES; i++)
        free(seen[i]);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers_and_takers),
    };
    return cmocka_run_group_tests_name("stress.events", tests, NULL, NULL);
}
