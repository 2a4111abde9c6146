/* [layout]: the units and the conversions between them, at the edges of the largest heap. */
#include "heap/layout.h"

#include <setjmp.h>
#include <shale/shale.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_units_fit_into_each_other(void **state)
{
    (void)state;
    assert_int_equal(GRANULE_SIZE, 16);
    assert_int_equal(CHUNK_SIZE, 64 * GRANULE_SIZE);
    assert_int_equal(REGION_SIZE, 256 << 10);
    assert_int_equal(REGION_CHUNKS * CHUNK_SIZE, REGION_SIZE);
    assert_int_equal(REGION_GRANULES * GRANULE_SIZE, REGION_SIZE);
    assert_int_equal(HEAP_UNIT % REGION_SIZE, 0);
    assert_int_equal(HEAP_SIZE_MIN % HEAP_UNIT, 0);
    assert_int_equal(HEAP_SIZE_MAX % HEAP_UNIT, 0);
    assert_int_equal(REGION_SPACE_MAX % HEAP_UNIT, 0);
    assert_int_equal(VIEW_ALIGNMENT % HEAP_UNIT, 0);
    /* page_release_rest looks at eight pages at a time, on machines with the largest pages too. */
    assert_int_equal(HEAP_UNIT / 65536 % 8, 0);
}

/* The largest object fits a region, between its header and the end. */
static void test_objects_fit_regions(void **state)
{
    (void)state;
    assert_true(OBJECT_SIZE_MAX >= SHALE_OBJECT_MAX + HEADER_SIZE);
    assert_true(OBJECT_SIZE_MAX < SHALE_OBJECT_MAX + HEADER_SIZE + GRANULE_SIZE);
    assert_int_equal(OBJECT_SIZE_MAX % GRANULE_SIZE, 0);
    assert_true(REGION_FIRST_OBJECT - HEADER_SIZE + REGION_CAPACITY <= REGION_SIZE);
    /* One granule more would not fit. */
    assert_true(REGION_FIRST_OBJECT - HEADER_SIZE + REGION_CAPACITY + GRANULE_SIZE > REGION_SIZE);
    assert_true(OBJECT_SIZE_MAX + CHUNK_SIZE < REGION_CAPACITY);
}

static void test_round_up(void **state)
{
    (void)state;
    assert_int_equal(round_up(0, 4096), 0);
    assert_int_equal(round_up(1, 4096), 4096);
    assert_int_equal(round_up(4096, 4096), 4096);
    assert_int_equal(round_up(4097, 4096), 8192);
    assert_int_equal(round_up(HEAP_SIZE_MAX - 1, HEAP_UNIT), HEAP_SIZE_MAX);
}

static void test_numbers_of_offsets(void **state)
{
    (void)state;
    size_t last = REGION_SPACE_MAX - GRANULE_SIZE;
    assert_int_equal(granule_start(granule_of(last)), last);
    assert_int_equal(granule_of(last), UINT32_MAX);
    assert_int_equal(region_of(last), REGION_SPACE_MAX / REGION_SIZE - 1);
    assert_int_equal(region_start(region_of(last)), REGION_SPACE_MAX - REGION_SIZE);
    assert_int_equal(region_of(REGION_SIZE - 1), 0);
    assert_int_equal(region_of(REGION_SIZE), 1);
    assert_int_equal(granule_of(15), 0);
    assert_int_equal(granule_of(16), 1);
    assert_int_equal(granule_start(3), 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_fit_into_each_other),
        cmocka_unit_test(test_objects_fit_regions),
        cmocka_unit_test(test_round_up),
        cmocka_unit_test(test_numbers_of_offsets),
    };
    return cmocka_run_group_tests_name("unit.layout", tests, NULL, NULL);
}
