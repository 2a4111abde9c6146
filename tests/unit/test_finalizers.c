/* What finalizers do, on real heaps: when objects are queued, in which order, and what they then still lead to. */
#include "tests/support/small_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    struct small_heap heap;
    uint32_t told; /* atomic: how often finalizers_queued was called */
};

static void count_told(void *context)
{
    __atomic_fetch_add(&((struct scene *)context)->told, 1, __ATOMIC_RELAXED);
}

static uint32_t told(const struct scene *scene)
{
    return __atomic_load_n(&scene->told, __ATOMIC_RELAXED);
}

static void add(struct scene *scene, void *object, uintptr_t data)
{
    assert_int_equal(shale_finalizer_add(scene->heap.mutator, object, data), SHALE_OK);
}

static uint64_t waiting(const struct scene *scene)
{
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(scene->heap.heap, &statistics), SHALE_OK);
    return statistics.finalizers_waiting;
}

/* Takes one and checks whose it is; it is in locals[0] then. */
static struct node *take(struct scene *scene, uint64_t number, uintptr_t data)
{
    uintptr_t found = 0;
    uint64_t before = waiting(scene);
    struct node *node = shale_finalizer_take(scene->heap.mutator, &found);
    assert_non_null(node);
    assert_int_equal(node->number, number);
    assert_int_equal(found, data);
    assert_int_equal(waiting(scene), before - 1);
    scene->heap.locals[0] = node;
    return node;
}

static void assert_none(struct scene *scene)
{
    uintptr_t data = 77;
    assert_int_equal(waiting(scene), 0);
    assert_null(shale_finalizer_take(scene->heap.mutator, &data));
    assert_int_equal(data, 77);
}

static struct node *node(struct scene *scene, uint64_t number)
{
    return small_heap_node(&scene->heap, number);
}

static uint64_t marked(struct scene *scene)
{
    return small_heap_marked(&scene->heap, SHALE_COLLECT_NORMAL);
}

/* ---- one object ------------------------------------------------------------------------------------ */

static void once(struct scene *scene)
{
    void **at = scene->heap.locals;
    at[1] = node(scene, 1);
    add(scene, at[1], 10);
    assert_int_equal(marked(scene), 1);
    small_heap_move_around(&scene->heap);
    assert_none(scene);
    assert_int_equal(told(scene), 0);
    at[1] = NULL;
    assert_int_equal(marked(scene), 1);
    assert_int_equal(told(scene), 1);
    assert_int_equal(waiting(scene), 1);
    small_heap_move_around(&scene->heap); /* the queue keeps it, and follows it */
    assert_int_equal(told(scene), 1);
    take(scene, 1, 10);
    assert_none(scene);
    /* From then on it is an ordinary object. */
    assert_int_equal(marked(scene), 1);
    assert_int_equal(((struct node *)at[0])->number, 1);
    at[0] = NULL;
    assert_int_equal(marked(scene), 0);
    assert_none(scene);
    assert_int_equal(told(scene), 1);
    /* The data may be of no interest. */
    add(scene, node(scene, 2), 20);
    assert_int_equal(marked(scene), 1);
    assert_non_null(shale_finalizer_take(scene->heap.mutator, NULL));
    assert_none(scene);
}

static void several_on_one(struct scene *scene)
{
    void **at = scene->heap.locals;
    at[1] = node(scene, 1);
    for (uintptr_t i = 0; i < 5; i++)
        add(scene, at[1], i);
    at[1] = NULL;
    assert_int_equal(marked(scene), 1);
    assert_int_equal(waiting(scene), 5);
    take(scene, 1, 0);
    at[1] = at[0];
    for (uintptr_t i = 1; i < 5; i++) {
        small_heap_move_around(&scene->heap);
        assert_ptr_equal(take(scene, 1, i), at[1]);
    }
    assert_none(scene);
}

