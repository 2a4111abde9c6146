/*
 * Calls to the operating system that fail while a program runs: what it keeps in its heap stays as it is, and
 * the collector goes on or says why not.
 */
#include "heap/announce.h"
#include "runtime/heap.h"
#include "tests/support/chains.h"
#include "tests/support/log_lines.h"
#include "tests/support/os_failing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct program {
    struct os_failing os;
    struct log_lines lines;
    shale_heap *heap;
    struct chains chains;
};

static unsigned four_processors(const struct os *os)
{
    (void)os;
    return 4;
}

/* As on a machine where the collector has helpers. */
static struct program *prepare(void)
{
    static struct program program;
    memset(&program, 0, sizeof program);
    os_failing_init(&program.os);
    program.os.os.processors = four_processors;
    return &program;
}

static struct program *start_prepared(struct program *program, int faults, int verify, int barrier)
{
    log_lines_init(&program->lines);
    shale_options options;
    shale_options_init(&options);
    options.heap_size = (size_t)8 << 20;
    options.faults = faults;
    options.verify = verify;
    options.barrier = barrier;
    log_lines_connect(&program->lines, &options, SHALE_LOG_WARNING);
    shale_error error;
    program->heap = heap_create(&program->os.os, &options, false, &error);
    if (program->heap == NULL && error.status == SHALE_ERROR_CONCURRENT)
        return NULL;
    if (program->heap == NULL)
        fail_msg("%s", error.message);
    assert_true(chains_open(&program->chains, program->heap, test_seed()));
    /* Fills several regions, so that there is something to move from the first cycle on. */
    assert_true(chains_run(&program->chains, 1000));
    return program;
}

static struct program *start_with(int faults, int verify, int barrier)
{
    return start_prepared(prepare(), faults, verify, barrier);
}

static struct program *start(int faults, int verify)
{
    return start_with(faults, verify, SHALE_BARRIER_STORES);
}

static shale_statistics statistics_of(struct program *program)
{
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(program->heap, &statistics), SHALE_OK);
    return statistics;
}

static bool concurrent(struct program *program)
{
    return statistics_of(program).compaction != SHALE_COMPACTION_IN_PAUSE;
}

static void check(struct program *program)
{
    const char *wrong = chains_check(&program->chains);
    if (wrong != NULL)
        fail_msg("%s", wrong);
}

