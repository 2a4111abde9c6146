/* Sharing work between tracers: it ends when all is done and not before, and whoever sleeps is woken; tracers that join late. */
#include "gc/work.h"
#include "gc/workers.h"
#include "tests/support/late_workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRACERS_MAX = LATE_WORKERS };

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
    if (index != 0 && !work_join(&job->work))
        return;
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
            work_begin(&job.work);
            workers_run(&workers, take_part, &job);
            uint64_t done = 0;
            for (unsigned i = 0; i < count; i++)
                done += job.done[i];
            assert_int_equal(done, (2u << HEIGHT) - 1);
            assert_int_equal(job.ended_early, 0);
            assert_true(packet_none_full(&job.work.pool));
        }
        /* With nothing to do it ends as well. */
        work_begin(&job.work);
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
        if (!work_join(&relay->work))
            abort(); /* the first is busy until they have taken all */
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
        work_begin(&relay.work);
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

/* ---- joining late -------------------------------------------------------------------------------------- */

static void none_joins_when_all_is_over(void **state)
{
    (void)state;
    struct work work;
    assert_int_equal(work_create(&work, os_linux(), 8), 0);
    for (int round = 0; round < 3; round++) {
        work_begin(&work);
        assert_false(work_is_over(&work));
        assert_null(work_take(&work)); /* alone, with nothing to do */
        assert_true(work_is_over(&work));
        assert_false(work_join(&work));
        struct packet *packet = packet_take_free(&work.pool);
        work_offer(&work, packet); /* by a mutator; it is for the next time */
        assert_false(work_join(&work));
        work_begin(&work);
        assert_true(work_join(&work));
        assert_false(work_is_wanted(&work)); /* who joins is busy at first */
        work_drop(&work);
    }
    work_destroy(&work);
}

static void who_joins_while_it_ends_counts(void **state)
{
    (void)state;
    static struct job job;
    memset(&job, 0, sizeof job);
    assert_int_equal(work_create(&job.work, os_linux(), 4096), 0);
    struct late_workers late;
    late_workers_create(&late, os_linux(), 1);
    struct test_random random = test_random_make(test_seed(), 2);
    for (unsigned round = test_rounds(4000, 400); round != 0; round--) {
        memset(job.done, 0, sizeof job.done);
        granule_number height = (granule_number)test_random_below(&random, 9);
        offer(&job, height);
        work_begin(&job.work);
        workers_run(&late.workers, take_part, &job);
        uint64_t done = 0;
        for (unsigned i = 0; i < TRACERS_MAX; i++)
            done += job.done[i];
        assert_int_equal(done, (2u << height) - 1);
        assert_int_equal(job.ended_early, 0);
        assert_true(packet_none_full(&job.work.pool));
    }
    late_workers_destroy(&late);
    work_destroy(&job.work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracing_ends_when_all_is_done),  cmocka_unit_test(who_sleeps_is_woken),
        cmocka_unit_test(dropped_work_is_gone),           cmocka_unit_test(none_joins_when_all_is_over),
        cmocka_unit_test(who_joins_while_it_ends_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
