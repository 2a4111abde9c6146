/* What read-ahead advises after which faults. */
#include "gc/read_ahead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FEW = 2, MOST = 16 };

/* No heap is as large: its pages are counted in 32 bits, with room behind. */
#define LAST_PAGE ((page_number)1 << 31)

static struct read_ahead ahead;

/* A fault, answered as advised, of which no page was up to date yet; the pages beside the one that was faulted on. */
static page_number fault(page_number page, bool down, page_number few, bool *went_down)
{
    struct read_ahead_advice advice = read_ahead_advise(&ahead, page, down, few, MOST);
    assert_true(advice.run < READ_AHEAD_RUNS);
    read_ahead_note(&ahead, &advice, advice.down ? page - advice.pages : page, advice.pages + 1);
    *went_down = advice.down;
    return advice.pages;
}

static void start(void)
{
    read_ahead_begin(&ahead);
}

static void test_upwards(void **state)
{
    (void)state;
    static const page_number expected[] = {0, 2, 4, 8, 16, 16, 16};
    start();
    page_number page = 0;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        bool down;
        page_number pages = fault(page, false, 0, &down);
        assert_int_equal(pages, expected[i]);
        assert_false(down);
        page += pages + 1;
    }
}

static void test_downwards(void **state)
{
    (void)state;
    static const page_number expected[] = {FEW, 4, 8, 16, 16};
    start();
    page_number page = 1000;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        bool down;
        page_number pages = fault(page, true, FEW, &down);
        assert_int_equal(pages, expected[i]);
        assert_true(down);
        page -= pages + 1;
    }
}

/* Whatever side was proposed for the first, the second shows where it goes. */
static void test_turning(void **state)
{
    (void)state;
    start();
    bool down;
    assert_int_equal(fault(500, false, FEW, &down), FEW);
    assert_false(down);
    assert_int_equal(fault(499, false, FEW, &down), 4);
    assert_true(down);
}

static void test_a_gap_that_others_filled(void **state)
{
    (void)state;
    start();
    bool down;
    fault(100, false, FEW, &down); /* up to 102 */
    assert_int_equal(fault(110, false, FEW, &down), 4);
    assert_int_equal(fault(1000, false, FEW, &down), FEW);
}

static void test_several_at_a_time(void **state)
{
    (void)state;
    static const page_number expected[] = {0, 2, 4, 8, 16};
    start();
    page_number pages[READ_AHEAD_RUNS];
    for (uint32_t run = 0; run < READ_AHEAD_RUNS; run++)
        pages[run] = 10000 * (run + 1);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        for (uint32_t run = 0; run < READ_AHEAD_RUNS; run++) {
            bool down;
            assert_int_equal(fault(pages[run], false, 0, &down), expected[i]);
            pages[run] += expected[i] + 1;
        }
    }
}

static void test_far_apart(void **state)
{
    (void)state;
    start();
    for (page_number page = 1000000; page > 1000; page -= 1000) {
        bool down;
        assert_int_equal(fault(page, false, FEW, &down), FEW);
        assert_false(down);
    }
}

/* The ends of the space: what would lie beyond is no neighbour of the other end. */
static void test_first_and_last_page(void **state)
{
    (void)state;
    start();
    bool down;
    fault(0, false, 0, &down);
    assert_int_equal(fault(LAST_PAGE, false, FEW, &down), FEW);
    start();
    assert_int_equal(fault(0, false, FEW, &down), FEW);
    assert_int_equal(fault(FEW + 1, false, FEW, &down), 4);
    assert_false(down);
}

static void test_forgets(void **state)
{
    (void)state;
    start();
    bool down;
    fault(7, false, FEW, &down);
    read_ahead_begin(&ahead);
    assert_int_equal(fault(7 + FEW + 1, false, FEW, &down), FEW);
}

static void test_none_wanted(void **state)
{
    (void)state;
    start();
    for (page_number page = 0; page < 100; page++) {
        struct read_ahead_advice advice = read_ahead_advise(&ahead, page, false, 0, 0);
        assert_int_equal(advice.pages, 0);
        read_ahead_note(&ahead, &advice, page, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upwards),
        cmocka_unit_test(test_downwards),
        cmocka_unit_test(test_turning),
        cmocka_unit_test(test_a_gap_that_others_filled),
        cmocka_unit_test(test_several_at_a_time),
        cmocka_unit_test(test_far_apart),
        cmocka_unit_test(test_first_and_last_page),
        cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_none_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