static void given_again(struct scene *scene)
{
    void **at = scene->heap.locals;
    shale_mutator *mutator = scene->heap.mutator;
    at[1] = node(scene, 1);
    at[2] = shale_weak_create(mutator, at[1]);
    add(scene, at[1], 1);
    at[1] = NULL;
    assert_int_equal(marked(scene), 2);
    assert_null(shale_weak_get(mutator, at[2]));
    at[1] = take(scene, 1, 1); /* back among the living */
    small_heap_move_around(&scene->heap);
    assert_null(shale_weak_get(mutator, at[2])); /* cleared for good */
    at[3] = shale_weak_create(mutator, at[1]);
    assert_ptr_equal(shale_weak_get(mutator, at[3]), at[1]);
    at[0] = at[1] = NULL;
    assert_int_equal(marked(scene), 2); /* not finalized again */
    assert_none(scene);
    assert_null(shale_weak_get(mutator, at[3]));
    for (uintptr_t i = 2; i < 6; i++) { /* given again, as often as one likes */
        if (i == 2)
            at[1] = node(scene, 2);
        add(scene, at[1], i);
        at[0] = at[1] = NULL;
        small_heap_collect(&scene->heap, SHALE_COLLECT_MOVE_ALL);
        at[1] = take(scene, 2, i);
        assert_none(scene);
    }
    /* Given again while another of its finalizers waits. */
    add(scene, at[1], 6);
    add(scene, at[1], 7);
    at[0] = at[1] = NULL;
    small_heap_collect(&scene->heap, SHALE_COLLECT_NORMAL);
    at[1] = take(scene, 2, 6);
    add(scene, at[1], 8);
    at[0] = at[1] = NULL;
    small_heap_collect(&scene->heap, SHALE_COLLECT_NORMAL); /* the queue keeps it alive */
    assert_int_equal(waiting(scene), 1);
    take(scene, 2, 7);
    assert_none(scene);
    at[0] = NULL;
    small_heap_collect(&scene->heap, SHALE_COLLECT_NORMAL);
    take(scene, 2, 8);
    assert_none(scene);
}

/* ---- several objects ------------------------------------------------------------------------------- */

/* In the order in which they were given, whatever refers to what; those of earlier cycles first. */
static void in_order(struct scene *scene)
{
    void **at = scene->heap.locals;
    for (unsigned i = 1; i <= 4; i++)
        at[i] = node(scene, i);
    struct node *third = at[3];
    shale_store(scene->heap.mutator, third, &third->first, at[2]);
    shale_store(scene->heap.mutator, at[2], &((struct node *)at[2])->first, at[1]);
    add(scene, at[3], 30);
    add(scene, at[1], 10);
    add(scene, at[4], 40);
    add(scene, at[2], 20);
    add(scene, at[1], 11);
    for (unsigned i = 1; i <= 3; i++)
        at[i] = NULL;
    assert_int_equal(marked(scene), 4);
    assert_int_equal(waiting(scene), 4);
    at[4] = NULL;
    assert_int_equal(marked(scene), 4);
    assert_int_equal(waiting(scene), 5);
    assert_int_equal(told(scene), 2);
    struct node *taken = take(scene, 3, 30);
    assert_int_equal(taken->first->number, 2);
    assert_int_equal(taken->first->first->number, 1);
    at[5] = taken;
    take(scene, 1, 10);
    small_heap_move_around(&scene->heap);
    assert_ptr_equal(take(scene, 2, 20), ((struct node *)at[5])->first);
    take(scene, 1, 11);
    take(scene, 4, 40);
    assert_none(scene);
}

static void cycle_of_finalizable(struct scene *scene)
{
    void **at = scene->heap.locals;
    enum { RING = 5 };
    for (uint64_t i = 0; i < RING; i++) {
        at[i + 1] = node(scene, i);
        add(scene, at[i + 1], 100 + i);
    }
    for (unsigned i = 0; i < RING; i++) {
        struct node *from = at[i + 1];
        shale_store(scene->heap.mutator, from, &from->first, at[(i + 1) % RING + 1]);
    }
    memset(at, 0, SMALL_HEAP_LOCALS * sizeof *at);
    assert_int_equal(marked(scene), RING);
    small_heap_move_around(&scene->heap);
    for (uint64_t i = 0; i < RING; i++) {
        struct node *first = take(scene, i, 100 + i);
        struct node *around = first;
        for (unsigned steps = 0; steps < RING; steps++) {
            assert_int_equal(around->number, (i + steps) % RING);
            around = around->first;
        }
        assert_ptr_equal(around, first);
    }
    assert_none(scene);
    at[0] = NULL;
    assert_int_equal(marked(scene), 0);
}

