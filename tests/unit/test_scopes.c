/* Handle scopes and weak handles on real heaps: nesting, keeping, moving, misuse; weak handles lose the dead. */
#include "tests/support/log_lines.h"
#include "tests/support/test_random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct cell {
    struct cell *next;
    uint64_t number;
};

enum { CELL_BYTES = 32, HANDLES_MAX = 4000, DEPTH_MAX = 24 };

static const uint32_t first[] = {0};
static const shale_type_spec cell_spec = {
    .name = "cell", .size = sizeof(struct cell), .pointers = first, .pointer_count = 1};

struct scene {
    struct log_lines lines;
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *type;
};

static int set_up(void **state)
{
    static struct scene scene;
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = 4 << 20;
    options.verify = 2;
    log_lines_init(&scene.lines);
    log_lines_connect(&scene.lines, &options, SHALE_LOG_ERROR);
    scene.heap = shale_heap_create(&options, NULL);
    assert_non_null(scene.heap);
    scene.mutator = shale_attach(scene.heap, NULL);
    scene.type = shale_type_register(scene.heap, &cell_spec, NULL);
    assert_non_null(scene.type);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    shale_status status = shale_detach(scene->mutator);
    if (status == SHALE_OK)
        status = shale_heap_destroy(scene->heap, NULL);
    log_lines_destroy(&scene->lines);
    return status != SHALE_OK;
}

static shale_handle *local_cell(struct scene *scene, uint64_t number)
{
    struct cell *cell = shale_allocate(scene->mutator, scene->type);
    assert_non_null(cell);
    cell->number = number;
    shale_handle *handle = shale_local(scene->mutator, cell);
    assert_non_null(handle);
    return handle;
}

static uint64_t number_of(const shale_handle *handle)
{
    return ((const struct cell *)shale_handle_get(handle))->number;
}

static void move_all(struct scene *scene)
{
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
}

static uint64_t live_cells(struct scene *scene)
{
    /* What was allocated just before a cycle began is found dead by it; what is born in it by the next. */
    move_all(scene);
    move_all(scene);
    shale_statistics statistics;
    shale_heap_statistics(scene->heap, &statistics);
    return statistics.live_bytes / CELL_BYTES;
}

static void assert_misuse(struct scene *scene, const char *text)
{
    if (scene->lines.count != 1 || log_lines_count(&scene->lines, SHALE_LOG_ERROR, text) != 1)
        fail_msg("%u lines, not one that says \"%s\"", scene->lines.count, text);
    assert_int_equal(shale_last_error(scene->mutator)->status, SHALE_ERROR_MISUSE);
    assert_non_null(strstr(shale_last_error(scene->mutator)->message, text));
    log_lines_clear(&scene->lines);
}

/* ---- scopes ----------------------------------------------------------------------------------------- */

static void test_a_scope(void **state)
{
    struct scene *scene = *state;
    shale_scope scope;
    shale_scope_open(scene->mutator, &scope);
    shale_handle *one = local_cell(scene, 1);
    shale_handle *empty = shale_local(scene->mutator, NULL);
    assert_null(shale_handle_get(empty));
    assert_int_equal(live_cells(scene), 1);
    for (int i = 0; i < 20000; i++) /* out of the region that it was born in */
        shale_allocate(scene->mutator, scene->type);
    void *before = shale_handle_get(one);
    move_all(scene);
    assert_ptr_not_equal(shale_handle_get(one), before);
    assert_int_equal(number_of(one), 1);

    struct cell *cell = shale_allocate(scene->mutator, scene->type);
    cell->number = 2;
    assert_int_equal(shale_handle_set(scene->mutator, one, cell), SHALE_OK);
    move_all(scene);
    assert_int_equal(number_of(one), 2);
    assert_int_equal(live_cells(scene), 1);
    assert_int_equal(shale_scope_close(scene->mutator, &scope), SHALE_OK);
    assert_int_equal(live_cells(scene), 0);
}

