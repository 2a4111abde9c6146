/*
 * The signal by which conservative threads are stopped: handlers of the program's, and threads that block it.
 */
#include "tests/support/conservative_scene.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a signal handler of the program's ------------------------------------------------------------- */

static volatile sig_atomic_t urgent;

static void on_urgent(int number)
{
    (void)number;
    urgent++;
}

static void test_signal_is_passed_on(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_urgent};
    struct sigaction before;
    assert_int_equal(sigaction(SIGURG, &action, &before), 0);
    struct scene scene;
    scene_set_up(&scene);
    urgent = 0;
    scene_move_all(&scene);
    assert_int_equal(urgent, 0);
    assert_int_equal(kill(getpid(), SIGURG), 0);
    while (urgent == 0)
        usleep(100);
    scene_tear_down(&scene);
    struct sigaction now;
    assert_int_equal(sigaction(SIGURG, &before, &now), 0);
    assert_ptr_equal(now.sa_handler, on_urgent);
}

/* ---- blocked ---------------------------------------------------------------------------------------- */

static void ignore_line(void *context, shale_log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static shale_heap *quiet_heap(void)
{
    shale_options options;
    stress_options(&options, STRESS_THREAD, (size_t)4 << 20, NULL);
    options.log = ignore_line;
    return stress_heap(&options);
}

static void test_blocked_signal_is_refused(void **state)
{
    (void)state;
    shale_heap *heap = quiet_heap();
    shale_error error;
    shale_attach_options options;
    shale_attach_options_init(&options);
    options.conservative = true;
    sigset_t urg;
    sigemptyset(&urg);
    sigaddset(&urg, SIGURG);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &urg, NULL), 0);
    assert_null(shale_attach_with(heap, &options, &error));
    assert_int_equal(error.status, SHALE_ERROR_MISUSE);
    assert_non_null(strstr(error.message, "SIGURG"));
    /* Threads with exact roots do not care. */
    shale_mutator *mutator = shale_attach(heap, &error);
    assert_non_null(mutator);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &urg, NULL), 0);
    mutator = shale_attach_with(heap, &options, &error);
    assert_non_null(mutator);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    options.struct_size = 0;
    assert_null(shale_attach_with(heap, &options, &error));
    assert_int_equal(error.status, SHALE_ERROR_ARGUMENT);
    stress_heap_end(heap);
}

/* ---- late ------------------------------------------------------------------------------------------ */

static uint32_t late_lines;

static void count_late(void *context, shale_log_level level, const char *line)
{
    (void)context;
    (void)level;
    if (strstr(line, "SIGURG") != NULL)
        __atomic_add_fetch(&late_lines, 1, __ATOMIC_RELAXED);
}

static void *collect_once(void *argument)
{
    shale_heap *heap = argument;
    shale_mutator *mutator = stress_attach(heap);
    STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_NORMAL) == SHALE_OK, "collecting");
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

/* Blocks the signal after it was attached. */
static void test_late_thread_is_named(void **state)
{
    (void)state;
    shale_options options;
    stress_options(&options, STRESS_THREAD, (size_t)4 << 20, NULL);
    options.log = count_late;
    options.poll_warning = 20;
    shale_heap *heap = stress_heap(&options);
    shale_mutator *mutator = stress_attach_conservative(heap);
    sigset_t urg;
    sigemptyset(&urg);
    sigaddset(&urg, SIGURG);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &urg, NULL), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, collect_once, heap), 0);
    while (__atomic_load_n(&late_lines, __ATOMIC_RELAXED) == 0)
        usleep(1000);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &urg, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    stress_heap_end(heap);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signal_is_passed_on),
        cmocka_unit_test(test_blocked_signal_is_refused),
        cmocka_unit_test(test_late_thread_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
