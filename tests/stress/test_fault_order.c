/*
 * Page faults in every order. A few mutators share a large set of objects; after each flip they go for its
 * pages at once, in random orders or all in the same one, while the pages are still being built. Whatever they
 * read must be up to date, and whatever they write must last: a page that was published may not be written by
 * its builder any more.
 */
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { THREADS = 4, SETS = 3, SET_LENGTH = 4000, LANES = THREADS, STEPS = 16384 };

/* An object: its number, references to its neighbours, and a counter for each thread on each of its lines, so
 * that threads write the same pages and never the same words. */
struct node {
    uint64_t number;
    struct node *next;
    struct node *far;
    uint64_t unused;
    uint64_t counters[][LANES];
};

static const uint32_t node_pointers[] = {8, 16};
static const uint32_t first_word[] = {0};

struct world {
    shale_heap *heap;
    const shale_type *node;
    const shale_type *pointers;
    pthread_barrier_t barrier;
    void *sets[SETS]; /* pointer arrays, shown by a heap visitor */
    unsigned rounds;
    uint32_t arrived; /* atomic */
    uint64_t seed;
    /* How threads go through the objects. */
    bool same_order;
    bool write;
    bool allocate;
    uint64_t written[SETS * SET_LENGTH][LANES]; /* what each counter must be; a lane belongs to a thread */
};

struct visitor {
    struct world *world;
    unsigned lane;
    void *garbage; /* root */
};

/* Sizes from a line to a whole large object, so that objects cross pages everywhere. */
static size_t lines_of(unsigned index)
{
    static const size_t lines[] = {1, 2, 3, 5, 7, 30, 1, 4, 2, 126, 3, 1, 6, 129, 2, 1};
    return index % 257 == 7 ? 1023 : lines[stress_mix(index) % 16];
}

static struct node *node_at(const struct world *world, unsigned index)
{
    return ((struct node **)world->sets[index / SET_LENGTH])[index % SET_LENGTH];
}

static void show_sets(void *context, shale_visitor *visitor)
{
    struct world *world = context;
    shale_visit_pointers(visitor, world->sets, SETS);
}

/* ---- building and fragmenting ---------------------------------------------------------------------- */

static struct node *make_node(struct world *world, shale_mutator *mutator, unsigned index)
{
    struct node *node = shale_allocate_array(mutator, world->node, lines_of(index));
    STRESS_CHECK(node != NULL, "the heap is full: %s", shale_last_error(mutator)->message);
    node->number = index;
    return node;
}

static void store_at(struct world *world, shale_mutator *mutator, unsigned index, struct node *node)
{
    void **set = world->sets[index / SET_LENGTH];
    shale_store(mutator, set, &set[index % SET_LENGTH], node);
}

static void fill(struct world *world, shale_mutator *mutator)
{
    for (unsigned i = 0; i < SETS; i++) {
        world->sets[i] = shale_allocate_array(mutator, world->pointers, SET_LENGTH);
        STRESS_CHECK(world->sets[i] != NULL, "the heap is full");
    }
    for (unsigned i = 0; i < SETS * SET_LENGTH; i++) {
        (void)make_node(world, mutator, i); /* dead at once: leaves a hole */
        store_at(world, mutator, i, make_node(world, mutator, i));
    }
    for (unsigned i = 0; i < SETS * SET_LENGTH; i++) {
        struct node *node = node_at(world, i);
        shale_store(mutator, node, &node->next, node_at(world, (i + 1) % (SETS * SET_LENGTH)));
        shale_store(mutator, node, &node->far,
                    node_at(world, (unsigned)(stress_mix(world->seed + i) % (SETS * SET_LENGTH))));
    }
}

/* Replaces some of one lane's objects by copies, which makes holes again. */
static void replace_some(struct visitor *visitor, shale_mutator *mutator, struct stress_random *random)
{
    struct world *world = visitor->world;
    for (unsigned i = visitor->lane; i < SETS * SET_LENGTH; i += LANES) {
        if (!stress_random_chance(random, 8))
            continue;
        struct node *copy = make_node(world, mutator, i);
        struct node *old = node_at(world, i);
        for (size_t line = 0; line < lines_of(i); line++) {
            for (unsigned lane = 0; lane < LANES; lane++)
                copy->counters[line][lane] = old->counters[line][lane];
        }
        copy->next = old->next;
        copy->far = old->far;
        store_at(world, mutator, i, copy);
    }
}

