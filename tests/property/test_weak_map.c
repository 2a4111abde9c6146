/* Weak maps against a naive model: keys by identity, values that lead to their keys, iteration, while objects move in every
 * fault mode. */
#include "tests/support/stress_support.h"
#include "tests/support/table_walk.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Keys and values. */
struct node {
    struct node *other;
    uint64_t number;
};

/* What the model knows of a key: whether the program holds it, and what the map has for it. */
enum value_kind {
    VALUE_NONE, /* not in the map */
    VALUE_NULL,
    VALUE_OUTSIDE,
    VALUE_NODE, /* a node of its own */
    VALUE_BACK, /* a node that refers to the key */
    VALUE_KEY,  /* the key itself */
    VALUE_KINDS
};

struct scene {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *type;
    shale_root_visitor *visitor;
    void *map;          /* a root */
    struct node **keys; /* roots; NULL: the program does not hold it */
    unsigned char *kinds;
    uint64_t *numbers; /* of the value */
    size_t count;
    uint64_t next;
};

static uint64_t outside;

static void show(void *context, shale_visitor *visitor)
{
    struct scene *scene = context;
    shale_visit_pointers(visitor, &scene->map, 1);
    shale_visit_pointers(visitor, scene->keys, scene->count);
}

static void begin(struct scene *scene, enum stress_mode mode, size_t heap_size, size_t count, unsigned stress)
{
    static const uint32_t first[] = {0};
    *scene = (struct scene){.count = count};
    shale_options options;
    stress_options(&options, mode, heap_size, NULL);
    options.stress = stress;
    options.verify = heap_size <= (size_t)16 << 20;
    scene->heap = stress_heap(&options);
    scene->mutator = stress_attach(scene->heap);
    shale_type_spec spec = {
        .name = "node", .size = sizeof(struct node), .pointers = first, .pointer_count = 1};
    scene->type = shale_type_register(scene->heap, &spec, NULL);
    scene->keys = calloc(count, sizeof *scene->keys);
    scene->kinds = calloc(count, sizeof *scene->kinds);
    scene->numbers = calloc(count, sizeof *scene->numbers);
    assert_true(scene->keys != NULL && scene->kinds != NULL && scene->numbers != NULL);
    scene->visitor = shale_root_visitor_add(scene->mutator, show, scene);
    scene->map = shale_weak_map_create(scene->mutator);
    assert_non_null(scene->map);
}

static void end(struct scene *scene)
{
    assert_int_equal(shale_root_visitor_remove(scene->visitor), SHALE_OK);
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_NORMAL), SHALE_OK);
    shale_statistics statistics;
    shale_heap_statistics(scene->heap, &statistics);
    assert_int_equal(statistics.live_bytes, 0);
    assert_int_equal(shale_detach(scene->mutator), SHALE_OK);
    stress_heap_end(scene->heap);
    free(scene->keys);
    free(scene->kinds);
    free(scene->numbers);
}

static struct node *make(struct scene *scene, uint64_t number)
{
    struct node *node = shale_allocate(scene->mutator, scene->type);
    assert_non_null(node);
    node->number = number;
    return node;
}

static void drop(struct scene *scene, size_t i)
{
    scene->keys[i] = NULL;
    scene->kinds[i] = VALUE_NONE;
}

static void set(struct scene *scene, size_t i, enum value_kind kind)
{
    if (scene->keys[i] == NULL)
        scene->keys[i] = make(scene, i);
    uint64_t number = scene->next++;
    void *value = NULL;
    if (kind == VALUE_OUTSIDE) {
        value = &outside;
    } else if (kind == VALUE_KEY) {
        value = scene->keys[i];
    } else if (kind != VALUE_NULL) {
        struct node *node = make(scene, number);
        node->other = kind == VALUE_BACK ? scene->keys[i] : NULL;
        value = node;
    }
    assert_int_equal(shale_weak_map_set(scene->mutator, scene->map, scene->keys[i], value), SHALE_OK);
    scene->kinds[i] = (unsigned char)kind;
    scene->numbers[i] = number;
}

static void assert_value(const struct scene *scene, size_t i, const void *value)
{
    const struct node *node = value;
    switch ((enum value_kind)scene->kinds[i]) {
    case VALUE_NULL:
        assert_null(value);
        break;
    case VALUE_OUTSIDE:
        assert_ptr_equal(value, &outside);
        break;
    case VALUE_KEY:
        assert_ptr_equal(value, scene->keys[i]);
        break;
    default:
        assert_int_equal(node->number, scene->numbers[i]);
        assert_ptr_equal(node->other, scene->kinds[i] == VALUE_BACK ? scene->keys[i] : NULL);
    }
}

