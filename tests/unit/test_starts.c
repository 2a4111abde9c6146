/*
 * Which object a byte belongs to, for conservative roots: case by case, of objects in regions [starts], of cells, and of large ones.
 * tests/property/test_starts.c compares regions with a model.
 */
#include "gc/conservative.h"
#include "heap/announce.h"
#include "heap/cell_cache.h"
#include "heap/large.h"
#include "tests/support/os_simulated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = 4096 };

struct scene {
    struct os_simulated os;
    struct memory memory;
    struct conservative conservative;
    struct starts *starts;
    const struct type *bytes;
};

static int set_up(void **state)
{
    static const shale_encoding plain = SHALE_ENCODING_PLAIN;
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    os_simulated_init(&scene->os, PAGE);
    const char *failed;
    assert_int_equal(memory_create(&scene->memory, &scene->os.os, HEAP_SIZE_MIN, &plain, &failed), 0);
    announce_object(views_mutator(&scene->memory.views, 0), HEAP_SIZE_MIN);
    assert_int_equal(conservative_create(&scene->conservative, &scene->memory), 0);
    scene->starts = &scene->conservative.starts;
    const shale_type_spec spec = {.name = "bytes", .element_size = 1};
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    scene->bytes = type_register(&scene->memory.types, &spec, &status, message, sizeof message);
    assert_non_null(scene->bytes);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    conservative_destroy(&scene->conservative);
    memory_destroy(&scene->memory);
    os_simulated_destroy(&scene->os);
    free(scene);
    return 0;
}

/* Writes an object of so many bytes, header included; returns where the next one would be. */
static size_t put(struct scene *scene, size_t offset, size_t size)
{
    uint64_t header = scene->bytes->api.header | (uint64_t)(size - HEADER_SIZE) << 32;
    assert_int_equal(object_size(scene->bytes, header), size);
    *(uint64_t *)(views_alias(&scene->memory.views, offset) - HEADER_SIZE) = header;
    return offset + size;
}

static region_number take(struct scene *scene, enum region_state state)
{
    region_number region = region_take(&scene->memory.regions, state, 0);
    assert_int_not_equal(region, REGION_NONE);
    return region;
}

static struct region *region_at(struct scene *scene, region_number region)
{
    return &scene->memory.regions.regions[region];
}

/* Objects up to `end`, where the next one would be. */
static void use(struct scene *scene, region_number region, size_t end)
{
    region_at(scene, region)->top = (uint32_t)(end - HEADER_SIZE - region_start(region));
    region_set_state(&scene->memory.regions, region, REGION_USED);
}

static void set_live(struct scene *scene, size_t object)
{
    bits_set(scene->memory.live_bits, granule_of(object));
    atomic_u8_store(&region_at(scene, region_of(object))->marked, 1);
}

static size_t find(struct scene *scene, size_t offset)
{
    granule_number granule = starts_find(scene->starts, granule_of(offset));
    return granule != GRANULE_NONE ? granule_start(granule) : OFFSET_NONE;
}

/* From its address to one past its last byte, and no further. */
static void has_its_bytes(struct scene *scene, size_t object, size_t size)
{
    size_t length = size - HEADER_SIZE;
    assert_int_equal(find(scene, object), object);
    assert_int_equal(find(scene, object + 1), object);
    assert_int_equal(find(scene, object + length / 2), object);
    assert_int_equal(find(scene, object + length - 1), object);
    assert_int_equal(find(scene, object + length), object);
    assert_int_not_equal(find(scene, object + size), object);
    assert_int_not_equal(find(scene, object - HEADER_SIZE - 1), object);
}

/* ---- regions --------------------------------------------------------------------------------------- */

static const size_t sizes[] = {16, 32, 48, 1040, 16, 4096};
enum { COUNT = sizeof sizes / sizeof sizes[0] };

