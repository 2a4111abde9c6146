/*
 * Safepoints: threads that keep the collector waiting are named, threads in native sections keep nobody waiting, and
 * attaching, detaching and leaving a native section may meet any stage of a cycle.
 */
#include "tests/support/log_lines.h"
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { HEAP_SIZE = 8 << 20 };

struct node {
    struct node *rest;
    uint64_t number;
};

static const shale_type *register_node(shale_heap *heap)
{
    static const uint32_t pointers[] = {0};
    shale_type_spec spec = {
        .name = "node", .size = sizeof(struct node), .pointers = pointers, .pointer_count = 1};
    const shale_type *type = shale_type_register(heap, &spec, NULL);
    STRESS_CHECK(type != NULL, "no type");
    return type;
}

static void sleep_microseconds(unsigned microseconds)
{
    struct timespec pause = {microseconds / 1000000, (long)(microseconds % 1000000) * 1000};
    nanosleep(&pause, NULL);
}

static bool is_set(const uint32_t *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE) != 0;
}

static void set(uint32_t *flag)
{
    __atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

static void collect(shale_mutator *mutator, shale_collect_kind kind)
{
    STRESS_CHECK(shale_collect(mutator, kind) == SHALE_OK, "collecting");
}

/* A list in a root of the mutator's, of one in `one_in` of the nodes that are made. */
static void make_list(shale_mutator *mutator, const shale_type *type, struct node **root, unsigned count,
                      unsigned one_in)
{
    for (unsigned i = 0; i < count; i++) {
        struct node *node = shale_allocate(mutator, type);
        STRESS_CHECK(node != NULL, "no memory");
        node->rest = *root;
        if (i % one_in == 0)
            *root = node;
    }
}

/* ---- threads that do not poll ------------------------------------------------------------------------- */

enum { PATIENCE = 100 }; /* milliseconds */

struct sluggish {
    shale_heap *heap;
    const char *name;
    uint32_t attached; /* atomic */
    uint32_t *go_on;   /* atomic: polls from then on */
    uint32_t *over;    /* atomic */
};

static void *be_sluggish(void *argument)
{
    struct sluggish *sluggish = argument;
    pthread_setname_np(pthread_self(), sluggish->name);
    shale_mutator *mutator = stress_attach(sluggish->heap);
    set(&sluggish->attached);
    while (!is_set(sluggish->go_on))
        sleep_microseconds(500);
    while (!is_set(sluggish->over)) {
        shale_poll(mutator);
        sleep_microseconds(100);
    }
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void *collect_once(void *argument)
{
    shale_heap *heap = argument;
    shale_mutator *mutator = stress_attach(heap);
    collect(mutator, SHALE_COLLECT_NORMAL);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static unsigned warnings(struct log_lines *lines, const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "for the thread \"%s\"", name);
    return log_lines_count(lines, SHALE_LOG_WARNING, quoted);
}

static void see_who_is_named(unsigned poll_warning, struct log_lines *lines)
{
    shale_options options;
    stress_options(&options, STRESS_NEVER, HEAP_SIZE, NULL);
    options.poll_warning = poll_warning;
    log_lines_connect(lines, &options, SHALE_LOG_WARNING);
    shale_heap *heap = stress_heap(&options);
    uint32_t go_on = 0;
    uint32_t over = 0;
    struct sluggish sluggish[] = {{.heap = heap, .name = "sluggish-one", .go_on = &go_on, .over = &over},
                                  {.heap = heap, .name = "sluggish-two", .go_on = &go_on, .over = &over}};
    pthread_t threads[3];
    for (int i = 0; i < 2; i++) {
        STRESS_CHECK(pthread_create(&threads[i], NULL, be_sluggish, &sluggish[i]) == 0, "no thread");
        while (!is_set(&sluggish[i].attached))
            sleep_microseconds(500);
    }
    STRESS_CHECK(pthread_create(&threads[2], NULL, collect_once, heap) == 0, "no thread");
    uint64_t began = stress_milliseconds();
    while (stress_milliseconds() - began < 20 * PATIENCE ||
           (poll_warning != 0 && warnings(lines, "sluggish-two") == 0))
        sleep_microseconds(5000);
    /* It has waited for them many times as long, but names them once. */
    unsigned expected = poll_warning != 0 ? 1 : 0;
    assert_int_equal(warnings(lines, "sluggish-one"), expected);
    assert_int_equal(warnings(lines, "sluggish-two"), expected);
    assert_int_equal(log_lines_count(lines, SHALE_LOG_WARNING, "have it call shale_poll"), 2 * expected);
    set(&go_on);
    pthread_join(threads[2], NULL);
    set(&over);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    stress_heap_end(heap);
}

static void threads_that_do_not_poll_are_named_once(void **state)
{
    (void)state;
    static struct log_lines lines;
    log_lines_init(&lines);
    see_who_is_named(PATIENCE, &lines);
    log_lines_clear(&lines);
    see_who_is_named(0, &lines);
    log_lines_destroy(&lines);
}

/* ---- a thread in a native section ----------------------------------------------------------------------- */

struct sitter {
    shale_heap *heap;
    const shale_type *type;
    uint32_t sits; /* atomic */
    uint32_t over; /* atomic */
};

/* Is in a native section throughout, with an object in a frame, which moves meanwhile. */
static void *sit(void *argument)
{
    struct sitter *sitter = argument;
    shale_mutator *mutator = stress_attach(sitter->heap);
    struct {
        struct node *node;
    } local = {NULL};
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 1);
    local.node = shale_allocate(mutator, sitter->type);
    local.node->number = 42;
    STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering a native section");
    set(&sitter->sits);
    while (!is_set(&sitter->over))
        sleep_microseconds(1000);
    STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving a native section");
    STRESS_CHECK(local.node->number == 42 && local.node->rest == NULL, "the object in the frame changed");
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static shale_durations run_cycles(enum stress_mode mode, unsigned cycles, unsigned sitters)
{
    shale_options options;
    stress_options(&options, mode, HEAP_SIZE, NULL);
    shale_heap *heap = stress_heap(&options);
    struct sitter all[4];
    pthread_t threads[4];
    const shale_type *type = register_node(heap);
    for (unsigned i = 0; i < sitters; i++) {
        all[i] = (struct sitter){.heap = heap, .type = type};
        STRESS_CHECK(pthread_create(&threads[i], NULL, sit, &all[i]) == 0, "no thread");
        while (!is_set(&all[i].sits))
            sleep_microseconds(500);
    }
    shale_mutator *mutator = stress_attach(heap);
    struct {
        struct node *node;
    } local = {NULL};
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 1);
    /* Regions with something live, so that each cycle moves it. */
    make_list(mutator, type, &local.node, 20000, 5);
    for (unsigned i = 0; i < cycles; i++)
        collect(mutator, SHALE_COLLECT_MOVE_ALL);
    shale_frame_pop(mutator, &frame);
    for (unsigned i = 0; i < sitters; i++) {
        set(&all[i].over);
        STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering a native section");
        pthread_join(threads[i], NULL);
        STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving a native section");
    }
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    shale_statistics statistics;
    STRESS_CHECK(shale_heap_statistics(heap, &statistics) == SHALE_OK, "no statistics");
    STRESS_CHECK(statistics.cycles >= cycles && statistics.flips >= cycles / 2, "cycles are missing");
    stress_heap_end(heap);
    return statistics.time_to_stop;
}

/* That the cycles end at all is what counts: the threads leave their sections only afterwards. */
static void native_sections_delay_nobody(void **state)
{
    (void)state;
    unsigned cycles = stress_quick() ? 200 : 2000;
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        shale_durations alone = run_cycles((enum stress_mode)mode, cycles, 0);
        shale_durations with = run_cycles((enum stress_mode)mode, cycles, 4);
        printf(
            "  faults %s: half of the stops took at most %llu ns, with 4 threads in native sections %llu\n",
            stress_mode_names[mode], (unsigned long long)alone.p50, (unsigned long long)with.p50);
        assert_true(with.p50 < 10 * alone.p50 + 1000000);
    }
}

