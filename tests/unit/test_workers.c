/* Worker threads: who takes part in a task, when others join it, and threads that cannot be started. */
#include "runtime/heap.h"
#include "tests/support/chains.h"
#include "tests/support/os_failing.h"
#include "tests/support/test_random.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT_MAX = 4 };

struct roll_call {
    unsigned calls[WORKERS_MAX]; /* plain: what one task writes the next sees */
    pthread_t threads[WORKERS_MAX];
    unsigned awaited; /* the caller does not leave before so many have come, */
    uint32_t come;    /* atomic: besides itself */
    /* Where workers join as processors become free: */
    struct workers *workers;
    uint32_t busy;    /* atomic */
    unsigned becomes; /* so many are busy once the task runs */
};

static unsigned count_busy(void *context)
{
    return __atomic_load_n(&((struct roll_call *)context)->busy, __ATOMIC_SEQ_CST);
}

static void answer(void *argument, unsigned index)
{
    struct roll_call *roll = argument;
    roll->calls[index]++;
    roll->threads[index] = pthread_self();
    if (index != 0) {
        __atomic_fetch_add(&roll->come, 1, __ATOMIC_SEQ_CST);
        return;
    }
    if (roll->workers != NULL) {
        __atomic_store_n(&roll->busy, roll->becomes, __ATOMIC_SEQ_CST);
        workers_invite(roll->workers);
    }
    while (__atomic_load_n(&roll->come, __ATOMIC_SEQ_CST) < roll->awaited)
        sched_yield();
}

static void run(struct workers *workers, struct roll_call *roll, unsigned awaited)
{
    memset(roll->calls, 0, sizeof roll->calls);
    roll->awaited = awaited;
    roll->come = 0;
    workers_run(workers, answer, roll);
    assert_int_equal(roll->calls[0], 1);
    unsigned others = 0;
    for (unsigned i = 1; i < WORKERS_MAX; i++) {
        assert_true(roll->calls[i] <= 1);
        others += roll->calls[i];
    }
    assert_int_equal(others, roll->come);
}

static void all_take_part_always(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= COUNT_MAX; count++) {
        struct workers workers;
        assert_int_equal(workers_create(&workers, os_linux(), count), 0);
        assert_int_equal(workers.count, count);
        static struct roll_call roll;
        memset(&roll, 0, sizeof roll);
        for (unsigned round = test_rounds(5000, 500); round != 0; round--)
            run(&workers, &roll, count - 1);
        assert_true(pthread_equal(roll.threads[0], pthread_self()));
        for (unsigned i = 1; i < count; i++)
            assert_false(pthread_equal(roll.threads[i], pthread_self()));
        workers_destroy(&workers);
    }
}

/* Who has not come when the caller is done is not waited for, and does not come to a task that is over. */
static void none_comes_too_late(void **state)
{
    (void)state;
    struct workers workers;
    assert_int_equal(workers_create(&workers, os_linux(), COUNT_MAX), 0);
    static struct roll_call roll;
    memset(&roll, 0, sizeof roll);
    for (unsigned round = test_rounds(20000, 2000); round != 0; round--) {
        run(&workers, &roll, 0);
        unsigned come = roll.come;
        sched_yield();
        assert_int_equal(roll.come, come);
    }
    workers_destroy(&workers);
}

static void they_join_when_processors_become_free(void **state)
{
    (void)state;
    static struct roll_call roll;
    memset(&roll, 0, sizeof roll);
    struct workers workers;
    roll.workers = &workers;
    const struct worker_processors processors = {COUNT_MAX, count_busy, &roll};
    workers_create_later(&workers, os_linux(), COUNT_MAX, &processors);
    /* Nobody is wanted, so nobody is there. More threads than processors make no difference. */
    for (unsigned busy = COUNT_MAX - 1; busy <= COUNT_MAX + 1; busy++) {
        roll.busy = roll.becomes = busy;
        run(&workers, &roll, 0);
        assert_int_equal(roll.come, 0);
        assert_int_equal(workers.count, 1);
    }
    /* Wanted in the middle of a task, they are started with the next, though then not wanted again. */
    roll.busy = COUNT_MAX;
    roll.becomes = 1;
    run(&workers, &roll, 0);
    assert_int_equal(roll.come, 0);
    assert_int_equal(workers.count, 1);
    roll.busy = roll.becomes = COUNT_MAX;
    run(&workers, &roll, 0);
    assert_int_equal(roll.come, 0);
    assert_int_equal(workers.count, COUNT_MAX - 1);
    struct test_random random = test_random_make(test_seed(), 1);
    for (unsigned round = test_rounds(5000, 500); round != 0; round--) {
        /* Processors were free before it began, or become so while it runs. */
        roll.becomes = (unsigned)test_random_below(&random, COUNT_MAX + 2);
        roll.busy = test_random_chance(&random, 50) ? roll.becomes : COUNT_MAX;
        run(&workers, &roll,
            roll.becomes < COUNT_MAX - 1 && workers.count == COUNT_MAX ? COUNT_MAX - 1 - roll.becomes : 0);
        assert_true(roll.come <= (roll.becomes < COUNT_MAX ? COUNT_MAX - 1 - roll.becomes : 0));
    }
    assert_int_equal(workers.count, COUNT_MAX);
    workers_destroy(&workers);
}