static void new_objects(void **state)
{
    struct scene *scene = *state;
    region_number region = take(scene, REGION_ALLOCATING);
    size_t first = region_start(region) + REGION_FIRST_OBJECT;
    size_t end = first;
    for (int i = 0; i < COUNT; i++)
        end = put(scene, end, sizes[i]);
    use(scene, region, end);
    starts_keep(scene->starts, region);
    assert_int_equal(find(scene, region_start(region)), OFFSET_NONE);
    for (int i = 0; i < COUNT; first += sizes[i++])
        has_its_bytes(scene, first, sizes[i]);
    assert_int_equal(find(scene, end), OFFSET_NONE);
    assert_int_equal(find(scene, region_start(region) + REGION_SIZE - 1), OFFSET_NONE);
}

static void holes(void **state)
{
    struct scene *scene = *state;
    region_number region = take(scene, REGION_ALLOCATING);
    size_t first = region_start(region) + REGION_FIRST_OBJECT + 64;
    size_t second = put(scene, first, 48) + 5 * GRANULE_SIZE;
    size_t end = put(scene, second, 32);
    use(scene, region, end + 10 * GRANULE_SIZE);
    starts_keep(scene->starts, region);
    for (size_t at = region_start(region); at < first - HEADER_SIZE; at += HEADER_SIZE)
        assert_int_equal(find(scene, at), OFFSET_NONE);
    has_its_bytes(scene, first, 48);
    for (size_t at = first + 48; at < second; at++)
        assert_int_equal(find(scene, at), OFFSET_NONE);
    has_its_bytes(scene, second, 32);
    assert_int_equal(find(scene, end), OFFSET_NONE);
}

static void an_object_up_to_the_end(void **state)
{
    struct scene *scene = *state;
    region_number region = take(scene, REGION_ALLOCATING);
    region_number next = take(scene, REGION_ALLOCATING);
    size_t object = region_start(region) + REGION_FIRST_OBJECT;
    size_t size = REGION_SIZE - REGION_FIRST_OBJECT;
    size_t end = put(scene, object, size);
    use(scene, region, end);
    size_t other = region_start(next) + REGION_FIRST_OBJECT;
    use(scene, next, put(scene, other, 16));
    starts_keep(scene->starts, region);
    starts_keep(scene->starts, next);
    has_its_bytes(scene, object, size);
    /* One past the last byte of its own is still in its region. */
    assert_int_equal(find(scene, region_start(next) - 1), object);
    assert_int_equal(find(scene, region_start(next)), OFFSET_NONE);
    assert_int_equal(find(scene, other), other);
}

/* What the last marking did not reach is not valid, though its header is there; what was born behind is. */
static void dead_and_born_objects(void **state)
{
    struct scene *scene = *state;
    region_number region = take(scene, REGION_ALLOCATING);
    size_t dead = region_start(region) + REGION_FIRST_OBJECT;
    size_t live = put(scene, dead, 64);
    size_t dead_too = put(scene, live, 32);
    size_t born = put(scene, dead_too, 48);
    use(scene, region, put(scene, born, 80));
    set_live(scene, live);
    atomic_u32_store(&region_at(scene, region)->born_from, (uint32_t)(born - region_start(region)));
    starts_keep(scene->starts, region);
    memory_clear_marks(&scene->memory, region);
    assert_int_equal(find(scene, dead), OFFSET_NONE);
    assert_int_equal(find(scene, dead + 50), OFFSET_NONE);
    has_its_bytes(scene, live, 32);
    assert_int_equal(find(scene, dead_too + 3), OFFSET_NONE);
    has_its_bytes(scene, born, 80);
    /* And when nothing at all was reached. */
    atomic_u32_store(&region_at(scene, region)->born_from, (uint32_t)(born - region_start(region)));
    starts_keep(scene->starts, region);
    assert_int_equal(find(scene, live), OFFSET_NONE);
    has_its_bytes(scene, born, 80);
}

