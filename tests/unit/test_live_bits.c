/* Side bitmaps against an array of bools. */
#include "heap/live_bits.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS = 4, BITS = WORDS * 64 };

struct pair {
    uint64_t words[WORDS];
    bool model[BITS];
};

static void set(struct pair *pair, granule_number granule)
{
    bits_set(pair->words, granule);
    pair->model[granule] = true;
}

static granule_number model_next(const struct pair *pair, granule_number from, granule_number to)
{
    while (from < to && !pair->model[from])
        from++;
    return from < to ? from : to;
}

static granule_number model_previous(const struct pair *pair, granule_number from, granule_number to)
{
    for (granule_number at = to + 1; at-- > from;) {
        if (pair->model[at])
            return at;
    }
    return GRANULE_NONE;
}

/* From every bit to every bit. */
static void compare(const struct pair *pair)
{
    for (granule_number from = 0; from < BITS; from++) {
        assert_int_equal(bits_test(pair->words, from), pair->model[from]);
        for (granule_number to = from; to < BITS; to++) {
            granule_number next = bits_next(pair->words, from, to);
            granule_number previous = bits_previous(pair->words, from, to);
            if (next != model_next(pair, from, to) || previous != model_previous(pair, from, to))
                fail_msg("between %u and %u: next %u, previous %u", from, to, next, previous);
        }
        assert_int_equal(bits_next(pair->words, from, BITS), model_next(pair, from, BITS));
    }
}

static void test_empty_and_full(void **state)
{
    (void)state;
    struct pair pair = {.words = {0}};
    compare(&pair);
    memset(pair.words, 0xff, sizeof pair.words);
    memset(pair.model, true, sizeof pair.model);
    compare(&pair);
    /* An empty range has no bit, even where one is set. */
    assert_int_equal(bits_next(pair.words, 70, 70), 70);
    assert_int_equal(bits_next(pair.words, 71, 70), 70);
}

static void test_single_bits_at_word_edges(void **state)
{
    (void)state;
    static const granule_number edges[] = {0, 1, 62, 63, 64, 65, 127, 128, BITS - 64, BITS - 1};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        struct pair pair = {.words = {0}};
        set(&pair, edges[i]);
        compare(&pair);
    }
}

static void test_random(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(30, 2); round++) {
        struct test_random random = test_random_make(test_seed(), round);
        struct pair pair = {.words = {0}};
        unsigned percent = (unsigned)test_random_below(&random, 30);
        for (granule_number bit = 0; bit < BITS; bit++) {
            if (test_random_chance(&random, percent))
                set(&pair, bit);
        }
        compare(&pair);
    }
}

/* Several of a word at once: says which were set before. */
static void test_several_at_once(void **state)
{
    (void)state;
    uint64_t words[2] = {0, 6};
    assert_int_equal(bits_add_shared(words, 1, 3), 2);
    assert_int_equal(words[1], 7);
    assert_int_equal(bits_add_shared(words, 0, ~UINT64_C(0)), 0);
    assert_int_equal(bits_add_shared(words, 0, 1), 1);
    assert_true(words[0] == ~UINT64_C(0));
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_and_full),
        cmocka_unit_test(test_single_bits_at_word_edges),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_several_at_once),
    };
    return cmocka_run_group_tests_name("unit.live_bits", tests, NULL, NULL);
}
