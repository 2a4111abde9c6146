/* Page states and the publish protocol, step by step over a simulated kernel. */
#include "heap/page_state.h"
#include "tests/support/os_simulated.h"
#include "tests/support/test_random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGES = HEAP_SIZE_MIN / 4096 };

struct scene {
    struct os_simulated os;
    struct views views;
    struct page_states states;
    atomic_u8 *bytes;
    int faults;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    const char *failed;
    os_simulated_init(&scene->os, 4096);
    assert_int_equal(views_create(&scene->views, &scene->os.os, HEAP_SIZE_MIN, &failed), 0);
    assert_int_equal(scene->os.os.map_table(&scene->os.os, PAGES, (void **)&scene->bytes), 0);
    scene->faults = scene->os.os.faults_open(&scene->os.os, OS_FAULTS_BY_READ, &failed);
    page_states_init(&scene->states, &scene->views, scene->bytes, scene->faults);
    /* All pages have memory, unless a test takes it away. */
    memset(scene->views.alias, 1, HEAP_SIZE_MIN);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    const char *violation = scene->os.violation;
    scene->os.os.faults_close(&scene->os.os, scene->faults);
    scene->os.os.unmap(&scene->os.os, scene->bytes, PAGES);
    views_destroy(&scene->views);
    os_simulated_destroy(&scene->os);
    free(scene);
    return violation != NULL;
}

/* What a flip does to the view and the states. */
static void flip(struct scene *scene)
{
    const struct os *os = &scene->os.os;
    assert_int_equal(os->move_entries(os, scene->views.mutator, scene->views.graveyard, scene->views.span),
                     0);
    assert_int_equal(os->faults_register(os, scene->faults, scene->views.mutator, scene->views.span), 0);
    page_states_flip(&scene->states);
}

/* `used`: pages from there on are left alone. */
static void settle(struct scene *scene, page_number used)
{
    const struct os *os = &scene->os.os;
    page_release_rest(&scene->states, 0, used);
    assert_int_equal(os->faults_unregister(os, scene->faults, scene->views.mutator, scene->views.span), 0);
    page_states_settle(&scene->states);
}

static void claim(struct scene *scene, page_number first, page_number count)
{
    for (page_number page = first; page < first + count; page++)
        assert_true(page_claim(&scene->states, page));
}

static void assert_published(struct scene *scene, page_number first, page_number count)
{
    for (page_number page = first; page < first + count; page++) {
        assert_true(page_is_mapped(&scene->states, page));
        assert_true(os_simulated_has_entry(&scene->os, page));
    }
}

static void test_all_mapped_at_first(void **state)
{
    struct scene *scene = *state;
    assert_false(page_states_active(&scene->states));
    for (page_number page = 0; page < PAGES; page++) {
        assert_true(page_is_mapped(&scene->states, page));
        assert_false(page_is_stale(&scene->states, page));
        assert_false(page_claim(&scene->states, page));
    }
}

static void test_one_claim_wins(void **state)
{
    struct scene *scene = *state;
    flip(scene);
    assert_true(page_states_active(&scene->states));
    assert_true(page_is_stale(&scene->states, 3));
    assert_true(page_claim(&scene->states, 3));
    assert_false(page_claim(&scene->states, 3));
    assert_false(page_is_stale(&scene->states, 3));
    assert_false(page_is_mapped(&scene->states, 3));
    assert_int_equal(page_publish(&scene->states, 3, 1), 0);
    assert_published(scene, 3, 1);
    assert_false(page_claim(&scene->states, 3));
    assert_true(page_is_stale(&scene->states, 2));
    assert_true(page_is_stale(&scene->states, 4));
    assert_false(os_simulated_has_entry(&scene->os, 4));
}

