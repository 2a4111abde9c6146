/* Critical sections: nothing moves in them, cycles that would give up, who is named for it, and misuse. */
#include "runtime/heap.h"
#include "tests/support/log_lines.h"
#include "tests/support/stress_support.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct log_lines lines;
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *bytes;
    void *local;
    shale_frame frame;
};

static void open_scene(struct scene *scene, int faults, unsigned critical)
{
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = 4 << 20;
    options.faults = faults;
    options.verify = 1;
    options.target = 0;
    options.critical = critical;
    log_lines_init(&scene->lines);
    log_lines_connect(&scene->lines, &options, SHALE_LOG_WARNING);
    scene->heap = shale_heap_create(&options, NULL);
    assert_non_null(scene->heap);
    scene->mutator = shale_attach(scene->heap, NULL);
    scene->bytes = shale_type_register(
        scene->heap, &(shale_type_spec){.name = "bytes", .size = 8, .element_size = 1}, NULL);
    assert_non_null(scene->bytes);
    shale_frame_push(scene->mutator, &scene->frame, &scene->local, 1);
    scene->local = shale_allocate_array(scene->mutator, scene->bytes, 500);
    memset(scene->local, 7, 508);
    /* So that it is in a region that can move. */
    for (int i = 0; i < 400; i++)
        assert_non_null(shale_allocate_array(scene->mutator, scene->bytes, 1000));
}

static void close_scene(struct scene *scene)
{
    shale_frame_pop(scene->mutator, &scene->frame);
    assert_int_equal(shale_detach(scene->mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(scene->heap, NULL), SHALE_OK);
    log_lines_destroy(&scene->lines);
}

static shale_statistics statistics_of(const struct scene *scene)
{
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(scene->heap, &statistics), SHALE_OK);
    return statistics;
}

static void move_all(struct scene *scene)
{
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
}

static void test_nothing_moves_inside(void **state)
{
    (void)state;
    for (int faults = 0; faults < 2; faults++) {
        static struct scene scene;
        open_scene(&scene, faults, 50);
        void *before = scene.local;
        move_all(&scene);
        assert_ptr_not_equal(scene.local, before);
        before = scene.local;
        assert_int_equal(shale_enter_critical(scene.mutator), SHALE_OK);
        assert_int_equal(shale_enter_critical(scene.mutator), SHALE_OK);
        /* At once, since the thread itself waits for it. */
        move_all(&scene);
        assert_int_equal(shale_leave_critical(scene.mutator), SHALE_OK);
        move_all(&scene);
        assert_ptr_equal(scene.local, before);
        assert_int_equal(((const char *)before)[507], 7);
        assert_int_equal(statistics_of(&scene).flips_held_off, 2);
        assert_int_equal(log_lines_count(&scene.lines, SHALE_LOG_WARNING, "in a critical section"), 1);
        /* What is dead is freed all the same. */
        uint64_t used = statistics_of(&scene).used_bytes;
        for (int i = 0; i < 800; i++)
            assert_non_null(shale_allocate_array(scene.mutator, scene.bytes, 1000));
        assert_true(statistics_of(&scene).used_bytes > used);
        move_all(&scene);
        move_all(&scene);
        assert_true(statistics_of(&scene).used_bytes <= used + 2 * REGION_SIZE);
        assert_int_equal(shale_leave_critical(scene.mutator), SHALE_OK);
        move_all(&scene);
        assert_ptr_not_equal(scene.local, before);
        close_scene(&scene);
    }
}

/* All that is allocated inside has room until the heap would have to be compacted; then NULL, not a deadlock. */
static void test_allocating_inside(void **state)
{
    (void)state;
    static struct scene scene;
    open_scene(&scene, SHALE_FAULTS_THREAD, 1000000);
    assert_int_equal(shale_enter_critical(scene.mutator), SHALE_OK);
    /* Garbage costs nothing. */
    for (int i = 0; i < 20000; i++)
        assert_non_null(shale_allocate_array(scene.mutator, scene.bytes, 1000));
    /* A survivor in each region does. */
    shale_scope scope;
    shale_scope_open(scene.mutator, &scope);
    void *object = scene.local;
    for (int i = 0; object != NULL; i++) {
        object = shale_allocate_array(scene.mutator, scene.bytes, 8000);
        if (i % 30 == 0 && object != NULL)
            assert_non_null(shale_local(scene.mutator, object));
    }
    assert_int_equal(shale_last_error(scene.mutator)->status, SHALE_ERROR_OUT_OF_HEAP);
    assert_int_equal(shale_leave_critical(scene.mutator), SHALE_OK);
    assert_non_null(shale_allocate_array(scene.mutator, scene.bytes, 8000));
    assert_int_equal(shale_scope_close(scene.mutator, &scope), SHALE_OK);
    close_scene(&scene);
}

