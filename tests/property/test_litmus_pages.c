/*
 * Litmus tests of marking without a write barrier [remark]: each is a race in which an object could be lost, tried in all
 * interleavings, and again with the part of the protocol left out that is there against it. See test_litmus.c.
 */
#include "tests/support/litmus.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A program whose schedules do not fit this is too large. */
enum { RUNS_MAX = 3000000 };

static void check(const struct litmus_program *program, const enum litmus_breach *breaches)
{
    static struct litmus_result result;
    litmus_explore(program, BREACH_NONE, test_rounds(RUNS_MAX, 20000), &result);
    printf("  %-44s %u rounds %8lu runs, %8lu markings%s\n", program->name, program->rounds, result.runs,
           result.marks, result.complete ? "" : ", not all there are");
    if (result.lost)
        fail_msg("%s: an object is lost: %s", program->name, result.schedule);
    assert_true(result.complete || test_quick());
    for (; *breaches != BREACH_NONE; breaches++) {
        litmus_explore(program, *breaches, RUNS_MAX, &result);
        printf("    %-42s %s after %lu runs\n", litmus_breach_names[*breaches],
               result.lost ? "loses one" : "LOSES NONE", result.runs);
        assert_true(result.lost);
    }
}

#define CHECK(program, ...) check(program, (const enum litmus_breach[]){__VA_ARGS__, BREACH_NONE})

/* The same with a round before the remark: what only the remark sees otherwise is found by the round, unless the mutator was
 * quicker. */
#define CHECK_ROUND(program, ...)                                                  \
    do {                                                                           \
        struct litmus_program with_round = *(program);                             \
        with_round.rounds = 1;                                                     \
        check(&with_round, (const enum litmus_breach[]){__VA_ARGS__ BREACH_NONE}); \
    } while (0)

/* X is taken out of a slot that is not traced yet, and is in a register only from then on. */
static const struct litmus_program held = {
    .name = "held by a register only",
    .pages = true,
    .mutators = 1,
    .slots = {[A] = {B}, [B] = {X}, [X] = {Y}},
    .registers = {{A}},
    .steps = {{{LOAD, 1, 0, 0}, {LOAD, 2, 1, 0}, {STORE, 1, 0, NOTHING}}}};

static void held_by_a_register(void **state)
{
    (void)state;
    CHECK(&held, REMARK_NO_ROOTS);
}

/* X goes from an object that is not traced yet into one that may be, and the register forgets it. */
static const struct litmus_program hidden = {
    .name = "hidden behind a traced object",
    .pages = true,
    .mutators = 1,
    .slots = {[A] = {B}, [B] = {X}, [X] = {Y}},
    .registers = {{A, B}},
    .steps = {{{LOAD, 2, 1, 0}, {STORE, 1, 0, NOTHING}, {STORE, 0, 1, 2}, {FORGET, 2}}}};

static void hidden_behind_a_traced_object(void **state)
{
    (void)state;
    CHECK(&hidden, REMARK_NO_SEARCH);
    CHECK_ROUND(&hidden, );
}

/* X is hidden from the first trace, and from the round as well: it is moved on while pages are looked at again, from an object
 * that is yet to be looked at to one that was. */
static const struct litmus_program moved_on = {.name = "moved on while pages are looked at again",
                                               .pages = true,
                                               .mutators = 1,
                                               .slots = {[B] = {X}},
                                               .registers = {{A, B}},
                                               .steps = {{{LOAD, 2, 1, 0},
                                                          {STORE, 1, 0, NOTHING},
                                                          {STORE, 1, 0, 2},
                                                          {FORGET, 2},
                                                          {LOAD, 2, 1, 0},
                                                          {STORE, 1, 0, NOTHING},
                                                          {STORE, 0, 1, 2},
                                                          {FORGET, 2}}}};

static void moved_on_during_a_round(void **state)
{
    (void)state;
    CHECK_ROUND(&moved_on, ARM_LATE, REMARK_NO_SEARCH, );
}

static void hidden_without_packets(void **state)
{
    (void)state;
    struct litmus_program program = hidden;
    program.name = "hidden, all shading in place";
    program.no_packets = true;
    CHECK(&program, REMARK_NO_SEARCH);
}

/* The same into a new object, which only the traced A leads to: what was born must be looked at, and have its bit by then. */
static const struct litmus_program new_object = {.name = "hidden behind a new object",
                                                 .pages = true,
                                                 .mutators = 1,
                                                 .slots = {[B] = {X}, [X] = {Y}},
                                                 .registers = {{A, B}},
                                                 .steps = {{{LOAD, 2, 1, 0},
                                                            {STORE, 1, 0, NOTHING},
                                                            {FORGET, 1},
                                                            {ALLOCATE, 1},
                                                            {STORE, 1, 0, 2},
                                                            {STORE, 0, 0, 1},
                                                            {FORGET, 2}}}};

