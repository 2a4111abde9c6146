/* The typed atomics: what each does to its word, and that counts are not lost between threads. */
#include "heap/atomic.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_loads_see_stores(void **state)
{
    (void)state;
    atomic_u8 small = {0};
    atomic_u8_store(&small, 200);
    assert_int_equal(atomic_u8_load(&small), 200);
    atomic_u8_store_release(&small, 255);
    assert_int_equal(atomic_u8_load_acquire(&small), 255);
    atomic_u32 middle = {0};
    atomic_u32_store(&middle, UINT32_MAX);
    assert_int_equal(atomic_u32_load(&middle), UINT32_MAX);
    atomic_u32_store_release(&middle, 7);
    assert_int_equal(atomic_u32_load_acquire(&middle), 7);
    atomic_u64 large = {0};
    atomic_u64_store(&large, UINT64_MAX - 1);
    assert_int_equal(atomic_u64_load(&large), UINT64_MAX - 1);
    atomic_u64_store_release(&large, UINT64_C(1) << 40);
    assert_int_equal(atomic_u64_load_acquire(&large), UINT64_C(1) << 40);
}

static void test_changes_wrap_and_return_what_was(void **state)
{
    (void)state;
    atomic_u32 middle = {UINT32_MAX};
    assert_int_equal(atomic_u32_fetch_add(&middle, 2), UINT32_MAX);
    assert_int_equal(atomic_u32_load(&middle), 1);
    atomic_u64 large = {5};
    assert_int_equal(atomic_u64_fetch_add(&large, UINT64_MAX), 5);
    assert_int_equal(atomic_u64_load(&large), 4);
}

static void test_compare_and_swap(void **state)
{
    (void)state;
    atomic_u8 small = {3};
    assert_false(atomic_u8_cas_acquire(&small, 2, 9));
    assert_int_equal(atomic_u8_load(&small), 3);
    assert_true(atomic_u8_cas_acquire(&small, 3, 9));
    assert_int_equal(atomic_u8_load(&small), 9);
    atomic_u64 large = {UINT64_C(1) << 63};
    assert_false(atomic_u64_cas_full(&large, 1, 2));
    assert_true(atomic_u64_cas_full(&large, UINT64_C(1) << 63, 2));
    assert_int_equal(atomic_u64_load(&large), 2);
}

enum { THREADS = 4, STEPS = 20000 };

static struct {
    atomic_u32 middle;
    atomic_u64 large;
    atomic_u8 lock; /* guards `plain`, so acquire and release are needed for it to come out right */
    unsigned plain;
} shared;

static void *count(void *argument)
{
    (void)argument;
    for (int i = 0; i < STEPS; i++) {
        atomic_u32_fetch_add(&shared.middle, 1);
        atomic_u64_fetch_add(&shared.large, 3);
        while (!atomic_u8_cas_acquire(&shared.lock, 0, 1))
            atomic_pause();
        shared.plain++;
        atomic_u8_store_release(&shared.lock, 0);
    }
    return NULL;
}

static void test_no_count_is_lost(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_u32_load(&shared.middle), THREADS * STEPS);
    assert_int_equal(atomic_u64_load(&shared.large), 3 * THREADS * STEPS);
    assert_int_equal(shared.plain, THREADS * STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads_see_stores),
        cmocka_unit_test(test_changes_wrap_and_return_what_was),
        cmocka_unit_test(test_compare_and_swap),
        cmocka_unit_test(test_no_count_is_lost),
    };
    return cmocka_run_group_tests_name("unit.atomic", tests, NULL, NULL);
}
