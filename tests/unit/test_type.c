/* Registering types: what is refused and why, and what sizes and shapes come of a description. */
#include "heap/type.h"
#include "tests/support/model_types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct type_table table;

static int set_up(void **state)
{
    (void)state;
    type_table_init(&table, calloc(TYPE_NUMBER_MAX + 1, sizeof(struct type *)));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct type **types = table.types;
    type_table_destroy(&table);
    free(types);
    return 0;
}

static void visit_nothing(void *object, size_t length, shale_visitor *visitor)
{
    (void)object;
    (void)length;
    (void)visitor;
}

static struct type *accept(const shale_type_spec *spec)
{
    shale_status status = SHALE_ERROR_SYSTEM;
    char message[SHALE_ERROR_MESSAGE_MAX] = "";
    struct type *type = type_register(&table, spec, &status, message, sizeof message);
    if (type == NULL)
        fail_msg("%s", message);
    assert_int_equal(status, SHALE_OK);
    return type;
}

/* The message names the type and gives the reason. */
static void refuse(const shale_type_spec *spec, const char *reason)
{
    shale_status status = SHALE_OK;
    char message[SHALE_ERROR_MESSAGE_MAX] = "";
    uint32_t before = atomic_u32_load(&table.count);
    assert_null(type_register(&table, spec, &status, message, sizeof message));
    assert_int_equal(status, SHALE_ERROR_ARGUMENT);
    if (strstr(message, reason) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", message, reason);
    if (spec != NULL && spec->name != NULL)
        assert_non_null(strstr(message, spec->name));
    assert_int_equal(atomic_u32_load(&table.count), before);
}

static const uint32_t at_0[] = {0};
static const uint32_t at_4[] = {4};
static const uint32_t at_8[] = {8};
static const uint32_t twice[] = {0, 8, 0};

static void test_refusals_of_names_and_sizes(void **state)
{
    (void)state;
    refuse(NULL, "NULL");
    refuse(&(shale_type_spec){.size = 8}, "no name");
    refuse(&(shale_type_spec){.name = "", .size = 8}, "no name");
    refuse(&(shale_type_spec){.name = "big", .size = TYPE_SIZE_MAX + 1}, "more than 1 GiB");
    refuse(&(shale_type_spec){.name = "big", .element_size = TYPE_SIZE_MAX + 1}, "more than 1 GiB");
    refuse(&(shale_type_spec){.name = "huge", .size = SIZE_MAX}, "more than 1 GiB");
}

static void test_refusals_of_slots(void **state)
{
    (void)state;
    refuse(&(shale_type_spec){.name = "x", .size = 16, .pointer_count = 1}, "pointers is NULL");
    refuse(&(shale_type_spec){.name = "x", .size = 16, .value_count = 1}, "values is NULL");
    refuse(&(shale_type_spec){.name = "x", .element_size = 8, .element_pointer_count = 1},
           "element_pointers is NULL");
    refuse(&(shale_type_spec){.name = "x", .element_size = 8, .element_value_count = 1},
           "element_values is NULL");
    refuse(&(shale_type_spec){.name = "x", .size = 16, .pointers = at_4, .pointer_count = 1},
           "multiple of 8");
    refuse(&(shale_type_spec){.name = "x", .size = 8, .pointers = at_8, .pointer_count = 1}, "outside");
    refuse(&(shale_type_spec){.name = "x", .size = 12, .values = at_8, .value_count = 1}, "outside");
    refuse(
        &(shale_type_spec){
            .name = "x", .element_size = 8, .element_pointers = at_8, .element_pointer_count = 1},
        "outside");
    refuse(&(shale_type_spec){.name = "x", .size = 16, .pointers = twice, .pointer_count = 3}, "twice");
    refuse(
        &(shale_type_spec){
            .name = "x", .size = 16, .pointers = twice, .pointer_count = 2, .values = at_8, .value_count = 1},
        "both as a pointer and as a value");
    refuse(&(shale_type_spec){.name = "x",
                              .element_size = 16,
                              .element_pointers = at_0,
                              .element_pointer_count = 1,
                              .element_values = at_0,
                              .element_value_count = 1},
           "both as a pointer and as a value");
    uint32_t far[] = {UINT32_MAX - 7};
    refuse(&(shale_type_spec){.name = "x", .size = 64, .pointers = far, .pointer_count = 1}, "outside");
}

static void test_refusals_of_combinations(void **state)
{
    (void)state;
    refuse(
        &(shale_type_spec){
            .name = "x", .size = 8, .pointers = at_0, .pointer_count = 1, .visit = visit_nothing},
        "both slot offsets and a visitor");
    refuse(&(shale_type_spec){.name = "x", .element_pointers = at_0, .element_pointer_count = 1},
           "no element_size");
    refuse(
        &(shale_type_spec){
            .name = "x", .size = 4, .element_size = 8, .element_pointers = at_0, .element_pointer_count = 1},
        "multiples of 8");
    refuse(
        &(shale_type_spec){.name = "x", .element_size = 12, .element_values = at_0, .element_value_count = 1},
        "multiples of 8");
}

static void test_shapes(void **state)
{
    (void)state;
    static const enum type_shape shapes[MODEL_TYPES] = {
        [MODEL_BYTES] = SHAPE_POINTER_FREE,     [MODEL_BLOB] = SHAPE_POINTER_FREE,
        [MODEL_PAIR] = SHAPE_POINTERS,          [MODEL_MIXED] = SHAPE_SLOTS,
        [MODEL_POINTERS] = SHAPE_POINTER_ARRAY, [MODEL_VALUES] = SHAPE_VALUE_ARRAY,
        [MODEL_RECORDS] = SHAPE_STRUCT_ARRAY,   [MODEL_CUSTOM] = SHAPE_CUSTOM,
        [MODEL_WIDE] = SHAPE_POINTERS,          [MODEL_EMPTY] = SHAPE_POINTER_FREE,
    };
    struct type *types[MODEL_TYPES];
    model_types_register(&table, types);
    for (int i = 0; i < MODEL_TYPES; i++)
        assert_int_equal(types[i]->shape, shapes[i]);
    /* A lone slot in a larger element is not an array of slots. */
    assert_int_equal(accept(&(shale_type_spec){.name = "sparse",
                                               .element_size = 16,
                                               .element_pointers = at_8,
                                               .element_pointer_count = 1})
                         ->shape,
                     SHAPE_STRUCT_ARRAY);
    /* A type with a fixed slot and a plain array keeps both. */
    assert_int_equal(
        accept(&(shale_type_spec){
                   .name = "headed", .size = 8, .pointers = at_0, .pointer_count = 1, .element_size = 1})
            ->shape,
        SHAPE_POINTERS);
}

/* Every length of every type: the inline allocation's arithmetic gives what counting gives. */
static void test_sizes(void **state)
{
    (void)state;
    struct type *types[MODEL_TYPES];
    model_types_register(&table, types);
    for (int i = 0; i < MODEL_TYPES; i++) {
        const struct type *type = types[i];
        const shale_type_spec *spec = model_spec((enum model_type)i);
        assert_int_equal(type->api.size, model_size((enum model_type)i, 0));
        size_t most = spec->element_size == 0 ? 0 : (SHALE_OBJECT_MAX - spec->size) / spec->element_size;
        assert_int_equal(type->api.length_max, most);
        for (size_t length = 0; length <= most; length++) {
            uint64_t header = type->api.header | (uint64_t)length << 32;
            assert_int_equal(object_size(type, header), model_size((enum model_type)i, length));
            assert_int_equal(header_length(header), length);
            assert_ptr_equal(type_of_header(&table, header), type);
        }
        assert_true(model_size((enum model_type)i, most) <= OBJECT_SIZE_MAX);
    }
}

static void test_largest_fixed_object(void **state)
{
    (void)state;
    const struct type *type = accept(&(shale_type_spec){.name = "largest", .size = SHALE_OBJECT_MAX});
    assert_int_equal(object_size(type, type->api.header), OBJECT_SIZE_MAX);
    assert_int_equal(type->api.length_max, 0);
}

/* The description is copied: the caller's may go. */
static void test_description_is_copied(void **state)
{
    (void)state;
    char name[] = "temporary";
    uint32_t pointers[] = {8, 24};
    const struct type *type =
        accept(&(shale_type_spec){.name = name, .size = 32, .pointers = pointers, .pointer_count = 2});
    memset(name, 'x', sizeof name - 1);
    memset(pointers, 0xff, sizeof pointers);
    assert_string_equal(type->name, "temporary");
    assert_int_equal(type->pointers.count, 2);
    assert_int_equal(type->pointers.offsets[0], 8);
    assert_int_equal(type->pointers.offsets[1], 24);
    assert_ptr_equal(type->owner, &table);
}

static void test_65535_types(void **state)
{
    (void)state;
    for (uint32_t number = 1; number <= TYPE_NUMBER_MAX; number++) {
        char name[16];
        snprintf(name, sizeof name, "t%u", number);
        const struct type *type = accept(&(shale_type_spec){.name = name, .size = 8});
        if (header_type_number(type->api.header) != number || type->api.header > TYPE_NUMBER_MAX)
            fail_msg("type %u has the header %#llx", number, (unsigned long long)type->api.header);
    }
    refuse(&(shale_type_spec){.name = "one too many", .size = 8}, "65535 types");
    assert_string_equal(table.types[1]->name, "t1");
    assert_string_equal(table.types[TYPE_NUMBER_MAX]->name, "t65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals_of_names_and_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals_of_slots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals_of_combinations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_largest_fixed_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_description_is_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_65535_types, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unit.type", tests, NULL, NULL);
}
