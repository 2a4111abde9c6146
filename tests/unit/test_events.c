/* The ring of events, step by step, and the calls around it. Threads at once are for stress.events. */
#include "gc/events.h"
#include "tests/support/stress_support.h"
#include "tests/support/test_random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = 8, STATE_WRITING = 1, STATE_WHOLE = 2 };

static struct events events;

static void open_ring(uint32_t count)
{
    assert_int_equal(events_create(&events, os_linux(), count), 0);
}

static void close_ring(void)
{
    events_destroy(&events);
}

static void write_numbered(uint64_t number)
{
    events_write(&events, &(shale_event){
                              .kind = (uint32_t)(1 + number % 7),
                              .detail = (uint16_t)(number * 3),
                              .reason = (uint16_t)(number * 5),
                              .mutator = number * 7,
                              .begin = number * 11,
                              .end = number * 13,
                              .values = {number * 17, number * 19},
                          });
}

static void assert_is_numbered(const shale_event *event, uint64_t number)
{
    assert_int_equal(event->kind, 1 + number % 7);
    assert_int_equal(event->detail, (uint16_t)(number * 3));
    assert_int_equal(event->reason, (uint16_t)(number * 5));
    assert_int_equal(event->mutator, number * 7);
    assert_int_equal(event->begin, number * 11);
    assert_int_equal(event->end, number * 13);
    assert_int_equal(event->values[0], number * 17);
    assert_int_equal(event->values[1], number * 19);
}

/* All that is there must be `first` to `last`, and so many lost since it was asked. */
static void assert_taken(uint64_t first, uint64_t last, uint64_t lost)
{
    shale_event taken[4 * SLOTS];
    uint64_t newly_lost;
    size_t count = events_take(&events, taken, 4 * SLOTS, &newly_lost);
    assert_int_equal(count, last + 1 - first);
    assert_int_equal(newly_lost, lost);
    for (size_t i = 0; i < count; i++)
        assert_is_numbered(&taken[i], first + i);
}

static void test_off(void **state)
{
    (void)state;
    open_ring(0);
    assert_false(events_on(&events));
    assert_false(events_on(NULL));
    write_numbered(1);
    events_write(NULL, &(shale_event){.kind = 1});
    assert_taken(1, 0, 0);
    events_add_thread(&events, 4, 1);
    events_remove_thread(&events, 4, 1);
    close_ring();
}

static void test_in_order(void **state)
{
    (void)state;
    open_ring(SLOTS);
    assert_taken(1, 0, 0);
    uint64_t number = 1;
    for (uint64_t many = 0; many <= SLOTS; many++) {
        uint64_t first = number;
        for (uint64_t i = 0; i < many; i++)
            write_numbered(number++);
        assert_taken(first, number - 1, 0);
        assert_taken(number, number - 1, 0);
    }
    close_ring();
}

static void test_rounded_up(void **state)
{
    (void)state;
    open_ring(SLOTS - 1);
    for (uint64_t i = 1; i <= SLOTS; i++)
        write_numbered(i);
    assert_taken(1, SLOTS, 0);
    close_ring();
    open_ring(1);
    write_numbered(1);
    write_numbered(2);
    assert_taken(2, 2, 1);
    close_ring();
}

/* The oldest are overwritten, and counted once. */
static void test_overwritten(void **state)
{
    (void)state;
    open_ring(SLOTS);
    for (uint64_t i = 1; i <= 3 * SLOTS + 2; i++)
        write_numbered(i);
    assert_taken(2 * SLOTS + 3, 3 * SLOTS + 2, 2 * SLOTS + 2);
    assert_taken(1, 0, 0);
    write_numbered(5);
    assert_taken(5, 5, 0);
    close_ring();
}

/* What was lost is told to who asks next, also when others took in between without asking. */
static void test_in_parts(void **state)
{
    (void)state;
    open_ring(SLOTS);
    for (uint64_t i = 1; i <= SLOTS + 3; i++)
        write_numbered(i);
    shale_event taken[2];
    assert_int_equal(events_take(&events, taken, 2, NULL), 2);
    assert_is_numbered(&taken[0], 4);
    assert_is_numbered(&taken[1], 5);
    assert_int_equal(events_take(&events, NULL, 0, NULL), 0);
    write_numbered(SLOTS + 4);
    write_numbered(SLOTS + 5);
    assert_taken(6, SLOTS + 5, 3);
    close_ring();
}