/* Only up to where its mutator was when it was scanned: what comes then is born. */
static void regions_that_are_filled(void **state)
{
    struct scene *scene = *state;
    for (int born = 0; born < 2; born++) {
        region_number region = take(scene, REGION_ALLOCATING);
        size_t before = region_start(region) + REGION_FIRST_OBJECT;
        size_t after = put(scene, before, 64);
        put(scene, after, 64);
        starts_keep(scene->starts, region);
        assert_int_equal(find(scene, before), OFFSET_NONE); /* it has not been scanned */
        atomic_u32_store(&region_at(scene, region)->scanned_to, (uint32_t)(after - region_start(region)));
        if (born != 0)
            region_set_state(&scene->memory.regions, region, REGION_BORN);
        has_its_bytes(scene, before, 64);
        assert_int_equal(find(scene, after), OFFSET_NONE);
    }
}

static void regions_taken_since_the_cycle_began(void **state)
{
    struct scene *scene = *state;
    region_number region = take(scene, REGION_ALLOCATING);
    size_t object = region_start(region) + REGION_FIRST_OBJECT;
    use(scene, region, put(scene, object, 4096));
    set_live(scene, object);
    starts_keep(scene->starts, region);
    memory_clear_marks(&scene->memory, region);
    region_free(&scene->memory.regions, region);
    assert_int_equal(find(scene, object), OFFSET_NONE);
    assert_int_equal(take(scene, REGION_ALLOCATING), region);
    size_t second = put(scene, object, 16);
    use(scene, region, put(scene, second, 32));
    has_its_bytes(scene, object, 16);
    has_its_bytes(scene, second, 32);
}

static void regions_without_valid_objects(void **state)
{
    struct scene *scene = *state;
    region_number region = take(scene, REGION_ALLOCATING);
    size_t object = region_start(region) + REGION_FIRST_OBJECT;
    use(scene, region, put(scene, object, 64));
    starts_keep(scene->starts, region);
    static const enum region_state states[] = {REGION_EVACUATED, REGION_DESTINATION, REGION_PINNED};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        region_set_state(&scene->memory.regions, region, states[i]);
        assert_int_equal(find(scene, object), OFFSET_NONE);
    }
    region_set_state(&scene->memory.regions, region, REGION_USED);
    assert_int_equal(find(scene, object), object);
}

/* The compaction has left gaps that hold anything: there is nothing but what was moved there. */
static void gaps_of_a_compaction(void **state)
{
    struct scene *scene = *state;
    region_number region = take(scene, REGION_DESTINATION);
    size_t start = region_start(region);
    memset(views_alias(&scene->memory.views, start), 0xdb, REGION_SIZE);
    size_t objects[] = {start + REGION_FIRST_OBJECT, start + 4096, start + REGION_SIZE - 1040};
    for (int i = 0; i < 3; i++)
        put(scene, objects[i], 1024);
    use(scene, region, start + REGION_SIZE - GRANULE_SIZE);
    starts_begin_placed(scene->starts, region);
    for (int i = 0; i < 3; i++)
        bits_set(scene->starts->words, granule_of(objects[i]));
    starts_keep(scene->starts, region);
    for (int i = 0; i < 3; i++)
        has_its_bytes(scene, objects[i], 1024);
    assert_int_equal(find(scene, start + 2048), OFFSET_NONE);
    assert_int_equal(find(scene, start + 8192), OFFSET_NONE);
    /* The next marking finds one of them; that is all there is then. */
    set_live(scene, objects[1]);
    starts_keep(scene->starts, region);
    assert_int_equal(find(scene, objects[0]), OFFSET_NONE);
    has_its_bytes(scene, objects[1], 1024);
    assert_int_equal(find(scene, objects[2]), OFFSET_NONE);
}

/* What was placed is known for one cycle, whether that asks for it or not. */
static void gaps_that_nobody_asked_for(void **state)
{
    struct scene *scene = *state;
    region_number region = take(scene, REGION_DESTINATION);
    size_t object = region_start(region) + REGION_FIRST_OBJECT;
    use(scene, region, put(scene, object, 64));
    starts_begin_placed(scene->starts, region);
    starts_forget(scene->starts, region);
    set_live(scene, object);
    starts_keep(scene->starts, region);
    has_its_bytes(scene, object, 64);
    /* What a marking found counts, also if the region is known as placed. */
    starts_begin_placed(scene->starts, region);
    starts_keep(scene->starts, region);
    has_its_bytes(scene, object, 64);
}

