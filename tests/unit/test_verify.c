/*
 * Verification starts from what the words of conservative mutators point at: each way of losing such an object is tried by
 * spoiling what the collector has made, and must be told.
 */
#include "gc/hold_back.h"
#include "gc/mark.h"
#include "gc/verify.h"
#include "heap/announce.h"
#include "tests/support/os_simulated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { OBJECT_BYTES = 32, OBJECTS = 8, WORDS = 4, HELD = 3 };

struct scene {
    struct os_simulated os;
    struct memory memory;
    struct workers workers;
    struct world world;
    struct mark mark;
    struct plan plan;
    struct verify verify;
    struct mutator_local local;
    const struct type *type;
    uint64_t objects[OBJECTS]; /* each refers to the next; all but the last are in the first region */
    uint64_t root;
    uint64_t words[WORDS]; /* the stack of the one mutator */
    bool lose_hits;
};

/* ---- the world ------------------------------------------------------------------------------------- */

static void handshake(void *context, enum mark_stage stage, local_function function, void *argument)
{
    struct scene *scene = context;
    function(argument, &scene->local);
    if (stage == STAGE_TRACING && scene->lose_hits)
        atomic_u32_store(&scene->mark.conservative.hits_count, 0);
}

static void visit_none(void *context, struct mutator_local *local, struct shale_visitor *visitor)
{
    (void)context;
    (void)local;
    (void)visitor;
}

static void visit_stacks(void *context, struct mutator_local *local, words_function function, void *argument)
{
    const struct scene *scene = context;
    (void)local;
    function(argument, scene->words, scene->words + WORDS);
}

static void visit_roots(void *context, struct shale_visitor *visitor)
{
    shale_visit_pointers(visitor, &((struct scene *)context)->root, 1);
}

static void visit_mutators(void *context, local_function function, void *argument)
{
    function(argument, &((struct scene *)context)->local);
}

static uint64_t queue_none(void *context, bool (*is_dead)(void *argument, uint64_t address), void *argument)
{
    (void)context;
    (void)is_dead;
    (void)argument;
    return 0;
}

static void find_none(void *context, bool (*is_dead)(void *argument, uint64_t address), void *argument)
{
    (void)context;
    (void)is_dead;
    (void)argument;
}

static void nothing(void *context)
{
    (void)context;
}

/* ---- the scene ------------------------------------------------------------------------------------- */

static size_t offset_of(const struct scene *scene, uint64_t address)
{
    return views_offset(&scene->memory.views, address);
}

static uint64_t *slot_of(const struct scene *scene, uint64_t address)
{
    return (uint64_t *)views_alias(&scene->memory.views, offset_of(scene, address));
}

static uint64_t allocate(struct scene *scene)
{
    uintptr_t address =
        bump_allocate(&scene->local.bump, &scene->memory, OBJECT_BYTES, scene->type->api.header, 0);
    assert_int_not_equal(address, 0);
    return address;
}

static void scene_open(struct scene *scene)
{
    static const shale_encoding plain = SHALE_ENCODING_PLAIN;
    static const uint32_t first[] = {0};
    *scene = (struct scene){.lose_hits = false};
    os_simulated_init(&scene->os, 4096);
    const char *failed;
    assert_int_equal(memory_create(&scene->memory, &scene->os.os, HEAP_SIZE_MIN, &plain, &failed), 0);
    announce_object(views_mutator(&scene->memory.views, 0), HEAP_SIZE_MIN);
    const shale_type_spec spec = {
        .name = "cell", .size = OBJECT_BYTES - HEADER_SIZE, .pointers = first, .pointer_count = 1};
    shale_status status;
    char message[256];
    scene->type = type_register(&scene->memory.types, &spec, &status, message, sizeof message);
    assert_non_null(scene->type);
    scene->world = (struct world){.context = scene,
                                  .handshake = handshake,
                                  .visit_mutator_roots = visit_none,
                                  .visit_stacks = visit_stacks,
                                  .visit_heap_roots = visit_roots,
                                  .visit_roots = visit_roots,
                                  .visit_mutators = visit_mutators,
                                  .queue_finalizable = queue_none,
                                  .find_dead_external = find_none,
                                  .await_root_changes = nothing};
    assert_int_equal(workers_create(&scene->workers, &scene->os.os, 1), 0);
    assert_int_equal(mark_create(&scene->mark, &scene->memory, &scene->world, &scene->workers, 16), 0);
    assert_int_equal(plan_create(&scene->plan, &scene->memory), 0);
    assert_int_equal(verify_create(&scene->verify, &scene->memory, &scene->mark.conservative, 1), 0);
    bump_init(&scene->local.bump, BUMP_CHUNK_SIZE);
    cell_caches_init(&scene->local.cells, &scene->local.bump.api, BUMP_CHUNK_SIZE);
    scene->local.bump.conservative = true;
    mark_attach(&scene->local, STAGE_IDLE);
    atomic_u32_store(&scene->mark.conservative.wanted, 1);
    for (int i = 0; i < OBJECTS; i++) {
        if (i == OBJECTS - 1)
            bump_close(&scene->local.bump, &scene->memory);
        scene->objects[i] = allocate(scene);
        if (i != 0)
            *slot_of(scene, scene->objects[i - 1]) = scene->objects[i];
    }
    bump_close(&scene->local.bump, &scene->memory);
    assert_int_not_equal(region_of(offset_of(scene, scene->objects[0])),
                         region_of(offset_of(scene, scene->objects[OBJECTS - 1])));
}

