/*
 * Objects pinned and unpinned all the time while everything else moves all the time: what is pinned stays where it is with
 * what it holds, also when nothing but an address outside the collector's sight leads to it; what is not goes on moving. All
 * threads pin objects of a table that they share, too, by count.
 */
#include "runtime/heap.h"
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 3, OWN = 300, PINNED = 24, SHARED = 400, DATA = 4, DEEP = 6 };

struct cell {
    struct cell *next;
    uint64_t data[DATA];
};

struct run {
    shale_heap *heap;
    const shale_type *cell;
    const shale_type *table_type;
    shale_handle *table; /* of SHARED cells */
    uint64_t deadline;
    uint64_t pins; /* atomic */
};

/* What nobody but its pin keeps, and what is known of it. */
struct pinned {
    struct cell *cell; /* NULL: none; not a root */
    uint64_t seed;
    unsigned count;
};

struct worker {
    struct run *run;
    unsigned index;
    shale_mutator *mutator;
    struct stress_random random;
    struct cell *cells[OWN];
    struct pinned pinned[PINNED];
};

static uint64_t data_of(uint64_t seed, unsigned i)
{
    return (seed + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct cell *make(struct worker *worker, uint64_t seed)
{
    struct cell *cell = shale_allocate(worker->mutator, worker->run->cell);
    STRESS_CHECK(cell != NULL, "%s", shale_last_error(worker->mutator)->message);
    for (unsigned i = 0; i < DATA; i++)
        cell->data[i] = data_of(seed, i);
    return cell;
}

static void check(const struct cell *cell, uint64_t seed, const char *which)
{
    for (unsigned i = 0; i < DATA; i++)
        STRESS_CHECK(cell->data[i] == data_of(seed, i), "%s has lost its contents", which);
}

static uint64_t seed_of(const struct cell *cell)
{
    return cell->data[0] * UINT64_C(0xf1de83e19937733d) - 1; /* the factor's inverse */
}

/* A pinned cell, and one that only it leads to, which moves. */
static void check_pinned(const struct pinned *pinned)
{
    check(pinned->cell, pinned->seed, "a pinned object");
    check(pinned->cell->next, pinned->seed + 1, "what a pinned object leads to");
}

static void pin_more(struct worker *worker)
{
    struct pinned *pinned = &worker->pinned[stress_random_below(&worker->random, PINNED)];
    if (pinned->cell != NULL) {
        check_pinned(pinned);
        if (pinned->count < 5 && stress_random_chance(&worker->random, 3)) {
            STRESS_CHECK(shale_pin(worker->mutator, pinned->cell) == SHALE_OK, "pinning again");
            pinned->count++;
            return;
        }
        STRESS_CHECK(shale_unpin(worker->mutator, pinned->cell) == SHALE_OK, "unpinning");
        if (--pinned->count == 0)
            pinned->cell = NULL;
        return;
    }
    unsigned i = stress_random_below(&worker->random, OWN);
    if (worker->cells[i] == NULL || worker->cells[i]->next == NULL)
        return;
    *pinned = (struct pinned){worker->cells[i], seed_of(worker->cells[i]), 1};
    STRESS_CHECK(shale_pin(worker->mutator, pinned->cell) == SHALE_OK, "pinning");
    worker->cells[i] = NULL; /* from now on only the pin keeps it */
    __atomic_fetch_add(&worker->run->pins, 1, __ATOMIC_RELAXED);
}

static void renew_own(struct worker *worker)
{
    unsigned i = stress_random_below(&worker->random, OWN);
    uint64_t seed = (uint64_t)stress_random_below(&worker->random, UINT32_MAX) + 1;
    worker->cells[i] = make(worker, seed);
    struct cell *next = make(worker, seed + 1);
    shale_store(worker->mutator, worker->cells[i], &worker->cells[i]->next, next);
}

/* Scopes within each other, and garbage between. */
static void pin_deep(struct worker *worker, unsigned depth)
{
    unsigned i = stress_random_below(&worker->random, OWN);
    struct cell *cell = worker->cells[i];
    if (depth == 0 || cell == NULL)
        return;
    uint64_t seed = seed_of(cell);
    shale_pin_scope scope;
    STRESS_CHECK(shale_pin_begin(worker->mutator, &scope, cell) == SHALE_OK, "pinning for a scope");
    for (unsigned j = stress_random_below(&worker->random, 100); j != 0; j--)
        renew_own(worker);
    pin_deep(worker, depth - 1);
    check(cell, seed, "an object pinned for a scope");
    STRESS_CHECK(shale_pin_end(worker->mutator, &scope) == SHALE_OK, "ending a scope");
}

/* Others pin and unpin the same. The frame's slot is rewritten if the object moves. */
static void use_shared(struct worker *worker)
{
    struct {
        struct cell *cell;
    } local;
    struct cell **table = shale_handle_get(worker->run->table);
    unsigned i = stress_random_below(&worker->random, SHARED);
    local.cell = table[i];
    struct cell *pinned = local.cell;
    shale_frame frame;
    shale_frame_push(worker->mutator, &frame, &local, 1);
    STRESS_CHECK(shale_pin(worker->mutator, pinned) == SHALE_OK, "pinning a shared object");
    for (unsigned j = stress_random_below(&worker->random, 60); j != 0; j--)
        renew_own(worker);
    STRESS_CHECK(local.cell == pinned, "an object moved though it was pinned");
    check(pinned, i, "a shared object");
    STRESS_CHECK(shale_unpin(worker->mutator, pinned) == SHALE_OK, "unpinning a shared object");
    shale_frame_pop(worker->mutator, &frame);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct run *run = worker->run;
    worker->mutator = stress_attach(run->heap);
    worker->random = stress_random_make(stress_seed() + worker->index);
    shale_frame frame;
    shale_frame_push(worker->mutator, &frame, worker->cells, OWN);
    while (stress_milliseconds() < run->deadline) {
        for (unsigned step = 0; step < 300; step++) {
            if (stress_random_chance(&worker->random, 150))
                STRESS_CHECK(shale_collect_start(worker->mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK,
                             "starting a cycle");
            /* Between the plan and the flip, which waits for this thread. */
            while (atomic_u32_load(&run->heap->collector.plan.stage) == PLAN_MADE && step < 300) {
                pin_more(worker);
                step++;
            }
            switch (stress_random_below(&worker->random, 8)) {
            case 0:
                use_shared(worker);
                break;
            case 1:
                pin_deep(worker, DEEP);
                break;
            case 2:
                pin_more(worker);
                break;
            default:
                renew_own(worker);
            }
            shale_poll(worker->mutator);
        }
    }
    /* The pins outlive this thread's membership. */
    shale_frame_pop(worker->mutator, &frame);
    STRESS_CHECK(shale_detach(worker->mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void create(struct run *run, enum stress_mode mode, int verify, unsigned stress)
{
    shale_options options;
    stress_options(&options, mode, (size_t)48 << 20, "have been pinned");
    options.verify = verify;
    options.stress = stress;
    run->heap = stress_heap(&options);
    static const uint32_t first[] = {0};
    shale_type_spec cell = {
        .name = "cell", .size = sizeof(struct cell), .pointers = first, .pointer_count = 1};
    shale_type_spec table = {
        .name = "table", .element_size = 8, .element_pointers = first, .element_pointer_count = 1};
    run->cell = shale_type_register(run->heap, &cell, NULL);
    run->table_type = shale_type_register(run->heap, &table, NULL);
    STRESS_CHECK(run->cell != NULL && run->table_type != NULL, "no types");
    struct worker maker = {.run = run, .mutator = stress_attach(run->heap)};
    run->table =
        shale_handle_create(maker.mutator, shale_allocate_array(maker.mutator, run->table_type, SHARED));
    STRESS_CHECK(run->table != NULL, "no table");
    for (unsigned i = 0; i < SHARED; i++) {
        struct cell *made = make(&maker, i);
        struct cell **cells = shale_handle_get(run->table);
        shale_store(maker.mutator, cells, &cells[i], made);
    }
    STRESS_CHECK(shale_detach(maker.mutator) == SHALE_OK, "detaching");
}

/* After the threads: what they left pinned is as it was, until it is unpinned. */
static void unpin_rest(struct run *run, struct worker *workers)
{
    shale_mutator *mutator = stress_attach(run->heap);
    STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
    for (unsigned i = 0; i < THREADS * PINNED; i++) {
        struct pinned *pinned = &workers[i / PINNED].pinned[i % PINNED];
        if (pinned->cell == NULL)
            continue;
        check_pinned(pinned);
        for (; pinned->count != 0; pinned->count--)
            STRESS_CHECK(shale_unpin(mutator, pinned->cell) == SHALE_OK, "unpinning");
    }
    STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
    shale_statistics statistics;
    shale_heap_statistics(run->heap, &statistics);
    STRESS_CHECK(statistics.regions_pinned == 0, "%llu regions are pinned though no object is",
                 (unsigned long long)statistics.regions_pinned);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
}

static void one_run(enum stress_mode mode, int verify, unsigned stress)
{
    if (!stress_mode_works(mode))
        return;
    static struct run run;
    run = (struct run){.deadline = stress_milliseconds() + (stress_quick() ? 200 : 900)};
    create(&run, mode, verify, stress);
    static struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.run = &run, .index = i};
    stress_threads(THREADS, work, workers, sizeof workers[0]);
    unpin_rest(&run, workers);
    shale_statistics statistics;
    shale_heap_statistics(run.heap, &statistics);
    printf("  faults %s, verify %d, stress %u: %llu pins, %llu flips, %llu regions held back\n",
           stress_mode_names[mode], verify, stress, (unsigned long long)run.pins,
           (unsigned long long)statistics.flips, (unsigned long long)statistics.regions_held_back);
    stress_heap_end(run.heap);
}

static void test_pinned_while_all_moves(void **state)
{
    (void)state;
    for (int verify = 0; verify <= 2; verify++) {
        for (unsigned stress = 0; stress <= 20; stress += 20) {
            one_run(STRESS_THREAD, verify, stress);
            one_run(STRESS_SIGNAL, verify, stress);
        }
        one_run(STRESS_NEVER, verify, 20);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pinned_while_all_moves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