static void assert_key(struct scene *scene, size_t i)
{
    void *value = &outside + 1;
    bool has = shale_weak_map_get(scene->mutator, scene->map, scene->keys[i], &value);
    assert_int_equal(has, scene->kinds[i] != VALUE_NONE);
    if (has)
        assert_value(scene, i, value);
    else
        assert_ptr_equal(value, &outside + 1);
}

/* Each key that is held and in the map comes once; after a collection nothing else does. */
static void assert_iteration(struct scene *scene, bool just_collected)
{
    unsigned char *seen = calloc(scene->count, 1);
    assert_non_null(seen);
    shale_weak_map_cursor cursor = {0};
    void *key;
    void *value;
    while (shale_weak_map_next(scene->mutator, scene->map, &cursor, &key, &value)) {
        const struct node *node = key;
        if (node != scene->keys[node->number]) {
            assert_false(just_collected);
            continue;
        }
        assert_int_equal(seen[node->number]++, 0);
        assert_value(scene, node->number, value);
    }
    assert_false(shale_weak_map_next(scene->mutator, scene->map, &cursor, &key, NULL));
    for (size_t i = 0; i < scene->count; i++)
        assert_int_equal(seen[i], scene->kinds[i] != VALUE_NONE);
    free(seen);
}

static void assert_same(struct scene *scene, bool just_collected)
{
    size_t in_map = 0;
    for (size_t i = 0; i < scene->count; i++) {
        in_map += scene->kinds[i] != VALUE_NONE;
        if (scene->keys[i] != NULL)
            assert_key(scene, i);
    }
    struct table_walk walk = table_walk(scene->map);
    if (walk.wrong != NULL)
        fail_msg("%s", walk.wrong);
    assert_int_equal(walk.entries, shale_weak_map_count(scene->mutator, scene->map));
    if (just_collected)
        assert_int_equal(walk.entries - walk.dead, in_map);
    assert_iteration(scene, just_collected);
}

static void collect(struct scene *scene)
{
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
}

/* Removes about half of what comes. Nobody is missed, nobody comes twice, and dropping does not matter. */
static void remove_in_iteration(struct scene *scene, struct test_random *random)
{
    unsigned char *seen = calloc(scene->count, 1);
    assert_non_null(seen);
    shale_weak_map_cursor cursor = {0};
    void *key;
    while (shale_weak_map_next(scene->mutator, scene->map, &cursor, &key, NULL)) {
        size_t i = ((const struct node *)key)->number;
        if (key != scene->keys[i])
            continue;
        assert_int_equal(seen[i]++, 0);
        if (test_random_chance(random, 50)) {
            assert_true(shale_weak_map_remove(scene->mutator, scene->map, key));
            scene->kinds[i] = VALUE_NONE;
        } else if (test_random_chance(random, 1)) {
            collect(scene);
        }
    }
    for (size_t i = 0; i < scene->count; i++)
        assert_true(seen[i] || scene->kinds[i] == VALUE_NONE);
    free(seen);
}

static void random_steps(struct scene *scene, struct test_random *random, unsigned steps)
{
    unsigned setting = 50;
    for (unsigned step = 0; step < steps; step++) {
        if (step % 400 == 0)
            setting = (unsigned)test_random_below(random, 80);
        size_t i = test_random_below(random, scene->count);
        if (test_random_chance(random, setting))
            set(scene, i, (enum value_kind)test_random_between(random, VALUE_NULL, VALUE_KINDS - 1));
        else if (test_random_chance(random, 60))
            drop(scene, i);
        else if (scene->keys[i] != NULL) {
            assert_int_equal(shale_weak_map_remove(scene->mutator, scene->map, scene->keys[i]),
                             scene->kinds[i] != VALUE_NONE);
            scene->kinds[i] = VALUE_NONE;
        }
        if (test_random_below(random, 300) == 0) {
            collect(scene);
            assert_same(scene, true);
        } else if (test_random_below(random, 300) == 0) {
            assert_same(scene, false);
        } else if (test_random_below(random, 1000) == 0) {
            remove_in_iteration(scene, random);
        }
    }
}