/* An object that one to be finalized leads to is kept, and not finalized unless it has a finalizer itself. */
static void kept_by_another(struct scene *scene)
{
    void **at = scene->heap.locals;
    at[1] = node(scene, 1);
    for (uint64_t i = 2; i < 200; i++) { /* a list that ends in the one with the finalizer's referent */
        struct node *next = node(scene, i);
        next->first = at[1];
        at[1] = next;
    }
    add(scene, at[1], 5);
    at[1] = NULL;
    assert_int_equal(marked(scene), 199);
    small_heap_move_around(&scene->heap);
    const struct node *taken = take(scene, 199, 5);
    for (uint64_t i = 199; i >= 1; i--, taken = taken->first)
        assert_int_equal(taken->number, i);
    assert_null(taken);
    assert_none(scene);
    at[0] = NULL;
    assert_int_equal(marked(scene), 0);
}

/* ---- with weak references and ephemerons ----------------------------------------------------------- */

static void clears_weak_references(struct scene *scene)
{
    void **at = scene->heap.locals;
    shale_mutator *mutator = scene->heap.mutator;
    at[1] = node(scene, 1);
    at[2] = node(scene, 2);
    ((struct node *)at[1])->first = at[2];
    at[3] = shale_weak_create(mutator, at[1]);
    at[4] = shale_weak_create(mutator, at[2]); /* only reached from the one with the finalizer */
    at[5] = shale_ephemeron_create(mutator, at[1], node(scene, 5));
    at[6] = shale_ephemeron_create(mutator, at[2], at[3]);
    at[7] = shale_ephemeron_create(mutator, at[3], at[1]); /* its key lives, so its value does */
    add(scene, at[2], 20);
    add(scene, at[1], 10);
    at[1] = at[2] = NULL;
    assert_int_equal(marked(scene), 8); /* the ephemeron's value keeps all */
    assert_none(scene);
    shale_ephemeron_set_value(mutator, at[7], NULL);
    assert_int_equal(marked(scene), 7); /* all but the value of the first ephemeron */
    for (int round = 0; round < 2; round++) {
        assert_null(shale_weak_get(mutator, at[3]));
        assert_null(shale_weak_get(mutator, at[4]));
        assert_null(shale_ephemeron_key(mutator, at[5]));
        assert_null(shale_ephemeron_value(mutator, at[5]));
        assert_null(shale_ephemeron_key(mutator, at[6]));
        assert_null(shale_ephemeron_value(mutator, at[6]));
        assert_ptr_equal(shale_ephemeron_key(mutator, at[7]), at[3]);
        small_heap_move_around(&scene->heap);
    }
    at[1] = take(scene, 2, 20);
    assert_ptr_equal(take(scene, 1, 10)->first, at[1]);
    assert_null(shale_weak_get(mutator, at[3]));
}

/* Dead weak references and ephemerons that a finalizer brings back, decided again for what they refer to. */
static void brings_back_weak_references(struct scene *scene)
{
    void **at = scene->heap.locals;
    shale_mutator *mutator = scene->heap.mutator;
    enum { FINALIZABLE = 8, ALIVE };
    at[ALIVE] = node(scene, 1);
    at[1] = node(scene, 2);
    at[2] = shale_weak_create(mutator, at[ALIVE]);
    at[3] = shale_weak_create(mutator, at[1]);
    at[4] = shale_ephemeron_create(mutator, at[ALIVE], node(scene, 3));
    at[5] = shale_ephemeron_create(mutator, at[1], node(scene, 4));
    at[FINALIZABLE] = shale_allocate_array(mutator, scene->heap.pointers, 4);
    for (unsigned i = 0; i < 4; i++)
        shale_store(mutator, at[FINALIZABLE], (void **)at[FINALIZABLE] + i, at[i + 2]);
    add(scene, at[FINALIZABLE], 9);
    for (unsigned i = 1; i <= FINALIZABLE; i++)
        at[i] = NULL;
    assert_int_equal(marked(scene),
                     7); /* all but the key that nothing leads to, and the value that it kept */
    small_heap_move_around(&scene->heap);
    uintptr_t data;
    void **taken = shale_finalizer_take(mutator, &data);
    assert_non_null(taken);
    assert_int_equal(data, 9);
    at[FINALIZABLE] = taken;
    for (int round = 0; round < 2; round++) {
        taken = at[FINALIZABLE];
        assert_ptr_equal(shale_weak_get(mutator, taken[0]), at[ALIVE]);
        assert_null(shale_weak_get(mutator, taken[1]));
        assert_ptr_equal(shale_ephemeron_key(mutator, taken[2]), at[ALIVE]);
        assert_int_equal(((struct node *)shale_ephemeron_value(mutator, taken[2]))->number, 3);
        assert_null(shale_ephemeron_key(mutator, taken[3]));
        assert_null(shale_ephemeron_value(mutator, taken[3]));
        small_heap_move_around(&scene->heap);
    }
}

