/* Pins: the table against a model, what is pinned in a heap, misuse, and what the log says of pins that last. */
#include "runtime/heap.h"
#include "runtime/pins.h"
#include "tests/support/log_lines.h"
#include "tests/support/os_failing.h"
#include "tests/support/small_heap.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- the table -------------------------------------------------------------------------------------- */

enum { OBJECTS = 3000, TABLE_REGIONS = 4 };

static unsigned counts[OBJECTS];

/* Few places of a table for many objects. */
static size_t offset_of(size_t i)
{
    return (i % TABLE_REGIONS) * REGION_SIZE + REGION_FIRST_OBJECT + i / TABLE_REGIONS * GRANULE_SIZE;
}

static void see(void *context, uint64_t *slots, size_t count, bool value)
{
    (void)value;
    assert_int_equal(count, 1);
    size_t offset = slots[0] - (uint64_t)(uintptr_t)((struct memory *)context)->views.mutator;
    size_t i =
        (offset % REGION_SIZE - REGION_FIRST_OBJECT) / GRANULE_SIZE * TABLE_REGIONS + offset / REGION_SIZE;
    assert_true(i < OBJECTS && counts[i] != 0);
    counts[i] |= 0x8000;
}

static void check_table(struct pins *pins, struct memory *memory)
{
    struct shale_visitor visitor = visitor_make(see, memory);
    unsigned entries[TABLE_REGIONS] = {0};
    pins_visit(pins, &visitor);
    for (size_t i = 0; i < OBJECTS; i++) {
        assert_true(counts[i] == 0 || (counts[i] & 0x8000) != 0);
        counts[i] &= 0x7fff;
        entries[i % TABLE_REGIONS] += counts[i] != 0;
    }
    for (region_number r = 0; r < TABLE_REGIONS; r++)
        assert_int_equal(atomic_u32_load(&memory->regions.regions[r].pins), entries[r]);
}

static void test_table(void **state)
{
    (void)state;
    struct os_failing os;
    os_failing_init(&os);
    struct memory memory;
    struct pins pins;
    const char *failed;
    shale_encoding encoding = SHALE_ENCODING_PLAIN;
    assert_int_equal(memory_create(&memory, &os.os, 16 * REGION_SIZE, &encoding, &failed), 0);
    pins_init(&pins, &memory);
    struct test_random random = test_random_make(test_seed(), 0);
    memset(counts, 0, sizeof counts);
    assert_false(pins_remove(&pins, offset_of(0)));
    bool refused = false;
    for (unsigned step = 0; step < test_rounds(100000, 20000); step++) {
        size_t i = test_random_below(&random, OBJECTS);
        /* Now many are added, now taken out. */
        if (test_random_chance(&random, step / 5000 % 2 != 0 ? 30 : 70)) {
            if (test_random_chance(&random, 60))
                os_failing_plan_from_now(&os, OS_MAP_TABLE, 1, 1, 0);
            bool added = pins_add(&pins, offset_of(i));
            os_failing_plan(&os, OS_ANY, 0, 0, 0);
            counts[i] += added;
            refused |= !added;
        } else {
            assert_int_equal(pins_remove(&pins, offset_of(i)), counts[i] != 0);
            counts[i] -= counts[i] != 0;
        }
        if (step % 1000 == 0)
            check_table(&pins, &memory);
    }
    assert_true(refused);
    check_table(&pins, &memory);
    pins_destroy(&pins);
    memory_destroy(&memory);
    assert_null(os_failing_leak(&os));
}

/* ---- what is pinned --------------------------------------------------------------------------------- */

static void each_kind(void (*test)(struct small_heap *heap))
{
    for (unsigned kind = 0; kind < SMALL_HEAP_KINDS; kind++) {
        if (!stress_mode_works((enum stress_mode)(kind % STRESS_MODES)))
            continue;
        struct small_heap heap;
        small_heap_open(&heap, kind, NULL, NULL);
        test(&heap);
        small_heap_close(&heap);
    }
}

static void pinned_stays(struct small_heap *heap)
{
    struct node **local = (struct node **)heap->locals;
    local[0] = small_heap_node(heap, 1);
    small_heap_leave_region(heap);
    local[1] = small_heap_node(heap, 2);
    shale_store(heap->mutator, local[0], &local[0]->first, local[1]);
    struct node *pinned = local[0];
    struct node *other = local[1];
    assert_int_equal(shale_pin(heap->mutator, pinned), SHALE_OK);
    small_heap_move_around(heap);
    assert_ptr_equal(local[0], pinned);
    assert_ptr_not_equal(local[1], other);
    assert_ptr_equal(pinned->first, local[1]);
    /* Counted. */
    assert_int_equal(shale_pin(heap->mutator, pinned), SHALE_OK);
    assert_int_equal(shale_unpin(heap->mutator, pinned), SHALE_OK);
    small_heap_move_around(heap);
    assert_ptr_equal(local[0], pinned);
    assert_int_equal(shale_unpin(heap->mutator, pinned), SHALE_OK);
    small_heap_move_around(heap);
    assert_ptr_not_equal(local[0], pinned);
    assert_int_equal(local[0]->number, 1);
}

static void pinned_lives(struct small_heap *heap)
{
    small_heap_leave_region(heap);
    uint64_t before = small_heap_marked(heap, SHALE_COLLECT_NORMAL);
    struct node *pinned = small_heap_node(heap, 1);
    pinned->first = small_heap_node(heap, 2); /* may collect, but does not in a heap with room */
    assert_int_equal(shale_pin(heap->mutator, pinned), SHALE_OK);
    small_heap_move_around(heap);
    assert_int_equal(small_heap_marked(heap, SHALE_COLLECT_MOVE_ALL), before + 2);
    assert_int_equal(pinned->number, 1);
    assert_int_equal(pinned->first->number, 2);
    assert_int_equal(shale_unpin(heap->mutator, pinned), SHALE_OK);
    assert_int_equal(small_heap_marked(heap, SHALE_COLLECT_MOVE_ALL), before);
}

