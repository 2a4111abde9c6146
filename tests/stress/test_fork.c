/*
 * A process with a heap forks while its mutators run and pages are being built. The child must not get at the
 * heap by any way, must be told so, may have a heap of its own, and the parent must not notice.
 */
#include "tests/support/shadow_graph.h"
#include "tests/support/stress_support.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUTATORS = 2 };

/* ThreadSanitizer starts no threads after a fork, and AddressSanitizer's malloc may hang in a child because some
 * thread of the parent was inside it. */
#if !defined(STRESS_TSAN) && !defined(SHALE_ASAN)
#define CHILD_HAS_HEAP 1
#endif

#define FORK_LINE "shale: a child process touched a heap of its parent"

static struct {
    shale_heap *heap;
    struct shadow_types types;
    uint32_t finished; /* atomic */
    pid_t parent;
    enum stress_mode mode;
    /* The forking thread's. */
    shale_mutator *mutator;
    uint64_t *object;
} world;

/* ---- the parent's other threads -------------------------------------------------------------------- */

static void *mutate(void *argument)
{
    unsigned index = *(unsigned *)argument;
    struct shadow_graph graph;
    shadow_graph_init(&graph, world.heap, &world.types, stress_seed() * 4 + index, (size_t)2 << 20);
    shale_mutator *mutator = stress_attach(world.heap);
    shadow_graph_enter(&graph, mutator, SHADOW_IN_FRAMES);
    while (__atomic_load_n(&world.finished, __ATOMIC_ACQUIRE) == 0) {
        for (int i = 0; i < 64; i++)
            shadow_graph_step(&graph);
        shale_poll(mutator);
    }
    shadow_graph_verify(&graph);
    shadow_graph_clear(&graph);
    shadow_graph_leave(&graph);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    shadow_graph_end(&graph);
    return NULL;
}

/* ---- children --------------------------------------------------------------------------------------- */

/* The child's own checks: its exit status tells which failed. */
#define CHILD_CHECK(number, condition) \
    do {                               \
        if (!(condition))              \
            _exit(number);             \
    } while (0)

