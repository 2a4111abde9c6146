/*
 * Cells against a shadow model: mutators allocate, attach and detach while cycles begin, scan them one by one, mark a random
 * part of what there is, sweep, and flip or do not. No two objects share a granule, memory is zero when it is handed out,
 * contents stay, what is live is exactly what has a live bit, and cells_object finds each object by any of its bytes.
 */
#include "heap/cell_cache.h"
#include "tests/support/model_heap.h"
#include "tests/support/os_simulated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MUTATORS = 3, OBJECTS_MAX = 20000 };

struct object {
    size_t offset; /* 0: none */
    size_t size;   /* header included */
    size_t cell;   /* bytes of its cell */
    uint64_t header;
    unsigned char filler;
    bool born;
};

struct mutator_model {
    struct shale_mutator api;
    struct cell_caches caches;
    bool attached;
    bool recording;
};

struct scene {
    struct os_simulated os;
    struct test_random random;
    struct model model;
    struct memory *memory;
    struct mutator_model mutators[MUTATORS];
    struct object objects[OBJECTS_MAX];
    size_t count;
    bool *covered;  /* per granule: an object's cell */
    bool recording; /* who attaches records */
    bool full;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    scene->random = test_random_make(test_seed(), 11);
    os_simulated_init(&scene->os, 4096);
    model_create(&scene->model, &scene->os.os, 2 * HEAP_SIZE_MIN, &scene->random);
    scene->memory = &scene->model.memory;
    scene->covered = calloc(scene->memory->views.size >> GRANULE_SHIFT, 1);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    const char *violation = scene->os.violation;
    free(scene->covered);
    model_destroy(&scene->model);
    os_simulated_destroy(&scene->os);
    free(scene);
    return violation != NULL;
}

/* ---- objects --------------------------------------------------------------------------------------- */

static void cover(struct scene *scene, const struct object *object, bool covered)
{
    granule_number first = granule_of(object->offset);
    for (granule_number i = 0; i < object->cell >> GRANULE_SHIFT; i++) {
        assert_int_equal(scene->covered[first + i], !covered);
        scene->covered[first + i] = covered;
    }
}

static char *payload_of(const struct scene *scene, const struct object *object)
{
    return views_mutator(&scene->memory->views, object->offset);
}

static bool has_slots(const struct scene *scene, const struct object *object)
{
    bool slots = memory_type(scene->memory, object->header)->shape != SHAPE_POINTER_FREE;
    assert_int_equal(slots, object->offset < scene->memory->views.regions);
    assert_true(slots || object->offset >= scene->memory->views.data);
    return slots;
}

static void check_object(const struct scene *scene, const struct object *object)
{
    const char *payload = payload_of(scene, object);
    assert_true(memory_header(scene->memory, object->offset) == object->header);
    for (size_t i = 0; i < object->size - HEADER_SIZE; i++)
        assert_int_equal((unsigned char)payload[i], object->filler);
}

static void forget(struct scene *scene, struct object *object)
{
    cover(scene, object, false);
    *object = scene->objects[--scene->count];
}

static struct mutator_model *any_mutator(struct scene *scene)
{
    struct mutator_model *mutator = &scene->mutators[test_random_below(&scene->random, MUTATORS)];
    return mutator->attached ? mutator : NULL;
}

/* As shale_allocate_pinned does it. */
static uintptr_t allocate_cell(struct scene *scene, struct mutator_model *mutator, unsigned index,
                               uint64_t header)
{
    struct shale_cell_run *run = &mutator->api.cells[index];
    if (run->free != 0) {
        uintptr_t address = run->base + ((uintptr_t)__builtin_ctzll(run->free) << 4);
        ((uint64_t *)address)[-1] = header;
        run->free &= run->free - 1;
        return address;
    }
    uintptr_t address =
        cell_caches_continue(&mutator->caches, scene->memory, index, header, mutator->recording);
    bool fresh;
    return address != 0 ? address
                        : cell_caches_allocate(&mutator->caches, scene->memory, index, header, 4,
                                               mutator->recording, &fresh);
}

static void allocate(struct scene *scene)
{
    struct mutator_model *mutator = any_mutator(scene);
    if (mutator == NULL || scene->count == OBJECTS_MAX)
        return;
    enum model_type type = (enum model_type)test_random_below(&scene->random, MODEL_TYPES);
    size_t length = model_random_length(&scene->random, type);
    struct object *object = &scene->objects[scene->count];
    object->size = model_size(type, length);
    object->header = scene->model.types[type]->api.header | (uint64_t)length << 32;
    unsigned index = cell_index(object->size, scene->model.types[type]->shape == SHAPE_POINTER_FREE);
    object->cell = (size_t)cell_class(&scene->memory->cells, index)->granules << GRANULE_SHIFT;
    object->born = mutator->recording;
    uintptr_t address = allocate_cell(scene, mutator, index, object->header);
    if (address == 0) {
        scene->full = true;
        return;
    }
    object->offset = views_offset(&scene->memory->views, address);
    char *payload = payload_of(scene, object);
    for (size_t i = 0; i < object->size - HEADER_SIZE; i++)
        assert_int_equal(payload[i], 0);
    object->filler = (unsigned char)(1 + test_random_below(&scene->random, 255));
    memset(payload, object->filler, object->size - HEADER_SIZE);
    cover(scene, object, true);
    /* After a cycle without a flip what was reserved in it is still live; that lapses when the next begins. */
    assert_true(!object->born || memory_is_live(scene->memory, object->offset));
    if (object->born && has_slots(scene, object))
        assert_true(
            atomic_u8_load(&scene->memory->leads.stored[memory_page(scene->memory, object->offset)]) != 0);
    scene->count++;
}

