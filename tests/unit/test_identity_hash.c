/* Identity hashes: the mixing, the room they take, and the call on real heaps. */
#include "heap/identity_hash.h"
#include "tests/support/model_types.h"
#include "tests/support/os_simulated.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- mixing ------------------------------------------------------------------------------------------- */

static void test_mixing_is_a_bijection(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 1);
    assert_int_equal(identity_hash_mix(0), 0);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t place = test_random_next(&random) >> test_random_below(&random, 64);
        assert_int_equal(identity_hash_unmix(identity_hash_mix(place)), place);
        assert_int_equal(identity_hash_mix(identity_hash_unmix(place)), place);
    }
}

/* Neighbours differ in half of the bits, and any few bits will do for a table. */
static void test_mixing_spreads(void **state)
{
    (void)state;
    enum { COUNT = 1 << 16, BUCKETS = 256 };
    unsigned differing = 0;
    unsigned low[BUCKETS] = {0};
    unsigned high[BUCKETS] = {0};
    uint64_t first = UINT64_C(0x7f0000000000) >> GRANULE_SHIFT;
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t hash = identity_hash_mix(first + 2 * i);
        differing += (unsigned)__builtin_popcountll(hash ^ identity_hash_mix(first + 2 * i + 2));
        low[hash % BUCKETS]++;
        high[hash >> 56]++;
    }
    assert_in_range(differing, COUNT * 31, COUNT * 33);
    for (unsigned i = 0; i < BUCKETS; i++) {
        assert_in_range(low[i], COUNT / BUCKETS / 2, COUNT / BUCKETS * 2);
        assert_in_range(high[i], COUNT / BUCKETS / 2, COUNT / BUCKETS * 2);
    }
}

/* A region that is used again gives other hashes; those of free regions and of no region are told apart. */
static void test_places(void **state)
{
    (void)state;
    struct os_simulated os;
    os_simulated_init(&os, 4096);
    struct memory memory;
    const char *failed;
    shale_encoding encoding = SHALE_ENCODING_PLAIN;
    assert_int_equal(memory_create(&memory, &os.os, 16 * REGION_SIZE, &encoding, &failed), 0);
    uint64_t hashes[100];
    for (unsigned i = 0; i < 100; i++) {
        region_number region = region_take(&memory.regions, REGION_ALLOCATING, 0);
        assert_int_equal(region, 0);
        assert_int_equal(atomic_u8_load(&memory.regions.regions[region].asked), 0);
        atomic_u8_store(&memory.regions.regions[region].asked, 1);
        hashes[i] = identity_hash_at(&memory, REGION_FIRST_OBJECT);
        assert_int_not_equal(hashes[i], 0);
        assert_true(identity_hash_is_plausible(&memory, hashes[i]));
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(hashes[i], hashes[j]);
        region_free(&memory.regions, region);
    }
    assert_true(
        identity_hash_is_plausible(&memory, identity_hash_at(&memory, 16 * REGION_SIZE - GRANULE_SIZE)));
    assert_false(identity_hash_is_plausible(&memory, 0));
    assert_false(identity_hash_is_plausible(&memory, hashes[0] ^ 1));
    assert_false(identity_hash_is_plausible(&memory, identity_hash_at(&memory, 3 * REGION_SIZE)));
    uint64_t base = (uintptr_t)memory.views.mutator;
    assert_false(identity_hash_is_plausible(&memory, identity_hash_mix((base - GRANULE_SIZE) >> 4)));
    assert_false(identity_hash_is_plausible(&memory, identity_hash_mix((base + memory.views.regions) >> 4)));
    memory_destroy(&memory);
    os_simulated_destroy(&os);
}

/* ---- room --------------------------------------------------------------------------------------------- */

/* Every length of every type: with a stored hash an object is as large as counting says, and the hash lies behind
 * what is the program's. */
