/* [slots]: whatever windows an object is visited through, each of its slots is shown exactly once. And how
 * values hold references. */
#include "heap/object.h"
#include "tests/support/model_types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct type_table table;
static struct type *types[MODEL_TYPES];

/* What visits have shown: how often each word was, as what. */
struct seen {
    const char *object; /* slots are shown here */
    size_t words;
    unsigned char pointers[SHALE_OBJECT_MAX / 8 + 2];
    unsigned char values[SHALE_OBJECT_MAX / 8 + 2];
    size_t from; /* of the present window */
    size_t to;
    const char *wrong;
};

static void see(void *context, uint64_t *slots, size_t count, bool value)
{
    struct seen *seen = context;
    for (size_t i = 0; i < count; i++) {
        size_t offset = (size_t)((char *)&slots[i] - seen->object);
        if (offset % 8 != 0 || offset / 8 >= seen->words)
            seen->wrong = "a slot outside the object was shown";
        else if (offset < seen->from || offset >= seen->to)
            seen->wrong = "a slot outside the window was shown";
        else if (value)
            seen->values[offset / 8]++;
        else
            seen->pointers[offset / 8]++;
    }
    if (count == 0)
        seen->wrong = "a run of no slots was shown";
}

static struct seen *see_nothing(const char *object, size_t size)
{
    static struct seen seen;
    memset(&seen, 0, sizeof seen);
    seen.object = object;
    seen.words = (size - HEADER_SIZE) / 8;
    return &seen;
}

static void visit_window(struct seen *seen, const struct type *type, uint64_t header, char *object,
                         char *readable, size_t from, size_t to)
{
    seen->from = from;
    seen->to = to;
    object_visit_slots(type, header, object, readable, from, to, see, seen);
}

static void compare(const struct seen *seen, enum model_type type, size_t length, const void *payload)
{
    static struct model_slot slots[MODEL_SLOTS_MAX];
    static unsigned char expected[2][SHALE_OBJECT_MAX / 8 + 2];
    size_t count = model_slots(type, length, payload, slots);
    memset(expected, 0, sizeof expected);
    for (size_t i = 0; i < count; i++)
        expected[slots[i].value][slots[i].offset / 8] = 1;
    if (seen->wrong != NULL)
        fail_msg("%s", seen->wrong);
    assert_memory_equal(seen->pointers, expected[false], seen->words);
    assert_memory_equal(seen->values, expected[true], seen->words);
}

/* An object, and a copy elsewhere in which slots are to be visited. */
struct subject {
    enum model_type type;
    size_t length;
    size_t size;
    uint64_t header;
    char *readable;
    char *object;
};

static struct subject subject_make(struct test_random *random, enum model_type type)
{
    struct subject subject = {.type = type, .length = model_random_length(random, type)};
    if (test_quick() && subject.length > 400)
        subject.length = 400;
    subject.size = model_size(type, subject.length);
    subject.header = types[type]->api.header | (uint64_t)subject.length << 32;
    subject.readable = malloc(subject.size);
    assert_non_null(subject.readable);
    for (size_t i = 0; i < subject.size / 8; i++)
        ((uint64_t *)subject.readable)[i] = test_random_next(random);
    /* Never read: a custom visitor that looked here would find no pattern. */
    subject.object = calloc(1, subject.size);
    assert_non_null(subject.object);
    return subject;
}

static void subject_free(struct subject *subject)
{
    free(subject->readable);
    free(subject->object);
}

static void test_whole_objects(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 1);
    for (unsigned round = 0; round < test_rounds(2000, 100); round++) {
        struct subject s = subject_make(&random, (enum model_type)(round % MODEL_TYPES));
        struct seen *seen = see_nothing(s.object, s.size);
        visit_window(seen, types[s.type], s.header, s.object, s.readable, 0, SIZE_MAX);
        compare(seen, s.type, s.length, s.readable);
        subject_free(&s);
    }
}

/* Cut into windows at random places, multiples of 8 as page ends are. */
static void test_windows(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 2);
    for (unsigned round = 0; round < test_rounds(4000, 200); round++) {
        struct subject s = subject_make(&random, (enum model_type)(round % MODEL_TYPES));
        struct seen *seen = see_nothing(s.object, s.size);
        size_t widest = (size_t)8 << test_random_below(&random, 12);
        size_t from = 0;
        while (from < s.size) {
            size_t to = from + 8 * test_random_between(&random, 1, widest / 8);
            /* The last window is open, as page building makes it. */
            visit_window(seen, types[s.type], s.header, s.object, s.readable, from,
                         to < s.size ? to : SIZE_MAX);
            from = to;
        }
        compare(seen, s.type, s.length, s.readable);
        subject_free(&s);
    }
}

