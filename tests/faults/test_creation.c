/*
 * Creating a heap while, in turn, each call to the operating system fails: it gives a heap that says what it
 * does without, or no heap, a status, errno and a sentence, and nothing is left behind.
 */
#include "heap/announce.h"
#include "runtime/heap.h"
#include "tests/support/chains.h"
#include "tests/support/log_lines.h"
#include "tests/support/os_failing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct trial {
    struct os_failing os;
    struct log_lines lines;
    shale_options options;
    shale_error error;
    struct process_resources before;
};

static void trial_start(struct trial *trial, int faults, int concurrent, int verify)
{
    os_failing_init(&trial->os);
    log_lines_init(&trial->lines);
    shale_options_init(&trial->options);
    trial->options.heap_size = HEAP_SIZE_MIN;
    trial->options.faults = faults;
    trial->options.concurrent = concurrent;
    trial->options.verify = verify;
    trial->options.events = 1000;
    log_lines_connect(&trial->lines, &trial->options, SHALE_LOG_WARNING);
    memset(&trial->error, 0, sizeof trial->error);
    trial->before = process_resources_now();
}

static void assert_nothing_left(struct trial *trial)
{
    const char *leak = os_failing_leak(&trial->os);
    if (leak != NULL)
        fail_msg("%s was left behind", leak);
    struct process_resources after = process_resources_now();
    assert_int_equal(after.descriptors, trial->before.descriptors);
    assert_int_equal(after.heap_mappings, trial->before.heap_mappings);
    /* A thread that was joined is on its way out for a moment longer. */
    for (int i = 0; i < 100 && process_resources_now().threads > trial->before.threads; i++)
        sched_yield();
    log_lines_destroy(&trial->lines);
}

/* Calls whose failure only means that compaction has to happen in the pause. */
static bool needed_for_concurrency_only(enum os_call kind)
{
    return kind == OS_FAULTS_OPEN || kind == OS_MOVE_ENTRIES || kind == OS_RESERVE_AGAIN ||
           kind == OS_FAULTS_REGISTER || kind == OS_FAULTS_UNREGISTER;
}

/* A sentence names the step and what errno means, and says what to do. */
static void assert_sentence(const char *message, int error)
{
    if (strlen(message) < 30 || strstr(message, strerror(error)) == NULL || strchr(message, ';') == NULL)
        fail_msg("\"%s\" does not say enough about errno %d", message, error);
}

static void assert_refused(struct trial *trial, shale_status status, int error)
{
    assert_int_equal(trial->error.status, status);
    assert_int_equal(trial->error.errno_value, error);
    assert_sentence(trial->error.message, error);
    assert_int_equal(trial->lines.count, 0);
}

