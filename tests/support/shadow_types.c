#include "tests/support/shadow_types.h"

#include "tests/support/stress_support.h"

#include <stddef.h>

#define ARRAY_COUNT(a) (sizeof(a) / sizeof(a)[0])

const char *const shadow_encoding_names[SHADOW_ENCODINGS] = {"plain", "tagged", "nan-boxed"};

enum { BIG_WORDS = SHALE_OBJECT_MAX / 8, BIG_STEP = 61, STRUCT_WORDS = 5, RECORD_WORDS = 8 };

/* Low tags that mark references, when values are tagged. */
#define TAGGED_SET 0x0046 /* 1, 2 and 6 */
#define NAN_MASK UINT64_C(0xffff000000000000)
#define NAN_TAG UINT64_C(0xfffc000000000000)
#define ADDRESS_48 UINT64_C(0x0000ffffffffffff)

shale_encoding shadow_encoding_options(enum shadow_encoding encoding)
{
    switch (encoding) {
    case SHADOW_TAGGED:
        return (shale_encoding)SHALE_ENCODING_TAGGED(TAGGED_SET);
    case SHADOW_NAN_BOXED:
        return (shale_encoding)SHALE_ENCODING_NAN_BOXED(NAN_MASK, NAN_TAG);
    default:
        return (shale_encoding)SHALE_ENCODING_PLAIN;
    }
}

/* ---- registration ---------------------------------------------------------------------------------- */

/* Word 0 is the distance of slots in words and never changes once set. Before it is set there are none. */
static void visit_custom(void *object, size_t length, shale_visitor *visitor)
{
    uint64_t *words = object;
    uint64_t stride = words[0];
    if (stride == 0)
        return;
    size_t count = length + 2;
    unsigned index = 0;
    for (size_t word = 2; word < count; word += stride, index++) {
        if (index % 2 == 0)
            shale_visit_pointers(visitor, &words[word], 1);
        else
            shale_visit_values(visitor, &words[word], 1);
    }
}

static const uint32_t cell_pointers[] = {8, 16};
static const uint32_t record_pointers[] = {8, 32, 40};
static const uint32_t record_values[] = {16, 48};
static const uint32_t element_pointers[] = {8, 32};
static const uint32_t element_values[] = {16};
static const uint32_t only_word[] = {0};
static const uint32_t second_word[] = {8};

static const shale_type *add(shale_heap *heap, const shale_type_spec *spec)
{
    shale_error error;
    const shale_type *type = shale_type_register(heap, spec, &error);
    STRESS_CHECK(type != NULL, "type %s: %s", spec->name, error.message);
    return type;
}

static const shale_type *add_big_record(shale_heap *heap)
{
    uint32_t pointers[BIG_WORDS / BIG_STEP + 1];
    uint32_t values[BIG_WORDS / BIG_STEP + 1];
    size_t pointer_count = 0;
    size_t value_count = 0;
    for (uint32_t word = 1; word < BIG_WORDS; word++) {
        enum shadow_role role = shadow_role_of(SHADOW_BIG_RECORD, 0, word);
        if (role == SHADOW_POINTER)
            pointers[pointer_count++] = word * 8;
        else if (role == SHADOW_VALUE)
            values[value_count++] = word * 8;
    }
    return add(heap, &(shale_type_spec){.name = "big record",
                                        .size = SHALE_OBJECT_MAX,
                                        .pointers = pointers,
                                        .pointer_count = pointer_count,
                                        .values = values,
                                        .value_count = value_count});
}

void shadow_types_register(struct shadow_types *types, shale_heap *heap, enum shadow_encoding encoding)
{
    types->encoding = encoding;
    types->types[SHADOW_EMPTY] = add(heap, &(shale_type_spec){.name = "empty"});
    types->types[SHADOW_CELL] = add(
        heap, &(shale_type_spec){.name = "cell", .size = 24, .pointers = cell_pointers, .pointer_count = 2});
    types->types[SHADOW_RECORD] = add(heap, &(shale_type_spec){.name = "record",
                                                               .size = RECORD_WORDS * 8,
                                                               .pointers = record_pointers,
                                                               .pointer_count = ARRAY_COUNT(record_pointers),
                                                               .values = record_values,
                                                               .value_count = ARRAY_COUNT(record_values)});
    types->types[SHADOW_BIG_RECORD] = add_big_record(heap);
    types->types[SHADOW_POINTERS] = add(heap, &(shale_type_spec){.name = "pointers",
                                                                 .size = 8,
                                                                 .element_size = 8,
                                                                 .element_pointers = only_word,
                                                                 .element_pointer_count = 1});
    types->types[SHADOW_VALUES] =
        add(heap,
            &(shale_type_spec){
                .name = "values", .element_size = 8, .element_values = only_word, .element_value_count = 1});
    types->types[SHADOW_STRUCTS] =
        add(heap, &(shale_type_spec){.name = "structs",
                                     .size = 16,
                                     .pointers = second_word,
                                     .pointer_count = 1,
                                     .element_size = STRUCT_WORDS * 8,
                                     .element_pointers = element_pointers,
                                     .element_pointer_count = ARRAY_COUNT(element_pointers),
                                     .element_values = element_values,
                                     .element_value_count = ARRAY_COUNT(element_values)});
    types->types[SHADOW_BYTES] = add(heap, &(shale_type_spec){.name = "bytes", .element_size = 1});
    types->types[SHADOW_CUSTOM] =
        add(heap, &(shale_type_spec){.name = "custom", .size = 16, .element_size = 8, .visit = visit_custom});
}

/* ---- layout ---------------------------------------------------------------------------------------- */

struct layout {
    uint32_t fixed;   /* bytes */
    uint32_t element; /* bytes; 0: no array */
};

