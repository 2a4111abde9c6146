/* Intern tables against a naive model: what is held is found, what died is not, while objects move in every fault mode. */
#include "tests/support/stress_support.h"
#include "tests/support/table_walk.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct word {
    uint64_t number;
    uint64_t complement;
};

enum hash_kind { HASH_GOOD, HASH_LOW_BITS_EQUAL, HASH_FEW, HASH_KINDS };

struct scene {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *word_type;
    shale_root_visitor *visitor;
    /* Roots. */
    void *table;
    struct word **held; /* by number; NULL: the program does not hold it */
    size_t count;
    enum hash_kind hash;
};

static void show(void *context, shale_visitor *visitor)
{
    struct scene *scene = context;
    shale_visit_pointers(visitor, &scene->table, 1);
    shale_visit_pointers(visitor, scene->held, scene->count);
}

static void begin(struct scene *scene, enum stress_mode mode, size_t heap_size, size_t count, unsigned stress)
{
    *scene = (struct scene){.count = count};
    shale_options options;
    stress_options(&options, mode, heap_size, NULL);
    options.stress = stress;
    options.verify = heap_size <= (size_t)16 << 20;
    scene->heap = stress_heap(&options);
    scene->mutator = stress_attach(scene->heap);
    shale_type_spec spec = {.name = "word", .size = sizeof(struct word)};
    scene->word_type = shale_type_register(scene->heap, &spec, NULL);
    scene->held = calloc(count, sizeof *scene->held);
    assert_non_null(scene->held);
    scene->visitor = shale_root_visitor_add(scene->mutator, show, scene);
    scene->table = shale_intern_create(scene->mutator);
    assert_non_null(scene->table);
}

static void end(struct scene *scene)
{
    assert_int_equal(shale_root_visitor_remove(scene->visitor), SHALE_OK);
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_NORMAL), SHALE_OK);
    shale_statistics statistics;
    shale_heap_statistics(scene->heap, &statistics);
    assert_int_equal(statistics.live_bytes, 0); /* the table went too */
    assert_int_equal(shale_detach(scene->mutator), SHALE_OK);
    stress_heap_end(scene->heap);
    free(scene->held);
}

static uint32_t hash_of(const struct scene *scene, uint64_t number)
{
    switch (scene->hash) {
    case HASH_LOW_BITS_EQUAL:
        return (uint32_t)number << 16 | 0x1234;
    case HASH_FEW:
        return (uint32_t)(number % 37);
    default:
        return (uint32_t)stress_mix(number);
    }
}

static bool is_number(void *context, const void *object)
{
    const struct word *word = object;
    assert_int_equal(word->number, ~word->complement);
    return word->number == *(uint64_t *)context;
}

static struct word *find(struct scene *scene, uint64_t number)
{
    return shale_intern_find(scene->mutator, scene->table, hash_of(scene, number), is_number, &number);
}

/* Holds the word of a number, as a program would intern it. */
static void hold(struct scene *scene, uint64_t number)
{
    scene->held[number] = find(scene, number);
    if (scene->held[number] != NULL)
        return;
    struct word *word = shale_allocate(scene->mutator, scene->word_type);
    assert_non_null(word);
    *word = (struct word){number, ~number};
    scene->held[number] = word;
    assert_int_equal(shale_intern_add(scene->mutator, scene->table, hash_of(scene, number), word), SHALE_OK);
}

static void assert_same(struct scene *scene, bool just_collected)
{
    size_t held = 0;
    for (uint64_t number = 0; number < scene->count; number++) {
        held += scene->held[number] != NULL;
        struct word *found = find(scene, number);
        if (scene->held[number] != NULL || just_collected)
            assert_ptr_equal(found, scene->held[number]);
    }
    struct table_walk walk = table_walk(scene->table);
    if (walk.wrong != NULL)
        fail_msg("%s", walk.wrong);
    assert_int_equal(walk.entries, shale_intern_count(scene->mutator, scene->table));
    if (just_collected)
        assert_int_equal(walk.entries - walk.dead, held);
}

