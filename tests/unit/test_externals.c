/* Memory outside the heap: when it is freed, that it is freed once, what it does to the pace, and misuse. */
#include "runtime/heap.h"
#include "tests/support/log_lines.h"
#include "tests/support/os_failing.h"
#include "tests/support/small_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 5000 /* several blocks of records */ };

/* How often each was freed. */
static atomic_u32 freed[MANY];
static uint32_t context_of_all;

static void count_free(void *context, void *memory, size_t bytes)
{
    assert_ptr_equal(context, &context_of_all);
    size_t number = (size_t)((atomic_u32 *)memory - freed);
    assert_true(number < MANY);
    assert_int_equal(bytes, number + 1);
    atomic_u32_fetch_add(&freed[number], 1);
}

static void forget(void)
{
    for (size_t i = 0; i < MANY; i++)
        atomic_u32_store(&freed[i], 0);
}

static void expect_freed(size_t from, size_t to, uint32_t times)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(atomic_u32_load(&freed[i]), times);
}

static shale_external *make(shale_mutator *mutator, size_t number)
{
    return shale_external_create(mutator, &freed[number], number + 1, count_free, &context_of_all);
}

static uint64_t held(shale_heap *heap)
{
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(heap, &statistics), SHALE_OK);
    return statistics.external_bytes;
}

static void each_kind(void (*test)(struct small_heap *heap))
{
    for (unsigned kind = 0; kind < SMALL_HEAP_KINDS; kind++) {
        if (!stress_mode_works((enum stress_mode)(kind % STRESS_MODES)))
            continue;
        struct small_heap heap;
        forget();
        small_heap_open(&heap, kind, NULL, NULL);
        test(&heap);
        small_heap_close(&heap);
    }
}

static void freed_when_dead(struct small_heap *heap)
{
    uint64_t bytes = 0;
    /* Those that are kept: the first ones, in the frame. */
    for (size_t i = 0; i < MANY; i++) {
        shale_external *external = make(heap->mutator, i);
        assert_non_null(external);
        if (i < SMALL_HEAP_LOCALS)
            heap->locals[i] = external;
        bytes += i + 1;
    }
    assert_int_equal(held(heap->heap), bytes);
    small_heap_move_around(heap);
    expect_freed(0, SMALL_HEAP_LOCALS, 0);
    expect_freed(SMALL_HEAP_LOCALS, MANY, 1);
    assert_int_equal(held(heap->heap), SMALL_HEAP_LOCALS * (SMALL_HEAP_LOCALS + 1) / 2);
    /* They have moved, and still know what they own. */
    size_t size;
    assert_ptr_equal(shale_external_memory(heap->mutator, heap->locals[3], &size), &freed[3]);
    assert_int_equal(size, 4);
    /* Released before its death, and not freed again when it dies. */
    assert_int_equal(shale_external_release(heap->mutator, heap->locals[3]), SHALE_OK);
    assert_int_equal(atomic_u32_load(&freed[3]), 1);
    assert_null(shale_external_memory(heap->mutator, heap->locals[3], &size));
    assert_int_equal(size, 0);
    memset(heap->locals, 0, sizeof heap->locals);
    small_heap_move_around(heap);
    expect_freed(0, MANY, 1);
    assert_int_equal(held(heap->heap), 0);
}

static void test_freed_when_dead(void **state)
{
    (void)state;
    each_kind(freed_when_dead);
}

static void left_at_the_end(struct small_heap *heap)
{
    heap->locals[0] = make(heap->mutator, 0);
    assert_non_null(make(heap->mutator, 1));
    small_heap_move_around(heap);
    assert_non_null(make(heap->mutator, 2));
    expect_freed(0, 1, 0);
}

static void test_rest_is_freed_with_the_heap(void **state)
{
    (void)state;
    each_kind(left_at_the_end);
    expect_freed(0, 3, 1);
    expect_freed(3, MANY, 0);
}

/* It is alive for as long as somebody can still get at it. */
static void finalized(struct small_heap *heap)
{
    small_heap_leave_region(heap);
    struct node **local = (struct node **)heap->locals;
    local[0] = small_heap_node(heap, 1);
    local[1] = (struct node *)make(heap->mutator, 0);
    shale_store(heap->mutator, local[0], &local[0]->first, local[1]);
    shale_weak *weak = shale_weak_create(heap->mutator, local[1]);
    heap->locals[2] = weak;
    assert_int_equal(shale_finalizer_add(heap->mutator, local[0], 0), SHALE_OK);
    local[0] = local[1] = NULL;
    small_heap_move_around(heap);
    /* The node is dead but waits for its finalizer, and keeps what it leads to. */
    expect_freed(0, 1, 0);
    local[0] = shale_finalizer_take(heap->mutator, NULL);
    assert_non_null(local[0]);
    assert_ptr_equal(shale_external_memory(heap->mutator, (shale_external *)local[0]->first, NULL),
                     &freed[0]);
    assert_null(shale_weak_get(heap->mutator, heap->locals[2]));
    local[0] = NULL;
    small_heap_move_around(heap);
    expect_freed(0, 1, 1);
}

static void test_finalizers_keep_what_they_lead_to(void **state)
{
    (void)state;
    each_kind(finalized);
}

/* ---- pace ------------------------------------------------------------------------------------------- */

static void plain_free(void *context, void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
    atomic_u32_fetch_add(context, 1);
}

