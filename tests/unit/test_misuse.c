/*
 * Misuse that can be seen is refused: the documented status, one clear log line, and shale_last_error on the
 * thread's own mutator; and nothing else happens.
 */
#include "tests/support/log_lines.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    struct log_lines lines;
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *pair;
};

static const uint32_t pair_pointers[] = {0, 8};

static shale_heap *make_heap(struct log_lines *lines, const char *option, const char *value)
{
    shale_error error;
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = 4 << 20;
    if (option != NULL)
        assert_int_equal(shale_options_set(&options, option, value, NULL), SHALE_OK);
    log_lines_connect(lines, &options, SHALE_LOG_ERROR);
    shale_heap *heap = shale_heap_create(&options, &error);
    if (heap == NULL)
        fail_msg("%s", error.message);
    return heap;
}

static const shale_type *make_pair(shale_heap *heap)
{
    shale_type_spec spec = {.name = "pair", .size = 16, .pointers = pair_pointers, .pointer_count = 2};
    const shale_type *type = shale_type_register(heap, &spec, NULL);
    assert_non_null(type);
    return type;
}

static int set_up(void **state)
{
    static struct scene scene;
    log_lines_init(&scene.lines);
    scene.heap = make_heap(&scene.lines, NULL, NULL);
    scene.mutator = shale_attach(scene.heap, NULL);
    assert_non_null(scene.mutator);
    scene.pair = make_pair(scene.heap);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    shale_detach(scene->mutator);
    shale_status status = shale_heap_destroy(scene->heap, NULL);
    log_lines_destroy(&scene->lines);
    return status != SHALE_OK;
}

/* Exactly one line, an error that names the function and holds the text. */
static void assert_one_line(struct scene *scene, const char *function, const char *text)
{
    if (scene->lines.count != 1 || log_lines_count(&scene->lines, SHALE_LOG_ERROR, function) != 1 ||
        log_lines_count(&scene->lines, SHALE_LOG_ERROR, text) != 1)
        fail_msg("%u lines for %s: %s; the first: \"%s\"", scene->lines.count, function, text,
                 scene->lines.lines[0].text);
    log_lines_clear(&scene->lines);
}

static void assert_last_error(shale_mutator *mutator, shale_status status, const char *text)
{
    const shale_error *error = shale_last_error(mutator);
    assert_int_equal(error->status, status);
    if (strstr(error->message, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error->message, text);
}

static void show_nothing(void *context, shale_visitor *visitor)
{
    (void)context;
    (void)visitor;
}

/* ---- any call on a mutator that may not be used ----------------------------------------------------------- */

static shale_status call_collect(shale_mutator *mutator)
{
    return shale_collect(mutator, SHALE_COLLECT_NORMAL);
}

static shale_status call_collect_start(shale_mutator *mutator)
{
    return shale_collect_start(mutator, SHALE_COLLECT_NORMAL);
}

static shale_status call_handle_create(shale_mutator *mutator)
{
    return shale_handle_create(mutator, NULL) == NULL ? SHALE_ERROR_MISUSE : SHALE_OK;
}

static shale_status call_visitor_add(shale_mutator *mutator)
{
    return shale_root_visitor_add(mutator, show_nothing, NULL) == NULL ? SHALE_ERROR_MISUSE : SHALE_OK;
}

static shale_status call_weak_handle_create(shale_mutator *mutator)
{
    return shale_weak_handle_create(mutator, NULL) == NULL ? SHALE_ERROR_MISUSE : SHALE_OK;
}

static shale_status call_intern_create(shale_mutator *mutator)
{
    return shale_intern_create(mutator) == NULL ? SHALE_ERROR_MISUSE : SHALE_OK;
}

static shale_status call_intern_add(shale_mutator *mutator)
{
    return shale_intern_add(mutator, NULL, 0, NULL);
}

static shale_status call_weak_map_create(shale_mutator *mutator)
{
    return shale_weak_map_create(mutator) == NULL ? SHALE_ERROR_MISUSE : SHALE_OK;
}

static shale_status call_weak_map_set(shale_mutator *mutator)
{
    return shale_weak_map_set(mutator, NULL, NULL, NULL);
}

static const struct call {
    const char *name;
    shale_status (*call)(shale_mutator *mutator);
} calls[] = {
    {"shale_collect", call_collect},
    {"shale_collect_start", call_collect_start},
    {"shale_enter_native", shale_enter_native},
    {"shale_detach", shale_detach},
    {"shale_handle_create", call_handle_create},
    {"shale_root_visitor_add", call_visitor_add},
    {"shale_weak_handle_create", call_weak_handle_create},
    {"shale_intern_create", call_intern_create},
    {"shale_intern_add", call_intern_add},
    {"shale_weak_map_create", call_weak_map_create},
    {"shale_weak_map_set", call_weak_map_set},
};

static void refuse_all(struct scene *scene, const char *why, bool own_thread)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        assert_int_equal(calls[i].call(scene->mutator), SHALE_ERROR_MISUSE);
        if (own_thread)
            assert_last_error(scene->mutator, SHALE_ERROR_MISUSE, why);
        assert_one_line(scene, calls[i].name, why);
    }
}