static struct layout layout_of(enum shadow_kind kind)
{
    static const struct layout layouts[SHADOW_KINDS] = {
        [SHADOW_EMPTY] = {0, 0},
        [SHADOW_CELL] = {24, 0},
        [SHADOW_RECORD] = {RECORD_WORDS * 8, 0},
        [SHADOW_BIG_RECORD] = {SHALE_OBJECT_MAX, 0},
        [SHADOW_POINTERS] = {8, 8},
        [SHADOW_VALUES] = {0, 8},
        [SHADOW_STRUCTS] = {16, STRUCT_WORDS * 8},
        [SHADOW_BYTES] = {0, 1},
        [SHADOW_CUSTOM] = {16, 8},
    };
    return layouts[kind];
}

uint32_t shadow_draw_length(enum shadow_kind kind, struct stress_random *random)
{
    struct layout layout = layout_of(kind);
    if (layout.element == 0)
        return 0;
    uint32_t longest = (uint32_t)(SHALE_OBJECT_MAX - layout.fixed) / layout.element;
    uint32_t limit = 256 / layout.element; /* bytes, so about 16 objects to a page */
    switch (stress_random_below(random, 32)) {
    case 0:
        return stress_random_chance(random, 3) ? longest : stress_random_below(random, longest + 1);
    case 1:
    case 2:
        limit = 6000 / layout.element; /* crosses a page, or two */
        break;
    default:
        break;
    }
    return stress_random_below(random, limit + 1);
}

uint32_t shadow_draw_large_length(enum shadow_kind kind, struct stress_random *random)
{
    struct layout layout = layout_of(kind);
    if (layout.element == 0)
        return 0;
    uint32_t longest = (uint32_t)(SHALE_OBJECT_MAX - layout.fixed) / layout.element;
    return longest + 1 + stress_random_below(random, 4 * longest);
}

uint32_t shadow_payload(enum shadow_kind kind, uint32_t length)
{
    struct layout layout = layout_of(kind);
    return layout.fixed + length * layout.element;
}

bool shadow_has_slots(enum shadow_kind kind)
{
    return kind != SHADOW_EMPTY && kind != SHADOW_BYTES;
}

enum shadow_role shadow_role_of(enum shadow_kind kind, uint32_t stride, uint32_t word)
{
    static const enum shadow_role record[RECORD_WORDS] = {SHADOW_DATA,  SHADOW_POINTER, SHADOW_VALUE,
                                                          SHADOW_DATA,  SHADOW_POINTER, SHADOW_POINTER,
                                                          SHADOW_VALUE, SHADOW_DATA};
    static const enum shadow_role element[STRUCT_WORDS] = {SHADOW_DATA, SHADOW_POINTER, SHADOW_VALUE,
                                                           SHADOW_DATA, SHADOW_POINTER};
    switch (kind) {
    case SHADOW_CELL:
        return word == 0 ? SHADOW_DATA : SHADOW_POINTER;
    case SHADOW_RECORD:
        return record[word];
    case SHADOW_BIG_RECORD:
        if (word == 0 || word % BIG_STEP != 0)
            return SHADOW_DATA;
        return word / BIG_STEP % 3 == 0 ? SHADOW_VALUE : SHADOW_POINTER;
    case SHADOW_POINTERS:
        return word == 0 ? SHADOW_DATA : SHADOW_POINTER;
    case SHADOW_VALUES:
        return SHADOW_VALUE;
    case SHADOW_STRUCTS:
        return word < 2 ? (word == 0 ? SHADOW_DATA : SHADOW_POINTER) : element[(word - 2) % STRUCT_WORDS];
    case SHADOW_CUSTOM:
        if (word < 2 || (word - 2) % stride != 0)
            return SHADOW_DATA;
        return (word - 2) / stride % 2 == 0 ? SHADOW_POINTER : SHADOW_VALUE;
    default:
        return SHADOW_DATA;
    }
}

/* ---- values ---------------------------------------------------------------------------------------- */

shale_value shadow_reference(enum shadow_encoding encoding, const void *address, uint64_t bits)
{
    static const uint64_t tags[] = {1, 2, 6};
    uint64_t word = (uint64_t)(uintptr_t)address;
    switch (encoding) {
    case SHADOW_TAGGED:
        return word | tags[bits % ARRAY_COUNT(tags)];
    case SHADOW_NAN_BOXED:
        return word | NAN_TAG;
    default:
        return word;
    }
}

void *shadow_address_in(enum shadow_encoding encoding, shale_value word)
{
    switch (encoding) {
    case SHADOW_TAGGED:
        return (TAGGED_SET >> (word & 15) & 1) != 0 ? (void *)(uintptr_t)(word & ~UINT64_C(15)) : NULL;
    case SHADOW_NAN_BOXED:
        return (word & NAN_MASK) == NAN_TAG && (word & 15) == 0 ? (void *)(uintptr_t)(word & ADDRESS_48)
                                                                : NULL;
    default:
        return (word & 15) == 0 ? (void *)(uintptr_t)word : NULL;
    }
}

uint64_t shadow_bits_of(enum shadow_encoding encoding, shale_value word)
{
    switch (encoding) {
    case SHADOW_TAGGED:
        return word & 15;
    case SHADOW_NAN_BOXED:
        return word & ~ADDRESS_48;
    default:
        return 0;
    }
}

shale_value shadow_immediate(enum shadow_encoding encoding, struct stress_random *random)
{
    uint64_t word = stress_random_next(random);
    switch (encoding) {
    case SHADOW_TAGGED:
        /* An odd word that looks like an address but for its tag. */
        return (word & ADDRESS_48 & ~UINT64_C(15)) | 3;
    case SHADOW_NAN_BOXED:
        return word & ~(UINT64_C(1) << 63);
    default:
        return word | 1;
    }
}
