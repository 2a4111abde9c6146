/* The public interface on real heaps: several at once, all kinds of roots, values, out of memory. */
#include <pthread.h>
#include <setjmp.h>
#include <shale/shale.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct cell {
    struct cell *next;
    uint64_t number;
};

static const uint32_t first[] = {0};
static const shale_type_spec cell_spec = {
    .name = "cell", .size = sizeof(struct cell), .pointers = first, .pointer_count = 1};

static shale_heap *make_heap(shale_encoding encoding)
{
    shale_error error;
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = 4 << 20;
    options.verify = 2;
    options.encoding = encoding;
    shale_heap *heap = shale_heap_create(&options, &error);
    if (heap == NULL)
        fail_msg("%s", error.message);
    return heap;
}

static shale_heap *make_plain_heap(void)
{
    return make_heap((shale_encoding)SHALE_ENCODING_PLAIN);
}

static void end(shale_heap *heap, shale_mutator *mutator)
{
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
}

static struct cell *make_cell(shale_mutator *mutator, const shale_type *type, uint64_t number)
{
    struct cell *cell = shale_allocate(mutator, type);
    assert_non_null(cell);
    assert_null(cell->next);
    cell->number = number;
    return cell;
}

static void move_all(shale_mutator *mutator)
{
    assert_int_equal(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
}

/* A region does not move while it is being filled. And one cycle only: the next might move everything back. */
static void move_certainly(shale_mutator *mutator, const shale_type *type)
{
    for (int i = 0; i < 20000; i++)
        assert_non_null(shale_allocate(mutator, type));
    move_all(mutator);
}

/* ---- roots ------------------------------------------------------------------------------------------------ */

static void show_two(void *context, shale_visitor *visitor)
{
    shale_visit_pointers(visitor, context, 2);
}

static void test_all_kinds_of_roots(void **state)
{
    (void)state;
    shale_heap *heap = make_plain_heap();
    shale_mutator *mutator = shale_attach(heap, NULL);
    const shale_type *type = shale_type_register(heap, &cell_spec, NULL);
    struct cell *roots[6] = {NULL};
    uint64_t before[6];
    shale_frame frames[2];
    shale_frame_push(mutator, &frames[0], &roots[0], 1);
    shale_frame_push(mutator, &frames[1], &roots[1], 1);
    shale_root_visitor *own = shale_root_visitor_add(mutator, show_two, &roots[2]);
    shale_root_visitor *heaps = shale_heap_root_visitor_add(heap, show_two, &roots[4]);
    shale_handle *handle = shale_handle_create(mutator, NULL);
    for (uint64_t i = 0; i < 6; i++) {
        roots[i] = make_cell(mutator, type, i);
        before[i] = (uint64_t)(uintptr_t)roots[i];
    }
    shale_handle_set(mutator, handle, make_cell(mutator, type, 6));
    uint64_t handle_before = (uint64_t)(uintptr_t)shale_handle_get(handle);
    move_certainly(mutator, type);
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(roots[i]->number, i);
        assert_int_not_equal((uint64_t)(uintptr_t)roots[i], before[i]);
    }
    assert_int_equal(((struct cell *)shale_handle_get(handle))->number, 6);
    assert_int_not_equal((uint64_t)(uintptr_t)shale_handle_get(handle), handle_before);

    /* What is shown no more is not kept. */
    assert_int_equal(shale_root_visitor_remove(own), SHALE_OK);
    assert_int_equal(shale_root_visitor_remove(heaps), SHALE_OK);
    assert_int_equal(shale_handle_drop(mutator, handle), SHALE_OK);
    move_all(mutator);
    shale_statistics statistics;
    shale_heap_statistics(heap, &statistics);
    assert_int_equal(statistics.live_bytes, 2 * 32);
    assert_int_equal(roots[0]->number + roots[1]->number, 1);
    shale_frame_pop(mutator, &frames[1]);
    shale_frame_pop(mutator, &frames[0]);
    end(heap, mutator);
}

/* Frames of a thread in a native section are rewritten for it. */
static void *collect_elsewhere(void *argument)
{
    shale_heap *heap = argument;
    shale_mutator *mutator = shale_attach(heap, NULL);
    const shale_type *type = shale_type_register(heap, &cell_spec, NULL);
    move_certainly(mutator, type);
    shale_detach(mutator);
    return NULL;
}