static void test_null_mutators(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        assert_int_equal(calls[i].call(NULL), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_leave_native(NULL), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_handle_set(NULL, NULL, NULL), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_handle_drop(NULL, NULL), SHALE_ERROR_MISUSE);
}

static void *on_another_thread(void *argument)
{
    struct scene *scene = argument;
    refuse_all(scene, "another thread", false);
    assert_int_equal(shale_leave_native(scene->mutator), SHALE_ERROR_MISUSE);
    assert_one_line(scene, "shale_leave_native", "another thread");
    assert_null(shale_allocate_slow(scene->mutator, scene->pair, 0));
    assert_one_line(scene, "shale_allocate", "another thread");
    return NULL;
}

static void test_wrong_thread(void **state)
{
    struct scene *scene = *state;
    /* Its own thread has something to say, which others' misuse must not overwrite. */
    assert_null(shale_allocate_array(scene->mutator, scene->pair, 1));
    shale_error before = *shale_last_error(scene->mutator);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, on_another_thread, scene), 0);
    pthread_join(thread, NULL);
    assert_memory_equal(shale_last_error(scene->mutator), &before, sizeof before);
    assert_non_null(shale_allocate(scene->mutator, scene->pair));
}

static void test_detached_mutator(void **state)
{
    struct scene *scene = *state;
    assert_non_null(shale_allocate(scene->mutator, scene->pair));
    assert_int_equal(shale_detach(scene->mutator), SHALE_OK);
    refuse_all(scene, "detached", true);
    assert_null(shale_allocate(scene->mutator, scene->pair));
    assert_one_line(scene, "shale_allocate", "detached");
    assert_int_equal(shale_leave_native(scene->mutator), SHALE_ERROR_MISUSE);
    assert_one_line(scene, "shale_leave_native", "detached");
    scene->mutator = shale_attach(scene->heap, NULL);
    assert_non_null(scene->mutator);
}

static void test_native_sections(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(shale_leave_native(scene->mutator), SHALE_ERROR_MISUSE);
    assert_one_line(scene, "shale_leave_native", "not in a native section");
    assert_int_equal(shale_enter_native(scene->mutator), SHALE_OK);
    refuse_all(scene, "in a native section", true);
    assert_null(shale_allocate_slow(scene->mutator, scene->pair, 0));
    assert_one_line(scene, "shale_allocate", "in a native section");
    assert_int_equal(shale_leave_native(scene->mutator), SHALE_OK);
    assert_int_equal(call_collect(scene->mutator), SHALE_OK);
    assert_int_equal(scene->lines.count, 0);
}

static void test_frames_left(void **state)
{
    struct scene *scene = *state;
    void *local = shale_allocate(scene->mutator, scene->pair);
    shale_frame frame;
    shale_frame_push(scene->mutator, &frame, &local, 1);
    assert_int_equal(shale_detach(scene->mutator), SHALE_ERROR_MISUSE);
    assert_one_line(scene, "shale_detach", "frames are still pushed");
    assert_last_error(scene->mutator, SHALE_ERROR_MISUSE, "frames");
    /* It is attached all the same. */
    assert_int_equal(call_collect(scene->mutator), SHALE_OK);
    shale_frame_pop(scene->mutator, &frame);
}

