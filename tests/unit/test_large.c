/* Large objects by themselves: where they are, how their length is kept, what is found inside them, and that they are zero. */
#include "heap/large.h"
#include "tests/support/os_failing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { REGIONS = 64 };

struct scene {
    struct os_failing os;
    struct memory memory;
    const struct type *bytes;
    const struct type *array;
};

static const struct type *register_type(struct scene *scene, const shale_type_spec *spec)
{
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    const struct type *type = type_register(&scene->memory.types, spec, &status, message, sizeof message);
    assert_non_null(type);
    return type;
}

static int set_up(void **state)
{
    static const uint32_t first[] = {0};
    static struct scene scene;
    const shale_encoding encoding = {0};
    const char *failed;
    memset(&scene, 0, sizeof scene);
    os_failing_init(&scene.os);
    assert_int_equal(memory_create(&scene.memory, &scene.os.os, REGIONS * REGION_SIZE, &encoding, &failed),
                     0);
    scene.bytes = register_type(&scene, &(shale_type_spec){.name = "bytes", .element_size = 1});
    scene.array = register_type(&scene, &(shale_type_spec){.name = "array",
                                                           .element_size = 8,
                                                           .element_pointers = first,
                                                           .element_pointer_count = 1});
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    memory_destroy(&scene->memory);
    assert_null(os_failing_leak(&scene->os));
    return 0;
}

/* The offset; OFFSET_NONE when there is no room. */
static size_t allocate(struct scene *scene, const struct type *type, size_t length, bool born)
{
    struct large_request request = {type, length, type->fixed_size + length * type->api.element_size};
    struct large_run run = large_take(&scene->memory, &request, 0);
    if (run.start == OFFSET_NONE)
        return OFFSET_NONE;
    return views_offset(&scene->memory.views, large_complete(&scene->memory, &request, &run, born));
}

static void test_places(void **state)
{
    struct scene *scene = *state;
    struct memory *memory = &scene->memory;
    size_t array = allocate(scene, scene->array, 5000, false);
    size_t bytes = allocate(scene, scene->bytes, 40000, true);
    assert_true(array >= memory->views.regions && array < memory->views.flipped);
    assert_true(bytes >= memory->views.data && bytes < memory->views.size);
    assert_int_equal(array % memory->views.page_size, FIXED_FIRST_OBJECT);
    assert_false(memory_is_live(memory, array));
    assert_true(memory_is_live(memory, bytes)); /* [born-live] */
    /* From the first byte of its pages to the last, and no further. */
    for (int i = 0; i < 2; i++) {
        size_t object = i == 0 ? array : bytes;
        size_t end = object - FIXED_FIRST_OBJECT + large_size(memory, object);
        assert_int_equal(memory_fixed_object(memory, object), object);
        assert_int_equal(memory_fixed_object(memory, object + 20000), object);
        assert_int_equal(memory_fixed_object(memory, end - 1), object);
        assert_int_equal(memory_fixed_object(memory, end), OFFSET_NONE);
        assert_int_equal(memory_fixed_size(memory, object), large_size(memory, object));
    }
    assert_int_equal(memory_fixed_object(memory, 16), OFFSET_NONE);
    assert_int_equal(memory_fixed_object(memory, memory->views.flipped), OFFSET_NONE);
    assert_int_equal(memory_fixed_object(memory, memory->views.size), OFFSET_NONE);
    assert_int_equal(memory_next_large(memory, 0), array);
    assert_int_equal(memory_next_large(memory, array + 1), bytes);
    assert_int_equal(memory_next_large(memory, bytes + 1), OFFSET_NONE);
    large_free(memory, array);
    assert_int_equal(memory_fixed_object(memory, array), OFFSET_NONE);
    assert_int_equal(memory_next_large(memory, 0), bytes);
}

/* A length beside the header; nothing of so large an object is touched but its first page. */
static void test_long_arrays(void **state)
{
    struct scene *scene = *state;
    const struct type *type = register_type(scene, &(shale_type_spec){.name = "b", .element_size = 1});
    size_t lengths[] = {LENGTH_ELSEWHERE - 1, LENGTH_ELSEWHERE, LENGTH_ELSEWHERE + 5};
    for (int i = 0; i < 3; i++) {
        /* The run is not as long as the length says: no heap of this machine's may be. */
        struct large_request request = {type, lengths[i], 40000};
        struct large_run run = large_take(&scene->memory, &request, 0);
        void *object = (void *)large_complete(&scene->memory, &request, &run, false);
        uint64_t header = ((uint64_t *)object)[-1];
        assert_int_equal(object_length(header, object), lengths[i]);
        assert_int_equal(shale_length_of(object), lengths[i]);
        assert_int_equal(object_payload(type, header, object), lengths[i]);
        assert_ptr_equal(memory_type(&scene->memory, header), type);
    }
}

static void test_memory_is_zero(void **state)
{
    struct scene *scene = *state;
    struct memory *memory = &scene->memory;
    size_t first = allocate(scene, scene->bytes, 100000, false);
    for (int i = 0; i < 3; i++) {
        char *bytes = views_mutator(&memory->views, first);
        for (size_t k = 0; k < 100000; k++)
            assert_int_equal(bytes[k], 0);
        memset(bytes, 1, 100000);
        large_free(memory, first);
        /* In the second round the collector comes first. */
        while (i == 1 && fixed_clear_some(&memory->fixed))
            continue;
        assert_int_equal(allocate(scene, scene->bytes, 100000, false), first);
    }
}

/* Everything may be one object; then there is no room for another, nor for a region, until it is dead. */
static void test_all_of_the_heap(void **state)
{
    struct scene *scene = *state;
    struct memory *memory = &scene->memory;
    size_t all = allocate(scene, scene->array, (REGIONS * REGION_SIZE - 64) / 8, false);
    assert_int_not_equal(all, OFFSET_NONE);
    assert_int_equal(region_free_count(&memory->regions), 0);
    assert_int_equal(allocate(scene, scene->bytes, 40000, false), OFFSET_NONE);
    assert_int_equal(region_take(&memory->regions, REGION_ALLOCATING, 0), REGION_NONE);
    large_free(memory, all);
    assert_int_equal(region_free_count(&memory->regions), REGIONS);
    assert_int_not_equal(allocate(scene, scene->bytes, 40000, false), OFFSET_NONE);
}

/* Memory that was freed lies between holes, and the system does not take it back: no room, and nothing is lost. */
static void test_discarding_fails(void **state)
{
    struct scene *scene = *state;
    struct memory *memory = &scene->memory;
    page_number quarter = (page_number)(REGIONS * REGION_SIZE >> memory->views.page_shift) / 4;
    /* All addresses of the data space but for a part in front. */
    enum run_state was;
    page_number all = memory->fixed.data.count;
    page_number front = page_runs_take(&memory->fixed.data, quarter, &was);
    page_runs_take(&memory->fixed.data, all - 2 * quarter, &was);
    page_runs_free(&memory->fixed.data, front, RUN_DIRTY);
    /* Dirty pages, then others, then holes at the end: neither part is long enough. */
    os_failing_plan_from_now(&scene->os, OS_FILE_DISCARD, 1, 1000, EOPNOTSUPP);
    size_t length = (size_t)(quarter + 1) << memory->views.page_shift;
    assert_int_equal(allocate(scene, scene->bytes, length, false), OFFSET_NONE);
    assert_int_equal(budget_held(&memory->fixed.budget), 0);
    assert_int_equal(region_free_count(&memory->regions), REGIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_arrays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_is_zero, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_of_the_heap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_discarding_fails, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unit.large", tests, NULL, NULL);
}