static void test_native_section(void **state)
{
    (void)state;
    shale_heap *heap = make_plain_heap();
    shale_mutator *mutator = shale_attach(heap, NULL);
    const shale_type *type = shale_type_register(heap, &cell_spec, NULL);
    struct cell *local = make_cell(mutator, type, 11);
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 1);
    for (int i = 0; i < 20000; i++) /* out of the region that it was born in */
        shale_allocate(mutator, type);
    uintptr_t before = (uintptr_t)local;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, collect_elsewhere, heap), 0);
    assert_int_equal(shale_enter_native(mutator), SHALE_OK);
    pthread_join(thread, NULL);
    assert_int_equal(shale_leave_native(mutator), SHALE_OK);
    assert_int_equal(local->number, 11);
    assert_int_not_equal((uintptr_t)local, before);
    shale_frame_pop(mutator, &frame);
    end(heap, mutator);
}

/* ---- values ----------------------------------------------------------------------------------------------- */

static void test_tagged_values(void **state)
{
    (void)state;
    shale_heap *heap = make_heap((shale_encoding)SHALE_ENCODING_TAGGED(1 << 0 | 1 << 3));
    shale_mutator *mutator = shale_attach(heap, NULL);
    const shale_type *type = shale_type_register(heap, &cell_spec, NULL);
    shale_type_spec spec = {
        .name = "values", .element_size = 8, .element_values = first, .element_value_count = 1};
    const shale_type *values = shale_type_register(heap, &spec, NULL);
    struct {
        shale_value array;
        shale_value cell;
        shale_value fixnum;
    } locals = {0, 0, 2 * 1234 + 1};
    shale_frame frame;
    shale_frame_push_values(mutator, &frame, &locals.array, 3);
    shale_value *array = shale_allocate_array(mutator, values, 4);
    locals.array = (shale_value)(uintptr_t)array;
    locals.cell = (shale_value)(uintptr_t)make_cell(mutator, type, 5) | 3;
    array = (shale_value *)(uintptr_t)locals.array;
    shale_store_value(mutator, array, &array[0], locals.cell);
    shale_store_value(mutator, array, &array[1], locals.fixnum);
    shale_store_value(mutator, array, &array[2], locals.array);
    /* Overlapping, both ways. */
    shale_move_slots(mutator, array, &array[1], &array[0], 3);
    assert_int_equal(array[0], locals.cell);
    assert_int_equal(array[1], locals.cell);
    assert_int_equal(array[2], locals.fixnum);
    assert_int_equal(array[3], locals.array);
    shale_move_slots(mutator, array, &array[0], &array[1], 3);
    assert_int_equal(shale_last_error(mutator)->status, SHALE_OK);
    shale_value before = locals.cell;
    move_certainly(mutator, type);
    assert_int_not_equal(locals.cell, before);
    assert_int_equal(locals.cell % 16, 3);
    assert_int_equal(locals.fixnum, 2 * 1234 + 1);
    array = (shale_value *)(uintptr_t)locals.array;
    assert_int_equal(array[0], locals.cell);
    assert_int_equal(array[1], locals.fixnum);
    assert_int_equal(array[2], locals.array);
    assert_int_equal(((struct cell *)(uintptr_t)(locals.cell - 3))->number, 5);
    shale_frame_pop(mutator, &frame);
    end(heap, mutator);
}

