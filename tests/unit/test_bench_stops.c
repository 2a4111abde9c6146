/* The benchmarks' list of stops: percentiles, and the minimum mutator utilisation against all windows, one by one. */
#include "bench/measures/stops.h"
#include "tests/support/test_random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TIME_MOST = 400, STOPS_MOST = 20 };

static struct stops stops;

/* Whether it was stopped in each unit of time. */
static bool stopped[TIME_MOST];

static void make_stops(struct test_random *random, uint64_t end)
{
    memset(&stops, 0, sizeof stops);
    memset(stopped, 0, sizeof stopped);
    uint64_t at = 0;
    for (size_t i = 0; i < STOPS_MOST; i++) {
        uint64_t begin = at + test_random_below(random, 30);
        uint64_t stop_end = begin + test_random_between(random, 1, 20);
        if (stop_end > end)
            break;
        stops_add(&stops, begin, stop_end);
        memset(stopped + begin, true, stop_end - begin);
        at = stop_end;
    }
}

static double utilisation_by_trial(uint64_t begin, uint64_t end, uint64_t window)
{
    double least = 1;
    if (window > end - begin)
        window = end - begin;
    for (uint64_t from = begin; from + window <= end; from++) {
        uint64_t sum = 0;
        for (uint64_t at = from; at < from + window; at++)
            sum += stopped[at];
        double share = 1 - (double)sum / (double)window;
        if (share < least)
            least = share;
    }
    return least;
}

static void test_utilisation(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 0);
    for (unsigned round = 0; round < test_rounds(300, 50); round++) {
        uint64_t end = test_random_between(&random, 50, TIME_MOST);
        make_stops(&random, end);
        uint64_t begin = test_random_below(&random, 40);
        for (unsigned i = 0; i < 10; i++) {
            uint64_t window = test_random_between(&random, 1, (size_t)(end - begin) + 10);
            double told = stops_minimum_utilisation(&stops, begin, end, window);
            assert_true(fabs(told - utilisation_by_trial(begin, end, window)) < 1e-9);
        }
    }
}

static void test_no_stops(void **state)
{
    (void)state;
    memset(&stops, 0, sizeof stops);
    assert_true(stops_minimum_utilisation(&stops, 100, 200, 10) == 1);
    assert_int_equal(stops_total(&stops), 0);
    assert_int_equal(stops_longest(&stops), 0);
    assert_int_equal(stops_percentile(&stops, 500000), 0);
}

static void test_summary(void **state)
{
    (void)state;
    memset(&stops, 0, sizeof stops);
    static const uint64_t durations[] = {5, 1, 9, 3};
    uint64_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        stops_add(&stops, at, at + durations[i]);
        at += 100;
    }
    assert_int_equal(stops.count, 4);
    assert_int_equal(stops_total(&stops), 18);
    assert_int_equal(stops_longest(&stops), 9);
    assert_int_equal(stops_percentile(&stops, 500000), 3);
    assert_int_equal(stops_percentile(&stops, 500001), 5);
    assert_int_equal(stops_percentile(&stops, 990000), 9);
}

static void test_more_than_fit(void **state)
{
    (void)state;
    memset(&stops, 0, sizeof stops);
    for (uint64_t i = 0; i < STOPS_MAX + 3; i++)
        stops_add(&stops, 2 * i, 2 * i + 1);
    assert_int_equal(stops.count, STOPS_MAX);
    assert_int_equal(stops.lost, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utilisation),
        cmocka_unit_test(test_no_stops),
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_more_than_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