/* A custom visitor may show long runs; a window cuts them. */
static void show_all(void *object, size_t length, shale_visitor *visitor)
{
    uint64_t *words = object;
    shale_visit_pointers(visitor, words, length / 2);
    shale_visit_values(visitor, words + length / 2, length - length / 2);
}

static void test_runs_of_a_custom_visitor_are_cut(void **state)
{
    (void)state;
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    shale_type_spec spec = {.name = "runs", .element_size = 8, .visit = show_all};
    struct type *type = type_register(&table, &spec, &status, message, sizeof message);
    assert_non_null(type);
    static uint64_t readable[100];
    static uint64_t object[100];
    uint64_t header = type->api.header | UINT64_C(100) << 32;
    for (size_t from = 0; from < 100; from++) {
        for (size_t to = from + 1; to <= 100; to++) {
            struct seen *seen = see_nothing((char *)object, sizeof object + 8);
            visit_window(seen, type, header, (char *)object, (char *)readable, from * 8, to * 8);
            assert_null(seen->wrong);
            for (size_t i = 0; i < 100; i++) {
                assert_int_equal(seen->pointers[i], i >= from && i < to && i < 50);
                assert_int_equal(seen->values[i], i >= from && i < to && i >= 50);
            }
        }
    }
}

static void test_visitor_passes_everything_on(void **state)
{
    (void)state;
    static uint64_t roots[3];
    struct seen *seen = see_nothing((char *)roots, sizeof roots + 8);
    seen->to = SIZE_MAX;
    struct shale_visitor visitor = visitor_make(see, seen);
    shale_visit_pointers(&visitor, &roots[0], 2);
    shale_visit_values(&visitor, &roots[2], 1);
    shale_visit_pointers(&visitor, &roots[0], 0);
    assert_null(seen->wrong);
    assert_int_equal(seen->pointers[0] + seen->pointers[1], 2);
    assert_int_equal(seen->values[2], 1);
}

/* ---- values ----------------------------------------------------------------------------------------------- */

static void test_encodings(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 3);
    for (int kind = 0; kind < MODEL_ENCODINGS; kind++) {
        shale_encoding encoding = model_encoding_of((enum model_encoding)kind);
        for (unsigned i = 0; i < test_rounds(20000, 1000); i++) {
            uint64_t address = test_random_next(&random) >> 16 & ~UINT64_C(15);
            uint64_t other = test_random_next(&random) >> 16 & ~UINT64_C(15);
            uint64_t value = model_value_make((enum model_encoding)kind, &random, address);
            assert_true(value_is_reference(&encoding, value));
            assert_int_equal(value_address(&encoding, value), address);
            uint64_t moved = value_with_address(&encoding, value, other);
            /* The tag stays with the value. */
            assert_int_equal(moved - other, value - address);
            uint64_t immediate = model_value_immediate((enum model_encoding)kind, &random);
            assert_false(value_is_reference(&encoding, immediate));
            uint64_t any = test_random_next(&random);
            if (test_random_chance(&random, 30))
                any = any >> 16 | UINT64_C(0xfffc) << 48;
            assert_int_equal(value_is_reference(&encoding, any),
                             model_value_is_reference((enum model_encoding)kind, any));
        }
    }
}

static void test_examples(void **state)
{
    (void)state;
    shale_encoding fixnums = SHALE_ENCODING_TAGGED(1 << 0);
    assert_false(value_is_reference(&fixnums, 2 * 21 + 1));
    assert_true(value_is_reference(&fixnums, 0x7000));
    shale_encoding boxed =
        SHALE_ENCODING_NAN_BOXED(UINT64_C(0xffff000000000000), UINT64_C(0xfffc000000000000));
    double number = 3.25;
    uint64_t word;
    memcpy(&word, &number, sizeof word);
    assert_false(value_is_reference(&boxed, word));
    assert_false(value_is_reference(&boxed, 0));
    assert_true(value_is_reference(&boxed, UINT64_C(0xfffc7fff12345670)));
    assert_int_equal(value_address(&boxed, UINT64_C(0xfffc7fff12345670)), UINT64_C(0x7fff12345670));
}

static int set_up(void **state)
{
    (void)state;
    type_table_init(&table, calloc(TYPE_NUMBER_MAX + 1, sizeof(struct type *)));
    model_types_register(&table, types);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct type **numbers = table.types;
    type_table_destroy(&table);
    free(numbers);
    return 0;
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_objects),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_runs_of_a_custom_visitor_are_cut),
        cmocka_unit_test(test_visitor_passes_everything_on),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_examples),
    };
    return cmocka_run_group_tests_name("unit.object", tests, set_up, tear_down);
}