/* Each slot of the part and none beside it, in a small array and in one of several pages that is a large object. */
static void test_filling(void **state)
{
    (void)state;
    shale_heap *heap = make_heap((shale_encoding)SHALE_ENCODING_TAGGED(1 << 0 | 1 << 3));
    shale_mutator *mutator = shale_attach(heap, NULL);
    const shale_type *type = shale_type_register(heap, &cell_spec, NULL);
    shale_type_spec spec = {
        .name = "pointers", .element_size = 8, .element_pointers = first, .element_pointer_count = 1};
    const shale_type *pointers = shale_type_register(heap, &spec, NULL);
    spec = (shale_type_spec){
        .name = "values", .element_size = 8, .element_values = first, .element_value_count = 1};
    const shale_type *values = shale_type_register(heap, &spec, NULL);
    static const size_t lengths[] = {5, 600, 20000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t length = lengths[i];
        struct {
            struct cell **pointers;
            shale_value *values;
            struct cell *cell;
        } locals = {NULL, NULL, NULL};
        shale_frame frame;
        shale_frame_push(mutator, &frame, &locals, 3);
        locals.pointers = shale_allocate_array(mutator, pointers, length);
        locals.values = shale_allocate_array(mutator, values, length);
        locals.cell = make_cell(mutator, type, 7);
        shale_fill_slots(mutator, locals.pointers, &locals.pointers[1], length - 2, locals.cell);
        shale_fill_values(mutator, locals.values, &locals.values[1], length - 2,
                          (shale_value)(uintptr_t)locals.cell | 3);
        shale_fill_slots(mutator, locals.pointers, &locals.pointers[0], 0, locals.cell);
        const void *before = locals.cell;
        move_certainly(mutator, type);
        assert_ptr_not_equal(locals.cell, before);
        for (size_t at = 0; at < length; at++) {
            bool inside = at != 0 && at != length - 1;
            assert_ptr_equal(locals.pointers[at], inside ? locals.cell : NULL);
            assert_int_equal(locals.values[at], inside ? (shale_value)(uintptr_t)locals.cell | 3 : 0);
        }
        assert_int_equal(locals.cell->number, 7);
        shale_fill_slots(mutator, locals.pointers, locals.pointers, length, NULL);
        shale_fill_values(mutator, locals.values, locals.values, length, 2 * 5 + 1);
        for (size_t at = 0; at < length; at++) {
            assert_null(locals.pointers[at]);
            assert_int_equal(locals.values[at], 2 * 5 + 1);
        }
        shale_frame_pop(mutator, &frame);
    }
    assert_int_equal(shale_last_error(mutator)->status, SHALE_OK);
    end(heap, mutator);
}

static void test_what_objects_are(void **state)
{
    (void)state;
    shale_heap *heap = make_plain_heap();
    shale_mutator *mutator = shale_attach(heap, NULL);
    const shale_type *type = shale_type_register(heap, &cell_spec, NULL);
    shale_type_spec spec = {.name = "text", .size = 5, .element_size = 3};
    const shale_type *text = shale_type_register(heap, &spec, NULL);
    void *object = shale_allocate_array(mutator, text, 7);
    assert_ptr_equal(shale_type_of(mutator, object), text);
    assert_int_equal(shale_length_of(object), 7);
    assert_int_equal(shale_size_of(mutator, object), 5 + 21);
    assert_string_equal(shale_type_name(text), "text");
    assert_string_equal(shale_type_name(shale_type_of(mutator, make_cell(mutator, type, 1))), "cell");
    end(heap, mutator);
}

/* ---- several heaps ---------------------------------------------------------------------------------------- */

enum { HEAPS = 4 };

static void test_several_heaps(void **state)
{
    (void)state;
    shale_heap *heaps[HEAPS];
    shale_mutator *mutators[HEAPS];
    const shale_type *types[HEAPS];
    struct cell *lists[HEAPS] = {NULL};
    shale_frame frames[HEAPS];
    for (int h = 0; h < HEAPS; h++) {
        heaps[h] = make_plain_heap();
        mutators[h] = shale_attach(heaps[h], NULL);
        types[h] = shale_type_register(heaps[h], &cell_spec, NULL);
        shale_frame_push(mutators[h], &frames[h], &lists[h], 1);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        int h = (int)(i % HEAPS);
        struct cell *cell = make_cell(mutators[h], types[h], i);
        /* The list's link is stored with the barrier once in a while, and every list is cut short. */
        if (i % 3 == 0)
            shale_store(mutators[h], cell, &cell->next, lists[h]);
        else
            cell->next = i % 1000 < HEAPS ? NULL : lists[h];
        lists[h] = cell;
        if (i % 5000 == 4999)
            move_all(mutators[h]);
    }
    for (int h = 0; h < HEAPS; h++) {
        uint64_t expected = 20000 - HEAPS + (uint64_t)h;
        for (const struct cell *cell = lists[h]; cell != NULL; cell = cell->next, expected -= HEAPS)
            assert_int_equal(cell->number, expected);
        shale_statistics statistics;
        shale_heap_statistics(heaps[h], &statistics);
        assert_true(statistics.heap_size == 4 << 20);
        assert_true(statistics.cycles >= (h == HEAPS - 1 ? 4 : 0));
    }
    for (int h = 0; h < HEAPS; h++) {
        shale_frame_pop(mutators[h], &frames[h]);
        end(heaps[h], mutators[h]);
    }
}