/* ---- a storm of attaching and detaching ------------------------------------------------------------------- */

struct storm {
    shale_heap *heap;
    const shale_type *type;
    uint64_t deadline;
    uint64_t seed;
    uint64_t attached; /* atomic: how often */
};

struct visitor_of_storm {
    struct storm *storm;
    unsigned index;
};

static void check_list(const struct node *node, uint64_t top)
{
    for (; node != NULL; node = node->rest, top--)
        STRESS_CHECK(node->number == top, "node %llu is %llu", (unsigned long long)top,
                     (unsigned long long)node->number);
    STRESS_CHECK(top == 0, "the list has lost %llu nodes", (unsigned long long)top);
}

/* A list that only a handle leads to while the thread is detached. */
static void *come_and_go(void *argument)
{
    struct visitor_of_storm *self = argument;
    struct storm *storm = self->storm;
    struct stress_random random = stress_random_make(storm->seed + self->index);
    shale_handle *handle = NULL;
    uint64_t top = 0;
    while (stress_milliseconds() < storm->deadline) {
        shale_mutator *mutator = stress_attach(storm->heap);
        __atomic_fetch_add(&storm->attached, 1, __ATOMIC_RELAXED);
        check_list(handle != NULL ? shale_handle_get(handle) : NULL, top);
        for (unsigned steps = stress_random_below(&random, 20); steps != 0; steps--) {
            struct node *node = shale_allocate(mutator, storm->type);
            STRESS_CHECK(node != NULL, "no memory");
            struct node *list = handle != NULL ? shale_handle_get(handle) : NULL;
            node->rest = list;
            node->number = ++top;
            if (handle == NULL)
                handle = shale_handle_create(mutator, node);
            else
                shale_handle_set(mutator, handle, node);
        }
        if (top > 200) {
            shale_handle_drop(mutator, handle);
            handle = NULL;
            top = 0;
        }
        if (stress_random_chance(&random, 8))
            shale_collect_start(mutator, SHALE_COLLECT_MOVE_ALL);
        STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    }
    return NULL;
}