static void test_room(void **state)
{
    (void)state;
    struct type **entries = calloc(TYPE_NUMBER_MAX + 1, sizeof *entries);
    assert_non_null(entries);
    struct type_table table;
    type_table_init(&table, entries);
    struct type *types[MODEL_TYPES];
    model_types_register(&table, types);
    bool grew[2] = {false, false};
    for (int i = 0; i < MODEL_TYPES; i++) {
        const struct type *type = types[i];
        for (size_t length = 0; length <= type->api.length_max; length++) {
            uint64_t header = type->api.header | (uint64_t)length << 32;
            size_t size = model_size((enum model_type)i, length);
            assert_int_equal(object_size(type, header | HEADER_ASKED), size);
            assert_int_equal(object_size(type, header | HEADER_ASKED | HEADER_SETTLED), size);
            uint64_t stored = identity_hash_stored_header(header | HEADER_ASKED | HEADER_SETTLED);
            assert_int_equal(stored, header | HEADER_STORED);
            assert_int_equal(header_type_number(stored), header_type_number(header));
            assert_int_equal(header_length(stored), length);
            size_t stored_size = object_size(type, stored);
            assert_int_equal(stored_size, model_stored_size((enum model_type)i, length));
            bool grows = identity_hash_grows(type, header | HEADER_ASKED);
            assert_int_equal(stored_size, size + (grows ? GRANULE_SIZE : 0));
            assert_true(stored_size <= OBJECT_SIZE_MAX);
            assert_true(identity_hash_offset(stored_size) >=
                        type->fixed_size + header_length(header) * type->api.element_size);
            assert_int_equal(identity_hash_offset(stored_size) + HEADER_SIZE + HASH_SIZE, stored_size);
            grew[grows] = true;
        }
    }
    assert_true(grew[false] && grew[true]);
    type_table_destroy(&table);
    free(entries);
}

/* ---- the call ----------------------------------------------------------------------------------------- */

enum { CELLS = 3000 };

struct scene {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *types[3];
    void *objects[CELLS];
    uint64_t hashes[CELLS];
    shale_frame frame;
};

