/*
 * Conservative roots on real heaps: what a word on a stack keeps alive and in place, and what it does not.
 */
#include "tests/support/conservative_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- where a word points --------------------------------------------------------------------------- */

enum place { AT_START, IN_THE_MIDDLE, AT_LAST_BYTE, BEHIND_IT, PLACES };

static uintptr_t place_in(const struct objects *objects, size_t index, enum place place)
{
    uintptr_t start = (uintptr_t)reveal(objects->addresses[index]);
    size_t length = objects->lengths[index];
    size_t offsets[] = {0, length / 2, length - 1, length};
    return start + offsets[place];
}

static __attribute__((noinline)) void hold_and_collect(struct scene *scene, const struct objects *objects,
                                                       size_t held, enum place place)
{
    volatile uintptr_t word = place_in(objects, held, place);
    for (int i = 0; i < 3; i++) {
        clear_stack();
        scene_move_all(scene);
        if (!objects_is_in_place(scene, objects, held))
            fail_msg("object %zu did not stay, with a word at place %d", held, (int)place);
    }
    __asm__ volatile("" : : "m"(word));
}

static void check_places(enum stress_mode mode)
{
    if (!stress_mode_works(mode))
        return;
    for (int place = 0; place < PLACES; place++) {
        struct scene scene;
        struct objects objects;
        scene_set_up_mode(&scene, mode, (shale_encoding)SHALE_ENCODING_PLAIN);
        for (size_t held = 5; held < OBJECTS; held += 29) {
            objects_make(&scene, &objects);
            hold_and_collect(&scene, &objects, held, (enum place)place);
            size_t dead = 0;
            for (size_t i = 0; i < OBJECTS; i++)
                dead += objects_is_dead(&scene, &objects, i);
            assert_in_range(dead, OBJECTS - 5, OBJECTS - 1);
            /* Nothing holds it any more. */
            clear_stack();
            scene_move_all(&scene);
            dead = 0;
            for (size_t i = 0; i < OBJECTS; i++) {
                dead += objects_is_dead(&scene, &objects, i);
                shale_weak_handle_drop(scene.mutator, objects.handles[i]);
            }
            assert_in_range(dead, OBJECTS - 4, OBJECTS);
        }
        scene_tear_down(&scene);
    }
}

static void test_places(void **state)
{
    (void)state;
    check_places(STRESS_THREAD);
}

static void test_places_fault_signal(void **state)
{
    (void)state;
    check_places(STRESS_SIGNAL);
}

static void test_places_in_pause(void **state)
{
    (void)state;
    check_places(STRESS_NEVER);
}

/* ---- everything else moves ------------------------------------------------------------------------- */

static void test_others_move(void **state)
{
    (void)state;
    struct scene scene;
    scene_set_up(&scene);
    enum { HANDLES = 1000 };
    shale_handle **handles = malloc(HANDLES * sizeof(shale_handle *));
    uintptr_t *addresses = malloc(HANDLES * sizeof *addresses);
    for (size_t i = 0; i < HANDLES; i++) {
        /* One in a kilobyte: sparse. */
        handles[i] = shale_handle_create(scene.mutator, shale_allocate(scene.mutator, scene.cell));
        assert_non_null(handles[i]);
        ((struct cell *)shale_handle_get(handles[i]))->number = i;
        addresses[i] = disguise(shale_handle_get(handles[i]));
        assert_non_null(shale_allocate_array(scene.mutator, scene.bytes, 1000));
    }
    clear_stack();
    scene_move_all(&scene);
    size_t moved = 0;
    for (size_t i = 0; i < HANDLES; i++) {
        const struct cell *cell = shale_handle_get(handles[i]);
        assert_int_equal(cell->number, i);
        moved += disguise(cell) != addresses[i];
    }
    /* All but what shares a region with a word left behind, or is in the one being filled. */
    assert_in_range(moved, HANDLES / 4, HANDLES);
    free(handles);
    free(addresses);
    scene_tear_down(&scene);
}

/* ---- large objects --------------------------------------------------------------------------------- */

enum { LARGE_LENGTH = 1 << 20 };

static __attribute__((noinline)) shale_weak_handle *make_large(struct scene *scene, uintptr_t *disguised)
{
    char *object = shale_allocate_array(scene->mutator, scene->bytes, LARGE_LENGTH);
    assert_non_null(object);
    object[LARGE_LENGTH - 1] = 1;
    *disguised = disguise(object);
    return shale_weak_handle_create(scene->mutator, object);
}

static __attribute__((noinline)) bool lives(struct scene *scene, const shale_weak_handle *handle)
{
    return shale_weak_handle_get(scene->mutator, handle) != NULL;
}

static __attribute__((noinline)) void hold_large(struct scene *scene, const shale_weak_handle *handle,
                                                 uintptr_t disguised, size_t offset)
{
    volatile uintptr_t word = (uintptr_t)reveal(disguised) + offset;
    clear_stack();
    scene_move_all(scene);
    assert_true(lives(scene, handle));
    __asm__ volatile("" : : "m"(word));
}

static void test_large_objects(void **state)
{
    (void)state;
    struct scene scene;
    scene_set_up(&scene);
    size_t offsets[] = {0, LARGE_LENGTH / 2, LARGE_LENGTH - 1};
    size_t dead = 0;
    for (size_t i = 0; i < 3; i++) {
        uintptr_t disguised;
        shale_weak_handle *handle = make_large(&scene, &disguised);
        hold_large(&scene, handle, disguised, offsets[i]);
        clear_stack();
        scene_move_all(&scene);
        dead += !lives(&scene, handle);
        shale_weak_handle_drop(scene.mutator, handle);
    }
    assert_in_range(dead, 2, 3);
    scene_tear_down(&scene);
}

/* ---- values ---------------------------------------------------------------------------------------- */

/* With an encoding, words that are values count as well. */
static __attribute__((noinline)) void hold_value(struct scene *scene, const struct objects *objects,
                                                 uint64_t tag)
{
    volatile uint64_t word = (uint64_t)(uintptr_t)reveal(objects->addresses[7]) | tag;
    clear_stack();
    scene_move_all(scene);
    assert_true(objects_is_in_place(scene, objects, 7));
    __asm__ volatile("" : : "m"(word));
}

static void test_values(void **state)
{
    (void)state;
    static const uint64_t TAG = UINT64_C(0xfffc) << 48;
    shale_encoding encoding = {
        .mask = UINT64_C(0xffff) << 48, .tag = TAG, .low_tags = 1, .address = (UINT64_C(1) << 48) - 1};
    struct scene scene;
    struct objects objects;
    scene_set_up_mode(&scene, STRESS_THREAD, encoding);
    objects_make(&scene, &objects);
    hold_value(&scene, &objects, TAG);
    scene_tear_down(&scene);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),          cmocka_unit_test(test_places_fault_signal),
        cmocka_unit_test(test_places_in_pause), cmocka_unit_test(test_others_move),
        cmocka_unit_test(test_large_objects),   cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
