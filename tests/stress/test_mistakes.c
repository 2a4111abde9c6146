/*
 * Mistakes that embedders make, made on purpose: what the embedding guide (docs/embedding.md) says is noticed must be
 * noticed, with those words. Each is made in a process of its own, this program with the mistake's name as its argument, since
 * verification ends it.
 *
 * The last two need the collector to be at work in the right moment, so they are repeated until they are noticed: a mistake
 * that never is ends in the test's time limit.
 */
#include <shale/shale.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { EXIT_NOTICED = 0, EXIT_NO_HEAP = 2, EXIT_UNNOTICED = 3, EXIT_CANNOT = 77, LIST = 20000 };

#define STRAY_LINE \
    "an address was kept across a collection without a frame, handle or root visitor that shows it"

struct node {
    struct node *next;
    uint64_t number;
};

/* ---- the processes that make them ------------------------------------------------------------------ */

static struct {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *node;
    uint32_t stray_seen; /* atomic */
} world;

static void log_line(void *context, shale_log_level level, const char *line)
{
    (void)context;
    (void)level;
    fprintf(stderr, "%s\n", line);
    if (strstr(line, STRAY_LINE) != NULL)
        __atomic_store_n(&world.stray_seen, 1, __ATOMIC_RELEASE);
}

static _Noreturn void give_up(const shale_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    exit(EXIT_NO_HEAP);
}

static void start(shale_options *options)
{
    static const uint32_t pointers[] = {offsetof(struct node, next)};
    shale_error error;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    options->heap_size = (size_t)64 << 20;
    options->ignore_environment = true;
    options->log = log_line;
    world.heap = shale_heap_create(options, &error);
    if (world.heap == NULL)
        give_up(&error);
    world.mutator = shale_attach(world.heap, &error);
    if (world.mutator == NULL)
        give_up(&error);
    world.node = shale_type_register(
        world.heap,
        &(shale_type_spec){
            .name = "node", .size = sizeof(struct node), .pointers = pointers, .pointer_count = 1},
        &error);
    if (world.node == NULL)
        give_up(&error);
}

static struct node *make(struct node *const *next)
{
    struct node *node = shale_allocate(world.mutator, world.node);
    if (node == NULL)
        exit(EXIT_NO_HEAP);
    node->next = *next;
    return node;
}

/* Has the thread go on to other regions, so that what is in those before may move. */
static void leave_region(void)
{
    struct node *none = NULL;
    for (size_t bytes = 0; bytes < (size_t)1 << 20; bytes += sizeof(struct node))
        make(&none);
}

/* An address that was held across a collection gets into a root. */
static int hold_address(void)
{
    shale_options options;
    shale_options_init(&options);
    options.verify = 1;
    start(&options);
    struct {
        struct node *node, *none, *late;
    } local = {NULL, NULL, NULL};
    shale_frame frame;
    shale_frame_push(world.mutator, &frame, &local, 3);
    local.node = make(&local.none);
    leave_region();
    struct node *held = local.node;
    shale_collect(world.mutator, SHALE_COLLECT_MOVE_ALL);
    local.late = held;
    shale_collect(world.mutator, SHALE_COLLECT_MOVE_ALL);
    return EXIT_UNNOTICED;
}

/* Turns a list around, again and again, by plain stores, while cycles mark it. */
static int forget_store(void)
{
    shale_options options;
    shale_options_init(&options);
    options.verify = 1;
    options.target = 110;
    start(&options);
    struct {
        struct node *list, *turned, *from, *none;
    } local = {NULL, NULL, NULL, NULL};
    shale_frame frame;
    shale_frame_push(world.mutator, &frame, &local, 4);
    for (int i = 0; i < LIST; i++)
        local.list = make(&local.list);
    while (local.list != NULL) {
        local.turned = NULL;
        for (local.from = local.list; local.from != NULL;) {
            struct node *next = local.from->next;
            local.from->next = local.turned;
            local.turned = local.from;
            local.from = next;
            make(&local.none);
        }
        local.list = local.turned;
    }
    return EXIT_UNNOTICED;
}

