/* The histogram of durations against sorted arrays. */
#include "gc/durations.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES_MAX = 3000 };

static struct durations durations;
static uint64_t samples[SAMPLES_MAX];

static int ascending(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* A percentile is at least the value of its rank, and at most 7 % above it. */
static void check_percentile(uint64_t reported, uint64_t exact, uint64_t maximum)
{
    assert_true(reported >= exact);
    assert_true(reported <= maximum);
    assert_true((double)reported <= (double)exact * 1.07);
}

static void check(size_t count)
{
    shale_durations summary;
    durations_summarize(&durations, &summary);
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += samples[i];
    qsort(samples, count, sizeof samples[0], ascending);
    assert_int_equal(summary.count, count);
    assert_int_equal(summary.total, total);
    assert_int_equal(summary.maximum, samples[count - 1]);
    check_percentile(summary.p50, samples[(count + 1) / 2 - 1], summary.maximum);
    check_percentile(summary.p99, samples[(count * 99 + 99) / 100 - 1], summary.maximum);
}

static void start(void)
{
    memset(&durations, 0, sizeof durations);
}

static void test_nothing_recorded(void **state)
{
    (void)state;
    start();
    shale_durations summary;
    durations_summarize(&durations, &summary);
    assert_int_equal(summary.count, 0);
    assert_int_equal(summary.p50, 0);
    assert_int_equal(summary.p99, 0);
    assert_int_equal(summary.maximum, 0);
}

/* Each single value is its own percentile, at all magnitudes. */
static void test_single_values(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 47; shift++) {
        for (int step = -1; step <= 1; step++) {
            uint64_t value = (UINT64_C(1) << shift) + (uint64_t)step;
            start();
            durations_record(&durations, samples[0] = value);
            check(1);
        }
    }
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    start();
    for (uint64_t i = 0; i < 16; i++)
        durations_record(&durations, i);
    shale_durations summary;
    durations_summarize(&durations, &summary);
    assert_int_equal(summary.p50, 7);
    assert_int_equal(summary.p99, 15);
}

/* What is longer than any class is counted in the last. */
static void test_beyond_the_classes(void **state)
{
    (void)state;
    start();
    durations_record(&durations, UINT64_MAX);
    durations_record(&durations, 5);
    shale_durations summary;
    durations_summarize(&durations, &summary);
    assert_int_equal(summary.count, 2);
    assert_int_equal(summary.maximum, UINT64_MAX);
    assert_int_equal(summary.p50, 5);
    assert_true(summary.p99 >= (UINT64_C(1) << 47) - 1);
}

static void test_random(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(60, 10); round++) {
        struct test_random random = test_random_make(test_seed(), round);
        size_t count = test_random_between(&random, 1, SAMPLES_MAX);
        unsigned bits = (unsigned)test_random_between(&random, 1, 46);
        start();
        for (size_t i = 0; i < count; i++) {
            samples[i] = test_random_next(&random) >> (64 - test_random_between(&random, 1, bits));
            durations_record(&durations, samples[i]);
        }
        check(count);
    }
}

static void test_clock_goes_forward(void **state)
{
    (void)state;
    uint64_t before = clock_nanoseconds();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_nanoseconds();
        assert_true(now >= before);
        before = now;
    }
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_recorded),
        cmocka_unit_test(test_single_values),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_beyond_the_classes),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_clock_goes_forward),
    };
    return cmocka_run_group_tests_name("unit.durations", tests, NULL, NULL);
}