/* The neighbours are found through the sets again, since they may have been replaced. */
static void relink(struct visitor *visitor, shale_mutator *mutator)
{
    struct world *world = visitor->world;
    for (unsigned i = visitor->lane; i < SETS * SET_LENGTH; i += LANES) {
        struct node *node = node_at(world, i);
        shale_store(mutator, node, &node->next, node_at(world, (i + 1) % (SETS * SET_LENGTH)));
        shale_store(mutator, node, &node->far, node_at(world, (unsigned)(node->far->number)));
    }
}

/* ---- a thread -------------------------------------------------------------------------------------- */

static void touch(struct visitor *visitor, unsigned index, size_t line, bool write)
{
    struct world *world = visitor->world;
    struct node *node = node_at(world, index);
    volatile uint64_t *counter = &node->counters[line][visitor->lane];
    uint64_t *expected = &world->written[index][visitor->lane];
    /* Every line of an object counts alike, except the one that is written at the moment. */
    STRESS_CHECK(*counter == *expected, "object %u at %p, line %zu: thread %u finds %llu instead of %llu",
                 index, (void *)node, line, visitor->lane, (unsigned long long)*counter,
                 (unsigned long long)*expected);
    if (write) {
        for (size_t i = 0; i < lines_of(index); i++)
            ((volatile struct node *)node)->counters[i][visitor->lane] = *expected + 1;
        ++*expected;
    }
}

static void check_links(const struct world *world, unsigned index)
{
    const struct node *node = node_at(world, index);
    STRESS_CHECK(node->number == index, "object %u has number %llu", index, (unsigned long long)node->number);
    STRESS_CHECK(node->next == node_at(world, (index + 1) % (SETS * SET_LENGTH)),
                 "object %u: wrong neighbour", index);
    STRESS_CHECK(node_at(world, (unsigned)node->far->number) == node->far, "object %u: wrong far end", index);
}

static void allocate_between(struct visitor *visitor, shale_mutator *mutator)
{
    struct node *node = make_node(visitor->world, mutator, 0);
    node->next = visitor->garbage;
    visitor->garbage = node->next != NULL && node->next->next != NULL ? NULL : node;
}

/* Goes through all objects, while pages are stale and after. */
static void go_through(struct visitor *visitor, shale_mutator *mutator, unsigned round)
{
    struct world *world = visitor->world;
    uint64_t seed = world->seed + round * 16 + (world->same_order ? 0 : visitor->lane + 1);
    struct stress_random random = stress_random_make(seed);
    const unsigned count = SETS * SET_LENGTH;
    /* A permutation: odd steps through a power of two, skipping what is past the end. */
    unsigned step = 2 * stress_random_below(&random, STEPS / 2) + 1;
    unsigned at = stress_random_below(&random, STEPS);
    for (unsigned i = 0; i < STEPS; i++, at = (at + step) % STEPS) {
        if (at >= count)
            continue;
        size_t line = stress_random_below(&random, (uint32_t)lines_of(at));
        bool write = world->write && stress_random_chance(&random, 2);
        touch(visitor, at, line, write);
        check_links(world, at);
        if (world->allocate && stress_random_chance(&random, 4))
            allocate_between(visitor, mutator);
        else
            shale_poll(mutator);
    }
}