/* Reads by an address that was held across an allocation. */
static int read_by_held_address(void)
{
    shale_options options;
    shale_options_init(&options);
    options.stress = 1;
    start(&options);
    shale_statistics statistics;
    shale_heap_statistics(world.heap, &statistics);
    if (statistics.compaction == SHALE_COMPACTION_IN_PAUSE)
        return EXIT_CANNOT; /* nothing faults */
    struct {
        struct node *node, *none;
    } local = {NULL, NULL};
    shale_frame frame;
    shale_frame_push(world.mutator, &frame, &local, 2);
    local.node = make(&local.none);
    while (__atomic_load_n(&world.stray_seen, __ATOMIC_ACQUIRE) == 0) {
        const volatile struct node *held = local.node;
        make(&local.none);
        (void)held->number;
    }
    return EXIT_NOTICED;
}

static const struct mistake {
    const char *name;
    int (*make)(void);
} mistakes[] = {
    {"hold_address", hold_address},
    {"forget_store", forget_store},
    {"read_by_held_address", read_by_held_address},
};

/* A library that is compiled with its checks takes the memory that objects have left away, so that who goes there is ended by the
 * system, or by a sanitizer, before anybody has said anything. */
#ifdef SHALE_DEBUG
enum { MEMORY_IS_TAKEN_AWAY = true };
#else
enum { MEMORY_IS_TAKEN_AWAY = false };
#endif

/* ---- the tests -------------------------------------------------------------------------------------- */

/* Runs this program with the name of a mistake. Returns how it ended; `text` is what it printed to standard error, as far as there
 * is room: the end of it. */
static int run_mistake(const char *name, char *text, size_t room)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "test_mistakes", name, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    size_t length = 0;
    for (;;) {
        if (length + 1 >= room) {
            memmove(text, text + room / 2, length - room / 2);
            length -= room / 2;
        }
        ssize_t got = read(ends[0], text + length, room - 1 - length);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        length += got > 0 ? (size_t)got : 0;
    }
    text[length] = '\0';
    close(ends[0]);
    int status;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return status;
}

static bool was_ended(int status)
{
    return WIFSIGNALED(status) ||
           (WEXITSTATUS(status) != EXIT_NOTICED && WEXITSTATUS(status) != EXIT_NO_HEAP &&
            WEXITSTATUS(status) != EXIT_UNNOTICED && WEXITSTATUS(status) != 127);
}

static void check_text(const char *text, const char *sentence)
{
    if (strstr(text, sentence) == NULL)
        print_message("%s", text);
    assert_non_null(strstr(text, sentence));
}

static void test_held_address_is_found_in_a_root(void **state)
{
    char text[4096];
    (void)state;
    int status = run_mistake("hold_address", text, sizeof text);
    assert_true(was_ended(status));
    if (!MEMORY_IS_TAKEN_AWAY)
        check_text(text, "a root holds");
}

static void test_forgotten_store_is_found(void **state)
{
    char text[4096];
    (void)state;
    int status = run_mistake("forget_store", text, sizeof text);
    assert_true(was_ended(status));
    check_text(text, "marking missed it");
}

static void test_reading_by_a_held_address_is_told(void **state)
{
    char text[4096];
    (void)state;
    int status = run_mistake("read_by_held_address", text, sizeof text);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CANNOT)
        skip();
    if (MEMORY_IS_TAKEN_AWAY && was_ended(status))
        return;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOTICED);
    check_text(text, STRAY_LINE);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof mistakes / sizeof mistakes[0]; i++)
        if (strcmp(argv[1], mistakes[i].name) == 0)
            return mistakes[i].make();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_address_is_found_in_a_root),
        cmocka_unit_test(test_forgotten_store_is_found),
        cmocka_unit_test(test_reading_by_a_held_address_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