static void scene_close(struct scene *scene)
{
    verify_destroy(&scene->verify);
    plan_destroy(&scene->plan);
    mark_destroy(&scene->mark);
    workers_destroy(&scene->workers);
    memory_destroy(&scene->memory);
    os_simulated_destroy(&scene->os);
    assert_null(scene->os.violation);
}

static bool verify(struct scene *scene, enum verify_moment moment, struct verify_summary *summary,
                   char message[256])
{
    message[0] = '\0';
    return verify_graph(&scene->verify, &scene->plan, &scene->world, views_alias(&scene->memory.views, 0),
                        moment, summary, message, 256);
}

static void passes(struct scene *scene, enum verify_moment moment, uint64_t objects)
{
    struct verify_summary summary;
    char message[256];
    if (!verify(scene, moment, &summary, message))
        fail_msg("%s", message);
    assert_int_equal(summary.objects, objects);
}

static void fails(struct scene *scene, enum verify_moment moment, const char *holder, const char *why)
{
    struct verify_summary summary;
    char message[256];
    assert_false(verify(scene, moment, &summary, message));
    if (strstr(message, holder) == NULL || strstr(message, why) == NULL)
        fail_msg("it failed for another reason: %s", message);
}

static void lose(struct scene *scene, uint64_t address)
{
    granule_number granule = granule_of(offset_of(scene, address));
    scene->memory.live_bits[granule >> 6] &= ~(UINT64_C(1) << (granule & 63));
}

/* ---- when marking is complete ------------------------------------------------------------------------ */

static void what_a_word_points_at_is_looked_at(void **state)
{
    (void)state;
    for (size_t inside = 0; inside < OBJECT_BYTES - HEADER_SIZE; inside += 7) {
        struct scene scene;
        scene_open(&scene);
        scene.words[1] = scene.objects[HELD] + inside;
        scene.words[2] = scene.objects[HELD] + OBJECT_BYTES - HEADER_SIZE;
        mark_run(&scene.mark);
        passes(&scene, VERIFY_MARKED, OBJECTS - HELD);
        scene_close(&scene);
    }
}

static void lost_marks_are_told(void **state)
{
    (void)state;
    for (int lost = HELD; lost < OBJECTS; lost++) {
        struct scene scene;
        scene_open(&scene);
        scene.words[1] = scene.objects[HELD] + 1;
        mark_run(&scene.mark);
        lose(&scene, scene.objects[lost]);
        fails(&scene, VERIFY_MARKED, lost == HELD ? "a conservative thread holds" : ", of type ",
              "marking missed it");
        scene_close(&scene);
    }
}

static void lost_hits_are_told(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    scene.words[0] = scene.objects[HELD];
    scene.lose_hits = true;
    mark_run(&scene.mark);
    fails(&scene, VERIFY_MARKED, "a conservative thread holds", "marking missed it");
    scene_close(&scene);
}

static void regions_that_are_not_kept_are_told(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    scene.words[0] = scene.objects[HELD];
    mark_run(&scene.mark);
    region_number region = region_of(offset_of(&scene, scene.objects[HELD]));
    atomic_u8_store(&scene.memory.regions.regions[region].kept, 0);
    fails(&scene, VERIFY_MARKED, "a conservative thread holds", "not kept");
    scene_close(&scene);
}