static int set_up(void **state)
{
    static struct scene scene;
    scene = (struct scene){.heap = NULL};
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = (size_t)16 << 20;
    options.verify = 1;
    scene.heap = shale_heap_create(&options, NULL);
    assert_non_null(scene.heap);
    scene.mutator = shale_attach(scene.heap, NULL);
    assert_non_null(scene.mutator);
    /* With room for a hash, without, and without at the largest size. */
    static const size_t sizes[] = {16, 24, SHALE_OBJECT_MAX - 8};
    for (int i = 0; i < 3; i++) {
        shale_type_spec spec = {.name = "object", .size = sizes[i]};
        scene.types[i] = shale_type_register(scene.heap, &spec, NULL);
        assert_non_null(scene.types[i]);
    }
    shale_frame_push(scene.mutator, &scene.frame, scene.objects, CELLS);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    shale_frame_pop(scene->mutator, &scene->frame);
    assert_int_equal(shale_detach(scene->mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(scene->heap, NULL), SHALE_OK);
    return 0;
}

static void allocate(struct scene *scene)
{
    for (unsigned i = 0; i < CELLS; i++) {
        /* Some of the largest, among garbage. */
        scene->objects[i] = shale_allocate(scene->mutator, scene->types[i % 100 == 7 ? 2 : i % 2]);
        assert_non_null(scene->objects[i]);
        assert_non_null(shale_allocate(scene->mutator, scene->types[i % 3 == 0]));
        memset(scene->objects[i], (int)i, shale_size_of(scene->mutator, scene->objects[i]));
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void check_contents(const struct scene *scene)
{
    for (unsigned i = 0; i < CELLS; i++) {
        const unsigned char *bytes = scene->objects[i];
        const shale_type *type = scene->types[i % 100 == 7 ? 2 : i % 2];
        assert_ptr_equal(shale_type_of(scene->mutator, bytes), type);
        assert_int_equal(shale_length_of(bytes), 0);
        size_t size = shale_size_of(scene->mutator, bytes);
        for (size_t j = 0; j < size; j++) {
            if (bytes[j] != (unsigned char)i)
                fail_msg("object %u has lost byte %zu of %zu", i, j, size);
        }
    }
}

/* Asked for in different cycles, kept ever after, and different from each other although regions are used again. */
static void test_kept_over_cycles(void **state)
{
    struct scene *scene = *state;
    allocate(scene);
    for (unsigned cycle = 0; cycle < 8; cycle++) {
        for (unsigned i = 0; i < CELLS; i++) {
            if (i % 8 > cycle)
                continue;
            uint64_t hash = shale_identity_hash(scene->mutator, scene->objects[i]);
            assert_int_not_equal(hash, 0);
            if (scene->hashes[i] == 0)
                scene->hashes[i] = hash;
            assert_int_equal(hash, scene->hashes[i]);
        }
        assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
        check_contents(scene);
    }
    qsort(scene->hashes, CELLS, sizeof scene->hashes[0], compare);
    for (unsigned i = 1; i < CELLS; i++)
        assert_int_not_equal(scene->hashes[i - 1], scene->hashes[i]);
}

/* Survivors take the hashes of places along that are used again at once. */
static void test_places_used_again(void **state)
{
    struct scene *scene = *state;
    unsigned count = 0;
    while (count < CELLS) {
        for (unsigned i = 0; i < 100 && count < CELLS; i++) {
            scene->objects[count] = shale_allocate(scene->mutator, scene->types[1]);
            assert_non_null(scene->objects[count]);
            scene->hashes[count] = shale_identity_hash(scene->mutator, scene->objects[count]);
            count++;
        }
        for (unsigned i = 0; i < REGION_SIZE / 32; i++)
            assert_non_null(shale_allocate(scene->mutator, scene->types[1]));
        assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    }
    for (unsigned i = 0; i < CELLS; i++)
        assert_int_equal(shale_identity_hash(scene->mutator, scene->objects[i]), scene->hashes[i]);
    qsort(scene->hashes, CELLS, sizeof scene->hashes[0], compare);
    for (unsigned i = 1; i < CELLS; i++)
        assert_int_not_equal(scene->hashes[i - 1], scene->hashes[i]);
}

static void test_no_space_unless_asked(void **state)
{
    struct scene *scene = *state;
    allocate(scene);
    shale_statistics before;
    shale_statistics after;
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    shale_heap_statistics(scene->heap, &before);
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    shale_heap_statistics(scene->heap, &after);
    assert_int_equal(after.live_bytes, before.live_bytes);
    unsigned asked = 0;
    for (unsigned i = 0; i < CELLS; i += 2) {
        shale_identity_hash(scene->mutator, scene->objects[i]); /* these have room */
        if (i % 10 == 0)
            asked += shale_identity_hash(scene->mutator, scene->objects[i + 1]) != 0;
    }
    /* One cycle moves them, the next counts them, and what was in the region being filled moves a cycle later. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    shale_heap_statistics(scene->heap, &after);
    assert_in_range(after.live_bytes, before.live_bytes + (asked / 2) * GRANULE_SIZE,
                    before.live_bytes + asked * GRANULE_SIZE);
}

static void *ask_elsewhere(void *argument)
{
    struct scene *scene = argument;
    scene->hashes[0] = shale_identity_hash(scene->mutator, scene->objects[0]);
    return NULL;
}

static void test_edges(void **state)
{
    struct scene *scene = *state;
    static const uint64_t outside[2] = {1, 2};
    assert_int_equal(shale_identity_hash(scene->mutator, NULL), 0);
    uint64_t hash = shale_identity_hash(scene->mutator, &outside[0]);
    assert_int_not_equal(hash, 0);
    assert_int_not_equal(hash, shale_identity_hash(scene->mutator, &outside[1]));
    assert_int_equal(hash, shale_identity_hash(scene->mutator, &outside[0]));

    scene->objects[0] = shale_allocate(scene->mutator, scene->types[0]);
    scene->hashes[0] = 1;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_elsewhere, scene), 0);
    pthread_join(thread, NULL);
    assert_int_equal(scene->hashes[0], 0); /* misuse */
    assert_int_equal(shale_identity_hash(NULL, scene->objects[0]), 0);
    assert_int_equal(shale_enter_native(scene->mutator), SHALE_OK);
    assert_int_equal(shale_identity_hash(scene->mutator, scene->objects[0]), 0);
    assert_int_equal(shale_last_error(scene->mutator)->status, SHALE_ERROR_MISUSE);
    assert_int_equal(shale_leave_native(scene->mutator), SHALE_OK);
    assert_int_not_equal(shale_identity_hash(scene->mutator, scene->objects[0]), 0);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixing_is_a_bijection),
        cmocka_unit_test(test_mixing_spreads),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_room),
        cmocka_unit_test_setup_teardown(test_kept_over_cycles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_places_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_space_unless_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edges, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unit.identity_hash", tests, NULL, NULL);
}
