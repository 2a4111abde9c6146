/*
 * Swarm test: many threads, each with a graph of its own and its copy, one graph that they share under a lock, and objects
 * that they pass to each other under none. Each run draws from its seed how the heap is set up and which features are used at all, so that
 * different runs meet different mixes, also those in which a feature is missing.
 */
#include "runtime/inside.h"
#include "tests/support/exchange.h"
#include "tests/support/shadow_graph.h"
#include "tests/support/shadow_weak.h"
#include "tests/support/stress_support.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum feature {
    USE_SHARED = 1,         /* a graph that all threads change */
    USE_DETACH = 2,         /* detach and attach again now and then */
    USE_NATIVE = 4,         /* native sections with work outside */
    USE_COLLECT = 8,        /* shale_collect, and wait */
    USE_COLLECT_START = 16, /* ask only */
    USE_MOVE_SLOTS = 32,
    USE_STATISTICS = 64,    /* a thread that is not attached reads statistics all the time */
    USE_VERIFY_OFTEN = 128, /* compare everything now and then, not only at the end */
    USE_PRESSURE = 256,     /* live data up to where allocations stall and fail */
    USE_FRAMES = 512,
    USE_MUTATOR_VISITOR = 1024,
    USE_POLL = 2048,           /* shale_poll between steps */
    USE_OTHER_HEAPS = 4096,    /* a thread that makes, uses and destroys other heaps all the time */
    USE_HASHES = 8192,         /* identity hashes */
    USE_EXCHANGE = 16384,      /* stores that race with each other */
    USE_WEAK = 32768,          /* weak references, ephemerons and finalizers beside the graphs */
    USE_PINS = 65536,          /* objects pinned while the graphs change */
    USE_CRITICAL = 131072,     /* critical sections */
    USE_CELLS = 262144,        /* objects that were allocated pinned */
    USE_CONSERVATIVE = 524288, /* threads with conservative roots among the others */
    USE_LARGE = 1048576,       /* large arrays */
    FEATURES = 2097151
};

static const char *const feature_names[] = {
    "shared",       "detach",   "native", "collect",     "start", "move-slots",   "statistics",
    "verify-often", "pressure", "frames", "own-visitor", "poll",  "other-heaps",  "hashes",
    "exchange",     "weak",     "pins",   "critical",    "cells", "conservative", "large"};

struct run {
    uint64_t seed;
    unsigned features;
    unsigned threads;
    enum stress_mode mode;
    enum shadow_encoding encoding;
    shale_options options;
    shale_heap *heap;
    struct shadow_types types;
    struct shadow_graph shared;
    struct shadow_weak shared_weak;
    pthread_mutex_t shared_lock;
    struct exchange exchange;
    uint64_t deadline;
    uint32_t finished; /* atomic */
};

struct worker {
    struct run *run;
    unsigned index;
};

static bool uses(const struct run *run, enum feature feature)
{
    return (run->features & feature) != 0;
}

/* ---- a thread -------------------------------------------------------------------------------------- */

/* Each thread may have a block for each size of pinned objects, and words on its stack that hold back a dozen regions: more
 * than the smallest heaps have. */
static bool null_is_error(const struct run *run)
{
    return !uses(run, USE_PRESSURE) && !uses(run, USE_CELLS) && !uses(run, USE_CONSERVATIVE);
}

static enum shadow_show draw_show(const struct run *run, struct stress_random *random)
{
    uint32_t draw = stress_random_below(random, 3);
    if (draw == 0 && uses(run, USE_FRAMES))
        return SHADOW_IN_FRAMES;
    if (draw <= 1 && uses(run, USE_MUTATOR_VISITOR))
        return SHADOW_IN_MUTATOR_VISITOR;
    return uses(run, USE_FRAMES) ? SHADOW_IN_FRAMES : SHADOW_IN_HEAP_VISITOR;
}

static void step_graph(const struct run *run, struct shadow_graph *graph, struct shadow_weak *weak)
{
    if (uses(run, USE_WEAK) && stress_random_chance(&graph->random, 4))
        shadow_weak_step(weak);
    else
        shadow_graph_step(graph);
}

/* The copy learns where objects are and compares, in memory that nobody scans: so nothing may move meanwhile. */
static void verify_graph(struct shadow_graph *graph, struct shadow_weak *weak)
{
    INSIDE();
    shadow_weak_verify(weak);
    shadow_graph_verify(graph);
}