static void threads_come_and_go_during_cycles(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        shale_options options;
        stress_options(&options, (enum stress_mode)mode, HEAP_SIZE, NULL);
        options.verify = mode == STRESS_THREAD ? 0 : 2;
        options.workers = 2;
        struct storm storm = {.heap = stress_heap(&options), .seed = stress_seed() + (unsigned)mode * 100};
        storm.type = register_node(storm.heap);
        storm.deadline = stress_milliseconds() + (stress_quick() ? 300 : 1500);
        struct visitor_of_storm visitors[THREADS];
        for (unsigned i = 0; i < THREADS; i++)
            visitors[i] = (struct visitor_of_storm){&storm, i};
        stress_threads(THREADS, come_and_go, visitors, sizeof visitors[0]);
        shale_statistics statistics;
        STRESS_CHECK(shale_heap_statistics(storm.heap, &statistics) == SHALE_OK, "no statistics");
        printf("  faults %s: attached %llu times in %llu cycles\n", stress_mode_names[mode],
               (unsigned long long)storm.attached, (unsigned long long)statistics.cycles);
        stress_heap_end(storm.heap);
    }
}

/* ---- leaving a native section while the collector is at it ------------------------------------------------- */

struct leaver {
    shale_heap *heap;
    const shale_type *type;
    uint64_t deadline;
    uint64_t seed;
    struct stress_random visits;
    struct node *root;
    uint32_t in_visit; /* atomic: the visitor runs */
    uint64_t visited;
};

/* Takes so long that the thread wants to leave its native section meanwhile. */
static void visit_slowly(void *context, shale_visitor *visitor)
{
    struct leaver *leaver = context;
    __atomic_store_n(&leaver->in_visit, 1, __ATOMIC_SEQ_CST);
    shale_visit_pointers(visitor, &leaver->root, 1);
    sleep_microseconds(stress_random_below(&leaver->visits, 300));
    leaver->visited++;
    __atomic_store_n(&leaver->in_visit, 0, __ATOMIC_SEQ_CST);
}

static void *leave_again_and_again(void *argument)
{
    struct leaver *leaver = argument;
    struct stress_random random = stress_random_make(leaver->seed);
    shale_mutator *mutator = stress_attach(leaver->heap);
    shale_root_visitor *visitor = shale_root_visitor_add(mutator, visit_slowly, leaver);
    STRESS_CHECK(visitor != NULL, "no visitor");
    uint64_t top = 0;
    while (stress_milliseconds() < leaver->deadline) {
        STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering a native section");
        sleep_microseconds(stress_random_below(&random, 400));
        STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving a native section");
        /* No safepoint from here on, so nobody may look at this thread's roots. */
        for (unsigned i = stress_random_below(&random, 200); i != 0; i--)
            STRESS_CHECK(!is_set(&leaver->in_visit), "the roots of a running thread are looked at");
        check_list(leaver->root, top);
        STRESS_CHECK(!is_set(&leaver->in_visit), "the roots of a running thread are looked at");
        if (top == 50) {
            leaver->root = NULL;
            top = 0;
        }
        struct node *node = shale_allocate(mutator, leaver->type);
        STRESS_CHECK(node != NULL, "no memory");
        node->number = ++top;
        node->rest = leaver->root;
        leaver->root = node;
    }
    STRESS_CHECK(shale_root_visitor_remove(visitor) == SHALE_OK, "removing a visitor");
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void native_sections_end_while_they_are_served(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        shale_options options;
        stress_options(&options, (enum stress_mode)mode, HEAP_SIZE, NULL);
        shale_heap *heap = stress_heap(&options);
        const shale_type *type = register_node(heap);
        struct leaver leavers[THREADS];
        pthread_t threads[THREADS];
        uint64_t deadline = stress_milliseconds() + (stress_quick() ? 300 : 1500);
        for (unsigned i = 0; i < THREADS; i++) {
            uint64_t seed = stress_seed() + i + 10 * (unsigned)mode;
            leavers[i] = (struct leaver){.heap = heap,
                                         .type = type,
                                         .deadline = deadline,
                                         .seed = seed,
                                         .visits = stress_random_make(seed + 5)};
            STRESS_CHECK(pthread_create(&threads[i], NULL, leave_again_and_again, &leavers[i]) == 0,
                         "no thread");
        }
        shale_mutator *mutator = stress_attach(heap);
        while (stress_milliseconds() < deadline)
            collect(mutator, SHALE_COLLECT_MOVE_ALL);
        STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
        uint64_t visited = 0;
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            visited += leavers[i].visited;
        }
        shale_statistics statistics;
        STRESS_CHECK(shale_heap_statistics(heap, &statistics) == SHALE_OK, "no statistics");
        printf("  faults %s: roots shown %llu times in %llu cycles\n", stress_mode_names[mode],
               (unsigned long long)visited, (unsigned long long)statistics.cycles);
        assert_int_not_equal(visited, 0);
        stress_heap_end(heap);
    }
}

