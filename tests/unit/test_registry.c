/* The table of this process's heaps. It never looks inside one, so any addresses do. */
#include "runtime/registry.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static shale_heap *fake(size_t number)
{
    return (shale_heap *)(uintptr_t)(0x1000 + number * 64);
}

static void test_add_and_remove(void **state)
{
    (void)state;
    assert_false(registry_has(NULL));
    assert_false(registry_has(fake(1)));
    assert_true(registry_add(fake(1)));
    assert_true(registry_has(fake(1)));
    assert_false(registry_has(fake(2)));
    assert_false(registry_remove(fake(2)));
    assert_true(registry_remove(fake(1)));
    assert_false(registry_has(fake(1)));
    assert_false(registry_remove(fake(1)));
}

static void test_full(void **state)
{
    (void)state;
    for (size_t i = 0; i < REGISTRY_MAX; i++)
        assert_true(registry_add(fake(i)));
    assert_false(registry_add(fake(REGISTRY_MAX)));
    assert_false(registry_has(fake(REGISTRY_MAX)));
    assert_null(registry_get(REGISTRY_MAX));
    assert_null(registry_get(SIZE_MAX));
    /* Any place that becomes free is used again. */
    assert_true(registry_remove(fake(100)));
    assert_true(registry_add(fake(REGISTRY_MAX)));
    assert_true(registry_remove(fake(REGISTRY_MAX)));
    for (size_t i = 0; i < REGISTRY_MAX; i++)
        assert_int_equal(registry_remove(fake(i)), i != 100);
    for (size_t i = 0; i < REGISTRY_MAX; i++)
        assert_null(registry_get(i));
}

static void *remove_all(void *removed)
{
    for (size_t i = 0; i < REGISTRY_MAX; i++)
        *(size_t *)removed += registry_remove(fake(i));
    return NULL;
}

/* Of two threads that destroy one heap at the same time, one does. */
static void test_one_removal_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < REGISTRY_MAX; i++)
        assert_true(registry_add(fake(i)));
    pthread_t threads[3];
    size_t removed[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, remove_all, &removed[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(removed[0] + removed[1] + removed[2], REGISTRY_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_remove),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_one_removal_wins),
    };
    return cmocka_run_group_tests_name("unit.registry", tests, NULL, NULL);
}