/* ---- several threads --------------------------------------------------------------------------------- */

struct other {
    struct scene *scene;
    atomic_u32 inside;
    atomic_u32 leave;
};

/* In a native section within, as for a system call that takes long. */
static void *stay_inside(void *argument)
{
    struct other *other = argument;
    pthread_setname_np(pthread_self(), "stays-inside");
    shale_mutator *mutator = stress_attach(other->scene->heap);
    STRESS_CHECK(shale_enter_critical(mutator) == SHALE_OK, "entering");
    STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering a native section");
    atomic_u32_store_release(&other->inside, 1);
    while (atomic_u32_load_acquire(&other->leave) == 0)
        usleep(1000);
    STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving the native section");
    STRESS_CHECK(shale_leave_critical(mutator) == SHALE_OK, "leaving");
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void test_a_long_section_is_named(void **state)
{
    (void)state;
    static struct scene scene;
    open_scene(&scene, SHALE_FAULTS_THREAD, 5);
    struct other other = {.scene = &scene};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stay_inside, &other), 0);
    while (atomic_u32_load_acquire(&other.inside) == 0)
        usleep(1000);
    void *before = scene.local;
    for (int i = 0; i < 3; i++)
        move_all(&scene);
    assert_ptr_equal(scene.local, before);
    assert_int_equal(statistics_of(&scene).flips_held_off, 3);
    assert_int_equal(log_lines_count(&scene.lines, SHALE_LOG_WARNING, "stays-inside"), 1);
    /* Others may come in meanwhile. */
    assert_int_equal(shale_enter_critical(scene.mutator), SHALE_OK);
    assert_int_equal(shale_leave_critical(scene.mutator), SHALE_OK);
    atomic_u32_store_release(&other.leave, 1);
    assert_int_equal(shale_enter_native(scene.mutator), SHALE_OK);
    pthread_join(thread, NULL);
    assert_int_equal(shale_leave_native(scene.mutator), SHALE_OK);
    move_all(&scene);
    assert_ptr_not_equal(scene.local, before);
    close_scene(&scene);
}

/* The collector waits for a section that ends, and then moves. */
static void *leave_soon(void *argument)
{
    struct other *other = argument;
    while (atomic_u32_load_acquire(&other->inside) == 0)
        usleep(1000);
    struct critical *critical = &other->scene->heap->critical;
    for (bool wanted = false; !wanted;) {
        usleep(1000);
        pthread_mutex_lock(&critical->lock);
        wanted = critical->wanted;
        pthread_mutex_unlock(&critical->lock);
    }
    atomic_u32_store_release(&other->leave, 1);
    return NULL;
}

static void test_a_short_section_is_waited_for(void **state)
{
    (void)state;
    static struct scene scene;
    open_scene(&scene, SHALE_FAULTS_THREAD, 3600000);
    struct other other = {.scene = &scene};
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, stay_inside, &other), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, leave_soon, &other), 0);
    while (atomic_u32_load_acquire(&other.inside) == 0)
        usleep(1000);
    void *before = scene.local;
    move_all(&scene);
    assert_ptr_not_equal(scene.local, before);
    assert_int_equal(statistics_of(&scene).flips_held_off, 0);
    assert_int_equal(shale_enter_native(scene.mutator), SHALE_OK);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(shale_leave_native(scene.mutator), SHALE_OK);
    close_scene(&scene);
}

static void test_misuse(void **state)
{
    (void)state;
    static struct scene scene;
    open_scene(&scene, SHALE_FAULTS_THREAD, 5);
    assert_int_equal(shale_enter_critical(NULL), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_leave_critical(scene.mutator), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_enter_critical(scene.mutator), SHALE_OK);
    shale_frame_pop(scene.mutator, &scene.frame);
    assert_int_equal(shale_detach(scene.mutator), SHALE_ERROR_MISUSE);
    assert_string_equal(shale_last_error(scene.mutator)->message,
                        "shale_detach: the thread is in a critical section; leave it first");
    shale_frame_push(scene.mutator, &scene.frame, &scene.local, 1);
    assert_int_equal(shale_enter_native(scene.mutator), SHALE_OK);
    assert_int_equal(shale_leave_critical(scene.mutator), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_enter_critical(scene.mutator), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_leave_native(scene.mutator), SHALE_OK);
    assert_int_equal(shale_leave_critical(scene.mutator), SHALE_OK);
    close_scene(&scene);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_moves_inside),
        cmocka_unit_test(test_allocating_inside),
        cmocka_unit_test(test_a_long_section_is_named),
        cmocka_unit_test(test_a_short_section_is_waited_for),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests_name("unit.critical", tests, NULL, NULL);
}