static void a_thread_that_cannot_be_started(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth < COUNT_MAX; nth++) {
        struct os_failing failing;
        os_failing_init(&failing);
        os_failing_plan(&failing, OS_THREAD_START, nth, nth, EAGAIN);
        struct workers workers;
        assert_int_equal(workers_create(&workers, &failing.os, COUNT_MAX), -EAGAIN);
        assert_int_equal(atomic_load(&failing.threads_started), nth - 1); /* and they were joined */
    }
}

/* Then fewer take part, and it is not tried again and again. */
static void a_thread_that_cannot_be_started_later(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth < COUNT_MAX; nth++) {
        struct os_failing failing;
        os_failing_init(&failing);
        os_failing_plan(&failing, OS_THREAD_START, nth, nth, EAGAIN);
        static struct roll_call roll;
        memset(&roll, 0, sizeof roll);
        struct workers workers;
        const struct worker_processors processors = {COUNT_MAX, count_busy, &roll};
        workers_create_later(&workers, &failing.os, COUNT_MAX, &processors);
        for (unsigned round = 0; round < 100; round++)
            run(&workers, &roll, nth - 1);
        assert_int_equal(workers.count, nth);
        workers_destroy(&workers);
        assert_int_equal(atomic_load(&failing.threads_started), nth - 1);
        assert_int_equal(atomic_load(&failing.calls[OS_THREAD_START]), nth);
    }
}

/* ---- of a heap --------------------------------------------------------------------------------------- */

static unsigned two_processors(const struct os *os)
{
    (void)os;
    return 2;
}

/* A mutator that runs keeps its processor through cycles that flip, and gives it away when it waits. */
static void a_mutator_that_runs_has_its_processor(int faults)
{
    struct os_failing failing;
    os_failing_init(&failing);
    failing.os.processors = two_processors;
    shale_options options;
    shale_options_init(&options);
    options.heap_size = (size_t)64 << 20;
    options.faults = faults;
    options.target = 0; /* no cycle but those below */
    shale_heap *heap = heap_create(&failing.os, &options, false, NULL);
    assert_non_null(heap);
    struct chains chains;
    assert_true(chains_open(&chains, heap, test_seed()));
    assert_true(chains_run(&chains, 300));
    int before = atomic_load(&failing.threads_started);
    for (uint64_t cycle = 1; cycle <= test_rounds(100, 10); cycle++) {
        assert_int_equal(shale_collect_start(chains.mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
        shale_statistics statistics = {.cycles = 0};
        while (statistics.cycles < cycle) {
            shale_poll(chains.mutator);
            assert_null(chains_check(&chains));
            assert_int_equal(shale_heap_statistics(heap, &statistics), SHALE_OK);
        }
    }
    assert_int_equal(atomic_load(&failing.threads_started), before);
    assert_int_equal(shale_collect(chains.mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    assert_int_equal(shale_collect(chains.mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    assert_int_equal(atomic_load(&failing.threads_started), before + 1);
    chains_close(&chains);
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
    assert_null(os_failing_leak(&failing));
}

static void who_runs_has_its_processor(void **state)
{
    (void)state;
    a_mutator_that_runs_has_its_processor(SHALE_FAULTS_THREAD);
    a_mutator_that_runs_has_its_processor(SHALE_FAULTS_SIGNAL);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_take_part_always),
        cmocka_unit_test(none_comes_too_late),
        cmocka_unit_test(they_join_when_processors_become_free),
        cmocka_unit_test(a_thread_that_cannot_be_started),
        cmocka_unit_test(a_thread_that_cannot_be_started_later),
        cmocka_unit_test(who_runs_has_its_processor),
    };
    return cmocka_run_group_tests_name("unit.workers", tests, NULL, NULL);
}
