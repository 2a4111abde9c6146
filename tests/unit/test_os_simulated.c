/*
 * The simulated kernel against the real one: both are asked the same, and must answer the same. Skipped where
 * there is no real one to ask.
 */
#include "heap/announce.h"
#include "heap/views.h"
#include "tests/support/os_simulated.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PAGES = HEAP_SIZE_MIN / 4096, SYSTEMS = 2 };

static struct os_simulated simulated;

struct system {
    const struct os *os;
    struct views views;
    int faults;
    bool registered;
};

static void open_system(struct system *system, const struct os *os)
{
    const char *text;
    *system = (struct system){.os = os};
    assert_int_equal(views_create(&system->views, os, HEAP_SIZE_MIN, &text), 0);
    system->faults = os->faults_open(os, OS_FAULTS_BY_READ, &text);
}

static void close_system(struct system *system)
{
    if (system->faults >= 0)
        system->os->faults_close(system->os, system->faults);
    views_destroy(&system->views);
}

static void empty_and_register(struct system *system)
{
    const struct os *os = system->os;
    struct views *views = &system->views;
    if (system->registered)
        assert_int_equal(os->faults_unregister(os, system->faults, views->mutator, views->span), 0);
    assert_int_equal(os->move_entries(os, views->mutator, views->graveyard, views->span), 0);
    assert_int_equal(os->drop_entries(os, views->graveyard, views->span), 0);
    assert_int_equal(os->reserve_again(os, views->graveyard, views->span), 0);
    assert_int_equal(os->faults_register(os, system->faults, views->mutator, views->span), 0);
    system->registered = true;
}

static void unregister(struct system *system)
{
    if (system->registered)
        assert_int_equal(system->os->faults_unregister(system->os, system->faults, system->views.mutator,
                                                       system->views.span),
                         0);
    system->registered = false;
}

/* One random step, the same for both systems. */
static void step(struct system systems[SYSTEMS], struct test_random *random)
{
    size_t count = test_random_between(random, 1, test_random_chance(random, 50) ? 2 : 40);
    size_t start = test_random_below(random, PAGES - count) * 4096;
    size_t dice = test_random_below(random, 100);
    int statuses[SYSTEMS] = {0};
    size_t done[SYSTEMS] = {0};
    for (int i = 0; i < SYSTEMS; i++) {
        const struct os *os = systems[i].os;
        struct views *views = &systems[i].views;
        if (dice == 0)
            empty_and_register(&systems[i]);
        else if (dice == 1)
            unregister(&systems[i]);
        else if (dice < 10)
            statuses[i] = os->file_discard(os, views->file, start, count * 4096);
        else if (dice < 40)
            memset(views_alias(views, start), 1, count * 4096);
        else if (dice < 45)
            statuses[i] = os->faults_wake(os, systems[i].faults, views_mutator(views, start), 4096);
        else
            statuses[i] = os->faults_continue(os, systems[i].faults, views_mutator(views, start),
                                              count * 4096, &done[i]);
    }
    if (statuses[0] != statuses[1] || done[0] != done[1])
        fail_msg("pages %zu to %zu: the real kernel says %d after %zu bytes, the simulated one %d after %zu",
                 start / 4096, start / 4096 + count, statuses[0], done[0], statuses[1], done[1]);
}

static void test_same_answers(void **state)
{
    (void)state;
    struct system systems[SYSTEMS];
    os_simulated_init(&simulated, 4096);
    open_system(&systems[0], os_linux());
    open_system(&systems[1], &simulated.os);
    bool possible =
        systems[0].faults >= 0 && systems[0].views.page_size == 4096 && !announce_kernel_calls_unknown();
    struct test_random random = test_random_make(test_seed(), 0);
    if (possible) {
        for (int i = 0; i < SYSTEMS; i++)
            empty_and_register(&systems[i]);
    }
    for (unsigned i = 0; possible && i < test_rounds(5000, 500); i++)
        step(systems, &random);
    close_system(&systems[0]);
    close_system(&systems[1]);
    const char *violation = simulated.violation;
    os_simulated_destroy(&simulated);
    assert_null(violation);
    if (!possible)
        skip();
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_answers)};
    return cmocka_run_group_tests_name("unit.os_simulated", tests, NULL, NULL);
}