static void hidden_behind_a_new_object(void **state)
{
    (void)state;
    CHECK(&new_object, REMARK_NO_SEARCH);
    CHECK_ROUND(&new_object, HANDSHAKE_FIRST, ROUND_NO_RECORD, );
}

/* The first store into a new object, before anything else can happen. */
static const struct litmus_program initialised = {
    .name = "a new object, initialised",
    .pages = true,
    .mutators = 2,
    .slots = {[B] = {X}},
    .registers = {{A, B}, {B}},
    .steps = {{{LOAD, 2, 1, 0}, {ALLOCATE, 1}, {INITIALISE, 1, 0, 2}, {FORGET, 2}},
              {{STORE, 0, 0, NOTHING}}}};

static void a_new_object_initialised(void **state)
{
    (void)state;
    CHECK(&initialised, REMARK_NO_SEARCH);
    CHECK_ROUND(&initialised, HANDSHAKE_FIRST, );
}

/* M1 takes X from B and gives it to M2 by way of A; M2 keeps it in a register, and everything else leads nowhere. */
static const struct litmus_program passed_on = {
    .name = "passed on to another thread",
    .pages = true,
    .mutators = 2,
    .slots = {[B] = {X}},
    .registers = {{A, B}, {A}},
    .steps = {{{LOAD, 2, 1, 0}, {STORE, 1, 0, NOTHING}, {STORE, 0, 0, 2}, {FORGET, 2}},
              {{LOAD, 1, 0, 0}, {STORE, 0, 0, NOTHING}}}};

static void passed_on_to_another_thread(void **state)
{
    (void)state;
    CHECK(&passed_on, REMARK_NO_ROOTS);
    CHECK_ROUND(&passed_on, REMARK_NO_ROOTS, );
}

/* X and Y change places between a root of the heap and registers, while visitors come and go. */
static const struct litmus_program roots_move = {
    .name = "roots between a heap visitor and frames",
    .pages = true,
    .mutators = 2,
    .hidden = {false, true},
    .registers = {{NONE}, {Y}},
    .roots = {X},
    .slots = {[X] = {C}},
    .steps = {{{LOAD_ROOT, 0, 0}, {REMOVE_VISITOR, 0}, {WRITE_ROOT, 0, NOTHING}},
              {{WRITE_ROOT, 1, 0}, {ADD_VISITOR, 1}, {FORGET, 0}}}};

static void roots_between_visitor_and_frames(void **state)
{
    (void)state;
    CHECK(&roots_move, REMARK_NO_ROOTS);
}

/* A handle is set and dropped: plain stores into roots, which nothing tracks. */
static const struct litmus_program handle = {
    .name = "a handle that is set and dropped",
    .pages = true,
    .mutators = 2,
    .roots = {X, Y},
    .registers = {{NONE}, {B}},
    .steps = {{{LOAD_ROOT, 0, 0}, {LOAD_ROOT, 1, 1}}, {{STORE_ROOT, 0, 0}, {STORE_ROOT, 1, NOTHING}}}};

static void handle_set_and_dropped(void **state)
{
    (void)state;
    CHECK(&handle, REMARK_NO_ROOTS);
}

/* M2 attaches at any moment, takes X from a handle's object, cuts the way to it and hides it in a new object. */
static const struct litmus_program attach = {.name = "attached at any moment",
                                             .pages = true,
                                             .mutators = 2,
                                             .detached = {false, true},
                                             .slots = {[A] = {X}},
                                             .roots = {A},
                                             .steps = {{{LOAD_ROOT, 0, 0}},
                                                       {{ATTACH},
                                                        {LOAD_ROOT, 0, 0},
                                                        {LOAD, 1, 0, 0},
                                                        {ALLOCATE, 2},
                                                        {STORE, 2, 0, 1},
                                                        {STORE, 0, 0, 2},
                                                        {FORGET, 1}}}};

static void attached_at_any_moment(void **state)
{
    (void)state;
    CHECK(&attach, REMARK_NO_SEARCH);
}

