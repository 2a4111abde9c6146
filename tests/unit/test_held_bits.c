/* Bits that a tracer holds: each is taken once, and a word without room is told from one with. */
#include "gc/held_bits.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS = 4096 };

/* Writes what is held to a bitmap; returns how many bits. */
static unsigned write_all(struct held_bits *held, uint64_t *words)
{
    unsigned written = 0;
    for (unsigned i = 0; i < held->count; i++) {
        unsigned place = held->used[i];
        assert_true(held->words[place] < WORDS);
        assert_true(held->bits[place] != 0);
        assert_int_equal(bits_add_shared(words, held->words[place], held->bits[place]), 0);
        written += (unsigned)__builtin_popcountll(held->bits[place]);
        held->bits[place] = 0;
    }
    held->count = 0;
    return written;
}

static void test_each_bit_once(void **state)
{
    (void)state;
    static uint64_t words[WORDS];
    static uint64_t expected[WORDS];
    for (unsigned round = 0; round < test_rounds(20, 2); round++) {
        struct test_random random = test_random_make(test_seed(), round);
        struct held_bits held = {.count = 0};
        memset(words, 0, sizeof words);
        memset(expected, 0, sizeof expected);
        granule_number range = 64u << test_random_below(&random, 12);
        unsigned taken = 0;
        unsigned written = 0;
        for (unsigned i = 0; i < 5000; i++) {
            granule_number granule = (granule_number)test_random_below(&random, range);
            bool known = bits_test(expected, granule);
            assert_int_equal(bits_test(words, granule) || held_test(&held, granule), known);
            if (bits_test(words, granule))
                continue;
            enum held_outcome outcome = held_take(&held, granule);
            if (outcome == HELD_FULL) {
                written += write_all(&held, words);
                outcome = held_take(&held, granule);
            }
            assert_int_equal(outcome, known ? HELD_ALREADY : HELD_TAKEN);
            assert_true(held_test(&held, granule));
            taken += !known;
            bits_set(expected, granule);
        }
        written += write_all(&held, words);
        assert_int_equal(written, taken);
        assert_memory_equal(words, expected, sizeof words);
    }
}

static void test_full_changes_nothing(void **state)
{
    (void)state;
    struct held_bits held = {.count = 0};
    granule_number granule = 0;
    while (held_take(&held, granule) == HELD_TAKEN)
        granule += 64;
    assert_true(held.count <= HELD_PLACES);
    struct held_bits before = held;
    assert_int_equal(held_take(&held, granule), HELD_FULL);
    assert_memory_equal(&held, &before, sizeof held);
    assert_false(held_test(&held, granule));
    /* Words that are there have room. */
    assert_int_equal(held_take(&held, 1), HELD_TAKEN);
    assert_int_equal(held_take(&held, 1), HELD_ALREADY);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_bit_once),
        cmocka_unit_test(test_full_changes_nothing),
    };
    return cmocka_run_group_tests_name("unit.held_bits", tests, NULL, NULL);
}