/* ---- mutators -------------------------------------------------------------------------------------- */

static void attach_or_detach(struct scene *scene)
{
    struct mutator_model *mutator = &scene->mutators[test_random_below(&scene->random, MUTATORS)];
    if (mutator->attached)
        cell_caches_close(&mutator->caches, scene->memory);
    else
        cell_caches_init(&mutator->caches, &mutator->api, test_random_between(&scene->random, 1, 8000));
    mutator->attached = !mutator->attached;
    mutator->recording = scene->recording;
}

static void run_mutators(struct scene *scene, unsigned most)
{
    for (size_t steps = test_random_below(&scene->random, most); steps != 0; steps--) {
        if (test_random_chance(&scene->random, 2))
            attach_or_detach(scene);
        else
            allocate(scene);
    }
}

/* ---- checks ---------------------------------------------------------------------------------------- */

static void check_found(const struct scene *scene, struct test_random *random)
{
    for (size_t i = 0; i < scene->count; i++) {
        const struct object *object = &scene->objects[i];
        size_t byte = object->offset - HEADER_SIZE + test_random_below(random, object->cell);
        assert_int_equal(cells_object(scene->memory, byte), object->offset);
        assert_int_equal(cells_object(scene->memory, object->offset), object->offset);
    }
    const struct views *views = &scene->memory->views;
    for (unsigned i = 0; i < 500; i++) {
        size_t byte = test_random_below(random, views->regions - HEADER_SIZE);
        byte += i % 2 != 0 ? views->data : 0;
        if (!scene->covered[granule_of(byte + HEADER_SIZE)])
            assert_int_equal(cells_object(scene->memory, byte), OFFSET_NONE);
    }
}

static void check_objects(const struct scene *scene)
{
    for (size_t i = 0; i < scene->count; i++)
        check_object(scene, &scene->objects[i]);
}

/* After a flip: page building finds what is live, and nothing else. */
static void check_live_bits(const struct scene *scene)
{
    const struct memory *memory = scene->memory;
    size_t live = 0;
    granule_number end = granule_of(memory->views.regions);
    for (granule_number granule = bits_next(memory->live_bits, 0, end); granule < end;
         granule = bits_next(memory->live_bits, granule + 1, end)) {
        assert_int_equal(cells_object(memory, granule_start(granule)), granule_start(granule));
        live++;
    }
    for (size_t i = 0; i < scene->count; i++) {
        assert_true(memory_is_live(memory, scene->objects[i].offset));
        live += !has_slots(scene, &scene->objects[i]);
    }
    assert_int_equal(live, scene->count);
}

/* ---- cycles ---------------------------------------------------------------------------------------- */

static void begin(struct scene *scene)
{
    struct memory *memory = scene->memory;
    cells_begin_cycle(memory);
    run_mutators(scene, 30);
    for (region_number r = 0; r < region_touched(&memory->regions); r++)
        memory_clear_marks(memory, r);
    for (size_t i = 0; i < scene->count; i++)
        scene->objects[i].born = false;
}

static void scan(struct scene *scene)
{
    scene->recording = true;
    for (unsigned i = 0; i < MUTATORS; i++) {
        struct mutator_model *mutator = &scene->mutators[i];
        if (mutator->attached && !mutator->recording) {
            cell_caches_start_recording(&mutator->caches, scene->memory,
                                        test_random_chance(&scene->random, 20));
            mutator->recording = true;
        }
        run_mutators(scene, 100);
    }
}

/* What is not marked now is dead. */
static void mark(struct scene *scene, unsigned live_percent)
{
    for (size_t i = 0; i < scene->count;) {
        struct object *object = &scene->objects[i];
        check_object(scene, object);
        if (has_slots(scene, object))
            assert_int_equal(cells_is_born(scene->memory, object->offset), object->born);
        if (!object->born && !test_random_chance(&scene->random, live_percent)) {
            forget(scene, object);
            continue;
        }
        if (has_slots(scene, object))
            bits_set_shared(scene->memory->live_bits, granule_of(object->offset));
        else
            fixed_mark(&scene->memory->fixed, object->offset);
        if (test_random_chance(&scene->random, 5))
            run_mutators(scene, 5);
        i++;
    }
}

