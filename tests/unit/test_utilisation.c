/* Minimum mutator utilisation against a program that tries every window, nanosecond by nanosecond. */
#include "tests/support/test_random.h"

#include <shale/shale.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { EVENTS_MAX = 24, SPAN_MAX = 300 };

static bool counts(const shale_event *event, uint64_t mutator)
{
    switch ((shale_event_kind)event->kind) {
    case SHALE_EVENT_STOP:
    case SHALE_EVENT_STOPPED:
    case SHALE_EVENT_SERVED:
    case SHALE_EVENT_STALL:
    case SHALE_EVENT_WAIT:
    case SHALE_EVENT_FAULT:
    case SHALE_EVENT_CRITICAL:
        return event->mutator == 0 || event->mutator == mutator;
    default:
        return false;
    }
}

/* Which nanoseconds are paused, and then every window. */
static double naive(const shale_event *events, size_t count, uint64_t mutator, uint64_t begin, uint64_t end,
                    uint64_t window)
{
    bool paused[SPAN_MAX] = {false};
    for (uint64_t moment = begin; moment < end; moment++) {
        for (size_t i = 0; i < count; i++) {
            if (counts(&events[i], mutator) && events[i].begin <= moment && moment < events[i].end)
                paused[moment - begin] = true;
        }
    }
    uint64_t span = end - begin;
    if (window > span)
        window = span;
    uint64_t length = window != 0 ? window : 1; /* of a moment: whether there is a pause at all */
    uint64_t worst = 0;
    for (uint64_t from = 0; from + length <= span; from++) {
        uint64_t sum = 0;
        for (uint64_t moment = from; moment < from + length; moment++)
            sum += paused[moment];
        worst = sum > worst ? sum : worst;
    }
    return 1 - (double)worst / (double)length;
}

static void assert_utilisation(double found, double expected)
{
    if (fabs(found - expected) > 1e-12)
        fail_msg("found %f, expected %f", found, expected);
}

static void test_random_intervals(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 1);
    unsigned below_one = 0;
    for (unsigned round = 0; round < test_rounds(20000, 2000); round++) {
        shale_event events[EVENTS_MAX];
        size_t count = test_random_below(&random, EVENTS_MAX + 1);
        uint64_t base = test_random_chance(&random, 50) ? 1000 : UINT64_C(1) << 62;
        uint64_t begin = base + test_random_below(&random, 50);
        uint64_t end = begin + 1 + test_random_below(&random, SPAN_MAX - 1);
        for (size_t i = 0; i < count; i++) {
            uint64_t at = base - 20 + test_random_below(&random, SPAN_MAX + 60);
            size_t longest = test_random_chance(&random, 20) ? SPAN_MAX : 12;
            events[i] = (shale_event){
                .kind = (uint32_t)test_random_between(&random, 1, SHALE_EVENT_KIND_COUNT),
                .mutator = test_random_below(&random, 3),
                .begin = at,
                .end = at + test_random_below(&random, longest),
            };
        }
        uint64_t mutator = test_random_below(&random, 3);
        uint64_t window = test_random_below(&random, SPAN_MAX + 20);
        double found = shale_minimum_utilisation(events, count, mutator, begin, end, window);
        assert_utilisation(found, naive(events, count, mutator, begin, end, window));
        below_one += found > 0 && found < 1;
    }
    assert_true(below_one > 100); /* or the intervals were not chosen well */
}

static shale_event pause(uint64_t begin, uint64_t end)
{
    return (shale_event){.kind = SHALE_EVENT_STOP, .begin = begin, .end = end};
}

static void test_by_hand(void **state)
{
    (void)state;
    shale_event events[] = {pause(100, 110), pause(130, 140), pause(105, 108)};
    assert_utilisation(shale_minimum_utilisation(events, 3, 1, 0, 1000, 10), 0);
    assert_utilisation(shale_minimum_utilisation(events, 3, 1, 0, 1000, 20), 0.5);
    assert_utilisation(shale_minimum_utilisation(events, 3, 1, 0, 1000, 40), 0.5);
    assert_utilisation(shale_minimum_utilisation(events, 3, 1, 0, 1000, 1000), 0.98);
    assert_utilisation(shale_minimum_utilisation(events, 3, 1, 0, 1000, 5000), 0.98);
    assert_utilisation(shale_minimum_utilisation(events, 3, 1, 200, 1000, 10), 1);
    assert_utilisation(shale_minimum_utilisation(events, 3, 1, 0, 1000, 0), 0);
    assert_utilisation(shale_minimum_utilisation(NULL, 0, 1, 0, 1000, 0), 1);
    assert_utilisation(shale_minimum_utilisation(NULL, 0, 1, 5, 5, 1), -1);
    assert_utilisation(shale_minimum_utilisation(NULL, 3, 1, 0, 5, 1), -1);
}

/* Many events take no more than sorting them does: this would take hours if each window looked at each event. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 300000 };
    static shale_event events[MANY];
    for (uint64_t i = 0; i < MANY; i++)
        events[i] = pause(1000 * ((i * 7919) % MANY), 1000 * ((i * 7919) % MANY) + 250);
    assert_utilisation(
        shale_minimum_utilisation(events, MANY, 1, 0, UINT64_C(1000) * MANY, UINT64_C(1000) * (MANY / 2)),
        1 - (250.0 * (MANY / 2)) / (1000.0 * (MANY / 2)));
    assert_utilisation(shale_minimum_utilisation(events, MANY, 1, 0, UINT64_C(1000) * MANY, 500), 0.5);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_random_intervals),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("unit.utilisation", tests, NULL, NULL);
}