static void use_shared(struct run *run, shale_mutator *mutator, struct stress_random *random)
{
    stress_lock(mutator, &run->shared_lock);
    shadow_graph_enter(&run->shared, mutator, draw_show(run, random));
    for (unsigned steps = 1 + stress_random_below(random, 30); steps != 0; steps--)
        step_graph(run, &run->shared, &run->shared_weak);
    if (uses(run, USE_VERIFY_OFTEN) && stress_random_chance(random, 16))
        verify_graph(&run->shared, &run->shared_weak);
    shadow_graph_leave(&run->shared);
    pthread_mutex_unlock(&run->shared_lock);
}

/* Something that takes a while and is none of the heap's business. */
static void work_outside(struct stress_random *random)
{
    size_t size = 1 + stress_random_below(random, 4096);
    unsigned char *block = malloc(size);
    for (size_t i = 0; block != NULL && i < size; i++)
        block[i] = (unsigned char)stress_random_next(random);
    free(block);
}

/* Pins one of the graph's objects, and goes on with the graph. The slot would be rewritten if it moved. */
static void pin_for_a_while(const struct run *run, shale_mutator *mutator, struct shadow_graph *graph,
                            struct shadow_weak *weak, struct stress_random *random)
{
    struct {
        void *object;
    } local = {graph->pointers[stress_random_below(random, SHADOW_ROOTS)]};
    void *pinned = local.object;
    if (pinned == NULL)
        return;
    bool by_count = stress_random_chance(random, 2);
    shale_pin_scope scope;
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 1);
    STRESS_CHECK((by_count ? shale_pin(mutator, pinned) : shale_pin_begin(mutator, &scope, pinned)) ==
                     SHALE_OK,
                 "pinning");
    for (unsigned steps = stress_random_below(random, 50); steps != 0; steps--)
        step_graph(run, graph, weak);
    STRESS_CHECK(local.object == pinned, "a pinned object moved");
    STRESS_CHECK((by_count ? shale_unpin(mutator, pinned) : shale_pin_end(mutator, &scope)) == SHALE_OK,
                 "unpinning");
    shale_frame_pop(mutator, &frame);
}

static void use_critical(shale_mutator *mutator, const struct shadow_graph *graph,
                         struct stress_random *random)
{
    STRESS_CHECK(shale_enter_critical(mutator) == SHALE_OK, "entering a critical section");
    unsigned i = stress_random_below(random, SHADOW_ROOTS);
    const void *before = graph->pointers[i];
    shale_poll(mutator);
    STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering a native section");
    work_outside(random);
    STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving a native section");
    STRESS_CHECK(graph->pointers[i] == before, "an object moved in a critical section");
    STRESS_CHECK(shale_leave_critical(mutator) == SHALE_OK, "leaving a critical section");
}