static shale_heap *plain_heap(struct log_lines *lines, struct os_failing *os)
{
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = 64 << 20;
    log_lines_init(lines);
    log_lines_connect(lines, &options, SHALE_LOG_WARNING);
    os_failing_init(os);
    shale_heap *heap = heap_create(&os->os, &options, false, NULL);
    assert_non_null(heap);
    return heap;
}

/* A program that makes buffers of 100 KiB in a loop: next to nothing in the heap, and no cycle would ever run. */
static void test_buffers_make_cycles(void **state)
{
    (void)state;
    struct log_lines lines;
    struct os_failing os;
    shale_heap *heap = plain_heap(&lines, &os);
    shale_mutator *mutator = shale_attach(heap, NULL);
    atomic_u32 count;
    atomic_u32_store(&count, 0);
    enum { BUFFERS = 20000 };
    unsigned late = 0;
    for (int i = 0; i < BUFFERS; i++) {
        assert_non_null(shale_external_create(mutator, NULL, 100 << 10, plain_free, &count));
        shale_poll(mutator);
        if (held(heap) <= PACE_GOAL_MIN)
            continue;
        /* Making real ones would take longer, but a machine may also be busy with something else. */
        late++;
        assert_int_equal(shale_collect(mutator, SHALE_COLLECT_NORMAL), SHALE_OK);
        assert_true(held(heap) < PACE_GOAL_MIN);
    }
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(heap, &statistics), SHALE_OK);
    assert_true(statistics.cycles > late);
    assert_true(statistics.cycles >= (uint64_t)BUFFERS * (100 << 10) / PACE_GOAL_MIN);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
    assert_int_equal(atomic_u32_load(&count), BUFFERS);
    assert_null(os_failing_leak(&os));
}

static void test_bytes_are_counted(void **state)
{
    (void)state;
    struct log_lines lines;
    struct os_failing os;
    shale_heap *heap = plain_heap(&lines, &os);
    shale_mutator *mutator = shale_attach(heap, NULL);
    assert_int_equal(shale_external_add(mutator, 1000), SHALE_OK);
    assert_int_equal(shale_external_remove(heap, 400), SHALE_OK);
    assert_int_equal(shale_external_remove(heap, 601), SHALE_ERROR_ARGUMENT);
    assert_int_equal(held(heap), 600);
    assert_int_equal(shale_external_add(NULL, 1), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_external_remove(NULL, 1), SHALE_ERROR_MISUSE);
    /* More than there was: a cycle. */
    assert_int_equal(shale_external_add(mutator, 1 << 30), SHALE_OK);
    shale_statistics statistics = {0};
    while (statistics.cycles == 0) {
        shale_poll(mutator);
        assert_int_equal(shale_heap_statistics(heap, &statistics), SHALE_OK);
    }
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
}

/* ---- misuse and failures ------------------------------------------------------------------------------ */

static void test_misuse(void **state)
{
    (void)state;
    struct log_lines lines;
    struct os_failing os;
    shale_heap *heap = plain_heap(&lines, &os);
    shale_mutator *mutator = shale_attach(heap, NULL);
    const shale_type *type = shale_type_register(heap, &(shale_type_spec){.name = "other", .size = 16}, NULL);
    forget();
    assert_null(shale_external_create(NULL, NULL, 0, count_free, NULL));
    assert_null(shale_external_create(mutator, NULL, 0, NULL, NULL));
    assert_int_equal(shale_last_error(mutator)->status, SHALE_ERROR_ARGUMENT);
    shale_external *other = shale_allocate(mutator, type);
    assert_null(shale_external_memory(mutator, other, NULL));
    assert_null(shale_external_memory(mutator, NULL, NULL));
    assert_int_equal(shale_external_release(mutator, other), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_external_release(mutator, NULL), SHALE_ERROR_ARGUMENT);
    shale_external *external = make(mutator, 0);
    assert_int_equal(shale_external_release(mutator, external), SHALE_OK);
    assert_int_equal(shale_external_release(mutator, external), SHALE_ERROR_MISUSE);
    expect_freed(0, 1, 1);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
}

static void test_no_memory_for_records(void **state)
{
    (void)state;
    struct log_lines lines;
    struct os_failing os;
    shale_heap *heap = plain_heap(&lines, &os);
    shale_mutator *mutator = shale_attach(heap, NULL);
    forget();
    size_t refused = 0;
    for (size_t i = 0; i < MANY; i++) {
        os_failing_plan_from_now(&os, OS_MAP_TABLE, 1, 1, 0);
        if (make(mutator, i) != NULL)
            continue;
        assert_int_equal(shale_last_error(mutator)->status, SHALE_ERROR_MEMORY);
        refused++;
        os_failing_plan(&os, OS_ANY, 0, 0, 0);
        assert_non_null(make(mutator, i));
    }
    assert_true(refused >= 2);
    os_failing_plan(&os, OS_ANY, 0, 0, 0);
    assert_int_equal(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    expect_freed(0, MANY, 1);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
    assert_null(os_failing_leak(&os));
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freed_when_dead),
        cmocka_unit_test(test_rest_is_freed_with_the_heap),
        cmocka_unit_test(test_finalizers_keep_what_they_lead_to),
        cmocka_unit_test(test_buffers_make_cycles),
        cmocka_unit_test(test_bytes_are_counted),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_no_memory_for_records),
    };
    return cmocka_run_group_tests_name("unit.externals", tests, NULL, NULL);
}
