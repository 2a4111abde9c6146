#include "tests/support/model_types.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint32_t pair_pointers[] = {0, 8};
static const uint32_t mixed_pointers[] = {24, 0};
static const uint32_t mixed_values[] = {8, 40};
static const uint32_t first[] = {0};
static const uint32_t record_pointers[] = {8};
static const uint32_t record_element_values[] = {16};
static uint32_t wide_pointers[MODEL_WIDE_SIZE / MODEL_WIDE_STEP];

/* The visitor's contract: which slots there are depends on the first word, which is never changed. */
static void visit_custom(void *object, size_t length, shale_visitor *visitor)
{
    const uint64_t pattern = *(const uint64_t *)object;
    uint64_t *elements = (uint64_t *)object + 1;
    for (size_t i = 0; i < length; i++) {
        if ((pattern >> i % 64 & 1) == 0)
            continue;
        if (i % 3 == 0)
            shale_visit_values(visitor, &elements[i], 1);
        else
            shale_visit_pointers(visitor, &elements[i], 1);
    }
}

static const shale_type_spec specs[MODEL_TYPES] = {
    [MODEL_BYTES] = {.name = "bytes", .element_size = 1},
    [MODEL_BLOB] = {.name = "blob", .size = 20},
    [MODEL_PAIR] = {.name = "pair", .size = 24, .pointers = pair_pointers, .pointer_count = 2},
    [MODEL_MIXED] = {.name = "mixed",
                     .size = 48,
                     .pointers = mixed_pointers,
                     .pointer_count = 2,
                     .values = mixed_values,
                     .value_count = 2},
    [MODEL_POINTERS] = {.name = "pointers",
                        .size = 8,
                        .element_size = 8,
                        .element_pointers = first,
                        .element_pointer_count = 1},
    [MODEL_VALUES] = {.name = "values", .element_size = 8, .element_values = first, .element_value_count = 1},
    [MODEL_RECORDS] = {.name = "records",
                       .size = 16,
                       .pointers = record_pointers,
                       .pointer_count = 1,
                       .element_size = 24,
                       .element_pointers = first,
                       .element_pointer_count = 1,
                       .element_values = record_element_values,
                       .element_value_count = 1},
    [MODEL_CUSTOM] = {.name = "custom", .size = 8, .element_size = 8, .visit = visit_custom},
    [MODEL_WIDE] = {.name = "wide",
                    .size = MODEL_WIDE_SIZE,
                    .pointers = wide_pointers,
                    .pointer_count = MODEL_WIDE_SIZE / MODEL_WIDE_STEP},
    [MODEL_EMPTY] = {.name = "empty"},
};

const shale_type_spec *model_spec(enum model_type type)
{
    for (size_t i = 0; i < MODEL_WIDE_SIZE / MODEL_WIDE_STEP; i++)
        wide_pointers[i] = (uint32_t)(i * MODEL_WIDE_STEP);
    return &specs[type];
}

void model_types_register(struct type_table *table, struct type *types[MODEL_TYPES])
{
    for (int i = 0; i < MODEL_TYPES; i++) {
        shale_status status;
        char message[SHALE_ERROR_MESSAGE_MAX];
        types[i] = type_register(table, model_spec((enum model_type)i), &status, message, sizeof message);
        assert_non_null(types[i]);
    }
}

size_t model_random_length(struct test_random *random, enum model_type type)
{
    const shale_type_spec *spec = model_spec(type);
    if (spec->element_size == 0)
        return 0;
    size_t most = (SHALE_OBJECT_MAX - spec->size) / spec->element_size;
    size_t dice = test_random_below(random, 200);
    if (dice == 0)
        return most;
    size_t limit = dice < 4 ? SHALE_OBJECT_MAX : dice < 20 ? 6000 : dice < 60 ? 700 : 60;
    size_t length = test_random_below(random, limit / spec->element_size + 1);
    return length < most ? length : most;
}

