/*
 * Pacing, against a simulated program and collector: memory fills at some rate, cycles take as long as what is
 * live tells, and free what was garbage when they started. Nothing here takes time but the simulation's own.
 */
#include "gc/pace.h"
#include "tests/support/test_random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((double)(1 << 20))
#define MILLISECOND 1e6
#define SECOND 1e9

static const double REGION = 256 << 10;

enum phase { IDLE, MARKING, COMPACTING };

/* The world: what the program does and what the machine can. */
struct simulation {
    struct test_random random;
    struct pace pace;
    double rate;    /* bytes a nanosecond, when not stalled */
    double live;    /* bytes */
    double jitter;  /* durations vary by up to this factor more */
    double mark;    /* nanoseconds a byte */
    double compact; /* nanoseconds a byte */
    double fixed;   /* nanoseconds of each phase */
    double copied;  /* of what is live, moves */

    double step; /* nanoseconds */
    double now;
    double used;
    double allocated;
    double born; /* allocated since the cycle started */
    double copies;
    enum phase phase;
    double phase_end;
    double stalled_at;
    double ended_at_allocated; /* when the last cycle ended */
    unsigned cycles;
    unsigned stalled_cycles;
    double overrun;       /* bytes past the goal, at most */
    double least_between; /* bytes allocated between cycles, at least */
};

static struct simulation begin(uint64_t stream, unsigned target, double maximum)
{
    struct simulation simulation = {.random = test_random_make(test_seed(), stream),
                                    .mark = 1.0 / 1.0, /* 1 byte a nanosecond: 1 GB/s */
                                    .compact = 1.0 / 1.0,
                                    .fixed = 200e3,
                                    .copied = 0.1,
                                    .jitter = 0.2,
                                    .step = 50e3,
                                    .now = SECOND,
                                    .least_between = INFINITY};
    struct pace_settings settings = {.target_percent = target, .maximum = (uint64_t)maximum};
    pace_init(&simulation.pace, &settings, (uint64_t)simulation.now);
    return simulation;
}

static struct pace_moment moment(const struct simulation *s)
{
    return (struct pace_moment){
        .now = (uint64_t)s->now, .allocated = (uint64_t)s->allocated, .stalled_at = (uint64_t)s->stalled_at};
}

static double vary(struct simulation *s, double value)
{
    return value * (1 + s->jitter * (double)test_random_below(&s->random, 1000) / 1000);
}

static void start_cycle(struct simulation *s)
{
    struct pace_moment now = moment(s);
    if (s->cycles != 0)
        s->least_between = fmin(s->least_between, s->allocated - s->ended_at_allocated);
    pace_cycle_started(&s->pace, &now);
    s->phase = MARKING;
    s->born = 0;
    s->phase_end = s->now + vary(s, s->fixed + s->live * s->mark);
}

static void end_marking(struct simulation *s)
{
    pace_cycle_marked(&s->pace, (uint64_t)s->now);
    s->phase = COMPACTING;
    s->copies = s->live * s->copied;
    s->phase_end = s->now + vary(s, s->fixed + s->live * s->compact);
}

static void end_cycle(struct simulation *s)
{
    struct pace_moment now = moment(s);
    s->used = fmin(s->used, s->live + s->born);
    struct pace_outcome outcome = {
        .live = (uint64_t)s->live,
        .used = (uint64_t)s->used,
        .copies = (uint64_t)s->copies,
        .moved = s->copied != 0,
    };
    pace_cycle_ended(&s->pace, &now, &outcome);
    s->stalled_cycles += s->stalled_at != 0;
    s->stalled_at = 0;
    s->copies = 0;
    s->phase = IDLE;
    s->cycles++;
    s->ended_at_allocated = s->allocated;
}

static void step(struct simulation *s)
{
    s->now += s->step;
    double bytes = s->rate * s->step;
    double room = (double)s->pace.settings.maximum - s->copies - s->used;
    double had = fmin(bytes, fmax(room, 0));
    s->used += had;
    s->allocated += had;
    s->born += had;
    if (had < bytes && s->stalled_at == 0)
        s->stalled_at = s->now;
    s->overrun = fmax(s->overrun, s->used - (double)s->pace.goal);
    /* As mutators do, only when another region is taken. */
    double taken = ceil(s->used / REGION) * REGION;
    if (s->phase == IDLE && (taken >= (double)s->pace.trigger || s->stalled_at != 0))
        start_cycle(s);
    else if (s->phase == MARKING && s->now >= s->phase_end)
        end_marking(s);
    else if (s->phase == COMPACTING && s->now >= s->phase_end)
        end_cycle(s);
}

