/*
 * A program that uses an object after it died or moved away is told so: by AddressSanitizer or Valgrind where
 * they watch, and in debug builds by the page being inaccessible. Each case runs in a child, this program again
 * with an argument, and the parent looks at how it ended.
 */
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { VALGRIND_FOUND = 99 };

/* ---- the child ------------------------------------------------------------------------------------- */

struct cell {
    struct cell *rest;
    uint64_t number;
};

static const uint32_t cell_pointers[] = {0};

static struct cell *make(shale_mutator *mutator, const shale_type *type, struct cell *rest)
{
    struct cell *cell = shale_allocate(mutator, type);
    STRESS_CHECK(cell != NULL, "no cell");
    cell->rest = rest;
    cell->number = rest != NULL ? rest->number + 1 : 1;
    return cell;
}

static void touch(const struct cell *cell, const char *what)
{
    uint64_t number = ((const volatile struct cell *)cell)->number;
    fprintf(stderr, "the %s object's number is %llu\n", what, (unsigned long long)number);
}

/* `what`: dead, moved or live. Returns when nobody stopped it. */
static int use(const char *what, enum stress_mode mode)
{
    shale_options options;
    stress_options(&options, mode, (size_t)8 << 20, NULL);
    options.target = 0; /* no cycle but those that are asked for */
    shale_heap *heap = stress_heap(&options);
    const shale_type *type = shale_type_register(
        heap,
        &(shale_type_spec){
            .name = "cell", .size = sizeof(struct cell), .pointers = cell_pointers, .pointer_count = 1},
        NULL);
    shale_mutator *mutator = stress_attach(heap);
    struct cell *list = NULL;
    shale_frame frame;
    shale_frame_push(mutator, &frame, &list, 1);
    /* Enough to have full regions. What lies between the cells of the list dies. */
    const struct cell *dead = NULL;
    const struct cell *kept = NULL;
    for (int i = 0; i < 30000; i++) {
        struct cell *other = make(mutator, type, list);
        if (i == 1000)
            dead = other;
        list = make(mutator, type, list);
        if (i == 1000)
            kept = list;
    }
    /* One collection only: the next flip makes regions that were freed before it accessible again. */
    bool dead_only = strcmp(what, "dead") == 0;
    STRESS_CHECK(shale_collect(mutator, dead_only ? SHALE_COLLECT_NORMAL : SHALE_COLLECT_MOVE_ALL) ==
                     SHALE_OK,
                 "collecting");
    uint64_t count = 0;
    for (const struct cell *cell = list; cell != NULL; cell = cell->rest)
        count++;
    STRESS_CHECK(count == 30000, "the list has %llu cells", (unsigned long long)count);
    if (dead_only)
        touch(dead, what);
    else if (strcmp(what, "moved") == 0)
        touch(kept, what);
    else
        touch(list, what);
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    stress_heap_end(heap);
    return 0;
}

/* ---- the parent ------------------------------------------------------------------------------------ */

struct outcome {
    int status; /* of waitpid */
    char text[16384];
};

static struct outcome run(const char *what, enum stress_mode mode, bool valgrind)
{
    static struct outcome outcome;
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    char number[16];
    snprintf(number, sizeof number, "%d", (int)mode);
    char *direct[] = {self, (char *)what, number, NULL};
    char *watched[] = {"valgrind", "-q", "--error-exitcode=99", "--leak-check=no", self, (char *)what,
                       number,     NULL};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(120);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(valgrind ? watched[0] : direct[0], valgrind ? watched : direct);
        _exit(127);
    }
    close(ends[1]);
    size_t got = 0;
    ssize_t more;
    while ((more = read(ends[0], outcome.text + got, sizeof outcome.text - 1 - got)) > 0)
        got += (size_t)more;
    outcome.text[got] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &outcome.status, 0), child);
    return outcome;
}

static bool exited_with(const struct outcome *outcome, int code)
{
    return WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == code;
}

static void each_mode_in_asan(void **state)
{
    (void)state;
#if defined(SHALE_ASAN)
    static const char *const cases[] = {"dead", "moved"};
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        for (int i = 0; i < 2; i++) {
            struct outcome outcome = run(cases[i], (enum stress_mode)mode, false);
            STRESS_CHECK(!exited_with(&outcome, 0) && strstr(outcome.text, "use-after-poison") != NULL,
                         "AddressSanitizer did not report the %s object with faults %s, status %#x:\n%s",
                         cases[i], stress_mode_names[mode], (unsigned)outcome.status, outcome.text);
        }
    }
#else
    skip();
#endif
}

static void in_valgrind(void **state)
{
    (void)state;
#if defined(SHALE_HAVE_VALGRIND) && !defined(SHALE_ASAN) && !defined(STRESS_TSAN)
    if (RUNNING_ON_VALGRIND || system("valgrind --version >/dev/null 2>&1") != 0)
        skip();
    static const char *const cases[] = {"dead", "moved"};
    for (int i = 0; i < 2; i++) {
        struct outcome outcome = run(cases[i], STRESS_THREAD, true);
        bool reported = strstr(outcome.text, "Invalid read of size 8") != NULL &&
                        (exited_with(&outcome, VALGRIND_FOUND) ||
                         (WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSEGV));
        STRESS_CHECK(reported, "Valgrind did not report the %s object, status %#x:\n%s", cases[i],
                     (unsigned)outcome.status, outcome.text);
    }
    struct outcome outcome = run("live", STRESS_THREAD, true);
    STRESS_CHECK(exited_with(&outcome, 0), "Valgrind reported a live object, status %#x:\n%s",
                 (unsigned)outcome.status, outcome.text);
#else
    skip();
#endif
}

static void sealed_in_debug_builds(void **state)
{
    (void)state;
#if defined(SHALE_DEBUG) && !defined(SHALE_ASAN) && !defined(STRESS_TSAN)
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        struct outcome outcome = run("moved", (enum stress_mode)mode, false);
        STRESS_CHECK(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSEGV,
                     "the moved object could be read with faults %s, status %#x:\n%s",
                     stress_mode_names[mode], (unsigned)outcome.status, outcome.text);
    }
#else
    skip();
#endif
}

static void live_objects_are_left_alone(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        struct outcome outcome = run("live", (enum stress_mode)mode, false);
        STRESS_CHECK(exited_with(&outcome, 0), "faults %s: status %#x:\n%s", stress_mode_names[mode],
                     (unsigned)outcome.status, outcome.text);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return use(argv[1], (enum stress_mode)atoi(argv[2]));
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mode_in_asan),
        cmocka_unit_test(in_valgrind),
        cmocka_unit_test(sealed_in_debug_builds),
        cmocka_unit_test(live_objects_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
