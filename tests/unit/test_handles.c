/* The table of handles: taking, giving back, and what a root visit is shown. */
#include "runtime/handles.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 700 /* several blocks */ };

static struct handles handles;

static int set_up(void **state)
{
    (void)state;
    handles_init(&handles);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    handles_destroy(&handles);
    return 0;
}

static void *fake_object(size_t number)
{
    return (void *)(uintptr_t)((number + 1) * 16);
}

/* Marks each object that is shown. */
static void see(void *context, uint64_t *slots, size_t count, bool value)
{
    unsigned *seen = context;
    assert_false(value);
    for (size_t i = 0; i < count; i++) {
        if (slots[i] == 0)
            continue;
        assert_true(slots[i] / 16 <= MANY);
        seen[slots[i] / 16 - 1]++;
    }
}

static void assert_shown(const bool *used)
{
    static unsigned seen[MANY];
    for (size_t i = 0; i < MANY; i++)
        seen[i] = 0;
    struct shale_visitor visitor = visitor_make(see, seen);
    handles_visit(&handles, &visitor);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(seen[i], used[i]);
}

static void test_no_handles(void **state)
{
    (void)state;
    static const bool none[MANY];
    assert_shown(none);
}

static void test_a_handle(void **state)
{
    (void)state;
    struct handle *handle = handles_take(&handles, fake_object(3));
    assert_ptr_equal(shale_handle_get(&handle->api), fake_object(3));
    assert_true(handles_give_back(&handles, handle));
    assert_null(handle->api.object);
    assert_false(handles_give_back(&handles, handle));
    /* Giving back twice must not put it on the free list twice. */
    struct handle *first = handles_take(&handles, fake_object(1));
    struct handle *second = handles_take(&handles, fake_object(2));
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(shale_handle_get(&first->api), fake_object(1));
}

/* Handles never move, and each is shown exactly while it is in use. */
static void test_random(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 0);
    struct handle *taken[MANY] = {NULL};
    bool used[MANY] = {false};
    for (unsigned step = 0; step < test_rounds(20000, 3000); step++) {
        size_t i = test_random_below(&random, MANY);
        if (used[i]) {
            assert_ptr_equal(shale_handle_get(&taken[i]->api), fake_object(i));
            assert_true(handles_give_back(&handles, taken[i]));
        } else {
            taken[i] = handles_take(&handles, fake_object(i));
            assert_non_null(taken[i]);
        }
        used[i] = !used[i];
        if (step % 500 == 0)
            assert_shown(used);
    }
    assert_shown(used);
}

/* A root update writes through the slots that it is shown. */
static void forward(void *context, uint64_t *slots, size_t count, bool value)
{
    (void)context;
    (void)value;
    for (size_t i = 0; i < count; i++)
        slots[i] += slots[i] != 0 ? 0x100000 : 0;
}

static void test_handles_follow_their_objects(void **state)
{
    (void)state;
    struct handle *one = handles_take(&handles, fake_object(1));
    struct handle *empty = handles_take(&handles, NULL);
    struct shale_visitor visitor = visitor_make(forward, NULL);
    handles_visit(&handles, &visitor);
    assert_ptr_equal(shale_handle_get(&one->api), (char *)fake_object(1) + 0x100000);
    assert_null(shale_handle_get(&empty->api));
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_handles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_handle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_handles_follow_their_objects, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unit.handles", tests, NULL, NULL);
}