static void scopes(struct small_heap *heap)
{
    shale_pin_scope outer;
    shale_pin_scope inner;
    struct node *node = small_heap_node(heap, 1);
    assert_int_equal(shale_pin_begin(heap->mutator, &outer, node), SHALE_OK);
    assert_int_equal(shale_pin_begin(heap->mutator, &inner, node), SHALE_OK);
    small_heap_move_around(heap);
    assert_int_equal(shale_pin_end(heap->mutator, &inner), SHALE_OK);
    small_heap_move_around(heap);
    assert_int_equal(node->number, 1);
    heap->locals[0] = node;
    small_heap_move_around(heap);
    assert_ptr_equal(heap->locals[0], node);
    assert_int_equal(shale_pin_end(heap->mutator, &outer), SHALE_OK);
    small_heap_move_around(heap);
    assert_ptr_not_equal(heap->locals[0], node);
}

static void test_pinned_stays(void **state)
{
    (void)state;
    each_kind(pinned_stays);
}

static void test_pinned_lives(void **state)
{
    (void)state;
    each_kind(pinned_lives);
}

static void test_scopes(void **state)
{
    (void)state;
    each_kind(scopes);
}

/* ---- misuse, and what is said ------------------------------------------------------------------------ */

static shale_heap *logging_heap(struct log_lines *lines, const shale_type **type)
{
    shale_options options;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = 4 << 20;
    log_lines_init(lines);
    log_lines_connect(lines, &options, SHALE_LOG_WARNING);
    shale_heap *heap = shale_heap_create(&options, NULL);
    assert_non_null(heap);
    *type = shale_type_register(heap, &(shale_type_spec){.name = "bytes", .size = 64}, NULL);
    assert_non_null(*type);
    return heap;
}

static void test_misuse(void **state)
{
    (void)state;
    struct log_lines lines;
    const shale_type *type;
    shale_heap *heap = logging_heap(&lines, &type);
    shale_mutator *mutator = shale_attach(heap, NULL);
    char *object = shale_allocate(mutator, type);
    int outside;
    assert_int_equal(shale_pin(NULL, object), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_pin(mutator, NULL), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_pin(mutator, &outside), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_pin(mutator, object + 8), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_pin(mutator, object + 2 * REGION_SIZE), SHALE_ERROR_ARGUMENT); /* free */
    assert_int_equal(shale_unpin(mutator, object), SHALE_ERROR_MISUSE);
    shale_pin_scope scope;
    shale_pin_scope inner;
    assert_int_equal(shale_pin_begin(mutator, &scope, &outside), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_pin_begin(mutator, NULL, object), SHALE_ERROR_ARGUMENT);
    assert_int_equal(shale_pin_end(mutator, &scope), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_pin_end(mutator, NULL), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_pin_begin(mutator, &scope, object), SHALE_OK);
    assert_int_equal(shale_pin_begin(mutator, &inner, object), SHALE_OK);
    assert_int_equal(shale_unpin(mutator, object), SHALE_ERROR_MISUSE); /* not its kind of pin */
    assert_int_equal(shale_pin_end(mutator, &scope), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_detach(mutator), SHALE_ERROR_MISUSE);
    assert_string_equal(shale_last_error(mutator)->message,
                        "shale_detach: pin scopes are still open; end them first");
    assert_int_equal(shale_pin_end(mutator, &inner), SHALE_OK);
    assert_int_equal(shale_pin_end(mutator, &scope), SHALE_OK);
    /* Pins may be left. */
    assert_int_equal(shale_pin(mutator, object), SHALE_OK);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(shale_pin(mutator, object), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
}

static void test_long_pins_are_reported(void **state)
{
    (void)state;
    struct log_lines lines;
    const shale_type *type;
    shale_heap *heap = logging_heap(&lines, &type);
    shale_mutator *mutator = shale_attach(heap, NULL);
    void *object = shale_allocate(mutator, type);
    assert_int_equal(shale_pin(mutator, object), SHALE_OK);
    for (int i = 0; i < 6000; i++)
        assert_non_null(shale_allocate(mutator, type));
    shale_statistics statistics;
    for (int cycle = 0; cycle < 60; cycle++) {
        assert_int_equal(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
        assert_int_equal(shale_heap_statistics(heap, &statistics), SHALE_OK);
        assert_int_equal(statistics.regions_pinned, 1);
        assert_int_equal(statistics.regions_pinned_long, cycle >= REGION_PINNED_LONG - 1);
    }
    assert_int_equal(statistics.bytes_pinned_long, REGION_SIZE - 80);
    assert_int_equal(log_lines_count(&lines, SHALE_LOG_WARNING, "1 regions of 256 KiB have been pinned"), 1);
    assert_int_equal(shale_unpin(mutator, object), SHALE_OK);
    assert_int_equal(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    assert_int_equal(shale_heap_statistics(heap, &statistics), SHALE_OK);
    assert_int_equal(statistics.regions_pinned + statistics.bytes_pinned_long, 0);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(heap, NULL), SHALE_OK);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_pinned_stays),
        cmocka_unit_test(test_pinned_lives), cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_misuse),       cmocka_unit_test(test_long_pins_are_reported),
    };
    return cmocka_run_group_tests_name("unit.pins", tests, NULL, NULL);
}