static void test_random(void **state)
{
    (void)state;
    for (enum stress_mode mode = 0; mode < STRESS_MODES; mode++) {
        for (unsigned stress = 0; stress < 2; stress++) {
            struct test_random random = test_random_make(test_seed(), mode * 2 + stress);
            struct scene scene;
            begin(&scene, mode, (size_t)8 << 20, 1500, stress_watched() ? 0 : stress);
            random_steps(&scene, &random, test_rounds(12000, 3000));
            end(&scene);
        }
    }
}

/* Values that lead to the key of another entry, in a circle: all go when none of the keys is held. */
static void test_a_circle(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    for (enum stress_mode mode = 0; mode < STRESS_MODES; mode++) {
        struct scene scene;
        begin(&scene, mode, (size_t)8 << 20, COUNT, 0);
        for (size_t i = 0; i < COUNT; i++)
            scene.keys[i] = make(&scene, i);
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(
                shale_weak_map_set(scene.mutator, scene.map, scene.keys[i], scene.keys[(i + 1) % COUNT]),
                SHALE_OK);
        /* One key keeps all of them. */
        for (size_t i = 1; i < COUNT; i++)
            scene.keys[i] = NULL;
        collect(&scene);
        void *key = scene.keys[0];
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(((struct node *)key)->number, i);
            assert_true(shale_weak_map_get(scene.mutator, scene.map, key, &key));
        }
        assert_ptr_equal(key, scene.keys[0]);
        scene.keys[0] = NULL;
        key = NULL;
        collect(&scene);
        struct table_walk walk = table_walk(scene.map);
        assert_int_equal(walk.dead, walk.entries);
        shale_weak_map_cursor cursor = {0};
        assert_false(shale_weak_map_next(scene.mutator, scene.map, &cursor, &key, NULL));
        end(&scene);
    }
}

static void test_large(void **state)
{
    (void)state;
    size_t count = stress_watched() ? 20000 : test_rounds(1000000, 50000);
    struct scene scene;
    begin(&scene, STRESS_THREAD, (size_t)512 << 20, count, 0);
    for (size_t i = 0; i < count; i++)
        set(&scene, i, i % 3 == 0 ? VALUE_BACK : VALUE_KEY);
    assert_same(&scene, false);
    collect(&scene);
    assert_same(&scene, true);
    for (size_t i = 0; i < count; i++) {
        if (i % 50 != 0)
            drop(&scene, i);
    }
    collect(&scene);
    assert_same(&scene, true);
    size_t buckets = table_walk(scene.map).buckets;
    for (size_t i = 0; i < count / 2; i++) {
        set(&scene, i, VALUE_NULL);
        if (i % 50 != 0)
            drop(&scene, i);
        if (i % (count / 32) == 0)
            collect(&scene);
    }
    collect(&scene);
    assert_same(&scene, true);
    assert_true(table_walk(scene.map).buckets < buckets / 2);
    end(&scene);
}

static void ignore_line(void *context, shale_log_level level, const char *line)
{
    (void)level;
    (void)line;
    ++*(unsigned *)context;
}

static void test_misuse(void **state)
{
    (void)state;
    shale_options options;
    unsigned lines = 0;
    stress_options(&options, STRESS_NEVER, (size_t)4 << 20, NULL);
    options.log = ignore_line;
    options.log_context = &lines;
    shale_heap *heap = stress_heap(&options);
    shale_mutator *mutator = stress_attach(heap);
    void *map = shale_weak_map_create(mutator);
    void *table = shale_intern_create(mutator);
    void *value;
    assert_int_equal(shale_weak_map_set(mutator, table, map, NULL), SHALE_ERROR_MISUSE);
    assert_false(shale_weak_map_get(mutator, table, map, &value));
    assert_false(shale_weak_map_remove(mutator, NULL, map));
    assert_int_equal(shale_weak_map_count(mutator, table), 0);
    assert_int_equal(lines, 4);
    assert_int_equal(shale_weak_map_set(mutator, map, NULL, NULL), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_weak_map_set(mutator, map, &outside, NULL), SHALE_ERROR_ARGUMENT);
    assert_false(shale_weak_map_get(mutator, map, &outside, &value));
    assert_false(shale_weak_map_get(mutator, map, NULL, &value));
    assert_false(shale_weak_map_remove(mutator, map, &outside));
    /* A map may be a key in itself. */
    assert_int_equal(shale_weak_map_set(mutator, map, map, map), SHALE_OK);
    assert_true(shale_weak_map_get(mutator, map, map, NULL));
    assert_int_equal(shale_weak_map_count(mutator, map), 1);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    stress_heap_end(heap);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_a_circle),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests_name("property.weak_map", tests, NULL, NULL);
}