static struct event_slot *slot_of(uint64_t ticket)
{
    return &events.slots[ticket & events.mask];
}

/* A writer that was interrupted: what is behind its record waits, and it can finish. */
static void test_unfinished(void **state)
{
    (void)state;
    open_ring(SLOTS);
    write_numbered(1);
    uint64_t ticket = atomic_u64_fetch_add(&events.next, 1);
    atomic_u64_store(&slot_of(ticket)->state, 4 * ticket + STATE_WRITING);
    write_numbered(3);
    assert_taken(1, 1, 0);
    assert_taken(1, 0, 0);
    /* It finishes, with the words of number 2. */
    write_numbered(2);
    uint64_t copied = atomic_u64_load(&events.next) - 1;
    for (int i = 0; i < EVENT_WORDS; i++)
        atomic_u64_store(&slot_of(ticket)->words[i], atomic_u64_load(&slot_of(copied)->words[i]));
    atomic_u64_store(&slot_of(ticket)->state, 4 * ticket + STATE_WHOLE);
    shale_event taken[SLOTS];
    assert_int_equal(events_take(&events, taken, SLOTS, NULL), 3);
    assert_is_numbered(&taken[0], 2);
    assert_is_numbered(&taken[1], 3);
    assert_is_numbered(&taken[2], 2);
    close_ring();
}

/* Other writers go round the slot of one that does not finish for several rounds, and lose nothing by it. */
static void test_stuck_for_rounds(void **state)
{
    (void)state;
    open_ring(SLOTS);
    uint64_t ticket = atomic_u64_fetch_add(&events.next, 1);
    atomic_u64_store(&slot_of(ticket)->state, 4 * ticket + STATE_WRITING);
    uint64_t last = 3 * (SLOTS - 1);
    for (uint64_t i = 1; i <= last; i++)
        write_numbered(i);
    /* Takers wait for it as well when they come to its slot; when it is done all others are there. */
    assert_int_equal(atomic_u64_load(&slot_of(ticket)->state), 4 * ticket + STATE_WRITING);
    atomic_u64_store(&slot_of(ticket)->state, 4 * ticket + STATE_WHOLE);
    shale_event taken[2 * SLOTS];
    uint64_t lost;
    size_t count = events_take(&events, taken, 2 * SLOTS, &lost);
    assert_int_equal(count + lost, last + 1);
    for (size_t i = 0; i < count; i++)
        assert_is_numbered(&taken[i], last + 1 - count + i);
    close_ring();
}

/* A writer that has drawn its ticket when a taker passes draws another. */
static void test_passed_by_a_taker(void **state)
{
    (void)state;
    open_ring(SLOTS);
    write_numbered(1);
    uint64_t drawn = atomic_u64_fetch_add(&events.next, 1);
    write_numbered(2);
    assert_taken(1, 2, 0);
    /* As `claim` finds it, if it comes only now. */
    assert_true(atomic_u64_load(&slot_of(drawn)->state) >= 4 * drawn);
    write_numbered(3);
    assert_taken(3, 3, 0);
    close_ring();
}

static void test_random_use(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 1);
    for (unsigned round = 0; round < test_rounds(200, 20); round++) {
        uint32_t slots = 1u << test_random_below(&random, 6);
        open_ring(slots);
        uint64_t written = 0;
        uint64_t seen = 0; /* the last number taken, or known to be lost */
        for (unsigned step = 0; step < 200; step++) {
            for (size_t i = test_random_below(&random, 2 * (size_t)slots); i > 0; i--)
                write_numbered(++written);
            shale_event taken[64];
            uint64_t lost;
            size_t wanted = test_random_below(&random, 65);
            size_t count = events_take(&events, taken, wanted, &lost);
            seen += lost;
            assert_true(count <= wanted);
            for (size_t i = 0; i < count; i++)
                assert_is_numbered(&taken[i], ++seen);
            assert_true(count == wanted || seen == written);
        }
        close_ring();
    }
}