static void step(struct run *run, shale_mutator *mutator, struct shadow_graph *graph,
                 struct shadow_weak *weak, struct stress_random *random)
{
    uint32_t draw = stress_random_below(random, 1000);
    if (draw < 4 && uses(run, USE_COLLECT)) {
        bool all = stress_random_chance(random, 2);
        STRESS_CHECK(shale_collect(mutator, all ? SHALE_COLLECT_MOVE_ALL : SHALE_COLLECT_NORMAL) == SHALE_OK,
                     "collecting");
    } else if (draw < 8 && uses(run, USE_COLLECT_START)) {
        STRESS_CHECK(shale_collect_start(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "starting a cycle");
    } else if (draw < 40 && uses(run, USE_NATIVE)) {
        STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering a native section");
        work_outside(random);
        STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving a native section");
    } else if (draw < 44 && uses(run, USE_VERIFY_OFTEN)) {
        verify_graph(graph, weak);
    } else if (draw < 100 && uses(run, USE_SHARED)) {
        use_shared(run, mutator, random);
    } else if (draw < 250 && uses(run, USE_EXCHANGE)) {
        exchange_use(&run->exchange, mutator, random);
    } else if (draw < 265 && uses(run, USE_PINS)) {
        pin_for_a_while(run, mutator, graph, weak, random);
    } else if (draw < 280 && uses(run, USE_CRITICAL)) {
        use_critical(mutator, graph, random);
    } else {
        step_graph(run, graph, weak);
        if (uses(run, USE_POLL))
            shale_poll(mutator);
    }
}

/* What keeps a graph alive is shown in either case; of a conservative mutator it lies on its stack as well. */
static shale_mutator *attach(const struct run *run, struct stress_random *random)
{
    if (!uses(run, USE_CONSERVATIVE) || stress_random_chance(random, 2))
        return stress_attach(run->heap);
    return stress_attach_conservative(run->heap);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct run *run = worker->run;
    struct stress_random random = stress_random_make(run->seed + 1000 + worker->index);
    struct shadow_graph graph;
    struct shadow_weak weak;
    size_t share = run->options.heap_size / 3 / (run->threads + 1);
    shadow_graph_init(&graph, run->heap, &run->types, run->seed * 64 + worker->index + 1, share);
    shadow_weak_init(&weak, &graph);
    graph.move_slots = uses(run, USE_MOVE_SLOTS);
    graph.hashes = uses(run, USE_HASHES);
    graph.pinned = uses(run, USE_CELLS);
    graph.large = uses(run, USE_LARGE);
    graph.null_is_error = null_is_error(run);
    if (uses(run, USE_PRESSURE))
        graph.budget = run->options.heap_size / run->threads;

    shale_mutator *mutator = attach(run, &random);
    shadow_graph_enter(&graph, mutator, draw_show(run, &random));
    while (stress_milliseconds() < run->deadline) {
        for (int i = 0; i < 16; i++)
            step(run, mutator, &graph, &weak, &random);
        if (uses(run, USE_DETACH) && stress_random_chance(&random, 8)) {
            shadow_graph_leave(&graph);
            STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
            if (stress_random_chance(&random, 4))
                work_outside(&random);
            mutator = attach(run, &random);
            shadow_graph_enter(&graph, mutator, draw_show(run, &random));
        }
    }
    verify_graph(&graph, &weak);
    shadow_weak_clear(&weak);
    shadow_graph_clear(&graph);
    shadow_graph_leave(&graph);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    shadow_weak_end(&weak);
    shadow_graph_end(&graph);
    return NULL;
}

/* ---- statistics, from outside ---------------------------------------------------------------------- */

static void check_statistics(const struct run *run, const shale_statistics *before,
                             const shale_statistics *now)
{
    STRESS_CHECK(now->heap_size == run->options.heap_size, "the heap's size changed");
    STRESS_CHECK(now->cycles >= before->cycles && now->flips >= before->flips &&
                     now->faults >= before->faults && now->bytes_moved >= before->bytes_moved &&
                     now->bytes_allocated >= before->bytes_allocated,
                 "a count went back");
    STRESS_CHECK(now->used_bytes <= now->heap_size && now->live_bytes <= now->heap_size,
                 "more in use than there is");
    STRESS_CHECK(now->flip_pause.p50 <= now->flip_pause.maximum || now->flip_pause.count == 0,
                 "the median pause is longer than the longest");
}

static void show_nothing(void *context, shale_visitor *visitor)
{
    shale_visit_pointers(visitor, context, 1);
}

/* Also registers roots, which any thread may do at any time. */
static void *read_statistics(void *argument)
{
    struct run *run = argument;
    shale_statistics before = {.cycles = 0};
    void *nothing = NULL;
    shale_root_visitor *visitor = NULL;
    while (__atomic_load_n(&run->finished, __ATOMIC_ACQUIRE) == 0) {
        shale_statistics now;
        STRESS_CHECK(shale_heap_statistics(run->heap, &now) == SHALE_OK, "no statistics");
        check_statistics(run, &before, &now);
        before = now;
        if (visitor == NULL) {
            visitor = shale_heap_root_visitor_add(run->heap, show_nothing, &nothing);
            STRESS_CHECK(visitor != NULL, "no heap root visitor");
        } else {
            STRESS_CHECK(shale_root_visitor_remove(visitor) == SHALE_OK, "removing a heap root visitor");
            visitor = NULL;
        }
        struct timespec pause = {0, 300000};
        nanosleep(&pause, NULL);
    }
    STRESS_CHECK(shale_root_visitor_remove(visitor) == SHALE_OK, "removing a heap root visitor");
    return NULL;
}

/* ---- other heaps ----------------------------------------------------------------------------------- */

static void *make_other_heaps(void *argument)
{
    struct run *run = argument;
    struct stress_random random = stress_random_make(run->seed + 999);
    while (__atomic_load_n(&run->finished, __ATOMIC_ACQUIRE) == 0) {
        shale_options options;
        stress_options(&options, (enum stress_mode)stress_random_below(&random, STRESS_MODES),
                       (size_t)4 << 20, NULL);
        options.stress = stress_watched() ? 100 : 5;
        shale_heap *heap = stress_heap(&options);
        struct shadow_types types;
        shadow_types_register(&types, heap, SHADOW_PLAIN);
        struct shadow_graph graph;
        shadow_graph_init(&graph, heap, &types, stress_random_next(&random), (size_t)512 << 10);
        graph.hashes = true;
        shale_mutator *mutator = stress_attach(heap);
        shadow_graph_enter(&graph, mutator, SHADOW_IN_FRAMES);
        for (unsigned steps = stress_random_below(&random, 500); steps != 0; steps--)
            shadow_graph_step(&graph);
        shadow_graph_verify(&graph);
        shadow_graph_clear(&graph);
        shadow_graph_leave(&graph);
        STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
        shadow_graph_end(&graph);
        stress_heap_end(heap);
    }
    return NULL;
}

/* ---- a run ----------------------------------------------------------------------------------------- */

static void draw_run(struct run *run)
{
    struct stress_random random = stress_random_make(run->seed);
    static const unsigned threads[] = {1, 2, 4, 8};
    static const unsigned stress[] = {0, 1, 3, 17};
    run->features = (unsigned)stress_random_next(&random) & FEATURES;
    if (!stress_random_chance(&random, 4))
        run->features &= ~(unsigned)USE_PRESSURE;
    run->threads = threads[stress_random_below(&random, 4)];
    run->mode = (enum stress_mode)stress_random_below(&random, 8);
    if (run->mode >= STRESS_MODES)
        run->mode = run->mode % 2 == 0 ? STRESS_THREAD : STRESS_SIGNAL;
    run->encoding = (enum shadow_encoding)stress_random_below(&random, SHADOW_ENCODINGS);
    size_t heap_size = (size_t)8 << 20 << stress_random_below(&random, 3);
    stress_options(&run->options, run->mode, heap_size, "have been pinned");
    run->options.stress = stress[stress_random_below(&random, 4)];
    run->options.verify = (int)stress_random_below(&random, 3);
    run->options.target = stress_random_below(&random, 8) == 0 ? 0 : 110 + stress_random_below(&random, 400);
    run->options.evacuate = stress_random_below(&random, 101);
    run->options.critical = 60000; /* sections are short, but a loaded machine is no mistake */
    run->options.workers = stress_random_below(&random, 4); /* 0: as many as processors are free */
    run->options.encoding = shadow_encoding_options(run->encoding);
    bool pages = stress_random_chance(&random, 3) && stress_pages_work();
    run->options.barrier = stress_barrier_given(pages ? SHALE_BARRIER_PAGES : SHALE_BARRIER_STORES);
    /* When each allocation is a slow path, counting them as often would leave time for nothing else. */
    if (stress_watched())
        run->options.stress *= 100;
}

/* To narrow a failure down: TEST_FEATURES, TEST_MODE, TEST_THREADS and so on replace what was drawn. */
static unsigned instead(const char *variable, unsigned drawn)
{
    const char *given = getenv(variable);
    return given != NULL ? (unsigned)strtoul(given, NULL, 0) : drawn;
}

static void replace_drawn(struct run *run)
{
    run->features = instead("TEST_FEATURES", run->features);
    run->threads = instead("TEST_THREADS", run->threads);
    run->mode = (enum stress_mode)instead("TEST_MODE", run->mode);
    run->options.faults = run->mode == STRESS_SIGNAL ? SHALE_FAULTS_SIGNAL : SHALE_FAULTS_THREAD;
    run->options.concurrent = run->mode == STRESS_NEVER ? SHALE_CONCURRENT_NEVER : SHALE_CONCURRENT_AUTO;
    run->options.stress = instead("TEST_STRESS", run->options.stress);
    run->options.verify = (int)instead("TEST_VERIFY", (unsigned)run->options.verify);
    run->options.workers = instead("TEST_WORKERS", run->options.workers);
}

static void print_run(const struct run *run)
{
    printf("  seed %llu: %u threads, %u workers, heap %zuM, faults %s, barrier %s, stress %u, verify %d, "
           "target %u, "
           "evacuate %u, %s:",
           (unsigned long long)run->seed, run->threads, run->options.workers, run->options.heap_size >> 20,
           stress_mode_names[run->mode], run->options.barrier == SHALE_BARRIER_PAGES ? "pages" : "stores",
           run->options.stress, run->options.verify, run->options.target, run->options.evacuate,
           shadow_encoding_names[run->encoding]);
    for (unsigned i = 0; i < sizeof feature_names / sizeof feature_names[0]; i++) {
        if ((run->features >> i & 1) != 0)
            printf(" %s", feature_names[i]);
    }
    printf("\n");
}

static void end_shared(struct run *run)
{
    shale_mutator *mutator = stress_attach(run->heap);
    shadow_graph_enter(&run->shared, mutator, SHADOW_IN_FRAMES);
    verify_graph(&run->shared, &run->shared_weak);
    STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
    verify_graph(&run->shared, &run->shared_weak);
    shadow_weak_clear(&run->shared_weak);
    shadow_graph_clear(&run->shared);
    exchange_end(&run->exchange, mutator);
    do {
        STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_NORMAL) == SHALE_OK, "collecting");
    } while (shadow_weak_take(&run->shared, UINT_MAX) != 0);
    shadow_graph_leave(&run->shared);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    shadow_weak_end(&run->shared_weak);
    shadow_graph_end(&run->shared);
    shale_statistics statistics;
    shale_heap_statistics(run->heap, &statistics);
    STRESS_CHECK(statistics.live_bytes == 0, "%llu bytes live with no roots",
                 (unsigned long long)statistics.live_bytes);
    printf(
        "    %llu cycles, %llu flips, %llu faults, pages by workers %llu, server %llu, mutators %llu, %llu "
        "stalls\n",
        (unsigned long long)statistics.cycles, (unsigned long long)statistics.flips,
        (unsigned long long)statistics.faults, (unsigned long long)statistics.pages_by_workers,
        (unsigned long long)statistics.pages_by_server, (unsigned long long)statistics.pages_by_mutators,
        (unsigned long long)statistics.allocation_stalls);
}