/* Words are noted by granule: one past the last byte of an object that fills its cell is in its last granule still. */
static size_t find_anywhere(struct scene *scene, size_t offset)
{
    return conservative_find(&scene->conservative, granule_start(granule_of(offset)));
}

/* ---- other spaces ---------------------------------------------------------------------------------- */

static void cells(void **state)
{
    struct scene *scene = *state;
    static const uint32_t first[] = {0};
    const shale_type_spec spec = {.name = "cell", .size = 40, .pointers = first, .pointer_count = 1};
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    const struct type *type = type_register(&scene->memory.types, &spec, &status, message, sizeof message);
    assert_non_null(type);
    const struct type *types[] = {type, scene->bytes};
    for (int pointer_free = 0; pointer_free < 2; pointer_free++) {
        uint64_t header = types[pointer_free]->api.header | (pointer_free != 0 ? UINT64_C(40) << 32 : 0);
        size_t size = object_size(types[pointer_free], header);
        struct shale_mutator api = {0};
        struct cell_caches caches;
        cell_caches_init(&caches, &api, BUMP_CHUNK_SIZE);
        bool fresh;
        uintptr_t address = cell_caches_allocate(&caches, &scene->memory, cell_index(size, pointer_free != 0),
                                                 header, 0, false, &fresh);
        assert_int_not_equal(address, 0);
        size_t object = views_offset(&scene->memory.views, address);
        assert_int_equal(object >= scene->memory.views.data, pointer_free != 0);
        for (size_t at = object; at <= object + 40; at++)
            assert_int_equal(find_anywhere(scene, at), object);
        /* The next cell is in reserve: there is no object in it. */
        assert_int_equal(find_anywhere(scene, object + size), OFFSET_NONE);
        cell_caches_close(&caches, &scene->memory);
    }
}

static void large_objects(void **state)
{
    struct scene *scene = *state;
    static const uint32_t first[] = {0};
    const shale_type_spec spec = {
        .name = "array", .element_size = 8, .element_pointers = first, .element_pointer_count = 1};
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    const struct type *array = type_register(&scene->memory.types, &spec, &status, message, sizeof message);
    assert_non_null(array);
    const struct type *types[] = {array, scene->bytes};
    for (int i = 0; i < 2; i++) {
        size_t bytes = 10 * PAGE + 8;
        struct large_request request = {types[i], bytes / types[i]->api.element_size, bytes};
        struct large_run run = large_take(&scene->memory, &request, 0);
        assert_int_not_equal(run.start, OFFSET_NONE);
        assert_int_equal(find_anywhere(scene, run.start + PAGE), OFFSET_NONE);
        size_t object =
            views_offset(&scene->memory.views, large_complete(&scene->memory, &request, &run, false));
        const size_t inside[] = {0, 1, bytes / 2, bytes - 1, bytes};
        for (size_t k = 0; k < sizeof inside / sizeof inside[0]; k++)
            assert_int_equal(find_anywhere(scene, object + inside[k]), object);
        assert_int_equal(find_anywhere(scene, run.start + 11 * PAGE), OFFSET_NONE);
    }
    /* Between the spaces there is nothing. */
    assert_int_equal(find_anywhere(scene, scene->memory.views.flipped), OFFSET_NONE);
    assert_int_equal(find_anywhere(scene, scene->memory.views.size - 1), OFFSET_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_objects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(holes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_object_up_to_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dead_and_born_objects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(regions_that_are_filled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(regions_taken_since_the_cycle_began, set_up, tear_down),
        cmocka_unit_test_setup_teardown(regions_without_valid_objects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gaps_of_a_compaction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gaps_that_nobody_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_objects, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
