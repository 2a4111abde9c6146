/* The benchmarks' histogram against sorted arrays, and the file that it writes. */
#include "bench/measures/histogram.h"
#include "tests/support/test_random.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES_MAX = 20000, LINE_MAX_LENGTH = 200 };

static struct histogram histogram;
static uint64_t samples[SAMPLES_MAX];

static int ascending(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void record(size_t count, struct test_random *random, unsigned bits_most)
{
    memset(&histogram, 0, sizeof histogram);
    for (size_t i = 0; i < count; i++) {
        samples[i] = test_random_next(random) >> (64 - test_random_between(random, 1, bits_most));
        histogram_record(&histogram, samples[i]);
    }
    qsort(samples, count, sizeof samples[0], ascending);
}

/* Every value is in the class whose largest value it does not exceed, and exceeds that of the class before. */
static void check_class(uint64_t value)
{
    size_t index = histogram_class(value);
    assert_in_range(index, 0, HISTOGRAM_CLASSES - 1);
    assert_true(value <= histogram_upper(index));
    assert_true(index == 0 || value > histogram_upper(index - 1));
    assert_true((double)histogram_upper(index) <= (double)value * (1 + 1.0 / (1 << HISTOGRAM_CLASS_BITS)));
}

static void test_classes(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 5000; value++)
        check_class(value);
    for (unsigned bit = 12; bit < HISTOGRAM_VALUE_BITS; bit++) {
        uint64_t power = UINT64_C(1) << bit;
        check_class(power - 1);
        check_class(power);
        check_class(power + 1);
    }
    uint64_t too_large = UINT64_C(1) << HISTOGRAM_VALUE_BITS;
    check_class(too_large - 1);
    assert_int_equal(histogram_class(too_large), HISTOGRAM_CLASSES - 1);
    assert_int_equal(histogram_class(UINT64_MAX), HISTOGRAM_CLASSES - 1);
}

static void check_percentile(size_t count, uint32_t per_million)
{
    size_t rank = (size_t)(((uint64_t)count * per_million + 999999) / 1000000);
    uint64_t exact = samples[rank == 0 ? 0 : rank - 1];
    uint64_t told = histogram_percentile(&histogram, per_million);
    assert_true(told >= exact);
    assert_true(told <= samples[count - 1]);
    assert_true((double)told <= (double)exact * (1 + 1.0 / (1 << HISTOGRAM_CLASS_BITS)));
}

static void test_percentiles(void **state)
{
    (void)state;
    static const uint32_t percentiles[] = {0, 1, 100000, 500000, 990000, 999000, 999900, 999999, 1000000};
    struct test_random random = test_random_make(test_seed(), 0);
    for (unsigned round = 0; round < test_rounds(50, 10); round++) {
        size_t count = test_random_between(&random, 1, SAMPLES_MAX);
        record(count, &random, HISTOGRAM_VALUE_BITS);
        assert_int_equal(histogram.count, count);
        assert_int_equal(histogram.maximum, samples[count - 1]);
        for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++)
            check_percentile(count, percentiles[i]);
        assert_int_equal(histogram_percentile(&histogram, 1000000), samples[count - 1]);
    }
}

static void test_nothing_recorded(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    assert_int_equal(histogram_percentile(&histogram, 500000), 0);
    assert_int_equal(histogram_percentile(&histogram, 1000000), 0);
}

static void test_values_beyond_the_last_class(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    histogram_record(&histogram, 10);
    histogram_record(&histogram, UINT64_C(1) << 50);
    assert_int_equal(histogram_percentile(&histogram, 500000), 10);
    assert_int_equal(histogram_percentile(&histogram, 990000), UINT64_C(1) << 50);
    assert_int_equal(histogram_percentile(&histogram, 1000000), UINT64_C(1) << 50);
}

static void test_addition(void **state)
{
    (void)state;
    static struct histogram left;
    static struct histogram both;
    struct test_random random = test_random_make(test_seed(), 1);
    record(1000, &random, 30);
    left = histogram;
    record(500, &random, 35);
    both = left;
    histogram_add(&both, &histogram);
    assert_int_equal(both.count, 1500);
    assert_int_equal(both.maximum, left.maximum > histogram.maximum ? left.maximum : histogram.maximum);
    for (size_t i = 0; i < HISTOGRAM_CLASSES; i++)
        assert_int_equal(both.counts[i], left.counts[i] + histogram.counts[i]);
}

/* The lines of a .hgrm file that begin with a number: value in microseconds, percentile as a share, count up to there. */
static void check_hgrm_lines(FILE *file, size_t count)
{
    char line[LINE_MAX_LENGTH];
    double value = 0;
    double share = 0;
    uint64_t seen = 0;
    size_t lines = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        double next_value;
        double next_share;
        uint64_t next_seen;
        if (sscanf(line, "%lf %lf %" SCNu64, &next_value, &next_share, &next_seen) != 3)
            continue;
        assert_true(next_value >= value && next_share >= share && next_seen >= seen);
        value = next_value;
        share = next_share;
        seen = next_seen;
        lines++;
        if (seen < count) {
            /* As many values as it says do not exceed this one, but for what is cut off of it. */
            assert_true((double)samples[seen - 1] <= value * 1000 + 1);
            assert_true((double)seen + 1e-6 >= share * (double)count); /* 12 digits of it */
        }
    }
    assert_true(lines > 0);
    assert_int_equal(seen, count);
    assert_true(share == 1.0);
    assert_true(value * 1000 + 1 >= (double)samples[count - 1]);
}

static void test_hgrm_file(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 2);
    for (unsigned round = 0; round < test_rounds(20, 5); round++) {
        size_t count = test_random_between(&random, 1, SAMPLES_MAX);
        record(count, &random, 34);
        FILE *file = tmpfile();
        assert_non_null(file);
        assert_true(histogram_write_hgrm(&histogram, file));
        rewind(file);
        check_hgrm_lines(file, count);
        fclose(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),          cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_nothing_recorded), cmocka_unit_test(test_values_beyond_the_last_class),
        cmocka_unit_test(test_addition),         cmocka_unit_test(test_hgrm_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
