/*
 * Threads whose only roots are their stacks: each builds and drops binary trees with recursion and plain locals, and passes trees
 * to others through slots of a shared array, while threads with exact roots allocate and collect beside them. Each tree's
 * contents follow from its seed, so no copy of anything is kept.
 */
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct node {
    struct node *left;
    struct node *right;
    uint64_t seed;
    uint64_t filler; /* so that sizes differ from granule to granule */
};

enum { SHARED = 16, DEPTH_MAX = 9, THREADS = 4 };

struct run {
    shale_heap *heap;
    const shale_type *node;
    const shale_type *array;
    shale_handle *shared; /* an array of trees, stored to by all */
    uint64_t deadline;
    uint64_t seed;
};

struct worker {
    struct run *run;
    unsigned index;
    bool conservative;
};

static uint64_t seed_of_left(uint64_t seed)
{
    return stress_mix(seed * 2 + 1);
}

static uint64_t seed_of_right(uint64_t seed)
{
    return stress_mix(seed * 2 + 2);
}

static struct node *allocate(const struct run *run, shale_mutator *mutator, uint64_t seed)
{
    struct node *node =
        seed % 16 == 1 ? shale_allocate_pinned(mutator, run->node) : shale_allocate(mutator, run->node);
    STRESS_CHECK(node != NULL, "the heap is full");
    STRESS_CHECK(node->left == NULL && node->right == NULL && node->seed == 0, "a new object is not zero");
    node->seed = seed;
    node->filler = ~seed;
    return node;
}

/* From the top down, with the barrier, or from the bottom up, without. */
static struct node *make_tree(const struct run *run, shale_mutator *mutator, uint64_t seed, unsigned depth)
{
    if (seed % 3 == 0) {
        struct node *node = allocate(run, mutator, seed);
        if (depth != 0) {
            shale_store(mutator, node, &node->left, make_tree(run, mutator, seed_of_left(seed), depth - 1));
            shale_store(mutator, node, &node->right, make_tree(run, mutator, seed_of_right(seed), depth - 1));
        }
        return node;
    }
    struct node *left = depth != 0 ? make_tree(run, mutator, seed_of_left(seed), depth - 1) : NULL;
    struct node *right = depth != 0 ? make_tree(run, mutator, seed_of_right(seed), depth - 1) : NULL;
    struct node *node = allocate(run, mutator, seed);
    node->left = left;
    node->right = right;
    return node;
}

static void check_tree(const struct node *node, uint64_t seed)
{
    STRESS_CHECK(node->seed == seed && node->filler == ~seed,
                 "the node at %p has seed %#llx instead of %#llx", (const void *)node,
                 (unsigned long long)node->seed, (unsigned long long)seed);
    STRESS_CHECK((node->left == NULL) == (node->right == NULL), "a node has lost a child");
    if (node->left == NULL)
        return;
    check_tree(node->left, seed_of_left(seed));
    check_tree(node->right, seed_of_right(seed));
}