static void weak_objects_with_finalizers(struct scene *scene)
{
    void **at = scene->heap.locals;
    shale_mutator *mutator = scene->heap.mutator;
    at[1] = node(scene, 1);
    at[2] = shale_weak_create(mutator, at[1]);
    at[3] = shale_ephemeron_create(mutator, at[1], at[2]);
    add(scene, at[2], 2);
    add(scene, at[3], 3);
    at[2] = at[3] = NULL;
    assert_int_equal(marked(scene), 3);
    small_heap_move_around(&scene->heap);
    at[2] = shale_finalizer_take(mutator, NULL);
    at[3] = shale_finalizer_take(mutator, NULL);
    assert_ptr_equal(shale_weak_get(mutator, at[2]), at[1]);
    assert_ptr_equal(shale_ephemeron_key(mutator, at[3]), at[1]);
    assert_ptr_equal(shale_ephemeron_value(mutator, at[3]), at[2]);
}

/* ---- many, and at other times ---------------------------------------------------------------------- */

/* Takes all that wait, each of which must be new; their data are their numbers and `offset`. Returns how many. */
static unsigned take_all(struct scene *scene, unsigned char *seen, uintptr_t offset)
{
    unsigned taken = 0;
    uintptr_t data;
    for (const struct node *found; (found = shale_finalizer_take(scene->heap.mutator, &data)) != NULL;
         taken++) {
        assert_int_equal(found->number + offset, data);
        assert_int_equal(seen[found->number]++, 0);
    }
    return taken;
}