static void run(struct simulation *s, double nanoseconds)
{
    for (double end = s->now + nanoseconds; s->now < end;)
        step(s);
}

static void forget_counts(struct simulation *s)
{
    s->cycles = 0;
    s->stalled_cycles = 0;
    s->overrun = 0;
    s->least_between = INFINITY;
}

static void explain(const struct simulation *s, const char *what)
{
    fail_msg(
        "%s: %u cycles, %u stalled, overrun %.1f MiB, least between %.1f MiB; live %.1f MiB, goal %.1f MiB, "
        "trigger %.1f MiB, rate %.3f GB/s, mark %.2f, compact %.2f ns/byte, caution %.2f",
        what, s->cycles, s->stalled_cycles, s->overrun / MIB, s->least_between / MIB, s->live / MIB,
        (double)s->pace.goal / MIB, (double)s->pace.trigger / MIB, s->rate, s->mark, s->compact,
        s->pace.caution);
}

static double between(struct test_random *random, double low, double high)
{
    return low + (high - low) * (double)test_random_below(random, 1 << 20) / (1 << 20);
}

/* A heap of random size on a machine on which a cycle takes the time that the program needs to allocate `share`
 * of the room that its goal leaves. */
static struct simulation random_machine(uint64_t stream, double maximum_over_goal, double share)
{
    struct test_random random = test_random_make(test_seed(), stream + 100000);
    double live = exp(between(&random, log(2 * MIB), log(2048 * MIB)));
    unsigned target = (unsigned)test_random_between(&random, 150, 400);
    double goal = fmax(live * target / 100, (double)PACE_GOAL_MIN);
    struct simulation s = begin(stream, target, goal * maximum_over_goal);
    s.live = live;
    s.mark = between(&random, 0.2, 2);
    s.compact = between(&random, 0.2, 2);
    double duration = (2 * s.fixed + live * (s.mark + s.compact)) * (1 + s.jitter);
    s.rate = share * (goal - live) / duration;
    s.used = live;
    s.step = fmax(s.step, (goal - live) / s.rate / 2000);
    return s;
}

/* What the program can allocate between two cycles that take no time. */
static double room_of(const struct simulation *s)
{
    return fmax(s->live * s->pace.settings.target_percent / 100, (double)PACE_GOAL_MIN) - s->live;
}

/* How long it takes to use that up so many times. */
static double time_of_cycles(const struct simulation *s, double cycles)
{
    return cycles * room_of(s) / s->rate;
}

/* Until estimates have settled. */
static void warm_up(struct simulation *s)
{
    for (unsigned i = 0; i < 20 && s->cycles < 8; i++)
        run(s, time_of_cycles(s, 2));
    forget_counts(s);
}

/* ---- a steady program ------------------------------------------------------------------------------ */

/* The goal is kept, nobody waits, and there are few cycles more than if each took no time. */
static void test_steady(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(200, 25); round++) {
        struct simulation s = random_machine(round, 1.2, 0.25);
        warm_up(&s);
        double before = s.allocated;
        run(&s, time_of_cycles(&s, 20));
        double ideal = (s.allocated - before) / room_of(&s);
        if (s.stalled_cycles != 0)
            explain(&s, "stalls of a steady program");
        /* Mutators look at the trigger when they take a region. */
        if (s.overrun > 2 * REGION + 0.02 * (double)s.pace.goal)
            explain(&s, "the goal was not kept");
        if (s.cycles > 1.8 * ideal + 1)
            explain(&s, "too many cycles");
        if (s.cycles < 0.9 * ideal - 1)
            explain(&s, "too few cycles");
    }
}

/* No more than its goal is to be had, which is enough. */
static void test_steady_without_slack(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(200, 25); round++) {
        struct simulation s = random_machine(1000 + round, 1, 0.2);
        s.copied = 0.05;
        warm_up(&s);
        run(&s, time_of_cycles(&s, 30));
        if (s.stalled_cycles != 0)
            explain(&s, "stalls of a steady program in a heap without slack");
    }
}