/* Publishing a run wakes exactly those who wait for its pages. */
static void test_publish_wakes(void **state)
{
    struct scene *scene = *state;
    flip(scene);
    size_t inside[2];
    size_t outside;
    assert_false(os_simulated_touch(&scene->os, 10, &inside[0]));
    assert_false(os_simulated_touch(&scene->os, 13, &inside[1]));
    assert_false(os_simulated_touch(&scene->os, 14, &outside));
    claim(scene, 10, 4);
    assert_int_equal(page_publish(&scene->states, 10, 4), 0);
    assert_published(scene, 10, 4);
    assert_int_equal(scene->os.continues, 1);
    assert_false(os_simulated_asleep(&scene->os, inside[0]));
    assert_false(os_simulated_asleep(&scene->os, inside[1]));
    assert_true(os_simulated_asleep(&scene->os, outside));
}

/* A page got its entry from elsewhere: CONTINUE wakes nobody, so its waiter must be woken in so many words. */
static void test_page_with_an_entry(void **state)
{
    struct scene *scene = *state;
    flip(scene);
    size_t waiters[3];
    for (size_t i = 0; i < 3; i++)
        assert_false(os_simulated_touch(&scene->os, 20 + i, &waiters[i]));
    os_simulated_set_entry(&scene->os, 21);
    claim(scene, 20, 3);
    assert_int_equal(page_publish(&scene->states, 20, 3), 0);
    assert_published(scene, 20, 3);
    for (size_t i = 0; i < 3; i++)
        assert_false(os_simulated_asleep(&scene->os, waiters[i]));
    assert_int_equal(scene->os.wakes, 1);
}

static void test_wake_of_a_mapped_page(void **state)
{
    struct scene *scene = *state;
    flip(scene);
    claim(scene, 5, 1);
    assert_int_equal(page_publish(&scene->states, 5, 1), 0);
    /* The event of a thread that looked before the page was there, and slept after it was. */
    scene->os.entries[5] = false;
    size_t waiter;
    assert_false(os_simulated_touch(&scene->os, 5, &waiter));
    os_simulated_set_entry(&scene->os, 5);
    assert_int_equal(page_wake(&scene->states, 5), 0);
    assert_false(os_simulated_asleep(&scene->os, waiter));
}

/* A page that needed no building is mapped for the states, but has no entry until somebody touches it. */
static void test_wake_of_a_released_page(void **state)
{
    struct scene *scene = *state;
    flip(scene);
    page_release_rest(&scene->states, 0, PAGES);
    size_t waiter;
    assert_false(os_simulated_touch(&scene->os, 6, &waiter));
    assert_int_equal(page_wake(&scene->states, 6), 0);
    assert_false(os_simulated_asleep(&scene->os, waiter));
    assert_true(os_simulated_has_entry(&scene->os, 6));
}

static void test_hole_gets_memory(void **state)
{
    struct scene *scene = *state;
    flip(scene);
    const struct os *os = &scene->os.os;
    assert_int_equal(os->file_discard(os, scene->views.file, 31 * 4096, 2 * 4096), 0);
    size_t waiter;
    assert_false(os_simulated_touch(&scene->os, 32, &waiter));
    claim(scene, 30, 4);
    assert_int_equal(page_publish(&scene->states, 30, 4), 0);
    assert_published(scene, 30, 4);
    assert_false(os_simulated_asleep(&scene->os, waiter));
    for (size_t i = 31 * 4096; i < 33 * 4096; i++)
        assert_int_equal(views_alias(&scene->views, 0)[i], 0);
}

/* After the end of a compaction there is nothing to do, and that is not an error. */
static void test_not_registered(void **state)
{
    struct scene *scene = *state;
    flip(scene);
    claim(scene, 40, 2);
    const struct os *os = &scene->os.os;
    os->faults_unregister(os, scene->faults, scene->views.mutator, scene->views.span);
    assert_int_equal(page_publish(&scene->states, 40, 2), 0);
    assert_true(page_is_mapped(&scene->states, 40));
    assert_int_equal(page_wake(&scene->states, 1), 0);
}