static void test_threads(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 2);
    enum { MANY = 200 };
    open_ring(SLOTS);
    int threads[MANY];
    int first = 1 + (int)test_random_below(&random, 4000000);
    for (int i = 0; i < MANY; i++) {
        threads[i] = first + i * (1 + (int)test_random_below(&random, 3));
        if (i > 0 && threads[i] <= threads[i - 1])
            threads[i] = threads[i - 1] + 1;
    }
    for (uint64_t i = 0; i < MANY; i++)
        events_add_thread(&events, threads[i], i + 1);
    for (uint64_t i = 0; i < MANY; i++)
        assert_int_equal(events_mutator_of(&events, threads[i]), i + 1);
    assert_int_equal(events_mutator_of(&events, 0), 0);
    assert_int_equal(events_mutator_of(&events, threads[MANY - 1] + 1), 0);
    for (uint64_t i = 0; i < MANY; i += 2)
        events_remove_thread(&events, threads[i], i + 1);
    for (uint64_t i = 0; i < MANY; i++)
        assert_int_equal(events_mutator_of(&events, threads[i]), i % 2 == 0 ? 0 : i + 1);
    close_ring();
}

/* More than there are places for: some are not known, and nothing else goes wrong. */
static void test_too_many_threads(void **state)
{
    (void)state;
    open_ring(SLOTS);
    unsigned known = 0;
    for (int i = 1; i <= 5000; i++)
        events_add_thread(&events, i, (uint64_t)i);
    for (int i = 1; i <= 5000; i++) {
        uint64_t mutator = events_mutator_of(&events, i);
        assert_true(mutator == 0 || mutator == (uint64_t)i);
        known += mutator != 0;
    }
    assert_true(known > 500 && known <= 1024);
    close_ring();
}

/* ---- calls ----------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    for (int kind = 0; kind < SHALE_EVENT_KIND_COUNT; kind++) {
        assert_non_null(shale_event_name((shale_event_kind)kind));
        assert_string_not_equal(shale_event_name((shale_event_kind)kind), "unknown");
        for (int other = 0; other < kind; other++)
            assert_string_not_equal(shale_event_name((shale_event_kind)kind),
                                    shale_event_name((shale_event_kind)other));
    }
    assert_string_equal(shale_event_name(SHALE_EVENT_FLIP), "flip");
    assert_string_equal(shale_event_name(SHALE_EVENT_KIND_COUNT), "unknown");
    assert_string_equal(shale_event_name((shale_event_kind)-1), "unknown");
    assert_string_equal(shale_cycle_reason_name(SHALE_REASON_STRESS), "stress");
    assert_string_equal(shale_cycle_reason_name((shale_cycle_reason)(SHALE_REASON_STRESS + 1)), "unknown");
}

static void test_misuse(void **state)
{
    (void)state;
    uint64_t lost = 7;
    shale_event event;
    assert_int_equal(shale_events_take(NULL, &event, 1, &lost), 0);
    assert_int_equal(lost, 0);
    assert_int_equal(shale_mutator_number(NULL), 0);
    shale_options options;
    stress_options(&options, STRESS_NEVER, (size_t)4 << 20, NULL);
    shale_heap *heap = stress_heap(&options);
    shale_mutator *mutator = stress_attach(heap);
    assert_int_equal(shale_mutator_number(mutator), 1);
    assert_int_equal(shale_collect(mutator, SHALE_COLLECT_NORMAL), SHALE_OK);
    assert_int_equal(shale_events_take(heap, &event, 1, &lost), 0); /* none are kept */
    assert_int_equal(lost, 0);
    assert_int_equal(shale_events_take(heap, NULL, 1, NULL), 0);
    shale_detach(mutator);
    mutator = stress_attach(heap);
    assert_int_equal(shale_mutator_number(mutator), 2);
    shale_detach(mutator);
    stress_heap_end(heap);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_rounded_up),
        cmocka_unit_test(test_overwritten),
        cmocka_unit_test(test_in_parts),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_stuck_for_rounds),
        cmocka_unit_test(test_passed_by_a_taker),
        cmocka_unit_test(test_random_use),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_too_many_threads),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests_name("unit.events", tests, NULL, NULL);
}