/* ---- changes --------------------------------------------------------------------------------------- */

/* Ten times the rate all of a sudden, and not a byte beyond the goal: a stall or two. */
static void test_tenfold(void **state)
{
    (void)state;
    unsigned stalls = 0;
    for (unsigned round = 0; round < test_rounds(200, 25); round++) {
        struct simulation s = random_machine(2000 + round, 1, 0.02);
        warm_up(&s);
        s.rate *= 10;
        run(&s, time_of_cycles(&s, 30));
        if (s.stalled_cycles > 2)
            explain(&s, "stalls after the rate grew tenfold");
        stalls += s.stalled_cycles;
    }
    /* It cannot be foreseen either: the simulation is able to stall. */
    assert_true(stalls > 0);
}

/* Bursts at random. With room beyond the goal nobody waits; without, few cycles are late. */
static void test_bursts(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(100, 12); round++) {
        for (int slack = 0; slack < 2; slack++) {
            struct simulation s = random_machine(3000 + round, slack ? 2 : 1, 0.02);
            double slow = s.rate;
            double cycle = time_of_cycles(&s, 1);
            warm_up(&s);
            for (unsigned i = 0; i < 60; i++) {
                s.rate = test_random_chance(&s.random, 50) ? slow : 10 * slow;
                run(&s, cycle * between(&s.random, 0.05, 0.5));
            }
            if (slack && s.stalled_cycles != 0)
                explain(&s, "stalls though the heap can grow");
            if (s.stalled_cycles > 2 + s.cycles / 10)
                explain(&s, "bursts stall again and again");
        }
    }
}

/* What is live grows and shrinks: the goal follows with the next cycle. */
static void test_live_changes(void **state)
{
    (void)state;
    struct simulation s = begin(4000, 200, 4096 * MIB);
    s.rate = 0.2;
    s.mark = s.compact = 0.3;
    static const double sizes[] = {1, 40, 400, 900, 30, 3};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        s.live = sizes[i] * MIB;
        s.used = fmax(s.used, s.live);
        run(&s, 30 * SECOND);
        double goal = fmax(2 * s.live, (double)PACE_GOAL_MIN);
        assert_true(fabs((double)s.pace.goal - goal) < 0.01 * goal);
        forget_counts(&s);
        run(&s, 20 * SECOND);
        if (s.overrun > 2 * REGION + 0.02 * goal || s.stalled_cycles != 0)
            explain(&s, "a changed heap did not settle");
        assert_true(s.cycles >= 2);
    }
}

/* ---- a program that is too fast -------------------------------------------------------------------- */

/* The heap grows past its goal rather than be collected without a break. */
static void test_overrun(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(100, 12); round++) {
        struct simulation s = random_machine(5000 + round, 8, 1 + 2 * (double)round / 100);
        warm_up(&s);
        run(&s, time_of_cycles(&s, 40));
        if (s.stalled_cycles != 0)
            explain(&s, "stalls though the heap can grow");
        if (s.overrun <= 0)
            explain(&s, "the simulation is not too fast");
        if (s.least_between < room_of(&s) / PACE_BETWEEN - REGION)
            explain(&s, "cycles without a break");
    }
}

/* Far too fast for any heap: mutators wait, and go on. */
static void test_hopeless(void **state)
{
    (void)state;
    struct simulation s = begin(6000, 200, 96 * MIB);
    s.live = 64 * MIB;
    s.rate = 10;
    run(&s, 30 * SECOND);
    assert_true(s.cycles > 100);
    assert_true(s.stalled_cycles > s.cycles / 2);
    /* What was allocated in one cycle is free after the next but one. */
    assert_true(s.allocated / s.cycles > 10 * MIB);
    assert_false(s.pace.late); /* its cycles move objects */
}

/* A program that waits for memory wherever cycles start is collected when there is none left: that frees all that there is
 * to free, and what is allocated meanwhile, which would not be freed, is nothing. */