/* ---- heaps ------------------------------------------------------------------------------------------------ */

static void test_busy_heap(void **state)
{
    struct scene *scene = *state;
    shale_error error;
    assert_int_equal(shale_heap_destroy(scene->heap, &error), SHALE_ERROR_BUSY);
    assert_int_equal(error.status, SHALE_ERROR_BUSY);
    assert_non_null(strstr(error.message, "1 attached"));
    assert_int_equal(call_collect(scene->mutator), SHALE_OK);
}

static void test_destroyed_heap(void **state)
{
    struct scene *scene = *state;
    shale_heap *gone = make_heap(&scene->lines, NULL, NULL);
    assert_int_equal(shale_heap_destroy(gone, NULL), SHALE_OK);
    shale_error error;
    assert_int_equal(shale_heap_destroy(gone, &error), SHALE_ERROR_MISUSE);
    assert_non_null(strstr(error.message, "shale_heap_destroy"));
    assert_non_null(strstr(error.message, "destroyed"));
    assert_null(shale_attach(gone, &error));
    assert_int_equal(error.status, SHALE_ERROR_MISUSE);
    assert_non_null(strstr(error.message, "shale_attach"));
    shale_type_spec spec = {.name = "t", .size = 8};
    assert_null(shale_type_register(gone, &spec, &error));
    assert_int_equal(error.status, SHALE_ERROR_MISUSE);
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(gone, &statistics), SHALE_ERROR_MISUSE);
    assert_null(shale_heap_root_visitor_add(gone, show_nothing, NULL));
    assert_null(shale_attach(NULL, &error));
    assert_int_equal(error.status, SHALE_ERROR_MISUSE);
    assert_int_equal(shale_heap_destroy(NULL, &error), SHALE_OK);
    assert_int_equal(shale_heap_statistics(scene->heap, NULL), SHALE_ERROR_ARGUMENT);
}

/* ---- arguments -------------------------------------------------------------------------------------------- */

static void test_foreign_types(void **state)
{
    struct scene *scene = *state;
    shale_heap *other = make_heap(&scene->lines, NULL, NULL);
    const shale_type *foreign = make_pair(other);
    assert_null(shale_allocate_slow(scene->mutator, foreign, 0));
    assert_one_line(scene, "shale_allocate", "another heap");
    assert_last_error(scene->mutator, SHALE_ERROR_MISUSE, "another heap");
    assert_null(shale_allocate_slow(scene->mutator, NULL, 0));
    assert_last_error(scene->mutator, SHALE_ERROR_MISUSE, "another heap");
    assert_int_equal(shale_heap_destroy(other, NULL), SHALE_OK);
}

static void test_too_large(void **state)
{
    struct scene *scene = *state;
    shale_type_spec spec = {.name = "text", .size = 8, .element_size = 1};
    const shale_type *text = shale_type_register(scene->heap, &spec, NULL);
    assert_non_null(shale_allocate_array(scene->mutator, text, SHALE_OBJECT_MAX - 8));
    assert_non_null(shale_allocate_array(scene->mutator, text, SHALE_OBJECT_MAX - 7));
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(scene->heap, &statistics), SHALE_OK);
    size_t lengths[] = {statistics.heap_size - 7, (size_t)1 << 32, SIZE_MAX - 7, SIZE_MAX};
    for (int i = 0; i < 4; i++) {
        assert_null(shale_allocate_array(scene->mutator, text, lengths[i]));
        assert_last_error(scene->mutator, SHALE_ERROR_TOO_LARGE, "text");
        assert_last_error(scene->mutator, SHALE_ERROR_TOO_LARGE, "larger heap");
    }
    /* A type without an array has no elements. */
    assert_null(shale_allocate_array(scene->mutator, scene->pair, 1));
    assert_last_error(scene->mutator, SHALE_ERROR_TOO_LARGE, "pair");
}