size_t model_random_large_length(struct test_random *random, enum model_type type)
{
    enum { BYTES_MAX = 300000 };
    const shale_type_spec *spec = model_spec(type);
    size_t bytes = test_random_between(random, SHALE_OBJECT_MAX + 1, BYTES_MAX);
    return bytes / spec->element_size + 1;
}

bool model_is_large(enum model_type type, size_t length)
{
    return specs[type].size + length * specs[type].element_size > SHALE_OBJECT_MAX;
}

size_t model_size(enum model_type type, size_t length)
{
    if (model_is_large(type, length))
        return 8 + (specs[type].size + length * specs[type].element_size) / 8 * 8;
    size_t bytes = 8 + specs[type].size + length * specs[type].element_size;
    while (bytes % 16 != 0)
        bytes++;
    return bytes;
}

size_t model_stored_size(enum model_type type, size_t length)
{
    size_t bytes = 8 + specs[type].size + length * specs[type].element_size + 8;
    while (bytes % 16 != 0)
        bytes++;
    return bytes;
}

static size_t add(struct model_slot *slots, size_t count, const uint32_t *offsets, size_t offset_count,
                  size_t base, bool value)
{
    for (size_t i = 0; i < offset_count; i++)
        slots[count++] = (struct model_slot){base + offsets[i], value};
    return count;
}

size_t model_slots(enum model_type type, size_t length, const void *payload,
                   struct model_slot slots[MODEL_SLOTS_MAX])
{
    const shale_type_spec *spec = model_spec(type);
    size_t count = 0;
    if (type == MODEL_CUSTOM) {
        for (size_t i = 0; i < length; i++) {
            if (*(const uint64_t *)payload & UINT64_C(1) << i % 64)
                slots[count++] = (struct model_slot){8 + 8 * i, i % 3 == 0};
        }
        return count;
    }
    count = add(slots, count, spec->pointers, spec->pointer_count, 0, false);
    count = add(slots, count, spec->values, spec->value_count, 0, true);
    for (size_t i = 0; i < length; i++) {
        size_t base = spec->size + i * spec->element_size;
        count = add(slots, count, spec->element_pointers, spec->element_pointer_count, base, false);
        count = add(slots, count, spec->element_values, spec->element_value_count, base, true);
    }
    return count;
}

/* ---- values ------------------------------------------------------------------------------------------- */

#define NAN_MASK UINT64_C(0xffff000000000000)
#define NAN_TAG UINT64_C(0xfffc000000000000)

shale_encoding model_encoding_of(enum model_encoding kind)
{
    static const shale_encoding plain = SHALE_ENCODING_PLAIN;
    static const shale_encoding tagged = SHALE_ENCODING_TAGGED(1 << 0 | 1 << 2 | 1 << 5);
    static const shale_encoding boxed = SHALE_ENCODING_NAN_BOXED(NAN_MASK, NAN_TAG);
    return kind == MODEL_PLAIN ? plain : kind == MODEL_TAGGED ? tagged : boxed;
}

bool model_value_is_reference(enum model_encoding kind, uint64_t word)
{
    uint64_t tag = word % 16;
    switch (kind) {
    case MODEL_PLAIN:
        return tag == 0;
    case MODEL_TAGGED:
        return tag == 0 || tag == 2 || tag == 5;
    default:
        return word >> 48 == 0xfffc && tag == 0;
    }
}

uint64_t model_value_address(enum model_encoding kind, uint64_t word)
{
    switch (kind) {
    case MODEL_PLAIN:
        return word;
    case MODEL_TAGGED:
        return word - word % 16;
    default:
        return word << 16 >> 16;
    }
}

uint64_t model_value_make(enum model_encoding kind, struct test_random *random, uint64_t address)
{
    static const uint64_t tags[] = {0, 2, 5};
    switch (kind) {
    case MODEL_PLAIN:
        return address;
    case MODEL_TAGGED:
        return address + tags[test_random_below(random, 3)];
    default:
        return NAN_TAG + address;
    }
}

uint64_t model_value_immediate(enum model_encoding kind, struct test_random *random)
{
    uint64_t word;
    do {
        word = test_random_next(random);
    } while (model_value_is_reference(kind, word));
    return word;
}