static void test_late(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(100, 12); round++) {
        struct simulation s = random_machine(6500 + round, 1, 1);
        s.copied = 0; /* nothing moves */
        s.compact = 0;
        s.rate = 1.5 * room_of(&s) / (s.fixed + s.live * s.mark);
        warm_up(&s);
        double before = s.allocated;
        run(&s, time_of_cycles(&s, 40));
        if (s.stalled_cycles < s.cycles - 1)
            explain(&s, "the simulation is not too fast");
        if ((s.allocated - before) / s.cycles < 0.85 * room_of(&s) - 2 * REGION)
            explain(&s, "cycles that free too little");
        /* It is not for good. */
        s.rate /= 20;
        forget_counts(&s);
        warm_up(&s);
        run(&s, time_of_cycles(&s, 20));
        if (s.stalled_cycles != 0)
            explain(&s, "stalls of a program that has become slow");
    }
}

/* ---- without a simulation -------------------------------------------------------------------------- */

static void test_start(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, &(struct pace_settings){200, (uint64_t)1 << 30}, 5);
    assert_int_equal(pace.goal, PACE_GOAL_MIN);
    assert_true(pace.trigger > PACE_GOAL_MIN / 4 && pace.trigger < PACE_GOAL_MIN);
    pace_init(&pace, &(struct pace_settings){200, 3 << 20}, 5);
    assert_int_equal(pace.goal, 3 << 20);
    assert_true(pace.trigger < 3 << 20);
}

/* Off: a cycle only when there is nothing left. */
static void test_off(void **state)
{
    (void)state;
    struct simulation s = begin(7000, 0, 512 * MIB);
    s.rate = 1;
    s.live = 20 * MIB;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(s.pace.trigger, s.pace.settings.maximum);
        run(&s, 200 * MILLISECOND);
    }
    assert_true(s.cycles > 2);
    assert_true(s.least_between > 400 * MIB);
}

/* Time that mutators spend waiting for memory does not make them look slow. */
static void test_stalls_do_not_count_as_time(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, &(struct pace_settings){200, (uint64_t)1 << 30}, 0);
    uint64_t now = 0;
    uint64_t allocated = 0;
    for (int cycle = 0; cycle < 20; cycle++) {
        now += 10000000;
        allocated += 10000000;
        pace_cycle_started(&pace, &(struct pace_moment){now, allocated, 0, 0});
        uint64_t stalled_at = now + 1000000;
        now += 50000000;
        allocated += 1000000;
        pace_cycle_marked(&pace, now);
        pace_cycle_ended(&pace, &(struct pace_moment){now, allocated, stalled_at, 0},
                         &(struct pace_outcome){.live = 1 << 20, .used = 2 << 20, .moved = true});
        assert_true(fabs(pace.rate.mean - 1) < 0.01);
    }
    assert_true(pace.caution > 4);
    assert_int_equal(pace.period, 60000000);
}

/* One cycle in which ten times as much was allocated: as much is expected of the next, and less after a while. */
static void test_jump_counts_at_once(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, &(struct pace_settings){200, (uint64_t)1 << 36}, 0);
    uint64_t now = 0;
    uint64_t allocated = 0;
    const uint64_t live = (uint64_t)64 << 20;
    for (int cycle = 0; cycle < 60; cycle++) {
        now += 100000000;
        allocated += 100000000;
        pace_cycle_started(&pace, &(struct pace_moment){now, allocated, 0, 0});
        pace_cycle_marked(&pace, now + 5000000);
        now += 10000000;
        uint64_t meanwhile = cycle == 30 ? 100000000 : 10000000;
        allocated += meanwhile;
        pace_cycle_ended(&pace, &(struct pace_moment){now, allocated, 0, 0},
                         &(struct pace_outcome){.live = live, .used = live, .moved = true});
        double expected = pace_expected_allocation(&pace, live);
        assert_true(expected >= (double)meanwhile);
        if (cycle % 30 == 29)
            assert_true(expected < 1.3 * (double)meanwhile);
    }
}

/* Memory outside the heap grows at some rate, and a cycle leaves what is live of it: it stays within its target, whether or not there is
 * anything in the heap, and cycles do not follow each other. */