/* A word pointed at a cell that was in reserve. Nothing was there when its mutator was scanned, so nothing is kept. */
static void cells_that_are_born_where_a_word_points_pass(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    struct cell_caches *caches = &scene.local.cells;
    unsigned index = cell_index(OBJECT_BYTES, false);
    bool fresh;
    uintptr_t cells[2];
    for (int i = 0; i < 2; i++) {
        cells[i] =
            cell_caches_allocate(caches, &scene.memory, index, scene.type->api.header, 0, i != 0, &fresh);
        assert_int_not_equal(cells[i], 0);
        if (i == 0) {
            scene.words[0] = cells[0] + OBJECT_BYTES;
            mark_run(&scene.mark);
        }
    }
    assert_int_equal(cells[1], scene.words[0]);
    passes(&scene, VERIFY_MARKED, 1);
    scene_close(&scene);
}

/* ---- in the flip ------------------------------------------------------------------------------------- */

/* All is reached from an exact root, and would move; then the thread comes to hold an object of the second region. */
static void plan_and_hold_back(struct scene *scene)
{
    scene_open(scene);
    scene->root = scene->objects[0];
    mark_run(&scene->mark);
    passes(scene, VERIFY_MARKED, OBJECTS);
    plan_make(&scene->plan, PLAN_EVERYTHING, 100, 0);
    assert_int_equal(scene->plan.evacuated_count, 2);
    scene->words[3] = scene->objects[OBJECTS - 1] + 3;
    conservative_hold_back(&scene->mark.conservative, &scene->world, &scene->plan);
    assert_int_equal(scene->plan.held_back_count, 1);
}

static void scene_close_planned(struct scene *scene)
{
    plan_drop(&scene->plan);
    plan_return_regions(&scene->plan);
    plan_clear(&scene->plan);
    scene_close(scene);
}

static void what_is_held_back_is_looked_at(void **state)
{
    (void)state;
    struct scene scene;
    plan_and_hold_back(&scene);
    passes(&scene, VERIFY_FLIPPING, OBJECTS);
    /* Nothing but the word leads to it. */
    scene.root = 0;
    passes(&scene, VERIFY_FLIPPING, 1);
    passes(&scene, VERIFY_FLIPPED, 1);
    passes(&scene, VERIFY_ENDED, 0);
    scene_close_planned(&scene);
}

static void what_was_not_held_back_is_told(void **state)
{
    (void)state;
    struct scene scene;
    plan_and_hold_back(&scene);
    region_number region = region_of(offset_of(&scene, scene.objects[OBJECTS - 1]));
    scene.plan.roles[region] = ROLE_EVACUATED;
    fails(&scene, VERIFY_FLIPPING, "a conservative thread holds", "not held back");
    scene.root = 0;
    fails(&scene, VERIFY_FLIPPED, "a conservative thread holds", "not held back");
    scene.plan.roles[region] = ROLE_STAY;
    scene_close_planned(&scene);
}

/* The object stays, and what it refers to moves. */
static void old_references_in_what_is_held_are_told(void **state)
{
    (void)state;
    struct scene scene;
    plan_and_hold_back(&scene);
    scene.root = 0;
    *slot_of(&scene, scene.objects[OBJECTS - 1]) = scene.objects[0];
    fails(&scene, VERIFY_FLIPPED, "the object at", "was evacuated");
    scene_close_planned(&scene);
}

/* A word that a thread has lying about may point at what is dead by now. */
static void words_that_point_at_the_dead_pass(void **state)
{
    (void)state;
    struct scene scene;
    plan_and_hold_back(&scene);
    lose(&scene, scene.objects[OBJECTS - 1]);
    scene.root = 0;
    passes(&scene, VERIFY_FLIPPING, 0);
    scene_close_planned(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_word_points_at_is_looked_at),
        cmocka_unit_test(lost_marks_are_told),
        cmocka_unit_test(lost_hits_are_told),
        cmocka_unit_test(regions_that_are_not_kept_are_told),
        cmocka_unit_test(cells_that_are_born_where_a_word_points_pass),
        cmocka_unit_test(what_is_held_back_is_looked_at),
        cmocka_unit_test(what_was_not_held_back_is_told),
        cmocka_unit_test(old_references_in_what_is_held_are_told),
        cmocka_unit_test(words_that_point_at_the_dead_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
