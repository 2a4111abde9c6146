/* Size classes: every size has the smallest class that it fits; starts of cells against counting them one by one. */
#include "heap/cells.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static size_t cell_size(unsigned class)
{
    return (size_t)size_class_granules(class) << GRANULE_SHIFT;
}

static void test_every_size_has_the_smallest_class(void **state)
{
    (void)state;
    for (size_t size = GRANULE_SIZE; size <= OBJECT_SIZE_MAX; size += GRANULE_SIZE) {
        unsigned class = size_class_of(size);
        assert_true(class < SIZE_CLASS_COUNT);
        assert_true(cell_size(class) >= size);
        assert_true(class == 0 || cell_size(class - 1) < size);
        assert_true(size <= 128 ? cell_size(class) == size : cell_size(class) * 4 < size * 5);
    }
    assert_int_equal(size_class_of(OBJECT_SIZE_MAX), SIZE_CLASS_COUNT - 1);
}

static void test_kinds_are_apart(void **state)
{
    (void)state;
    for (size_t size = GRANULE_SIZE; size <= OBJECT_SIZE_MAX; size += GRANULE_SIZE) {
        assert_int_not_equal(cell_index(size, false), cell_index(size, true));
        assert_true(cell_index(size, true) < CELL_INDICES);
        assert_true(cell_index(size, false) < CELL_INDICES);
    }
}

static void test_starts_of_cells(void **state)
{
    (void)state;
    for (unsigned number = 0; number < SIZE_CLASS_COUNT; number++) {
        struct size_class class = size_class_describe(number);
        uint32_t granules = class.words * 64;
        assert_true(1 + class.count * class.granules <= granules);
        assert_true(1 + (class.count + 1) * class.granules > granules);
        uint32_t phase = size_class_phase(&class, 0);
        uint32_t cell = 0;
        for (unsigned word = 0; word < class.words; word++) {
            assert_int_equal(phase % class.granules, size_class_phase(&class, word) % class.granules);
            uint64_t expected = 0;
            for (; cell < class.count && (1 + cell * class.granules) >> 6 == word; cell++)
                expected |= UINT64_C(1) << ((1 + cell * class.granules) & 63);
            assert_true(size_class_starts(&class, word, phase) == expected);
            phase = size_class_next_phase(&class, phase);
        }
        assert_int_equal(cell, class.count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_has_the_smallest_class),
        cmocka_unit_test(test_kinds_are_apart),
        cmocka_unit_test(test_starts_of_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