static struct node *load(struct node **slot)
{
    return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static void use(struct worker *worker, shale_mutator *mutator, struct stress_random *random,
                struct node **kept)
{
    struct run *run = worker->run;
    struct node **shared = shale_handle_get(run->shared);
    struct node **slot = &shared[stress_random_below(random, SHARED)];
    switch (stress_random_below(random, 8)) {
    case 0: {
        struct node *other = load(slot);
        if (other != NULL)
            check_tree(other, other->seed);
        break;
    }
    case 1:
        shale_store(mutator, shared, slot, *kept);
        break;
    case 2:
        *kept = load(slot);
        break;
    case 3:
        if (stress_random_chance(random, 20))
            STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
        break;
    default:
        *kept = make_tree(run, mutator, stress_random_next(random), stress_random_below(random, DEPTH_MAX));
    }
    if (*kept != NULL)
        check_tree(*kept, (*kept)->seed);
}

static void *work_conservatively(struct worker *worker)
{
    struct run *run = worker->run;
    struct stress_random random = stress_random_make(run->seed + worker->index);
    shale_mutator *mutator = stress_attach_conservative(run->heap);
    struct node *kept[3] = {NULL, NULL, NULL};
    while (stress_milliseconds() < run->deadline) {
        use(worker, mutator, &random, &kept[stress_random_below(&random, 3)]);
        if (stress_random_chance(&random, 50)) {
            STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering");
            free(malloc(stress_random_below(&random, 10000)));
            STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving");
        }
        free(
            malloc(1 + stress_random_below(&random, 100))); /* it may be stopped with malloc's lock in hand */
        shale_handle *handle = shale_handle_create(mutator, kept[0]);
        STRESS_CHECK(handle != NULL && shale_handle_drop(mutator, handle) == SHALE_OK, "a handle");
    }
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

/* With exact roots: a list, and garbage. */
static void *work_exactly(struct worker *worker)
{
    struct run *run = worker->run;
    struct stress_random random = stress_random_make(run->seed + worker->index);
    shale_mutator *mutator = stress_attach(run->heap);
    struct {
        struct node *list;
    } local = {NULL};
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 1);
    uint64_t length = 0;
    while (stress_milliseconds() < run->deadline) {
        for (int i = 0; i < 100; i++) {
            struct node *node = allocate(run, mutator, length++);
            node->left = local.list;
            local.list = node;
            allocate(run, mutator, 0);
        }
        uint64_t expected = length;
        for (const struct node *node = local.list; node != NULL; node = node->left)
            STRESS_CHECK(node->seed == --expected, "the list is not what it was");
        STRESS_CHECK(expected == 0, "the list is too short");
        if (stress_random_chance(&random, 20)) {
            local.list = NULL;
            length = 0;
        }
    }
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    return worker->conservative ? work_conservatively(worker) : work_exactly(worker);
}

static void one_run(uint64_t seed, unsigned milliseconds)
{
    struct stress_random random = stress_random_make(seed);
    static const unsigned stress[] = {0, 1, 5, 100};
    static const uint32_t pointers[] = {0, 8};
    enum stress_mode mode = (enum stress_mode)stress_random_below(&random, STRESS_MODES);
    struct run run = {.seed = seed, .deadline = stress_milliseconds() + milliseconds};
    shale_options options;
    stress_options(&options, mode, (size_t)32 << 20, NULL);
    options.stress = stress[stress_random_below(&random, 4)];
    options.verify = (int)stress_random_below(&random, 3);
    options.workers = 1 + stress_random_below(&random, 2);
    unsigned exact = stress_random_below(&random, THREADS);
    if (stress_watched())
        options.stress *= 100;
    printf("  seed %llu: faults %s, stress %u, verify %d, %u of %d threads exact\n", (unsigned long long)seed,
           stress_mode_names[mode], options.stress, options.verify, exact, THREADS);
    run.heap = stress_heap(&options);
    run.node = shale_type_register(
        run.heap,
        &(shale_type_spec){
            .name = "node", .size = sizeof(struct node), .pointers = pointers, .pointer_count = 2},
        NULL);
    run.array = shale_type_register(
        run.heap,
        &(shale_type_spec){
            .name = "array", .element_size = 8, .element_pointers = pointers, .element_pointer_count = 1},
        NULL);
    shale_mutator *mutator = stress_attach(run.heap);
    run.shared = shale_handle_create(mutator, shale_allocate_array(mutator, run.array, SHARED));
    STRESS_CHECK(run.shared != NULL, "no handle");
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        workers[i] = (struct worker){&run, i, i >= exact};
    stress_threads(THREADS, work, workers, sizeof workers[0]);
    shale_statistics statistics;
    shale_heap_statistics(run.heap, &statistics);
    printf("    %llu cycles, %llu flips, %llu regions held back, %llu objects moved\n",
           (unsigned long long)statistics.cycles, (unsigned long long)statistics.flips,
           (unsigned long long)statistics.regions_held_back, (unsigned long long)statistics.objects_moved);
    stress_heap_end(run.heap);
}

static void test_stacks_are_the_only_roots(void **state)
{
    (void)state;
    unsigned runs = stress_runs(12, 4);
    unsigned milliseconds = stress_quick() ? 400 : 1000;
    for (unsigned i = 0; i < runs; i++)
        one_run(i == 0 ? stress_seed() : stress_mix(stress_seed() + i) >> 32, milliseconds);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stacks_are_the_only_roots)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