static void assert_works(shale_heap *heap)
{
    struct chains chains;
    assert_true(chains_open(&chains, heap, test_seed()));
    assert_true(chains_run(&chains, 400));
    assert_int_equal(shale_collect(chains.mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    assert_true(chains_run(&chains, 100));
    assert_null(chains_check(&chains));
    chains_close(&chains);
}

/* The heap came to be all the same: it compacts in the pause, and a line says why and what to do. */
static void check_fallback(struct trial *trial, shale_heap *heap, int error)
{
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(heap, &statistics), SHALE_OK);
    assert_int_equal(statistics.compaction, SHALE_COMPACTION_IN_PAUSE);
    assert_int_equal(trial->lines.count, 1);
    assert_int_equal(log_lines_count(&trial->lines, SHALE_LOG_WARNING, "compacting inside the pause"), 1);
    assert_sentence(trial->lines.lines[0].text, error);
    assert_works(heap);
    shale_heap_statistics(heap, &statistics);
    assert_true(statistics.flips > 0);
    assert_true(statistics.pages_in_pause > 0);
    assert_int_equal(statistics.pages_by_workers + statistics.faults, 0);
}

/* Fails call number `number`. Returns whether there was such a call. */
static bool one_failure(int faults, int concurrent, int verify, unsigned number, int error)
{
    struct trial trial;
    trial_start(&trial, faults, concurrent, verify);
    os_failing_plan(&trial.os, OS_ANY, number, number, error);
    shale_heap *heap = heap_create(&trial.os.os, &trial.options, false, &trial.error);
    bool failed = atomic_load(&trial.os.failed) != 0;
    /* What the heap's own threads do later is not creation. */
    os_failing_plan(&trial.os, OS_ANY, 0, 0, 0);
    enum os_call kind = (enum os_call)atomic_load(&trial.os.failed_kind);
    if (error == 0)
        error = os_failing_typical_error(kind);
    if (!failed) {
        assert_non_null(heap);
    } else if (kind == OS_FAULTS_WAIT || kind == OS_FAULTS_READ) {
        /* The fault server's thread has begun to work: it must not be stopped by this. */
        assert_non_null(heap);
        assert_works(heap);
    } else if (!needed_for_concurrency_only(kind)) {
        assert_null(heap);
        assert_refused(&trial, error == ENOMEM ? SHALE_ERROR_MEMORY : SHALE_ERROR_SYSTEM, error);
    } else if (concurrent == SHALE_CONCURRENT_REQUIRE) {
        assert_null(heap);
        assert_refused(&trial, SHALE_ERROR_CONCURRENT, error);
    } else {
        assert_non_null(heap);
        check_fallback(&trial, heap, error);
    }
    if (heap != NULL)
        assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
    assert_nothing_left(&trial);
    return failed;
}

/* Every call of a creation in turn. */
static void each_call_fails(int faults, int concurrent, int verify, int error)
{
    unsigned calls = 0;
    while (one_failure(faults, concurrent, verify, calls + 1, error))
        calls++;
    /* At least the file, its mappings and the tables. */
    assert_true(calls > 10);
}

static void test_fault_thread(void **state)
{
    (void)state;
    each_call_fails(SHALE_FAULTS_THREAD, SHALE_CONCURRENT_AUTO, 0, 0);
}

static void test_fault_signal(void **state)
{
    (void)state;
    each_call_fails(SHALE_FAULTS_SIGNAL, SHALE_CONCURRENT_AUTO, 1, 0);
}

static void test_never_concurrent(void **state)
{
    (void)state;
    each_call_fails(SHALE_FAULTS_THREAD, SHALE_CONCURRENT_NEVER, 2, 0);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    each_call_fails(SHALE_FAULTS_THREAD, SHALE_CONCURRENT_AUTO, 1, ENOMEM);
}

static void test_out_of_descriptors(void **state)
{
    (void)state;
    each_call_fails(SHALE_FAULTS_SIGNAL, SHALE_CONCURRENT_AUTO, 0, EMFILE);
}

/* Whether the kernel and whatever runs this program can compact concurrently at all. */
static bool concurrency_possible(void)
{
    struct trial trial;
    trial_start(&trial, SHALE_FAULTS_THREAD, SHALE_CONCURRENT_REQUIRE, 0);
    shale_heap *heap = heap_create(&trial.os.os, &trial.options, false, &trial.error);
    if (heap == NULL)
        printf("%s\n", trial.error.message);
    shale_heap_destroy(heap, NULL);
    assert_nothing_left(&trial);
    return heap != NULL;
}

static void test_concurrency_required(void **state)
{
    (void)state;
    if (!concurrency_possible())
        skip();
    each_call_fails(SHALE_FAULTS_THREAD, SHALE_CONCURRENT_REQUIRE, 0, 0);
    each_call_fails(SHALE_FAULTS_SIGNAL, SHALE_CONCURRENT_REQUIRE, 0, EPERM);
}

/* ---- without a write barrier ----------------------------------------------------------------------------- */

static void pages_start(struct trial *trial)
{
    trial_start(trial, SHALE_FAULTS_THREAD, SHALE_CONCURRENT_AUTO, 1);
    trial->options.barrier = SHALE_BARRIER_PAGES;
}

static bool tracking_possible(void)
{
    struct trial trial;
    pages_start(&trial);
    shale_heap *heap = heap_create(&trial.os.os, &trial.options, false, &trial.error);
    if (heap == NULL)
        printf("%s\n", trial.error.message);
    else
        assert_works(heap);
    shale_heap_destroy(heap, NULL);
    assert_nothing_left(&trial);
    return heap != NULL;
}

/* There is no falling back: the program's stores are plain. */
static void test_writes_cannot_be_tracked(void **state)
{
    (void)state;
    static const enum os_call kinds[] = {OS_WRITES_OPEN, OS_WRITES_REGISTER, OS_WRITES_ARM,
                                         OS_WRITES_UNREGISTER};
    if (!tracking_possible())
        skip();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct trial trial;
        pages_start(&trial);
        os_failing_plan(&trial.os, kinds[i], 1, 1, i % 2 == 0 ? EPERM : 0);
        assert_null(heap_create(&trial.os.os, &trial.options, false, &trial.error));
        assert_refused(&trial, SHALE_ERROR_CONCURRENT,
                       i % 2 == 0 ? EPERM : os_failing_typical_error(kinds[i]));
        assert_non_null(strstr(trial.error.message, "barrier=stores"));
        assert_nothing_left(&trial);
    }
}