static void test_external_memory(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(300, 50); round++) {
        struct test_random random = test_random_make(test_seed(), 9000 + round);
        unsigned target = (unsigned)test_random_between(&random, 150, 400);
        double live = exp(between(&random, log(MIB), log(16384 * MIB)));
        double goal = fmax(live * target / 100, (double)PACE_GOAL_MIN);
        double room = goal - live;
        double duration = between(&random, 1, 50) * MILLISECOND;
        double rate = between(&random, 0.01, 0.4) * room / duration;
        struct pace pace;
        pace_init(&pace, &(struct pace_settings){target, (uint64_t)1 << 26}, (uint64_t)SECOND);
        double now = SECOND;
        double held = 0;
        double added = 0;
        for (unsigned cycle = 0; cycle < 40; cycle++) {
            double until = fmax((double)pace.external_trigger, held) + rate * duration / 100;
            now += (until - held) / rate + 1;
            added += until - held;
            pace_cycle_started(&pace, &(struct pace_moment){(uint64_t)now, 0, 0, (uint64_t)added});
            now += duration;
            added += rate * duration;
            held = until + rate * duration;
            if (cycle > 20 && held > goal * 1.02)
                fail_msg("%.1f MiB outside the heap, %.1f live: more than the goal of %.1f", held / MIB,
                         live / MIB, goal / MIB);
            pace_cycle_marked(&pace, (uint64_t)(now - duration / 2));
            held = live + rate * duration;
            pace_cycle_ended(
                &pace, &(struct pace_moment){(uint64_t)now, 0, 0, (uint64_t)added},
                &(struct pace_outcome){
                    .live = 1 << 20, .used = 1 << 20, .moved = true, .external = (uint64_t)held});
            /* The least, which is for when cycles take longer than the room lasts, is enough here. */
            assert_true((double)pace.external_trigger - held >= fmax(goal - held, 0) / PACE_BETWEEN / 1.1);
        }
    }
}

static void test_external_memory_without_a_target(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, &(struct pace_settings){0, (uint64_t)1 << 26}, 0);
    assert_true(pace.external_trigger == UINT64_MAX);
    pace_cycle_started(&pace, &(struct pace_moment){1000, 0, 0, 1000});
    pace_cycle_marked(&pace, 2000);
    pace_cycle_ended(&pace, &(struct pace_moment){3000, 0, 0, 1 << 30},
                     &(struct pace_outcome){.external = 1 << 30});
    assert_true(pace.external_trigger == UINT64_MAX);
}

/* Whatever it is told: what comes out makes sense. */
static void test_nonsense(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 8000);
    for (unsigned round = 0; round < test_rounds(3000, 300); round++) {
        uint64_t maximum = (uint64_t)1 << test_random_between(&random, 21, 36);
        struct pace pace;
        pace_init(&pace, &(struct pace_settings){(unsigned)test_random_between(&random, 110, 1000), maximum},
                  test_random_next(&random));
        for (unsigned cycle = 0; cycle < 10; cycle++) {
            unsigned shift = (unsigned)test_random_below(&random, 60);
            struct pace_moment moment = {
                test_random_next(&random) >> shift, test_random_next(&random) >> shift,
                test_random_chance(&random, 50) ? 0 : test_random_next(&random) >> shift,
                test_random_next(&random) >> shift};
            pace_cycle_started(&pace, &moment);
            pace_cycle_marked(&pace, test_random_next(&random) >> shift);
            struct pace_outcome outcome = {.live = test_random_next(&random) % (maximum + 1),
                                           .used = test_random_next(&random) % (maximum + 1),
                                           .copies = test_random_next(&random) % (maximum + 1),
                                           .moved = test_random_chance(&random, 50),
                                           .external = test_random_next(&random) >> shift >> 4};
            moment.now = test_random_next(&random) >> shift;
            moment.allocated = test_random_next(&random) >> shift;
            pace_cycle_ended(&pace, &moment, &outcome);
            assert_true(pace.goal <= maximum && pace.goal > 0);
            assert_true(pace.trigger >= outcome.used);
            assert_true(pace.trigger <= maximum);
            assert_true(pace.external_trigger >= outcome.external);
            assert_true(isfinite(pace_expected_allocation(&pace, outcome.live)));
        }
    }
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady),
        cmocka_unit_test(test_steady_without_slack),
        cmocka_unit_test(test_tenfold),
        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_live_changes),
        cmocka_unit_test(test_overrun),
        cmocka_unit_test(test_hopeless),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_stalls_do_not_count_as_time),
        cmocka_unit_test(test_jump_counts_at_once),
        cmocka_unit_test(test_external_memory),
        cmocka_unit_test(test_external_memory_without_a_target),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests_name("property.pace", tests, NULL, NULL);
}