static void calls_are_refused(void)
{
    shale_error error;
    shale_statistics statistics;
    CHILD_CHECK(10, shale_attach(world.heap, &error) == NULL && error.status == SHALE_ERROR_FORKED);
    CHILD_CHECK(11, shale_heap_statistics(world.heap, &statistics) == SHALE_ERROR_FORKED);
    CHILD_CHECK(12, shale_collect(world.mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_ERROR_FORKED);
    CHILD_CHECK(13, shale_allocate(world.mutator, world.types.types[SHADOW_CELL]) == NULL);
    CHILD_CHECK(14, shale_last_error(world.mutator)->status == SHALE_ERROR_FORKED);
    CHILD_CHECK(15, shale_allocate_array(world.mutator, world.types.types[SHADOW_BYTES], 100) == NULL);
    CHILD_CHECK(16, shale_enter_native(world.mutator) == SHALE_ERROR_FORKED);
    CHILD_CHECK(17, shale_handle_create(world.mutator, NULL) == NULL);
    CHILD_CHECK(18, shale_detach(world.mutator) == SHALE_ERROR_FORKED);
    CHILD_CHECK(19, shale_heap_destroy(world.heap, &error) == SHALE_ERROR_FORKED);
    shale_poll(world.mutator); /* nothing to wait for, and nobody to answer */
    _exit(0);
}

static void object_is_read(void)
{
    volatile uint64_t *object = world.object;
    uint64_t word = *object;
    _exit(20 + (word != 0));
}

static void object_is_written(void)
{
    shale_store(world.mutator, world.object, &world.object[1], NULL);
    _exit(22);
}

static void something_else_is_touched(void)
{
    /* Not a constant, about which the compiler would rightly complain. */
    volatile uintptr_t address = 64;
    volatile uint64_t *nowhere = (volatile uint64_t *)address;
    *nowhere = 1;
    _exit(23);
}

static void grandchild_touches_something_else(void)
{
    pid_t grandchild = fork();
    if (grandchild == 0) {
        alarm(30);
        something_else_is_touched();
    }
    int status;
    CHILD_CHECK(24, waitpid(grandchild, &status, 0) == grandchild);
    CHILD_CHECK(25, WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    _exit(0);
}

#ifdef CHILD_HAS_HEAP
static void own_heap(void)
{
    shale_options options;
    stress_options(&options, world.mode, (size_t)8 << 20, NULL);
    options.stress = stress_watched() ? 500 : 3;
    shale_heap *heap = stress_heap(&options);
    struct shadow_types types;
    shadow_types_register(&types, heap, SHADOW_PLAIN);
    struct shadow_graph graph;
    shadow_graph_init(&graph, heap, &types, stress_seed(), (size_t)1 << 20);
    shale_mutator *mutator = stress_attach(heap);
    shadow_graph_enter(&graph, mutator, SHADOW_IN_FRAMES);
    for (int i = 0; i < 2000; i++)
        shadow_graph_step(&graph);
    shadow_graph_verify(&graph);
    shadow_graph_clear(&graph);
    shadow_graph_leave(&graph);
    CHILD_CHECK(26, shale_detach(mutator) == SHALE_OK);
    shadow_graph_end(&graph);
    stress_heap_end(heap);
    _exit(0);
}
#endif

/* ---- forking ----------------------------------------------------------------------------------------- */

struct outcome {
    int status; /* of waitpid */
    char text[2048];
};

/* What a child does and leaves on standard error. A child that hangs is ended by its alarm. */
static struct outcome in_child(void (*run)(void))
{
    struct outcome outcome = {.text = ""};
    int ends[2];
    STRESS_CHECK(pipe(ends) == 0, "no pipe");
    pid_t child = fork();
    STRESS_CHECK(child >= 0, "no fork: %s", strerror(errno));
    if (child == 0) {
        alarm(60);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        run();
        _exit(99);
    }
    close(ends[1]);
    /* The parent's other mutators go on; this thread waits as a mutator must. */
    STRESS_CHECK(shale_enter_native(world.mutator) == SHALE_OK, "entering a native section");
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], outcome.text + length, sizeof outcome.text - 1 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    STRESS_CHECK(waitpid(child, &outcome.status, 0) == child, "no child");
    STRESS_CHECK(shale_leave_native(world.mutator) == SHALE_OK, "leaving a native section");
    return outcome;
}

static unsigned count_lines(const char *text, const char *needle)
{
    unsigned count = 0;
    for (const char *at = strstr(text, needle); at != NULL; at = strstr(at + 1, needle))
        count++;
    return count;
}

static void must_exit(void (*run)(void), const char *what)
{
    struct outcome outcome = in_child(run);
    STRESS_CHECK(WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 0, "%s: child status %#x: %s",
                 what, (unsigned)outcome.status, outcome.text);
}

static void must_die(void (*run)(void), unsigned lines, const char *what)
{
    struct outcome outcome = in_child(run);
    STRESS_CHECK(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSEGV,
                 "%s: child status %#x: %s", what, (unsigned)outcome.status, outcome.text);
    STRESS_CHECK(count_lines(outcome.text, FORK_LINE) == lines, "%s: the child said: %s", what, outcome.text);
}

/* The children are refused on purpose, and log so; whatever the parent logs is an error. */
static void judge_line(void *context, shale_log_level level, const char *line)
{
    (void)context;
    if (level <= SHALE_LOG_WARNING && getpid() == world.parent)
        stress_fail(__FILE__, __LINE__, "the heap logged: %s", line);
}

static void fork_in_mode(enum stress_mode mode)
{
    shale_options options;
    stress_options(&options, mode, (size_t)16 << 20, NULL);
    options.log = judge_line;
    options.stress = stress_watched() ? 300 : 2;
    world.mode = mode;
    world.parent = getpid();
    world.finished = 0;
    world.heap = stress_heap(&options);
    shadow_types_register(&world.types, world.heap, SHADOW_PLAIN);
    pthread_t threads[MUTATORS];
    unsigned numbers[MUTATORS];
    for (unsigned i = 0; i < MUTATORS; i++) {
        numbers[i] = i;
        STRESS_CHECK(pthread_create(&threads[i], NULL, mutate, &numbers[i]) == 0, "no thread");
    }
    world.mutator = stress_attach(world.heap);
    shale_frame frame;
    world.object = NULL;
    shale_frame_push(world.mutator, &frame, &world.object, 1);
    world.object = shale_allocate(world.mutator, world.types.types[SHADOW_CELL]);
    STRESS_CHECK(world.object != NULL, "no object");
    world.object[0] = 4711;

    for (int round = 0; round < (stress_quick() ? 3 : 12); round++) {
        must_exit(calls_are_refused, "calls");
        must_die(object_is_read, 1, "reading");
        must_die(object_is_written, 1, "writing");
        must_die(something_else_is_touched, 0, "touching something else");
        must_exit(grandchild_touches_something_else, "a grandchild that touches something else");
#ifdef CHILD_HAS_HEAP
        must_exit(own_heap, "a heap of its own");
#else
        if (round == 0)
            printf("  under this sanitizer a child makes no heap of its own\n");
#endif
        STRESS_CHECK(world.object[0] == 4711, "the parent's object changed");
    }

    __atomic_store_n(&world.finished, 1, __ATOMIC_RELEASE);
    STRESS_CHECK(shale_enter_native(world.mutator) == SHALE_OK, "entering a native section");
    for (unsigned i = 0; i < MUTATORS; i++)
        pthread_join(threads[i], NULL);
    STRESS_CHECK(shale_leave_native(world.mutator) == SHALE_OK, "leaving a native section");
    shale_frame_pop(world.mutator, &frame);
    STRESS_CHECK(shale_detach(world.mutator) == SHALE_OK, "detaching");
    stress_heap_end(world.heap);
}

static void fork_while_mutators_run(void **state)
{
    (void)state;
    /* cmocka turns this signal into a failed test, also in children. */
    signal(SIGSEGV, SIG_DFL);
    fork_in_mode(STRESS_THREAD);
    fork_in_mode(STRESS_SIGNAL);
    fork_in_mode(STRESS_NEVER);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(fork_while_mutators_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