/* All threads start a cycle, wait until it has flipped (their sets have other addresses then), and run. */
static void *run(void *argument)
{
    struct visitor *visitor = argument;
    struct world *world = visitor->world;
    shale_mutator *mutator = stress_attach(world->heap);
    shale_frame frame;
    shale_frame_push(mutator, &frame, &visitor->garbage, 1);
    struct stress_random random = stress_random_make(world->seed * 8 + visitor->lane);
    for (unsigned round = 0; round < world->rounds; round++) {
        replace_some(visitor, mutator, &random);
        stress_barrier(mutator, &world->barrier);
        relink(visitor, mutator);
        /* Nobody waits in a native section when it comes to the flip: all are to run on from it at once. */
        uintptr_t before = (uintptr_t)world->sets[0];
        __atomic_add_fetch(&world->arrived, 1, __ATOMIC_ACQ_REL);
        while (__atomic_load_n(&world->arrived, __ATOMIC_ACQUIRE) < THREADS * (round + 1))
            shale_poll(mutator);
        if (visitor->lane == 0)
            STRESS_CHECK(shale_collect_start(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK,
                         "starting a cycle");
        uint64_t limit = stress_milliseconds() + 2000;
        while ((uintptr_t)world->sets[0] == before && stress_milliseconds() < limit)
            shale_poll(mutator);
        go_through(visitor, mutator, round);
        stress_barrier(mutator, &world->barrier);
    }
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

/* ---- tests ----------------------------------------------------------------------------------------- */

static void check_all(struct world *world)
{
    for (unsigned index = 0; index < SETS * SET_LENGTH; index++) {
        check_links(world, index);
        for (size_t line = 0; line < lines_of(index); line++) {
            for (unsigned lane = 0; lane < LANES; lane++)
                STRESS_CHECK(node_at(world, index)->counters[line][lane] == world->written[index][lane],
                             "in the end object %u has lost a write of thread %u in line %zu", index, lane,
                             line);
        }
    }
}

static void one_world(enum stress_mode mode, bool same_order, bool write, bool allocate)
{
    struct world *world = calloc(1, sizeof *world);
    STRESS_CHECK(world != NULL, "no memory");
    shale_options options;
    stress_options(&options, mode, (size_t)48 << 20, NULL);
    world->heap = stress_heap(&options);
    world->node = shale_type_register(world->heap,
                                      &(shale_type_spec){.name = "node",
                                                         .size = sizeof(struct node),
                                                         .pointers = node_pointers,
                                                         .pointer_count = 2,
                                                         .element_size = LANES * sizeof(uint64_t)},
                                      NULL);
    world->pointers = shale_type_register(world->heap,
                                          &(shale_type_spec){.name = "set",
                                                             .element_size = sizeof(void *),
                                                             .element_pointers = first_word,
                                                             .element_pointer_count = 1},
                                          NULL);
    world->seed = stress_seed();
    world->rounds = stress_quick() ? 3 : 8;
    world->same_order = same_order;
    world->write = write;
    world->allocate = allocate;
    shale_root_visitor *roots = shale_heap_root_visitor_add(world->heap, show_sets, world);
    pthread_barrier_init(&world->barrier, NULL, THREADS);
    shale_mutator *mutator = stress_attach(world->heap);
    fill(world, mutator);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");

    struct visitor visitors[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        visitors[i] = (struct visitor){world, i, NULL};
    stress_threads(THREADS, run, visitors, sizeof visitors[0]);

    mutator = stress_attach(world->heap);
    check_all(world);
    STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
    check_all(world);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    shale_statistics statistics;
    shale_heap_statistics(world->heap, &statistics);
    printf("  faults %s: %llu flips, %llu faults, pages by workers %llu, server %llu, mutators %llu\n",
           stress_mode_names[mode], (unsigned long long)statistics.flips,
           (unsigned long long)statistics.faults, (unsigned long long)statistics.pages_by_workers,
           (unsigned long long)statistics.pages_by_server, (unsigned long long)statistics.pages_by_mutators);
    STRESS_CHECK(statistics.flips >= world->rounds, "only %llu flips", (unsigned long long)statistics.flips);
    shale_root_visitor_remove(roots);
    pthread_barrier_destroy(&world->barrier);
    stress_heap_end(world->heap);
    free(world);
}

static void all_modes(bool same_order, bool write, bool allocate)
{
    for (int mode = STRESS_THREAD; mode <= STRESS_SIGNAL; mode++)
        one_world((enum stress_mode)mode, same_order, write, allocate);
}

static void reads_in_random_orders(void **state)
{
    (void)state;
    all_modes(false, false, false);
}

static void writes_in_random_orders(void **state)
{
    (void)state;
    all_modes(false, true, false);
}

static void everyone_at_the_same_page(void **state)
{
    (void)state;
    all_modes(true, true, false);
}

static void allocation_during_compaction(void **state)
{
    (void)state;
    all_modes(false, true, true);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_in_random_orders),
        cmocka_unit_test(writes_in_random_orders),
        cmocka_unit_test(everyone_at_the_same_page),
        cmocka_unit_test(allocation_during_compaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
