/* Leads against a naive set: what was added is in it, nothing else is, and more than four are all. */
#include "heap/leads.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NAMED = 4, PAGES = 2 };

static bool names(uint64_t set, uint64_t name)
{
    for (int i = 0; i < NAMED; i++) {
        if ((set >> i * LEADS_NAME_BITS & LEADS_NAME_MASK) == name)
            return true;
    }
    return set == LEADS_ANYWHERE;
}

/* A set that was kept naively. */
struct expected {
    uint64_t names[64];
    size_t count;
};

static void expect(struct expected *expected, uint64_t name)
{
    for (size_t i = 0; i < expected->count; i++) {
        if (expected->names[i] == name)
            return;
    }
    expected->names[expected->count++] = name;
}

static void check(const struct expected *expected, uint64_t set)
{
    if (expected->count > NAMED) {
        assert_true(set == LEADS_ANYWHERE);
        return;
    }
    size_t found = 0;
    for (; set != 0; set >>= LEADS_NAME_BITS)
        found += (set & LEADS_NAME_MASK) != 0;
    assert_int_equal(found, expected->count);
}

/* Few names, or names that differ in one bit, at either end of their range. */
static uint64_t random_name(struct test_random *random, unsigned kind)
{
    switch (kind % 3) {
    case 0:
        return test_random_between(random, 1, 6);
    case 1:
        return LEADS_NAMES_MAX - test_random_below(random, 6);
    default:
        return UINT64_C(1) << test_random_below(random, 16);
    }
}

static void test_names_are_kept(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 1);
    for (unsigned round = 0; round < 20000; round++) {
        struct expected expected = {.count = 0};
        uint64_t set = 0;
        for (size_t i = test_random_below(&random, 12); i > 0; i--) {
            uint64_t name = random_name(&random, round);
            set = leads_with(set, name);
            expect(&expected, name);
        }
        check(&expected, set);
        for (size_t i = 0; i < expected.count; i++)
            assert_true(names(set, expected.names[i]));
    }
}

/* A tracer adds all at once to leads that others have added to meanwhile. */
static void test_nothing_is_lost_to_others(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 2);
    for (unsigned round = 0; round < 20000; round++) {
        atomic_u64 pages[PAGES] = {{0}};
        struct leads leads;
        leads_init(&leads, pages, NULL, 1024);
        struct expected expected = {.count = 0};
        uint64_t mine = 0;
        for (int by = 0; by < 3; by++) {
            uint64_t before = atomic_u64_load(&pages[0]);
            for (size_t i = test_random_below(&random, 3); i > 0; i--) {
                uint64_t name = leads_name(&leads, (region_number)test_random_below(&random, 7));
                expect(&expected, name);
                if (by != 1)
                    leads_add(&leads, 0, name);
                else
                    mine = leads_with(mine == 0 ? before : mine, name);
            }
            if (by == 2 && mine != 0)
                leads_grow(&leads, 0, before, mine);
        }
        check(&expected, atomic_u64_load(&pages[0]));
        assert_int_equal(atomic_u64_load(&pages[1]), 0);
    }
}

static void test_every_region_of_the_largest_heap_has_a_name(void **state)
{
    (void)state;
    region_number regions = (region_number)(HEAP_SIZE_MAX >> REGION_SHIFT);
    struct leads leads;
    leads_init(&leads, NULL, NULL, regions);
    assert_true(leads_name(&leads, regions - 1) <= LEADS_NAMES_MAX);
    assert_int_equal(leads_name(&leads, 0), 1);
    leads_init(&leads, NULL, NULL, LEADS_NAMES_MAX - 1);
    assert_int_equal(leads.shift, 0);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_kept),
        cmocka_unit_test(test_nothing_is_lost_to_others),
        cmocka_unit_test(test_every_region_of_the_largest_heap_has_a_name),
    };
    return cmocka_run_group_tests_name("unit.leads", tests, NULL, NULL);
}