static void flip(struct scene *scene)
{
    struct memory *memory = scene->memory;
    for (unsigned i = 0; i < MUTATORS; i++) {
        if (scene->mutators[i].attached)
            cell_caches_flip(&scene->mutators[i].caches, memory);
    }
    check_live_bits(scene);
    page_states_flip(&memory->pages);
}

static void stop_recording(struct scene *scene)
{
    scene->recording = false;
    for (unsigned i = 0; i < MUTATORS; i++) {
        scene->mutators[i].recording = false;
        if (i + 1 < MUTATORS && !page_states_active(&scene->memory->pages))
            run_mutators(scene, 50); /* others still record */
    }
}

static void cycle(struct scene *scene, unsigned live_percent)
{
    struct memory *memory = scene->memory;
    begin(scene);
    run_mutators(scene, 50);
    scan(scene);
    run_mutators(scene, 200);
    mark(scene, live_percent);
    uint32_t free_before = region_free_count(&memory->regions);
    region_number freed = cells_sweep(memory);
    assert_int_equal(region_free_count(&memory->regions), free_before + freed);
    run_mutators(scene, 200);
    check_found(scene, &scene->random);
    bool flipped = test_random_chance(&scene->random, 50);
    if (flipped)
        flip(scene);
    stop_recording(scene);
    run_mutators(scene, 300);
    if (flipped) {
        page_release_rest(&memory->pages, 0,
                          memory_page(memory, region_start(region_touched(&memory->regions))));
        page_states_settle(&memory->pages);
    }
    check_objects(scene);
    check_found(scene, &scene->random);
}

static void test_cells_against_a_model(void **state)
{
    struct scene *scene = *state;
    unsigned filled = 0;
    for (unsigned round = test_rounds(150, 40); round != 0; round--) {
        static const unsigned live[] = {0, 30, 80, 97};
        scene->full = false;
        run_mutators(scene, 3000);
        cycle(scene, live[test_random_below(&scene->random, 4)]);
        filled += scene->full;
    }
    assert_true(filled != 0);
    /* Nothing is lost: when all is dead and nobody holds a block, all regions are free, and the counts are 0. */
    for (unsigned i = 0; i < MUTATORS; i++) {
        if (scene->mutators[i].attached)
            cell_caches_close(&scene->mutators[i].caches, scene->memory);
        scene->mutators[i].attached = false;
    }
    cells_begin_cycle(scene->memory);
    for (region_number r = 0; r < region_touched(&scene->memory->regions); r++)
        memory_clear_marks(scene->memory, r);
    cells_sweep(scene->memory);
    assert_int_equal(region_free_count(&scene->memory->regions), scene->memory->regions.count);
    assert_int_equal(atomic_u64_load(&scene->memory->cells.slab_bytes), 0);
    assert_int_equal(atomic_u64_load(&scene->memory->cells.free_bytes), 0);
}

/* With a checking tool the run that the fast path looks at is empty. */
static void test_announce_keeps_the_fast_path_shut(void **state)
{
    struct scene *scene = *state;
    bool watched = scene->memory->announce;
    scene->memory->announce = true;
    struct mutator_model *mutator = &scene->mutators[0];
    cell_caches_init(&mutator->caches, &mutator->api, 4096);
    mutator->attached = true;
    for (unsigned i = 0; i < 1000; i++)
        allocate(scene);
    for (unsigned index = 0; index < SHALE_CELL_RUNS; index++)
        assert_int_equal(mutator->api.cells[index].free, 0);
    check_objects(scene);
    cell_caches_close(&mutator->caches, scene->memory);
    scene->memory->announce = watched;
}

/* A block that was not used between two scans is given back; one that was stays. */
static void test_blocks_that_are_not_used_are_given_back(void **state)
{
    struct scene *scene = *state;
    struct mutator_model *mutator = &scene->mutators[0];
    cell_caches_init(&mutator->caches, &mutator->api, 4096);
    uint64_t header = scene->model.types[MODEL_EMPTY]->api.header;
    unsigned index = cell_index(GRANULE_SIZE, true);
    assert_int_not_equal(allocate_cell(scene, mutator, index, header), 0);
    const struct cell_block *block = mutator->caches.caches[index].block;
    cell_caches_start_recording(&mutator->caches, scene->memory, false);
    assert_ptr_equal(mutator->caches.caches[index].block, block);
    cell_caches_flip(&mutator->caches, scene->memory);
    cell_caches_start_recording(&mutator->caches, scene->memory, false);
    assert_null(mutator->caches.caches[index].block);
    assert_int_equal(mutator->api.cells[index].free, 0);
    assert_true(block->listed);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cells_against_a_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_announce_keeps_the_fast_path_shut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blocks_that_are_not_used_are_given_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