static void one_run(uint64_t seed, unsigned milliseconds)
{
    struct run run = {.seed = seed};
    draw_run(&run);
    replace_drawn(&run);
    print_run(&run);
    run.heap = stress_heap(&run.options);
    shadow_types_register(&run.types, run.heap, run.encoding);
    pthread_mutex_init(&run.shared_lock, NULL);
    size_t share = run.options.heap_size / 3 / (run.threads + 1);
    shadow_graph_init(&run.shared, run.heap, &run.types, seed * 64, share);
    shadow_weak_init(&run.shared_weak, &run.shared);
    run.shared.move_slots = uses(&run, USE_MOVE_SLOTS);
    run.shared.hashes = uses(&run, USE_HASHES);
    run.shared.pinned = uses(&run, USE_CELLS);
    run.shared.large = uses(&run, USE_LARGE);
    run.shared.null_is_error = null_is_error(&run);
    shale_mutator *mutator = stress_attach(run.heap);
    exchange_init(&run.exchange, run.heap, mutator);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    run.deadline = stress_milliseconds() + milliseconds;

    pthread_t beside[2];
    unsigned beside_count = 0;
    if (uses(&run, USE_STATISTICS))
        STRESS_CHECK(pthread_create(&beside[beside_count++], NULL, read_statistics, &run) == 0, "no thread");
    if (uses(&run, USE_OTHER_HEAPS))
        STRESS_CHECK(pthread_create(&beside[beside_count++], NULL, make_other_heaps, &run) == 0, "no thread");
    struct worker workers[8];
    for (unsigned i = 0; i < run.threads; i++)
        workers[i] = (struct worker){&run, i};
    stress_threads(run.threads, work, workers, sizeof workers[0]);
    __atomic_store_n(&run.finished, 1, __ATOMIC_RELEASE);
    while (beside_count != 0)
        pthread_join(beside[--beside_count], NULL);
    end_shared(&run);
    pthread_mutex_destroy(&run.shared_lock);
    stress_heap_end(run.heap);
}

static void swarm(void **state)
{
    (void)state;
    unsigned runs = stress_runs(16, 5);
    unsigned milliseconds = stress_quick() ? 500 : 1200;
    uint64_t end = stress_milliseconds() + 60000 * (uint64_t)instead("TEST_MINUTES", 0);
    /* The first run's seed is the program's, so that a single run is repeated with TEST_RUNS=1. */
    for (unsigned i = 0; i < runs || stress_milliseconds() < end; i++)
        one_run(i == 0 ? stress_seed() : stress_mix(stress_seed() + i) >> 32, milliseconds);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(swarm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