/* ---- out of memory ---------------------------------------------------------------------------------------- */

struct appetite {
    unsigned asked;
    size_t bytes;
    void **drop;
};

static bool drop_once(void *context, shale_mutator *mutator, size_t bytes)
{
    struct appetite *appetite = context;
    (void)mutator;
    appetite->bytes = bytes;
    *appetite->drop = NULL;
    return appetite->asked++ == 0;
}

/* Fills the heap with a list; returns its length. */
static uint64_t fill(shale_mutator *mutator, const shale_type *type, struct cell **list)
{
    uint64_t count = 0;
    for (;;) {
        struct cell *cell = shale_allocate(mutator, type);
        if (cell == NULL)
            return count;
        cell->next = *list;
        cell->number = count++;
        *list = cell;
    }
}

static void assert_list(const struct cell *list, uint64_t count)
{
    for (; list != NULL; list = list->next)
        assert_int_equal(list->number, --count);
    assert_int_equal(count, 0);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct cell *list = NULL;
    struct cell *ballast = NULL;
    struct appetite appetite = {.drop = (void **)&ballast};
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = 4 << 20;
    options.out_of_memory = drop_once;
    options.out_of_memory_context = &appetite;
    shale_heap *heap = shale_heap_create(&options, NULL);
    shale_mutator *mutator = shale_attach(heap, NULL);
    const shale_type *type = shale_type_register(heap, &cell_spec, NULL);
    shale_frame frames[2];
    shale_frame_push(mutator, &frames[0], &list, 1);
    shale_frame_push(mutator, &frames[1], &ballast, 1);
    for (uint64_t i = 0; i < 40000; i++) {
        struct cell *cell = make_cell(mutator, type, i);
        cell->next = ballast;
        ballast = cell;
    }
    uint64_t count = fill(mutator, type, &list);
    /* The first time the callback made room, the second time it did not. */
    assert_int_equal(appetite.asked, 2);
    assert_int_equal(appetite.bytes, 32);
    assert_int_equal(shale_last_error(mutator)->status, SHALE_ERROR_OUT_OF_HEAP);
    assert_non_null(strstr(shale_last_error(mutator)->message, "4 MiB"));
    assert_true(count * 32 > (3 << 20));
    assert_list(list, count);
    /* The heap is as it was, and after dropping references there is room again. */
    assert_null(shale_allocate(mutator, type));
    assert_list(list, count);
    list = NULL;
    assert_true(fill(mutator, type, &list) > count / 2);
    shale_frame_pop(mutator, &frames[1]);
    shale_frame_pop(mutator, &frames[0]);
    end(heap, mutator);
}

/* ---- stress ----------------------------------------------------------------------------------------------- */

/* What was allocated last is what programs forget to show; so it moves when its thread needs the next page. */
static void test_stress_moves_what_was_allocated_last(void **state)
{
    (void)state;
    shale_error error;
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = 4 << 20;
    options.verify = 2;
    options.stress = 1;
    shale_heap *heap = shale_heap_create(&options, &error);
    if (heap == NULL)
        fail_msg("%s", error.message);
    shale_mutator *mutator = shale_attach(heap, &error);
    assert_non_null(mutator);
    const shale_type *type = shale_type_register(heap, &cell_spec, &error);
    struct cell *cell = NULL;
    shale_frame frame;
    shale_frame_push(mutator, &frame, &cell, 1);
    for (uint64_t number = 0; number < 100; number++) {
        cell = make_cell(mutator, type, number);
        const struct cell *before = cell;
        unsigned made = 0;
        for (; cell == before && made < 4096; made++)
            assert_non_null(shale_allocate(mutator, type));
        assert_true(made <= (64 << 10) / sizeof(struct cell)); /* the largest page there is */
        assert_int_equal(cell->number, number);
    }
    shale_frame_pop(mutator, &frame);
    end(heap, mutator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds_of_roots),
        cmocka_unit_test(test_native_section),
        cmocka_unit_test(test_tagged_values),
        cmocka_unit_test(test_filling),
        cmocka_unit_test(test_what_objects_are),
        cmocka_unit_test(test_several_heaps),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_stress_moves_what_was_allocated_last),
    };
    return cmocka_run_group_tests_name("unit.api", tests, NULL, NULL);
}
