/* Sharing work between tracers: it ends when all is done and not before, and whoever sleeps is woken; worker threads. */
#include "gc/work.h"
#include "gc/workers.h"
#include "tests/support/os_failing.h"
#include "tests/support/test_random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRACERS_MAX = 4 };

/* ---- termination ------------------------------------------------------------------------------------- */

struct job {
    struct work work;
    uint64_t done[TRACERS_MAX]; /* packets that each tracer took */
    uint32_t outstanding;       /* atomic: packets offered and not yet dealt with */
    uint32_t ended_early;       /* atomic: a tracer was sent home with work outstanding */
};

/* A packet whose first entry is n leads to two with n - 1. */
static void offer(struct job *job, granule_number height)
{
    struct packet *packet = packet_take_free(&job->work.pool);
    if (packet == NULL)
        abort(); /* there are enough, and this may be any thread */
    packet->entries[0] = height;
    packet->count = 1;
    __atomic_fetch_add(&job->outstanding, 1, __ATOMIC_SEQ_CST);
    work_offer(&job->work, packet);
}

static void take_part(void *argument, unsigned index)
{
    struct job *job = argument;
    for (struct packet *packet; (packet = work_take(&job->work)) != NULL;) {
        granule_number height = packet->entries[0];
        packet_give_free(&job->work.pool, packet);
        if (height != 0) {
            offer(job, height - 1);
            offer(job, height - 1);
        }
        job->done[index]++;
        __atomic_fetch_sub(&job->outstanding, 1, __ATOMIC_SEQ_CST);
    }
    if (__atomic_load_n(&job->outstanding, __ATOMIC_SEQ_CST) != 0)
        __atomic_store_n(&job->ended_early, 1, __ATOMIC_SEQ_CST);
}

static void tracing_ends_when_all_is_done(void **state)
{
    (void)state;
    enum { HEIGHT = 9 };
    for (unsigned count = 1; count <= TRACERS_MAX; count++) {
        struct workers workers;
        assert_int_equal(workers_create(&workers, os_linux(), count), 0);
        static struct job job;
        memset(&job, 0, sizeof job);
        assert_int_equal(work_create(&job.work, os_linux(), 4096), 0);
        for (unsigned round = test_rounds(300, 30); round != 0; round--) {
            memset(job.done, 0, sizeof job.done);
            offer(&job, HEIGHT);
            work_begin(&job.work, count);
            workers_run(&workers, take_part, &job);
            uint64_t done = 0;
            for (unsigned i = 0; i < count; i++)
                done += job.done[i];
            assert_int_equal(done, (2u << HEIGHT) - 1);
            assert_int_equal(job.ended_early, 0);
            assert_true(packet_none_full(&job.work.pool));
        }
        /* With nothing to do it ends as well. */
        work_begin(&job.work, count);
        workers_run(&workers, take_part, &job);
        work_destroy(&job.work);
        workers_destroy(&workers);
    }
}

/* ---- wake-ups ---------------------------------------------------------------------------------------- */

struct relay {
    struct work work;
    unsigned rounds;
    uint32_t delivered; /* atomic */
    uint32_t late;      /* atomic */
};

static void pass_work_on(void *argument, unsigned index)
{
    struct relay *relay = argument;
    if (index != 0) {
        for (struct packet *packet; (packet = work_take(&relay->work)) != NULL;) {
            packet_give_free(&relay->work.pool, packet);
            __atomic_fetch_add(&relay->delivered, 1, __ATOMIC_SEQ_CST);
        }
        return;
    }
    /* Busy all the time, so that the others find nothing, sleep, and have to be woken. */
    for (unsigned i = 1; i <= relay->rounds; i++) {
        if (i % 50 == 0) {
            while (atomic_u32_load(&relay->work.idle) == 0)
                continue;
        }
        struct packet *packet = packet_take_free(&relay->work.pool);
        if (packet == NULL)
            abort();
        packet->count = 1;
        work_offer(&relay->work, packet);
        for (unsigned waited = 0; __atomic_load_n(&relay->delivered, __ATOMIC_SEQ_CST) != i; waited++) {
            if (waited > 1000)
                usleep(100);
            if (waited > 200000) {
                __atomic_store_n(&relay->late, 1, __ATOMIC_SEQ_CST);
                break;
            }
        }
    }
    assert_null(work_take(&relay->work));
}

static void who_sleeps_is_woken(void **state)
{
    (void)state;
    for (unsigned count = 2; count <= TRACERS_MAX; count++) {
        struct workers workers;
        assert_int_equal(workers_create(&workers, os_linux(), count), 0);
        static struct relay relay;
        memset(&relay, 0, sizeof relay);
        relay.rounds = test_rounds(3000, 300);
        assert_int_equal(work_create(&relay.work, os_linux(), 8), 0);
        work_begin(&relay.work, count);
        workers_run(&workers, pass_work_on, &relay);
        assert_int_equal(relay.late, 0);
        assert_int_equal(relay.delivered, relay.rounds);
        work_destroy(&relay.work);
        workers_destroy(&workers);
    }
}

static void dropped_work_is_gone(void **state)
{
    (void)state;
    struct work work;
    assert_int_equal(work_create(&work, os_linux(), 8), 0);
    for (int i = 0; i < 8; i++) {
        struct packet *packet = packet_take_free(&work.pool);
        packet->count = 1;
        work_offer(&work, packet);
    }
    atomic_u32_store(&work.noted, 1);
    work_drop(&work);
    assert_true(packet_none_full(&work.pool));
    assert_int_equal(atomic_u32_load(&work.noted), 0);
    for (int i = 0; i < 8; i++)
        assert_non_null(packet_take_free(&work.pool));
    work_destroy(&work);
}

/* ---- worker threads ------------------------------------------------------------------------------------ */

struct roll_call {
    unsigned calls[WORKERS_MAX]; /* plain: what one task writes the next sees */
    pthread_t threads[WORKERS_MAX];
};

static void answer(void *argument, unsigned index)
{
    struct roll_call *roll = argument;
    roll->calls[index]++;
    roll->threads[index] = pthread_self();
}

static void each_worker_does_each_task_once(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= TRACERS_MAX; count++) {
        struct workers workers;
        assert_int_equal(workers_create(&workers, os_linux(), count), 0);
        assert_int_equal(workers.count, count);
        static struct roll_call roll;
        memset(&roll, 0, sizeof roll);
        for (unsigned round = 1; round <= test_rounds(5000, 500); round++) {
            workers_run(&workers, answer, &roll);
            for (unsigned i = 0; i < WORKERS_MAX; i++)
                assert_int_equal(roll.calls[i], i < count ? round : 0);
        }
        assert_true(pthread_equal(roll.threads[0], pthread_self()));
        for (unsigned i = 1; i < count; i++)
            assert_false(pthread_equal(roll.threads[i], pthread_self()));
        workers_destroy(&workers);
    }
}

static void a_thread_that_cannot_be_started(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth < TRACERS_MAX; nth++) {
        struct os_failing failing;
        os_failing_init(&failing);
        os_failing_plan(&failing, OS_THREAD_START, nth, nth, EAGAIN);
        struct workers workers;
        assert_int_equal(workers_create(&workers, &failing.os, TRACERS_MAX), -EAGAIN);
        assert_int_equal(atomic_load(&failing.threads_started), nth - 1); /* and they were joined */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracing_ends_when_all_is_done),
        cmocka_unit_test(who_sleeps_is_woken),
        cmocka_unit_test(dropped_work_is_gone),
        cmocka_unit_test(each_worker_does_each_task_once),
        cmocka_unit_test(a_thread_that_cannot_be_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