/* Entries are made, die, wait and are taken, while everything moves at random. */
static void thousands(struct scene *scene)
{
    enum { COUNT = 6000 };
    struct stress_random random = stress_random_make(stress_seed());
    void **at = scene->heap.locals;
    unsigned char *seen = calloc(COUNT, 1);
    assert_non_null(seen);
    unsigned taken = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        struct node *next = node(scene, i);
        uint32_t draw = stress_random_below(&random, 100);
        next->second = draw < 20 ? at[1] : NULL;
        at[1] = next;
        add(scene, at[1], COUNT + i);
        if (stress_random_chance(&random, 3))
            at[2 + stress_random_below(&random, 20)] = at[1];
        if (stress_random_chance(&random, 400))
            small_heap_collect(&scene->heap, SHALE_COLLECT_MOVE_ALL);
        if (stress_random_chance(&random, 300))
            assert_int_equal(shale_collect_start(scene->heap.mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
        for (uint32_t takes = draw % 3; takes != 0; takes--) {
            uintptr_t data;
            const struct node *found = shale_finalizer_take(scene->heap.mutator, &data);
            if (found == NULL)
                break;
            assert_true(found->number < COUNT && found->number <= i);
            assert_int_equal(found->number + COUNT, data);
            assert_int_equal(seen[found->number]++, 0);
            taken++;
        }
    }
    /* What waits in the queue keeps others alive, which come to die only when it was taken. */
    memset(at, 0, SMALL_HEAP_LOCALS * sizeof *at);
    for (bool any = true; any;) {
        small_heap_collect(&scene->heap, SHALE_COLLECT_MOVE_ALL);
        any = waiting(scene) != 0;
        small_heap_move_around(&scene->heap);
        taken += take_all(scene, seen, COUNT);
    }
    assert_int_equal(taken, COUNT);
    assert_none(scene);
    free(seen);
}

/* Taken one by one, right after the flip, when the entries still hold old addresses. */
static void taken_while_stale(struct scene *scene)
{
    enum { COUNT = 3000 };
    void **at = scene->heap.locals;
    for (uint64_t i = 0; i < COUNT; i++)
        add(scene, node(scene, i), i);
    small_heap_leave_region(&scene->heap);
    small_heap_collect(&scene->heap, SHALE_COLLECT_MOVE_ALL);
    assert_int_equal(waiting(scene), COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        if (i % 100 == 0)
            assert_int_equal(shale_collect_start(scene->heap.mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
        uintptr_t data;
        const struct node *found = shale_finalizer_take(scene->heap.mutator, &data);
        assert_non_null(found);
        assert_int_equal(found->number, i);
        assert_int_equal(data, i);
        at[1 + i % 8] = (void *)found;
        for (unsigned k = 1; k <= (i < 8 ? i + 1 : 8); k++)
            assert_true(((struct node *)at[k])->number <= i);
        shale_poll(scene->heap.mutator);
        if (i % 5 == 0) /* new entries among old ones */
            add(scene, at[1 + i % 8], COUNT + i);
    }
    memset(at, 0, SMALL_HEAP_LOCALS * sizeof *at);
    small_heap_collect(&scene->heap, SHALE_COLLECT_MOVE_ALL);
    assert_int_equal(waiting(scene), COUNT / 5);
    for (uint64_t i = 0; i < COUNT; i += 5)
        take(scene, i, COUNT + i);
    assert_none(scene);
}

static void left_behind(struct scene *scene)
{
    void **at = scene->heap.locals;
    for (uint64_t i = 0; i < 500; i++) {
        at[0] = node(scene, i);
        add(scene, at[0], i);
        if (i % 2 == 0)
            at[1] = at[0];
    }
    small_heap_collect(&scene->heap, SHALE_COLLECT_NORMAL);
    assert_true(waiting(scene) >= 498);
    for (uint64_t i = 0; i < 500; i++)
        add(scene, node(scene, i), i);
    /* The heap goes with some in the queue and some registered. */
}

static void refused(struct scene *scene)
{
    static uint64_t outside[2];
    shale_mutator *mutator = scene->heap.mutator;
    assert_int_equal(shale_finalizer_add(mutator, NULL, 1), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_finalizer_add(mutator, outside, 1), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_last_error(mutator)->status, SHALE_ERROR_ARGUMENT);
    assert_non_null(strstr(shale_last_error(mutator)->message, "shale_finalizer_add"));
    small_heap_collect(&scene->heap, SHALE_COLLECT_NORMAL);
    assert_none(scene);
}

/* ---- all of them ----------------------------------------------------------------------------------- */

static void for_all_kinds(void (*run)(struct scene *scene))
{
    for (unsigned kind = 0; kind < SMALL_HEAP_KINDS; kind++) {
        static struct scene scene;
        memset(&scene, 0, sizeof scene);
        small_heap_open(&scene.heap, kind, count_told, &scene);
        run(&scene);
        small_heap_close(&scene.heap);
    }
}

#define FOR_ALL_KINDS(run)               \
    static void test_##run(void **state) \
    {                                    \
        (void)state;                     \
        for_all_kinds(run);              \
    }

FOR_ALL_KINDS(once)
FOR_ALL_KINDS(several_on_one)
FOR_ALL_KINDS(given_again)
FOR_ALL_KINDS(in_order)
FOR_ALL_KINDS(cycle_of_finalizable)
FOR_ALL_KINDS(kept_by_another)
FOR_ALL_KINDS(clears_weak_references)
FOR_ALL_KINDS(brings_back_weak_references)
FOR_ALL_KINDS(weak_objects_with_finalizers)
FOR_ALL_KINDS(thousands)
FOR_ALL_KINDS(taken_while_stale)
FOR_ALL_KINDS(left_behind)
FOR_ALL_KINDS(refused)

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_several_on_one),
        cmocka_unit_test(test_given_again),
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_cycle_of_finalizable),
        cmocka_unit_test(test_kept_by_another),
        cmocka_unit_test(test_clears_weak_references),
        cmocka_unit_test(test_brings_back_weak_references),
        cmocka_unit_test(test_weak_objects_with_finalizers),
        cmocka_unit_test(test_thousands),
        cmocka_unit_test(test_taken_while_stale),
        cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("unit.finalizers", tests, NULL, NULL);
}
