/* Bump allocation: zeroed memory, live bits of what is born, flips in the middle of a page, ends of regions. */
#include "heap/bump.h"
#include "heap/live_bits.h"
#include "tests/support/model_heap.h"
#include "tests/support/os_simulated.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    struct os_simulated os;
    struct test_random random;
    struct model model;
    struct memory *memory;
    struct bump bump;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    scene->random = test_random_make(test_seed(), 5);
    os_simulated_init(&scene->os, 4096);
    model_create(&scene->model, &scene->os.os, HEAP_SIZE_MIN, &scene->random);
    scene->memory = &scene->model.memory;
    bump_init(&scene->bump, BUMP_CHUNK_SIZE);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    const char *violation = scene->os.violation;
    model_destroy(&scene->model);
    os_simulated_destroy(&scene->os);
    free(scene);
    return violation != NULL;
}

/* As shale_allocate does it: inline if the object fits the limit. Returns the offset, 0 when there is no room. */
static size_t allocate(struct scene *scene, enum model_type type, size_t length)
{
    struct bump *bump = &scene->bump;
    size_t size = model_size(type, length);
    uint64_t header = scene->model.types[type]->api.header | (uint64_t)length << 32;
    uintptr_t address = bump->api.cursor;
    if (address + size <= bump->api.limit) {
        bump->api.cursor += size;
        ((uint64_t *)address)[-1] = header;
    } else {
        address = bump_allocate(bump, scene->memory, size, header, 0);
    }
    if (address == 0)
        return 0;
    size_t offset = views_offset(&scene->memory->views, address);
    assert_int_equal(address % GRANULE_SIZE, 0);
    assert_int_equal(memory_header(scene->memory, offset), header);
    assert_int_equal(region_of(offset - HEADER_SIZE), region_of(offset - HEADER_SIZE + size - 1));
    return offset;
}

static size_t allocate_random(struct scene *scene, enum model_type *type, size_t *size)
{
    *type = (enum model_type)test_random_below(&scene->random, MODEL_TYPES);
    size_t length = model_random_length(&scene->random, *type);
    *size = model_size(*type, length);
    return allocate(scene, *type, length);
}

static void assert_zero_and_spoil(struct scene *scene, size_t offset, size_t size)
{
    char *payload = views_mutator(&scene->memory->views, offset);
    for (size_t i = 0; i < size - HEADER_SIZE; i++) {
        if (payload[i] != 0)
            fail_msg("byte %zu of the new object at %#zx is %#x", i, offset, payload[i] & 0xff);
    }
    memset(payload, 0xee, size - HEADER_SIZE);
}

/* Gives all memory back as a cycle that finds nothing live does. */
static void free_all(struct scene *scene)
{
    bump_close(&scene->bump, scene->memory);
    for (region_number r = 0; r < scene->memory->regions.count; r++) {
        enum region_state before = region_get_state(&scene->memory->regions, r);
        if (before == REGION_FREE)
            continue;
        assert_true(before == REGION_USED || before == REGION_BORN);
        memory_seal_region(scene->memory, r);
        memory_clear_marks(scene->memory, r);
        region_free(&scene->memory->regions, r);
    }
}

/* Uses all of the heap, and leaves none of it clean. */
static void use_all(struct scene *scene)
{
    size_t objects = 0;
    enum model_type type;
    size_t size;
    size_t offset;
    while ((offset = allocate_random(scene, &type, &size)) != 0) {
        assert_zero_and_spoil(scene, offset, size);
        objects++;
    }
    assert_true(objects > 100);
    assert_int_equal(region_free_count(&scene->memory->regions), 0);
    free_all(scene);
}

/* Memory that was used before is zero again. */
static void test_memory_is_zero(void **state)
{
    for (int round = 0; round < 3; round++)
        use_all(*state);
}