static void test_handles(void **state)
{
    struct scene *scene = *state;
    shale_handle *handle = shale_handle_create(scene->mutator, NULL);
    assert_int_equal(shale_handle_drop(scene->mutator, handle), SHALE_OK);
    assert_int_equal(shale_handle_drop(scene->mutator, handle), SHALE_ERROR_MISUSE);
    assert_one_line(scene, "shale_handle_drop", "dropped before");
    assert_last_error(scene->mutator, SHALE_ERROR_MISUSE, "dropped before");
    assert_int_equal(shale_handle_drop(scene->mutator, NULL), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_handle_set(scene->mutator, NULL, NULL), SHALE_ERROR_ARGUMENT);
    assert_last_error(scene->mutator, SHALE_ERROR_ARGUMENT, "shale_handle_set");
}

static void test_visitors(void **state)
{
    struct scene *scene = *state;
    assert_null(shale_root_visitor_add(scene->mutator, NULL, NULL));
    assert_last_error(scene->mutator, SHALE_ERROR_MEMORY, "no function");
    assert_null(shale_heap_root_visitor_add(scene->heap, NULL, NULL));
    assert_int_equal(shale_root_visitor_remove(NULL), SHALE_OK);
    shale_root_visitor *visitor = shale_root_visitor_add(scene->mutator, show_nothing, NULL);
    assert_int_equal(shale_root_visitor_remove(visitor), SHALE_OK);
}

/* ---- stores, with verification on --------------------------------------------------------------------------- */

static void test_stores_of_nonsense(void **state)
{
    struct scene *scene = *state;
    shale_heap *heap = make_heap(&scene->lines, "verify", "2");
    shale_mutator *mutator = shale_attach(heap, NULL);
    const shale_type *pair = make_pair(heap);
    void **first = shale_allocate(mutator, pair);
    void **second = shale_allocate(mutator, pair);
    shale_store(mutator, first, &first[0], second);
    shale_store(mutator, first, &first[1], NULL);
    shale_store(mutator, first, &first[1], (void *)pair_pointers);
    assert_int_equal(scene->lines.count, 0);

    shale_store(mutator, first, &first[0], (char *)second + 8);
    assert_one_line(scene, "shale_store", "not the address of an object");
    assert_last_error(mutator, SHALE_ERROR_MISUSE, "not the address of an object");
    shale_store(mutator, first, &first[0], (char *)second + (2 << 20));
    assert_one_line(scene, "shale_store", "collected or moved away");
    void *outside[2] = {NULL, NULL};
    shale_store(mutator, outside, &outside[0], second);
    assert_one_line(scene, "shale_store", "the object is not in this heap");
    shale_store(mutator, first, &outside[0], second);
    assert_one_line(scene, "shale_store", "the slot is not in the object");
    shale_fill_slots(mutator, first, first, 2, (char *)second + 8);
    assert_one_line(scene, "shale_store", "not the address of an object");
    first[0] = first[1] = NULL;
    assert_int_equal(call_collect(mutator), SHALE_OK);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
}

/* ---- signals ------------------------------------------------------------------------------------------------ */

static void test_blocked_sigbus(void **state)
{
    struct scene *scene = *state;
    shale_heap *heap = make_heap(&scene->lines, "faults", "signal");
    shale_statistics statistics;
    shale_heap_statistics(heap, &statistics);
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGBUS);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    shale_error error;
    shale_mutator *mutator = shale_attach(heap, &error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (statistics.compaction == SHALE_COMPACTION_FAULT_SIGNAL) {
        assert_null(mutator);
        assert_int_equal(error.status, SHALE_ERROR_MISUSE);
        assert_non_null(strstr(error.message, "SIGBUS"));
        assert_one_line(scene, "shale_attach", "SIGBUS");
    } else {
        assert_non_null(mutator);
        shale_detach(mutator);
    }
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_null_mutators, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_detached_mutator, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_native_sections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_frames_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_busy_heap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_destroyed_heap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_handles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_visitors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stores_of_nonsense, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blocked_sigbus, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unit.misuse", tests, NULL, NULL);
}