static void collect(struct scene *scene)
{
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
}

/* Phases in which more is held than dropped, or less: tables grow and shrink. */
static void random_steps(struct scene *scene, struct test_random *random, unsigned steps)
{
    unsigned holding = 50;
    for (unsigned step = 0; step < steps; step++) {
        if (step % 500 == 0)
            holding = (unsigned)test_random_below(random, 100);
        uint64_t number = test_random_below(random, scene->count);
        if (test_random_chance(random, holding))
            hold(scene, number);
        else
            scene->held[number] = NULL;
        if (test_random_below(random, 400) == 0) {
            collect(scene);
            assert_same(scene, true);
        } else if (test_random_below(random, 400) == 0) {
            assert_same(scene, false);
        }
    }
}

static void test_random(void **state)
{
    (void)state;
    for (enum stress_mode mode = 0; mode < STRESS_MODES; mode++) {
        for (enum hash_kind hash = 0; hash < HASH_KINDS; hash++) {
            struct test_random random = test_random_make(test_seed(), mode * HASH_KINDS + hash);
            struct scene scene;
            begin(&scene, mode, (size_t)8 << 20, hash == HASH_FEW ? 300 : 2000,
                  hash == HASH_GOOD && !stress_watched() ? 1 : 0);
            scene.hash = hash;
            random_steps(&scene, &random, test_rounds(20000, 4000));
            end(&scene);
        }
    }
}

/* Grows to a million and shrinks again; nothing is lost, and little is left. */
static void test_large(void **state)
{
    (void)state;
    size_t count = stress_watched() ? 20000 : test_rounds(1000000, 50000);
    for (enum stress_mode mode = 0; mode < STRESS_MODES; mode++) {
        struct scene scene;
        begin(&scene, mode, (size_t)256 << 20, count, 0);
        for (uint64_t number = 0; number < count; number++)
            hold(&scene, number);
        struct table_walk walk = table_walk(scene.table);
        assert_null(walk.wrong);
        assert_int_equal(walk.entries, count);
        assert_true(walk.buckets >= count / 2);
        assert_true(walk.longest_chain < 40);
        collect(&scene);
        assert_same(&scene, true);

        for (uint64_t number = 0; number < count; number++) {
            if (number % 64 != 0)
                scene.held[number] = NULL;
        }
        collect(&scene);
        assert_same(&scene, true);
        /* What was held before is found dead now; making it again drives the dead out. */
        size_t again = count / 2;
        for (uint64_t number = 0; number < again; number++) {
            hold(&scene, number);
            if (number % 64 != 0)
                scene.held[number] = NULL;
        }
        collect(&scene);
        assert_same(&scene, true);
        walk = table_walk(scene.table);
        assert_true(walk.entries <= again + count / 64 + 64);
        for (uint64_t number = 0; number < count; number++)
            scene.held[number] = NULL;
        collect(&scene);
        assert_int_equal(find(&scene, 0), NULL);
        end(&scene);
    }
}

/* A few live words in a stream of words that die: the table stays small. */
static void test_the_dead_do_not_accumulate(void **state)
{
    (void)state;
    enum { LIVE = 1000, COLLECT_EVERY = 2000 };
    size_t count = stress_watched() ? 20000 : test_rounds(300000, 60000);
    struct scene scene;
    begin(&scene, STRESS_THREAD, (size_t)16 << 20, count, 0);
    size_t most = 0;
    for (uint64_t number = 0; number < count; number++) {
        hold(&scene, number);
        if (number >= LIVE)
            scene.held[number - LIVE] = NULL;
        if (number % COLLECT_EVERY == 0)
            collect(&scene);
        size_t entries = shale_intern_count(scene.mutator, scene.table);
        if (entries > most)
            most = entries;
    }
    struct table_walk walk = table_walk(scene.table);
    assert_null(walk.wrong);
    printf("at most %zu entries for %d live, in %zu buckets\n", most, LIVE, walk.buckets);
    /* Those of a cycle, and those that came while they were swept. */
    assert_true(most <= (size_t)2 * (LIVE + COLLECT_EVERY));
    assert_true(walk.buckets <= (size_t)2 * (LIVE + COLLECT_EVERY));

    /* After everything died, a few additions per bucket make it small again. */
    for (uint64_t number = 0; number < count; number++)
        scene.held[number] = NULL;
    collect(&scene);
    for (uint64_t number = 0; number < walk.buckets; number++) {
        hold(&scene, number);
        scene.held[number] = NULL;
        if (number % 64 == 0)
            collect(&scene);
    }
    walk = table_walk(scene.table);
    assert_null(walk.wrong);
    assert_true(walk.buckets <= 256);
    end(&scene);
}