/* Objects lie back to back up to the very end of a region, and `top` says how far. */
static void test_a_region_is_filled_to_its_end(void **state)
{
    struct scene *scene = *state;
    size_t first = allocate(scene, MODEL_EMPTY, 0);
    assert_int_equal(first, region_start(region_of(first)) + REGION_FIRST_OBJECT);
    size_t last = first;
    for (size_t i = 1; i < REGION_CAPACITY / GRANULE_SIZE; i++) {
        size_t offset = allocate(scene, MODEL_EMPTY, 0);
        assert_int_equal(offset, last + GRANULE_SIZE);
        last = offset;
    }
    assert_int_equal(last, region_start(region_of(first)) + REGION_SIZE - GRANULE_SIZE);
    size_t next = allocate(scene, MODEL_EMPTY, 0);
    assert_int_not_equal(region_of(next), region_of(first));
    const struct region *full = &scene->memory->regions.regions[region_of(first)];
    assert_int_equal(region_get_state(&scene->memory->regions, region_of(first)), REGION_USED);
    assert_int_equal(full->top, REGION_SIZE - HEADER_SIZE);
    bump_close(&scene->bump, scene->memory);
    const struct region *other = &scene->memory->regions.regions[region_of(next)];
    assert_int_equal(other->top, REGION_FIRST_OBJECT - HEADER_SIZE + GRANULE_SIZE);
    assert_int_equal(scene->bump.api.limit, 0);
}

static void test_reserve(void **state)
{
    struct scene *scene = *state;
    uint64_t header = scene->model.types[MODEL_EMPTY]->api.header;
    region_number count = scene->memory->regions.count;
    assert_int_equal(bump_allocate(&scene->bump, scene->memory, 16, header, count), 0);
    assert_int_not_equal(bump_allocate(&scene->bump, scene->memory, 16, header, count - 1), 0);
    assert_int_equal(region_free_count(&scene->memory->regions), count - 1);
}

/* What a cycle that flips does at some moment. */
static void record_all(struct scene *scene)
{
    bump_record_eagerly(&scene->bump, scene->memory);
    for (region_number r = 0; r < scene->memory->regions.count; r++) {
        if (region_get_state(&scene->memory->regions, r) == REGION_BORN)
            memory_record_births(scene->memory, r);
    }
}

/* Every object that was born gets its bit, whether before or after the bits are asked for, and no other granule does. */
static void test_births_are_recorded(void **state)
{
    struct scene *scene = *state;
    enum model_type type;
    size_t size;
    allocate_random(scene, &type, &size);
    bump_start_recording(&scene->bump, scene->memory);
    size_t granules = HEAP_SIZE_MIN / GRANULE_SIZE;
    bool *expected = calloc(granules, sizeof *expected);
    assert_non_null(expected);
    unsigned rounds = test_rounds(3000, 300);
    unsigned asked_at = (unsigned)test_random_below(&scene->random, rounds);
    for (unsigned i = 0; i < rounds; i++) {
        if (i == asked_at)
            record_all(scene);
        size_t offset = allocate_random(scene, &type, &size);
        if (offset != 0)
            expected[offset / GRANULE_SIZE] = true;
        if (test_random_chance(&scene->random, 1))
            bump_close(&scene->bump, scene->memory);
    }
    bump_flip(&scene->bump, scene->memory);
    /* What comes after the flip needs no bit. */
    allocate_random(scene, &type, &size);
    bump_close(&scene->bump, scene->memory);
    for (size_t granule = 0; granule < granules; granule++)
        assert_int_equal(bits_test(scene->memory->live_bits, (granule_number)granule), expected[granule]);
    for (region_number r = 0; r < scene->memory->regions.count; r++) {
        granule_number start = granule_of(region_start(r));
        bool any =
            bits_next(scene->memory->live_bits, start, start + REGION_GRANULES) != start + REGION_GRANULES;
        if (any)
            assert_true(atomic_u8_load(&scene->memory->regions.regions[r].marked) != 0);
    }
    free(expected);
}