/* Every answer, after none, some or all but one of the pages. */
static void test_injected_answers(void **state)
{
    struct scene *scene = *state;
    static const int errors[] = {EAGAIN, EEXIST, EFAULT, ENOMEM};
    page_number first = 100;
    flip(scene);
    for (size_t e = 0; e < 4; e++) {
        for (size_t pages = 0; pages < 5; pages++, first += 8) {
            size_t waiters[5];
            for (size_t i = 0; i < 5; i++)
                assert_false(os_simulated_touch(&scene->os, first + i, &waiters[i]));
            os_simulated_inject(&scene->os, errors[e], pages);
            os_simulated_inject(&scene->os, errors[(e + pages) % 4], 0);
            claim(scene, first, 5);
            assert_int_equal(page_publish(&scene->states, first, 5), 0);
            assert_published(scene, first, 5);
            for (size_t i = 0; i < 5; i++)
                assert_false(os_simulated_asleep(&scene->os, waiters[i]));
            assert_true(page_is_stale(&scene->states, first + 5));
        }
    }
}

/* An answer that has no meaning is passed on. The page is up to date all the same: it is had by whoever asks
 * again. */
static void test_unknown_answer(void **state)
{
    struct scene *scene = *state;
    flip(scene);
    os_simulated_inject(&scene->os, EINVAL, 0);
    claim(scene, 50, 1);
    assert_int_equal(page_publish(&scene->states, 50, 1), -EINVAL);
    assert_true(page_is_mapped(&scene->states, 50));
    assert_false(os_simulated_has_entry(&scene->os, 50));
    assert_int_equal(page_wake(&scene->states, 50), 0);
    assert_published(scene, 50, 1);
}

static void test_without_a_kernel(void **state)
{
    struct scene *scene = *state;
    scene->states.faults = -1;
    page_states_flip(&scene->states);
    claim(scene, 0, 2);
    assert_int_equal(page_publish(&scene->states, 0, 2), 0);
    assert_true(page_is_mapped(&scene->states, 0));
    assert_int_equal(page_wake(&scene->states, 0), 0);
    assert_int_equal(scene->os.continues, 0);
}

/* Flip numbers come around after 127; no state of an earlier flip may pass for one of a later, of a page that was
 * never used neither. */
static void test_flip_numbers_wrap(void **state)
{
    struct scene *scene = *state;
    struct test_random random = test_random_make(test_seed(), 1);
    page_number used = PAGES / 2;
    for (unsigned round = 0; round < 400; round++) {
        if (round == 270)
            used = PAGES;
        flip(scene);
        for (page_number page = 0; page < PAGES; page++) {
            if (!page_is_stale(&scene->states, page) || page_is_mapped(&scene->states, page))
                fail_msg("in flip %u page %u is not stale", round, page);
        }
        for (unsigned i = 0; i < 20; i++) {
            page_number page = (page_number)test_random_below(&random, used);
            if (page_claim(&scene->states, page))
                assert_int_equal(page_publish(&scene->states, page, 1), 0);
        }
        settle(scene, used);
        for (page_number page = 0; page < used; page++)
            assert_true(page_is_mapped(&scene->states, page));
    }
}

/* ---- with a second thread ------------------------------------------------------------------------------- */

static void *publish_later(void *argument)
{
    struct scene *scene = argument;
    for (int i = 0; i < 20; i++)
        sched_yield();
    assert_int_equal(page_publish(&scene->states, 70, 3), 0);
    return NULL;
}

/* Releasing waits for pages that somebody is still building. */
static void test_release_waits_for_builders(void **state)
{
    struct scene *scene = *state;
    flip(scene);
    claim(scene, 70, 3);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, publish_later, scene), 0);
    page_release_rest(&scene->states, 0, PAGES);
    assert_published(scene, 70, 3);
    page_wait(&scene->states, 71);
    pthread_join(thread, NULL);
    for (page_number page = 0; page < PAGES; page++)
        assert_true(page_is_mapped(&scene->states, page));
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_mapped_at_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_claim_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_publish_wakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_page_with_an_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wake_of_a_mapped_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wake_of_a_released_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hole_gets_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_registered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_injected_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flip_numbers_wrap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_release_waits_for_builders, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unit.page_state", tests, NULL, NULL);
}