/* When there is no memory for an entry nothing changes, and the reason is told; when there is none to grow, the table works. */
static bool refuse(void *context, shale_mutator *mutator, size_t bytes)
{
    (void)mutator;
    (void)bytes;
    ++*(unsigned *)context;
    return false;
}

static void test_full_heap(void **state)
{
    (void)state;
    enum { WORDS = 80000 };
    struct scene scene = {.count = WORDS};
    shale_options options;
    unsigned refusals = 0;
    stress_options(&options, STRESS_THREAD, (size_t)4 << 20, NULL);
    options.out_of_memory = refuse;
    options.out_of_memory_context = &refusals;
    scene.heap = stress_heap(&options);
    scene.mutator = stress_attach(scene.heap);
    shale_type_spec spec = {.name = "word", .size = sizeof(struct word)};
    scene.word_type = shale_type_register(scene.heap, &spec, NULL);
    scene.held = calloc(WORDS, sizeof *scene.held);
    assert_non_null(scene.held);
    scene.visitor = shale_root_visitor_add(scene.mutator, show, &scene);
    scene.table = shale_intern_create(scene.mutator);
    uint64_t number = 0;
    for (;; number++) {
        assert_true(number < WORDS);
        struct word *word = shale_allocate(scene.mutator, scene.word_type);
        if (word == NULL)
            break;
        *word = (struct word){number, ~number};
        scene.held[number] = word;
        shale_status status = shale_intern_add(scene.mutator, scene.table, hash_of(&scene, number), word);
        if (status != SHALE_OK) {
            assert_int_equal(status, SHALE_ERROR_OUT_OF_HEAP);
            scene.held[number] = NULL;
            break;
        }
    }
    assert_true(refusals > 0);
    assert_true(number > 10000);
    for (uint64_t i = 0; i < WORDS; i++)
        assert_ptr_equal(find(&scene, i), scene.held[i]);
    assert_null(table_walk(scene.table).wrong);
    for (uint64_t i = 0; i < WORDS; i++)
        scene.held[i] = NULL;
    collect(&scene);
    assert_same(&scene, true);
    for (uint64_t i = 0; i < 1000; i++)
        hold(&scene, i);
    assert_same(&scene, false);
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
    void *table = shale_intern_create(mutator);
    shale_weak *other = shale_weak_create(mutator, table);
    uint64_t number = 0;
    assert_null(shale_intern_find(mutator, NULL, 0, is_number, &number));
    assert_null(shale_intern_find(mutator, (shale_intern_table *)other, 0, is_number, &number));
    assert_int_equal(shale_intern_add(mutator, (shale_intern_table *)other, 0, table), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_intern_count(mutator, (shale_intern_table *)other), 0);
    assert_int_equal(lines, 4);
    assert_int_equal(shale_last_error(mutator)->status, SHALE_ERROR_MISUSE);
    assert_int_equal(shale_intern_add(mutator, table, 0, NULL), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_intern_count(mutator, table), 0);
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
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_the_dead_do_not_accumulate),
        cmocka_unit_test(test_full_heap),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests_name("property.intern", tests, NULL, NULL);
}
