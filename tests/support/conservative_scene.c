#include "tests/support/conservative_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint32_t first[] = {0};

__attribute__((noinline)) void clear_stack(void)
{
    volatile char left[8192];
    for (size_t i = 0; i < sizeof left; i++)
        left[i] = 0;
}

void scene_set_up_mode(struct scene *scene, enum stress_mode mode, shale_encoding encoding)
{
    shale_options options;
    stress_options(&options, mode, (size_t)16 << 20, NULL);
    options.verify = 1;
    options.encoding = encoding;
    scene->heap = stress_heap(&options);
    scene->cell = shale_type_register(
        scene->heap,
        &(shale_type_spec){
            .name = "cell", .size = sizeof(struct cell), .pointers = first, .pointer_count = 1},
        NULL);
    scene->bytes =
        shale_type_register(scene->heap, &(shale_type_spec){.name = "bytes", .element_size = 1}, NULL);
    scene->mutator = stress_attach_conservative(scene->heap);
}

void scene_set_up(struct scene *scene)
{
    scene_set_up_mode(scene, STRESS_THREAD, (shale_encoding)SHALE_ENCODING_PLAIN);
}

void scene_tear_down(struct scene *scene)
{
    assert_int_equal(shale_detach(scene->mutator), SHALE_OK);
    stress_heap_end(scene->heap);
}

/* ---- objects ---------------------------------------------------------------------------------------- */

__attribute__((noinline)) void objects_make(struct scene *scene, struct objects *objects)
{
    for (size_t i = 0; i < OBJECTS; i++) {
        objects->lengths[i] = LENGTH + i;
        char *object = shale_allocate_array(scene->mutator, scene->bytes, objects->lengths[i]);
        assert_non_null(object);
        memset(object, (int)i + 1, objects->lengths[i]);
        objects->addresses[i] = disguise(object);
        objects->handles[i] = shale_weak_handle_create(scene->mutator, object);
        assert_non_null(objects->handles[i]);
    }
    /* The region that is being filled does not move in any case. */
    for (size_t i = 0; i < (1u << 18) / 1024 + 2; i++)
        assert_non_null(shale_allocate_array(scene->mutator, scene->bytes, 1000));
    clear_stack();
}

__attribute__((noinline)) bool objects_is_in_place(struct scene *scene, const struct objects *objects,
                                                   size_t index)
{
    const unsigned char *object = shale_weak_handle_get(scene->mutator, objects->handles[index]);
    if (object == NULL || disguise(object) != objects->addresses[index])
        return false;
    for (size_t i = 0; i < objects->lengths[index]; i++) {
        if (object[i] != index + 1)
            return false;
    }
    return true;
}

__attribute__((noinline)) bool objects_is_dead(struct scene *scene, const struct objects *objects,
                                               size_t index)
{
    return shale_weak_handle_get(scene->mutator, objects->handles[index]) == NULL;
}

__attribute__((noinline)) void scene_move_all(struct scene *scene)
{
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
}

/* ---- lists ------------------------------------------------------------------------------------------ */

enum { CELLS = 500 };

struct cell *list_make(shale_mutator *mutator, const shale_type *type)
{
    struct cell *list = NULL;
    for (uint64_t i = 0; i < CELLS; i++) {
        struct cell *cell = shale_allocate(mutator, type);
        STRESS_CHECK(cell != NULL && cell->next == NULL && cell->number == 0, "a new object");
        cell->number = i;
        cell->next = list;
        list = cell;
        STRESS_CHECK(shale_allocate(mutator, type) != NULL, "garbage");
    }
    return list;
}

void list_check(const struct cell *list)
{
    uint64_t expected = CELLS;
    for (; list != NULL; list = list->next)
        STRESS_CHECK(list->number == --expected, "a cell is another");
    STRESS_CHECK(expected == 0, "the list is too short");
}
