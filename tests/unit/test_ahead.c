/* Memory ahead of allocation: regions that the collector's thread makes ready while a program fills a heap [ahead]. */
#include "gc/ahead.h"
#include "runtime/heap.h"
#include "tests/support/os_failing.h"
#include "tests/support/test_random.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <shale/shale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1 << 20, WORDS = 127, MOST = 64 };

struct scene {
    struct os_failing os;
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *type;
};

static struct scene scene;

static void begin(const char *release)
{
    static const shale_type_spec spec = {.name = "words", .size = WORDS * sizeof(uint64_t)};
    shale_options options;
    shale_error error;
    memset(&scene, 0, sizeof scene);
    os_failing_init(&scene.os);
    shale_options_init(&options);
    options.ignore_environment = true;
    /* No cycle comes by itself. */
    assert_int_equal(shale_options_set(&options, "heap", "256M", &error), SHALE_OK);
    assert_int_equal(shale_options_set(&options, "target", "off", &error), SHALE_OK);
    assert_int_equal(shale_options_set(&options, "release", release, &error), SHALE_OK);
    scene.heap = heap_create(&scene.os.os, &options, false, &error);
    if (scene.heap == NULL)
        fail_msg("%s", error.message);
    scene.mutator = shale_attach(scene.heap, &error);
    assert_non_null(scene.mutator);
    scene.type = shale_type_register(scene.heap, &spec, &error);
    assert_non_null(scene.type);
}

static void end(void)
{
    assert_int_equal(shale_detach(scene.mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(scene.heap, NULL), SHALE_OK);
    assert_null(os_failing_leak(&scene.os));
}

/* Objects whose words are all zero, and then are not. */
static void make(size_t bytes)
{
    for (size_t made = 0; made < bytes; made += WORDS * sizeof(uint64_t)) {
        uint64_t *words = shale_allocate(scene.mutator, scene.type);
        assert_non_null(words);
        for (size_t i = 0; i < WORDS; i++) {
            assert_int_equal(words[i], 0);
            words[i] = i + 1;
        }
    }
}

/* Until the collector's thread has nothing to make ready any more. Whether or not it does so at once. */
static void settle(void)
{
    struct collector *collector = &scene.heap->collector;
    for (bool busy = true; busy; sched_yield()) {
        pthread_mutex_lock(&collector->lock);
        busy = collector->ahead;
        pthread_mutex_unlock(&collector->lock);
    }
}

static unsigned calls(void)
{
    return atomic_load(&scene.os.calls[OS_POPULATE]);
}

static uint32_t ready(void)
{
    return region_resident_count(&scene.heap->memory.regions);
}

/* A growing heap has some regions ready, zero, and not too many; one that does not grow is left alone. */
static void test_growing_heap(void **state)
{
    (void)state;
    begin("3600000");
    make(2 * MIB);
    settle();
    assert_int_equal(calls(), 0); /* too small for it */
    make(60 * MIB);
    settle();
    unsigned made = calls();
    assert_true(made > 0);
    if (atomic_u32_load(&scene.heap->collector.never_ahead) != 0) {
        end();
        skip(); /* a kernel before 5.14 */
    }
    /* Taken or not, no region is more than AHEAD_MOST behind the last that is in use. */
    assert_in_range(ready(), 1, MOST);
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(scene.heap, &statistics), SHALE_OK);
    assert_true(statistics.committed_bytes <= (62 + 1) * MIB + MOST * REGION_SIZE);
    for (int i = 0; i < 1000; i++)
        shale_poll(scene.mutator);
    settle();
    assert_int_equal(calls(), made);
    make(60 * MIB);
    settle();
    assert_true(calls() > made);
    end();
}

/* Memory that a cycle freed is used first. */
static void test_freed_memory_first(void **state)
{
    (void)state;
    begin("3600000");
    make(60 * MIB);
    assert_int_equal(shale_collect(scene.mutator, SHALE_COLLECT_NORMAL), SHALE_OK);
    settle();
    assert_true(ready() > MOST);
    unsigned made = calls();
    make(40 * MIB);
    settle();
    assert_int_equal(calls(), made);
    end();
}

/* The budget is for all spaces: near the heap's end nothing is made ready that the rest will not be taken for. */
static void test_full_heap(void **state)
{
    (void)state;
    begin("3600000");
    make(240 * MIB);
    settle();
    const struct memory *memory = &scene.heap->memory;
    assert_true(budget_idle(&memory->fixed.budget) <= region_start(region_free_count(&memory->regions)));
    make(40 * MIB); /* with a cycle in between, which finds nothing live */
    end();
}

/* What is not to be kept is not made. */
static void test_no_idle_memory_wanted(void **state)
{
    (void)state;
    begin("0");
    make(60 * MIB);
    settle();
    assert_int_equal(calls(), 0);
    end();
}

/* An old kernel, or no memory to be had so: tried once, and the program goes on without. */
static void test_system_refuses(void **state)
{
    (void)state;
    static const int errors[] = {EINVAL, ENOMEM, EFAULT, EHWPOISON};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        begin("3600000");
        os_failing_plan(&scene.os, OS_POPULATE, 1, UINT_MAX, errors[i]);
        make(60 * MIB);
        settle();
        assert_int_equal(calls(), 1);
        assert_int_equal(atomic_load(&scene.os.failed), 1);
        make(60 * MIB);
        settle();
        assert_int_equal(calls(), 1);
        end();
    }
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing_heap),   cmocka_unit_test(test_freed_memory_first),
        cmocka_unit_test(test_full_heap),      cmocka_unit_test(test_no_idle_memory_wanted),
        cmocka_unit_test(test_system_refuses),
    };
    return cmocka_run_group_tests_name("unit.ahead", tests, NULL, NULL);
}