static void test_out_of_memory_without_a_barrier(void **state)
{
    (void)state;
    if (!tracking_possible())
        skip();
    for (unsigned number = 1, failed = 1; failed != 0; number++) {
        struct trial trial;
        pages_start(&trial);
        os_failing_plan(&trial.os, OS_ANY, number, number, ENOMEM);
        shale_heap *heap = heap_create(&trial.os.os, &trial.options, false, &trial.error);
        failed = atomic_load(&trial.os.failed);
        os_failing_plan(&trial.os, OS_ANY, 0, 0, 0);
        shale_heap_destroy(heap, NULL);
        assert_nothing_left(&trial);
    }
}

/* Permission has its own advice. */
static void test_advice_about_permission(void **state)
{
    (void)state;
    if (announce_kernel_calls_unknown())
        skip();
    struct trial trial;
    trial_start(&trial, SHALE_FAULTS_THREAD, SHALE_CONCURRENT_AUTO, 0);
    os_failing_plan(&trial.os, OS_FAULTS_OPEN, 1, 1, EPERM);
    shale_heap *heap = heap_create(&trial.os.os, &trial.options, false, &trial.error);
    assert_non_null(heap);
    assert_int_equal(log_lines_count(&trial.lines, SHALE_LOG_WARNING, "vm.unprivileged_userfaultfd"), 1);
    shale_heap_destroy(heap, NULL);
    assert_nothing_left(&trial);
}

/* An error that nobody wants to read is no reason to crash. */
static void test_without_an_error_struct(void **state)
{
    (void)state;
    struct trial trial;
    trial_start(&trial, SHALE_FAULTS_THREAD, SHALE_CONCURRENT_REQUIRE, 0);
    for (unsigned number = 1; number < 12; number++) {
        os_failing_plan_from_now(&trial.os, OS_ANY, number, number, 0);
        shale_heap_destroy(heap_create(&trial.os.os, &trial.options, false, NULL), NULL);
        os_failing_plan(&trial.os, OS_ANY, 0, 0, 0);
    }
    assert_nothing_left(&trial);
}

/* The C library keeps a thread's stack and a buffer or two: have it do so before anything is counted. */
static int warm_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        shale_heap_destroy(shale_heap_create(NULL, NULL), NULL);
    return 0;
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fault_thread),
        cmocka_unit_test(test_fault_signal),
        cmocka_unit_test(test_never_concurrent),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_concurrency_required),
        cmocka_unit_test(test_writes_cannot_be_tracked),
        cmocka_unit_test(test_out_of_memory_without_a_barrier),
        cmocka_unit_test(test_advice_about_permission),
        cmocka_unit_test(test_without_an_error_struct),
    };
    return cmocka_run_group_tests_name("faults.creation", tests, warm_up, NULL);
}