/* Against an array of what each handle of each open scope must refer to. */
static void test_random_nesting(void **state)
{
    struct scene *scene = *state;
    struct test_random random = test_random_make(test_seed(), 0);
    static shale_handle *handles[HANDLES_MAX];
    static uint64_t numbers[HANDLES_MAX];
    static shale_scope scopes[DEPTH_MAX];
    size_t begins[DEPTH_MAX];
    size_t depth = 0;
    size_t count = 0;
    uint64_t next = 1;
    unsigned rounds = test_rounds(6000, 1500);
    for (unsigned round = 0; round < rounds; round++) {
        size_t draw = test_random_below(&random, 100);
        if (depth == 0 || (draw < 15 && depth < DEPTH_MAX)) {
            begins[depth] = count;
            shale_scope_open(scene->mutator, &scopes[depth++]);
        } else if (draw < 24) {
            count = begins[--depth];
            assert_int_equal(shale_scope_close(scene->mutator, &scopes[depth]), SHALE_OK);
        } else if (draw < 30 && depth > 1 && count > 0 && count < HANDLES_MAX) {
            size_t kept = test_random_below(&random, count);
            uint64_t number = numbers[kept];
            shale_handle *handle = shale_scope_close_keep(scene->mutator, &scopes[--depth], handles[kept]);
            assert_non_null(handle);
            count = begins[depth];
            handles[count] = handle;
            numbers[count++] = number;
        } else if (draw < 34 && count > 0) {
            size_t i = test_random_below(&random, count);
            size_t j = test_random_below(&random, count);
            shale_handle_set(scene->mutator, handles[i], shale_handle_get(handles[j]));
            numbers[i] = numbers[j];
        } else if (draw < 35) {
            move_all(scene);
        } else {
            for (size_t more = test_random_below(&random, 60); more > 0 && count < HANDLES_MAX; more--) {
                numbers[count] = next;
                handles[count++] = local_cell(scene, next++);
            }
        }
        for (size_t i = 0; i < count; i++)
            assert_int_equal(number_of(handles[i]), numbers[i]);
    }
    while (depth > 0)
        assert_int_equal(shale_scope_close(scene->mutator, &scopes[--depth]), SHALE_OK);
    assert_int_equal(live_cells(scene), 0);
}

static void test_many_handles(void **state)
{
    struct scene *scene = *state;
    static shale_handle *handles[HANDLES_MAX];
    shale_scope outer;
    shale_scope inner;
    shale_scope_open(scene->mutator, &outer);
    for (int round = 0; round < 3; round++) {
        shale_scope_open(scene->mutator, &inner);
        for (uint64_t i = 0; i < HANDLES_MAX; i++)
            handles[i] = local_cell(scene, i);
        move_all(scene);
        for (uint64_t i = 0; i < HANDLES_MAX; i++)
            assert_int_equal(number_of(handles[i]), i);
        shale_handle *kept = shale_scope_close_keep(scene->mutator, &inner, handles[HANDLES_MAX / 2]);
        assert_int_equal(number_of(kept), HANDLES_MAX / 2);
    }
    assert_int_equal(live_cells(scene), 3);
    assert_int_equal(shale_scope_close(scene->mutator, &outer), SHALE_OK);
}

/* Locals of a thread in a native section follow their objects too. */
static void *collect_elsewhere(void *argument)
{
    struct scene *scene = argument;
    shale_mutator *mutator = shale_attach(scene->heap, NULL);
    for (int i = 0; i < 20000; i++)
        shale_allocate(mutator, scene->type);
    shale_collect(mutator, SHALE_COLLECT_MOVE_ALL);
    shale_detach(mutator);
    return NULL;
}

static void test_native_section(void **state)
{
    struct scene *scene = *state;
    shale_scope scope;
    shale_scope_open(scene->mutator, &scope);
    shale_handle *handle = local_cell(scene, 7);
    for (int i = 0; i < 20000; i++)
        shale_allocate(scene->mutator, scene->type);
    void *before = shale_handle_get(handle);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, collect_elsewhere, scene), 0);
    assert_int_equal(shale_enter_native(scene->mutator), SHALE_OK);
    pthread_join(thread, NULL);
    assert_int_equal(shale_leave_native(scene->mutator), SHALE_OK);
    assert_ptr_not_equal(shale_handle_get(handle), before);
    assert_int_equal(number_of(handle), 7);
    assert_int_equal(shale_scope_close(scene->mutator, &scope), SHALE_OK);
}