/* A flip on a region's last page leaves the cursor beyond the region; nothing more is born there. */
static void test_births_behind_a_flip(void **state)
{
    struct scene *scene = *state;
    size_t page_size = scene->memory->views.page_size;
    region_number region = region_of(allocate(scene, MODEL_PAIR, 0));
    while (views_offset(&scene->memory->views, scene->bump.api.cursor) % REGION_SIZE <
           REGION_SIZE - page_size / 2)
        allocate(scene, MODEL_PAIR, 0);
    assert_int_equal(scene->bump.region, region);
    bump_flip(&scene->bump, scene->memory);
    bump_start_recording(&scene->bump, scene->memory);
    bump_close(&scene->bump, scene->memory);
    assert_int_equal(region_get_state(&scene->memory->regions, region), REGION_BORN);
    memory_record_births(scene->memory, region);
    for (size_t chunk = 0; chunk < scene->memory->views.regions >> CHUNK_SHIFT; chunk++)
        assert_int_equal(scene->memory->live_bits[chunk], 0);
}

static void test_state_of_what_is_born(void **state)
{
    struct scene *scene = *state;
    region_number region = region_of(allocate(scene, MODEL_PAIR, 0));
    bump_start_recording(&scene->bump, scene->memory);
    bump_close(&scene->bump, scene->memory);
    assert_int_equal(region_get_state(&scene->memory->regions, region), REGION_BORN);
}

/* ---- flips ------------------------------------------------------------------------------------------------ */

static int open_faults(struct scene *scene)
{
    const char *how;
    return scene->memory->pages.faults = scene->os.os.faults_open(&scene->os.os, OS_FAULTS_BY_READ, &how);
}

static void flip(struct scene *scene)
{
    struct views *views = &scene->memory->views;
    const struct os *os = &scene->os.os;
    bump_flip(&scene->bump, scene->memory);
    memory_unseal_all(scene->memory);
    assert_int_equal(os->move_entries(os, views->mutator, views->graveyard, views->span), 0);
    assert_int_equal(os->faults_register(os, scene->memory->pages.faults, views->mutator, views->span), 0);
    page_states_flip(&scene->memory->pages);
}

static void settle(struct scene *scene)
{
    struct views *views = &scene->memory->views;
    page_release_rest(&scene->memory->pages, 0, scene->memory->pages.count);
    scene->os.os.faults_unregister(&scene->os.os, scene->memory->pages.faults, views->mutator, views->span);
    page_states_settle(&scene->memory->pages);
}

/* After a flip the next object, header included, lies on pages that are prepared anew; they are zero, and
 * have entries, so that the fast path does not fault. */
static void test_flip_in_the_middle_of_a_page(void **state)
{
    struct scene *scene = *state;
    use_all(scene);
    int faults = open_faults(scene);
    for (unsigned round = 0; round < test_rounds(150, 20); round++) {
        enum model_type type;
        size_t size;
        size_t offset;
        size_t last_page = SIZE_MAX;
        for (size_t i = test_random_below(&scene->random, 12); i > 0; i--) {
            if ((offset = allocate_random(scene, &type, &size)) != 0) {
                assert_zero_and_spoil(scene, offset, size);
                last_page = (offset - HEADER_SIZE + size - 1) / 4096;
            }
        }
        flip(scene);
        for (size_t i = test_random_below(&scene->random, 12); i > 0; i--) {
            if ((offset = allocate_random(scene, &type, &size)) == 0)
                continue;
            assert_int_not_equal((offset - HEADER_SIZE) / 4096, last_page);
            for (size_t page = (offset - HEADER_SIZE) / 4096;
                 page <= (offset - HEADER_SIZE + size - 1) / 4096; page++)
                assert_true(os_simulated_has_entry(&scene->os, page));
            assert_zero_and_spoil(scene, offset, size);
        }
        settle(scene);
        if (region_free_count(&scene->memory->regions) < 3)
            free_all(scene);
    }
    scene->os.os.faults_close(&scene->os.os, faults);
}