/* A cycle that moves everything, overlapped with the program; the graph is looked at while pages are stale. */
static void cycle(struct program *program)
{
    shale_mutator *mutator = program->chains.mutator;
    assert_int_equal(shale_collect_start(mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    for (int i = 0; i < 4; i++) {
        assert_true(chains_run(&program->chains, 40));
        check(program);
    }
    assert_int_equal(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    check(program);
}

static void finish(struct program *program)
{
    os_failing_plan(&program->os, OS_ANY, 0, 0, 0);
    cycle(program);
    shale_statistics statistics = statistics_of(program);
    assert_true(statistics.flips > 0);
    assert_true(statistics.objects_moved > 0);
    chains_close(&program->chains);
    assert_int_equal(shale_heap_destroy(program->heap, NULL), SHALE_OK);
    const char *leak = os_failing_leak(&program->os);
    if (leak != NULL)
        fail_msg("%s was left behind", leak);
    log_lines_destroy(&program->lines);
}

/* ---- the flip --------------------------------------------------------------------------------------------- */

/* The cycle in which the call fails compacts in the pause, says so in one line, and the next one is
 * concurrent again. */
static void flip_without(enum os_call kind, int faults, int verify)
{
    struct program *program = start(faults, verify);
    if (!concurrent(program)) {
        finish(program);
        skip();
    }
    for (unsigned round = 0; round < test_rounds(6, 2); round++) {
        log_lines_clear(&program->lines);
        uint64_t flips = statistics_of(program).flips;
        os_failing_plan_from_now(&program->os, kind, 1, 1, 0);
        assert_int_equal(shale_collect(program->chains.mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
        check(program);
        assert_int_equal(atomic_load(&program->os.failed), round + 1);
        assert_int_equal(statistics_of(program).flips, flips + 1);
        assert_int_equal(log_lines_count(&program->lines, SHALE_LOG_WARNING, "inside the pause"), 1);
        assert_int_equal(program->lines.count, 1);
        assert_int_equal(atomic_load(&program->os.registrations), 0);
        cycle(program);
        assert_int_equal(program->lines.count, 1);
    }
    finish(program);
}

static void test_entries_cannot_be_moved(void **state)
{
    (void)state;
    flip_without(OS_MOVE_ENTRIES, SHALE_FAULTS_THREAD, 0);
    flip_without(OS_MOVE_ENTRIES, SHALE_FAULTS_SIGNAL, 1);
}

static void test_view_cannot_be_registered(void **state)
{
    (void)state;
    flip_without(OS_FAULTS_REGISTER, SHALE_FAULTS_THREAD, 1);
    flip_without(OS_FAULTS_REGISTER, SHALE_FAULTS_SIGNAL, 0);
}

/* ---- written pages ---------------------------------------------------------------------------------------- */

/* Then all pages count as written, and a line says so. Nothing is lost. */
static void tracking_without(enum os_call kind, int faults, unsigned in_a_row)
{
    struct program *program = start_with(faults, 1, SHALE_BARRIER_PAGES);
    if (program == NULL)
        skip();
    struct test_random random = test_random_make(test_seed(), (uint64_t)kind);
    for (unsigned round = 0; round < test_rounds(12, 3); round++) {
        unsigned first = round == 0 ? 1 : (unsigned)test_random_between(&random, 1, 6);
        os_failing_plan_from_now(&program->os, kind, first, first + in_a_row - 1, 0);
        cycle(program);
    }
    assert_true(atomic_load(&program->os.failed) > 0);
    assert_true(log_lines_count(&program->lines, SHALE_LOG_WARNING, "which pages were written") > 0);
    assert_int_equal(log_lines_count(&program->lines, SHALE_LOG_ERROR, ""), 0);
    assert_true(statistics_of(program).remark_pause.count > 0);
    finish(program);
}

static void test_view_cannot_be_tracked(void **state)
{
    (void)state;
    tracking_without(OS_WRITES_REGISTER, SHALE_FAULTS_THREAD, 1);
    tracking_without(OS_WRITES_ARM, SHALE_FAULTS_SIGNAL, 1);
}

static void test_written_pages_cannot_be_found(void **state)
{
    (void)state;
    tracking_without(OS_WRITES_FIND, SHALE_FAULTS_THREAD, 1);
    tracking_without(OS_WRITES_FIND, SHALE_FAULTS_SIGNAL, 1000000);
}

/* One slice: all are unregistered at once. All: the flip is told that it cannot have the view, and compacts in the pause. */
static void test_tracking_cannot_be_ended(void **state)
{
    (void)state;
    tracking_without(OS_WRITES_UNREGISTER, SHALE_FAULTS_THREAD, 1000000);
    struct program *program = start_with(SHALE_FAULTS_THREAD, 1, SHALE_BARRIER_PAGES);
    assert_non_null(program);
    os_failing_plan_from_now(&program->os, OS_WRITES_UNREGISTER, 1, 1, 0);
    cycle(program);
    assert_int_equal(program->lines.count, 0);
    finish(program);
}

/* ---- publishing -------------------------------------------------------------------------------------------- */

/* Several calls in a row, over and over, anywhere in compactions that overlap with the program. */
static void failures_of(enum os_call kind, int faults, int error, unsigned in_a_row)
{
    struct program *program = start(faults, 0);
    struct test_random random = test_random_make(test_seed(), (uint64_t)kind);
    for (unsigned round = 0; round < test_rounds(12, 3); round++) {
        /* Every compaction makes the call at least once. */
        unsigned first = round == 0 ? 1 : (unsigned)test_random_between(&random, 1, 20);
        os_failing_plan_from_now(&program->os, kind, first, first + in_a_row - 1, error);
        cycle(program);
    }
    /* On a machine that can, the call is made; then some must have failed. */
    if (concurrent(program))
        assert_true(atomic_load(&program->os.failed) > 0);
    assert_int_equal(log_lines_count(&program->lines, SHALE_LOG_ERROR, ""), 0);
    finish(program);
}

static void test_continue_again(void **state)
{
    (void)state;
    failures_of(OS_FAULTS_CONTINUE, SHALE_FAULTS_THREAD, EAGAIN, 3);
    failures_of(OS_FAULTS_CONTINUE, SHALE_FAULTS_SIGNAL, EAGAIN, 1);
}

static void test_continue_without_memory(void **state)
{
    (void)state;
    failures_of(OS_FAULTS_CONTINUE, SHALE_FAULTS_THREAD, ENOMEM, 5);
    failures_of(OS_FAULTS_CONTINUE, SHALE_FAULTS_SIGNAL, ENOMEM, 2);
}

/* The view stays registered: faults go on to be answered, and a line tells. */
static void test_view_cannot_be_unregistered(void **state)
{
    (void)state;
    for (int faults = SHALE_FAULTS_THREAD; faults <= SHALE_FAULTS_SIGNAL; faults++) {
        struct program *program = start(faults, 0);
        bool calls = concurrent(program);
        os_failing_plan_from_now(&program->os, OS_FAULTS_UNREGISTER, 1, 1, 0);
        cycle(program);
        if (calls)
            assert_int_equal(log_lines_count(&program->lines, SHALE_LOG_WARNING, "unregistering"), 1);
        cycle(program);
        finish(program);
    }
}

/* An answer that nobody knows what to do about: said once the compaction is over, which must end all the same. */
static void test_continue_refused(void **state)
{
    (void)state;
    struct program *program = start(SHALE_FAULTS_THREAD, 0);
    bool calls = concurrent(program);
    for (unsigned round = 0; round < test_rounds(8, 3); round++) {
        os_failing_plan_from_now(&program->os, OS_FAULTS_CONTINUE, 1 + round, 1 + round, EPERM);
        cycle(program);
    }
    if (calls)
        assert_true(log_lines_count(&program->lines, SHALE_LOG_ERROR, "answering page faults failed") > 0);
    finish(program);
}

/* ---- giving memory back ------------------------------------------------------------------------------------ */

/* Memory that the system does not take back stays in use. */
static void test_memory_cannot_be_given_back(void **state)
{
    (void)state;
    struct program *program = start(SHALE_FAULTS_THREAD, 2);
    os_failing_plan_from_now(&program->os, OS_FILE_DISCARD, 1, 1000000, 0);
    for (unsigned round = 0; round < test_rounds(8, 2); round++)
        cycle(program);
    assert_int_equal(log_lines_count(&program->lines, SHALE_LOG_ERROR, ""), 0);
    finish(program);
}

static void test_old_entries_cannot_be_dropped(void **state)
{
    (void)state;
    struct program *program = start(SHALE_FAULTS_THREAD, 0);
    os_failing_plan_from_now(&program->os, OS_DROP_ENTRIES, 1, 1000000, 0);
    for (unsigned round = 0; round < test_rounds(4, 2); round++)
        cycle(program);
    finish(program);
}

/* Then the reservation still shows the heap, and the next flip moves entries over it. */
static void test_reservation_cannot_be_restored(void **state)
{
    (void)state;
    struct program *program = start(SHALE_FAULTS_THREAD, 1);
    os_failing_plan_from_now(&program->os, OS_RESERVE_AGAIN, 1, 1000000, 0);
    for (unsigned round = 0; round < test_rounds(4, 2); round++)
        cycle(program);
    finish(program);
}

/* As when the program has locked all its memory (mlockall): tables then have to be cleared by hand. */
static void test_tables_cannot_be_discarded(void **state)
{
    (void)state;
    struct program *program = start(SHALE_FAULTS_THREAD, 1);
    os_failing_plan_from_now(&program->os, OS_DISCARD_TABLE, 1, 1000000, 0);
    for (unsigned round = 0; round < test_rounds(4, 2); round++)
        cycle(program);
    finish(program);
}

/* Holes among the pages that an allocating mutator publishes are then found one by one. */
static void test_pages_cannot_be_populated(void **state)
{
    (void)state;
    for (int faults = SHALE_FAULTS_THREAD; faults <= SHALE_FAULTS_SIGNAL; faults++) {
        struct program *program = start(faults, 1);
        os_failing_plan(&program->os, OS_POPULATE, 1, 1000000, 0);
        for (unsigned round = 0; round < test_rounds(6, 2); round++) {
            /* What is free becomes holes, as if it had not been used for long. */
            shale_mutator *mutator = program->chains.mutator;
            assert_int_equal(shale_collect(mutator, SHALE_COLLECT_NORMAL), SHALE_OK);
            while (budget_discard_oldest(&program->heap->memory.fixed.budget, UINT64_MAX) > 0)
                continue;
            cycle(program);
        }
        assert_int_equal(log_lines_count(&program->lines, SHALE_LOG_ERROR, ""), 0);
        finish(program);
    }
}

/* Debug builds seal free regions. A process that has too many mappings for that must not die of it. */
static void test_regions_cannot_be_sealed(void **state)
{
    (void)state;
    for (unsigned first = 1; first < test_rounds(40, 12); first++) {
        struct program *program = start(SHALE_FAULTS_THREAD, 0);
        os_failing_plan_from_now(&program->os, OS_PROTECT, first, first, 0);
        cycle(program);
        cycle(program);
        finish(program);
    }
}

/* Workers that nobody asked for are no loss: fewer do the work, and nothing is said. */
static void workers_cannot_be_started(int faults, int barrier)
{
    unsigned before = faults == SHALE_FAULTS_THREAD ? 2 : 1; /* the collector, the fault server */
    for (unsigned nth = 1; nth <= 4; nth++) {
        struct program *program = prepare();
        os_failing_plan(&program->os, OS_THREAD_START, before + nth, before + nth, EAGAIN);
        if (start_prepared(program, faults, 0, barrier) == NULL)
            return; /* not to be had here */
        if (!concurrent(program)) {
            finish(program);
            return;
        }
        for (unsigned round = 0; round < test_rounds(6, 2); round++)
            cycle(program);
        assert_int_equal(atomic_load(&program->os.failed), nth < 4 ? 1 : 0);
        assert_int_equal(atomic_load(&program->os.threads_started), before + (nth < 4 ? nth - 1 : 3));
        assert_int_equal(program->lines.count, 0);
        finish(program);
    }
}

static void test_workers_cannot_be_started(void **state)
{
    (void)state;
    workers_cannot_be_started(SHALE_FAULTS_THREAD, SHALE_BARRIER_STORES);
    workers_cannot_be_started(SHALE_FAULTS_SIGNAL, SHALE_BARRIER_STORES);
    workers_cannot_be_started(SHALE_FAULTS_SIGNAL, SHALE_BARRIER_PAGES);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_cannot_be_moved),
        cmocka_unit_test(test_view_cannot_be_registered),
        cmocka_unit_test(test_view_cannot_be_tracked),
        cmocka_unit_test(test_written_pages_cannot_be_found),
        cmocka_unit_test(test_tracking_cannot_be_ended),
        cmocka_unit_test(test_continue_again),
        cmocka_unit_test(test_continue_without_memory),
        cmocka_unit_test(test_view_cannot_be_unregistered),
        cmocka_unit_test(test_continue_refused),
        cmocka_unit_test(test_memory_cannot_be_given_back),
        cmocka_unit_test(test_old_entries_cannot_be_dropped),
        cmocka_unit_test(test_reservation_cannot_be_restored),
        cmocka_unit_test(test_tables_cannot_be_discarded),
        cmocka_unit_test(test_pages_cannot_be_populated),
        cmocka_unit_test(test_regions_cannot_be_sealed),
        cmocka_unit_test(test_workers_cannot_be_started),
    };
    return cmocka_run_group_tests_name("faults.running", tests, NULL, NULL);
}