static void test_misuse(void **state)
{
    struct scene *scene = *state;
    shale_mutator *mutator = scene->mutator;
    assert_null(shale_local(mutator, NULL));
    assert_misuse(scene, "shale_local: no handle scope is open");
    shale_scope outer;
    shale_scope inner;
    shale_scope_open(mutator, &outer);
    shale_handle *handle = local_cell(scene, 1);
    assert_int_equal(shale_handle_drop(mutator, handle), SHALE_ERROR_MISUSE);
    assert_misuse(scene, "shale_handle_drop: the handle is a local one");
    assert_int_equal(shale_detach(mutator), SHALE_ERROR_MISUSE);
    assert_misuse(scene, "shale_detach: handle scopes are still open");
    assert_null(shale_scope_close_keep(mutator, &outer, handle));
    assert_misuse(scene, "there is no outer scope");
    shale_scope_open(mutator, &inner);
    assert_int_equal(shale_scope_close(mutator, &outer), SHALE_ERROR_MISUSE);
    assert_misuse(scene, "shale_scope_close: this is not the innermost");
    assert_null(shale_scope_close_keep(mutator, &outer, handle));
    assert_misuse(scene, "shale_scope_close_keep: this is not the innermost");
    assert_null(shale_scope_close_keep(mutator, &inner, NULL));
    assert_misuse(scene, "shale_scope_close_keep: the handle is NULL");
    assert_int_equal(number_of(handle), 1);
    assert_int_equal(shale_scope_close(mutator, &inner), SHALE_OK);
    assert_int_equal(shale_scope_close(mutator, &outer), SHALE_OK);
    assert_null(shale_local(mutator, NULL));
    assert_misuse(scene, "shale_local: no handle scope is open");
    assert_int_equal(shale_scope_close(mutator, &outer), SHALE_ERROR_MISUSE);
    assert_misuse(scene, "shale_scope_close: this is not the innermost");
}

/* ---- weak handles ------------------------------------------------------------------------------------ */

static void test_weak_handle(void **state)
{
    struct scene *scene = *state;
    shale_mutator *mutator = scene->mutator;
    shale_scope scope;
    shale_scope_open(mutator, &scope);
    shale_handle *strong = local_cell(scene, 5);
    shale_weak_handle *weak = shale_weak_handle_create(mutator, shale_handle_get(strong));
    assert_non_null(weak);
    shale_weak_handle *empty = shale_weak_handle_create(mutator, NULL);
    assert_null(shale_weak_handle_get(mutator, empty));
    assert_null(shale_weak_handle_get(mutator, NULL));
    for (int i = 0; i < 20000; i++)
        shale_allocate(mutator, scene->type);
    move_all(scene);
    assert_ptr_equal(shale_weak_handle_get(mutator, weak), shale_handle_get(strong));
    assert_int_equal(number_of(strong), 5);
    assert_int_equal(shale_scope_close(mutator, &scope), SHALE_OK);
    move_all(scene);
    move_all(scene);
    assert_null(shale_weak_handle_get(mutator, weak));
    assert_int_equal(shale_weak_handle_drop(mutator, weak), SHALE_OK);
    assert_int_equal(shale_weak_handle_drop(mutator, empty), SHALE_OK);
    assert_int_equal(shale_weak_handle_drop(mutator, weak), SHALE_ERROR_MISUSE);
    assert_misuse(scene, "dropped before");
    assert_int_equal(shale_weak_handle_drop(mutator, NULL), SHALE_ERROR_ARGUMENT);
    assert_int_equal(live_cells(scene), 0);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_scope, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_nesting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_handles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_native_section, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_misuse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_weak_handle, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unit.scopes", tests, NULL, NULL);
}