/* ---- a visitor of the heap that comes while marking ends ---------------------------------------------------- */

struct slow_root {
    shale_heap *heap;
    void *root;
    uint64_t began; /* the number of complete cycles when it was shown first by its own thread */
    uint64_t ended;
    uint64_t shown; /* how often by its own thread */
    pthread_t thread;
};

static uint64_t cycles_of(shale_heap *heap)
{
    shale_statistics statistics;
    STRESS_CHECK(shale_heap_statistics(heap, &statistics) == SHALE_OK, "no statistics");
    return statistics.cycles;
}

static void show_slowly(void *context, shale_visitor *visitor)
{
    struct slow_root *root = context;
    if (!pthread_equal(root->thread, pthread_self())) {
        shale_visit_pointers(visitor, &root->root, 1);
        return;
    }
    root->began = cycles_of(root->heap);
    shale_visit_pointers(visitor, &root->root, 1);
    sleep_microseconds(20000);
    root->ended = cycles_of(root->heap);
    root->shown++;
}

static void *change_roots(void *argument)
{
    struct storm *storm = argument;
    struct slow_root root = {.heap = storm->heap, .thread = pthread_self()};
    while (stress_milliseconds() < storm->deadline) {
        shale_root_visitor *visitor = shale_heap_root_visitor_add(storm->heap, show_slowly, &root);
        STRESS_CHECK(visitor != NULL, "no visitor");
        STRESS_CHECK(shale_root_visitor_remove(visitor) == SHALE_OK, "removing a visitor");
        STRESS_CHECK(root.ended == root.began,
                     "a cycle ended while a root that its marking had to know changed");
        storm->attached = root.shown;
    }
    return NULL;
}

/* A thread that is not attached takes part in no handshake, and yet shades what its visitor shows: the marking must not
 * end before it has. */
static void roots_change_while_marking_ends(void **state)
{
    (void)state;
    shale_options options;
    stress_options(&options, STRESS_THREAD, HEAP_SIZE, NULL);
    struct storm storm = {.heap = stress_heap(&options)};
    storm.deadline = stress_milliseconds() + (stress_quick() ? 300 : 1500);
    pthread_t thread;
    STRESS_CHECK(pthread_create(&thread, NULL, change_roots, &storm) == 0, "no thread");
    shale_mutator *mutator = stress_attach(storm.heap);
    struct {
        struct node *node;
    } local = {NULL};
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 1);
    make_list(mutator, register_node(storm.heap), &local.node, 100000, 1); /* so that marking takes a while */
    while (stress_milliseconds() < storm.deadline)
        collect(mutator, SHALE_COLLECT_NORMAL);
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    pthread_join(thread, NULL);
    STRESS_CHECK(storm.attached != 0, "no root changed while objects were marked");
    printf("  changed %llu times during marking in %llu cycles\n", (unsigned long long)storm.attached,
           (unsigned long long)cycles_of(storm.heap));
    stress_heap_end(storm.heap);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_do_not_poll_are_named_once),
        cmocka_unit_test(native_sections_delay_nobody),
        cmocka_unit_test(threads_come_and_go_during_cycles),
        cmocka_unit_test(native_sections_end_while_they_are_served),
        cmocka_unit_test(roots_change_while_marking_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