/* M1 hides X in a new object, puts that where M2 finds it, and detaches: it must have set the bits of what it leaves. */
static const struct litmus_program detach = {.name = "detached at any moment",
                                             .pages = true,
                                             .mutators = 2,
                                             .slots = {[B] = {X}},
                                             .registers = {{A, B}, {A}},
                                             .steps = {{{LOAD, 2, 1, 0},
                                                        {STORE, 1, 0, NOTHING},
                                                        {ALLOCATE, 1},
                                                        {STORE, 1, 0, 2},
                                                        {STORE, 0, 0, 1},
                                                        {FORGET, 0},
                                                        {FORGET, 1},
                                                        {FORGET, 2},
                                                        {DETACH}},
                                                       {{LOAD, 1, 0, 0}}}};

static void detached_at_any_moment(void **state)
{
    (void)state;
    CHECK(&detach, REMARK_NO_SEARCH);
    CHECK_ROUND(&detach, ROUND_NO_RECORD, );
}

/* ---- random programs -------------------------------------------------------------------------------- */

static struct litmus_step random_step(struct test_random *random)
{
    static const enum litmus_operation operations[] = {LOAD,  LOAD,   LOAD,     STORE,     STORE,
                                                       STORE, FORGET, ALLOCATE, LOAD_ROOT, STORE_ROOT};
    struct litmus_step step = {.operation = operations[test_random_below(random, 10)]};
    int slot = (int)test_random_below(random, LITMUS_SLOTS);
    int first = test_random_chance(random, 60) ? 0 : (int)test_random_below(random, LITMUS_REGISTERS);
    int other = (int)test_random_between(random, 1, LITMUS_REGISTERS - 1);
    switch (step.operation) {
    case LOAD:
        return (struct litmus_step){LOAD, other, first, slot};
    case STORE:
        return (struct litmus_step){STORE, first, slot, test_random_chance(random, 50) ? NOTHING : other};
    case LOAD_ROOT:
        return (struct litmus_step){LOAD_ROOT, other, slot % LITMUS_ROOTS, 0};
    case STORE_ROOT:
        return (struct litmus_step){STORE_ROOT, slot % LITMUS_ROOTS, other, 0};
    default: /* FORGET, ALLOCATE */
        step.a = first;
        return step;
    }
}

static void random_program(struct test_random *random, struct litmus_program *program)
{
    *program = (struct litmus_program){.name = "random", .pages = true, .mutators = 2};
    program->no_packets = test_random_chance(random, 25);
    for (int i = A; i < LITMUS_OBJECTS; i++) {
        for (int s = 0; s < LITMUS_SLOTS; s++) {
            if (test_random_chance(random, i <= B ? 70 : 25))
                program->slots[i][s] = (enum litmus_object)test_random_between(random, C, Y);
        }
    }
    for (int r = 0; r < LITMUS_ROOTS; r++)
        program->roots[r] = test_random_chance(random, 20)
                                ? (enum litmus_object)test_random_below(random, LITMUS_OBJECTS)
                                : NONE;
    for (unsigned m = 0; m < program->mutators; m++) {
        program->registers[m][0] = test_random_chance(random, 70) ? A : B;
        size_t steps = test_random_between(random, 1, 4);
        for (size_t i = 0; i < steps; i++)
            program->steps[m][i] = random_step(random);
    }
}

static void random_programs(void **state)
{
    (void)state;
    static const enum litmus_breach breaches[] = {REMARK_NO_ROOTS, REMARK_NO_SEARCH, ARM_LATE,
                                                  ROUND_NO_RECORD};
    static struct litmus_result result;
    unsigned count = test_rounds(60, 10);
    unsigned noticed = 0;
    for (unsigned i = 0; i < count; i++) {
        struct test_random random = test_random_make(test_seed(), i);
        struct litmus_program program;
        random_program(&random, &program);
        program.rounds = i / 4 % 2;
        litmus_explore(&program, BREACH_NONE, 4000, &result);
        if (result.lost)
            fail_msg("program %u of seed %llu: an object is lost: %s", i, (unsigned long long)test_seed(),
                     result.schedule);
        litmus_explore(&program, breaches[i % 4], 2000, &result);
        noticed += result.lost;
    }
    printf("  %u programs, %u of them notice that something is left out\n", count, noticed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_by_a_register),          cmocka_unit_test(hidden_behind_a_traced_object),
        cmocka_unit_test(moved_on_during_a_round),     cmocka_unit_test(hidden_without_packets),
        cmocka_unit_test(hidden_behind_a_new_object),  cmocka_unit_test(a_new_object_initialised),
        cmocka_unit_test(passed_on_to_another_thread), cmocka_unit_test(roots_between_visitor_and_frames),
        cmocka_unit_test(handle_set_and_dropped),      cmocka_unit_test(attached_at_any_moment),
        cmocka_unit_test(detached_at_any_moment),      cmocka_unit_test(random_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