/* Holes that are used for the first time while pages are stale, whether or not the system gives them memory in one call: zero, with
 * entries, and not published more than once for each MEMORY_MAPPED_AROUND. */
static void fill_holes(struct scene *scene)
{
    size_t page_size = scene->memory->views.page_size;
    int faults = open_faults(scene);
    flip(scene);
    enum model_type type;
    size_t size;
    size_t offset;
    while ((offset = allocate_random(scene, &type, &size)) != 0) {
        size_t first = (offset - HEADER_SIZE) / page_size;
        size_t end = round_up(offset, MEMORY_MAPPED_AROUND) / page_size;
        for (size_t page = first; page < end; page++)
            assert_true(os_simulated_has_entry(&scene->os, page));
        assert_zero_and_spoil(scene, offset, size);
    }
    settle(scene);
    scene->os.os.faults_close(&scene->os.os, faults);
}

static int cannot_populate(const struct os *os, void *start, size_t size)
{
    (void)os;
    (void)start;
    (void)size;
    return -EINVAL;
}

static void test_holes_while_stale(void **state)
{
    fill_holes(*state);
}

static void test_holes_while_stale_one_by_one(void **state)
{
    struct scene *scene = *state;
    scene->os.os.populate = cannot_populate;
    fill_holes(scene);
}

/* A flip when the region is full to the last byte, and one without a region. */
static void test_flip_at_the_end_of_a_region(void **state)
{
    struct scene *scene = *state;
    bump_flip(&scene->bump, scene->memory);
    assert_int_equal(scene->bump.region, REGION_NONE);
    size_t first = allocate(scene, MODEL_EMPTY, 0);
    for (size_t i = 1; i < REGION_CAPACITY / GRANULE_SIZE; i++)
        allocate(scene, MODEL_EMPTY, 0);
    page_states_flip(&scene->memory->pages);
    bump_flip(&scene->bump, scene->memory);
    size_t next = allocate(scene, MODEL_EMPTY, 0);
    assert_int_not_equal(region_of(next), region_of(first));
    assert_int_equal(region_get_state(&scene->memory->regions, region_of(first)), REGION_USED);
    assert_int_equal(scene->memory->regions.regions[region_of(first)].top, REGION_SIZE);
}

/* With a checking tool every allocation takes the slow path, which announces the object. */
static void test_announce_keeps_the_fast_path_shut(void **state)
{
    struct scene *scene = *state;
    bool watched = scene->memory->announce;
    scene->memory->announce = true;
    for (int i = 0; i < 100; i++) {
        assert_int_not_equal(allocate(scene, MODEL_PAIR, 0), 0);
        assert_int_equal(scene->bump.api.limit, 0);
    }
    bump_close(&scene->bump, scene->memory);
    scene->memory->announce = watched;
    if (watched)
        return;
    assert_int_not_equal(allocate(scene, MODEL_EMPTY, 0), 0);
    assert_true(scene->bump.api.limit > scene->bump.api.cursor);
}

static void test_allocated_bytes_are_counted_by_chunks(void **state)
{
    struct scene *scene = *state;
    allocate(scene, MODEL_EMPTY, 0);
    assert_int_equal(atomic_u64_load(&scene->memory->bytes_allocated), BUMP_CHUNK_SIZE);
    allocate(scene, MODEL_BYTES, SHALE_OBJECT_MAX);
    assert_int_equal(atomic_u64_load(&scene->memory->bytes_allocated), 3 * BUMP_CHUNK_SIZE);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_is_zero, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_region_is_filled_to_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reserve, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_births_are_recorded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_births_behind_a_flip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_state_of_what_is_born, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flip_in_the_middle_of_a_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flip_at_the_end_of_a_region, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_holes_while_stale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_holes_while_stale_one_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_announce_keeps_the_fast_path_shut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_allocated_bytes_are_counted_by_chunks, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unit.bump", tests, NULL, NULL);
}
