/*
 * Litmus tests: each is a race in which an object could be lost to marking, tried in all interleavings. Each is tried
 * again with the part of the protocol left out that is there against the race, and must then lose an object: so the
 * test would notice.
 *
 * Mutators are numbered from 1 in what is printed; M1's registers are the first row.
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
    printf("  %-44s %8lu runs, %8lu markings%s\n", program->name, result.runs, result.marks,
           result.complete ? "" : ", not all there are");
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

/* A mutator that was scanned takes C from B, which is not traced yet, and cuts the way to it. C is then in its register
 * only, or behind A, which may have been traced. The deletion barrier shades C. */
static const struct litmus_program hide = {
    .name = "hidden behind a traced object",
    .mutators = 2,
    .slots = {[A] = {B, X}, [B] = {C}},
    .registers = {{A, B}, {A}},
    .roots = {A},
    .steps = {{{LOAD, 2, 1, 0}, {STORE, 1, 0, NOTHING}, {STORE, 0, 1, 2}, {FORGET, 2}},
              {{LOAD, 1, 0, 1}, {STORE, 0, 1, NOTHING}}}};

static void hidden_behind_a_traced_object(void **state)
{
    (void)state;
    CHECK(&hide, NO_OLD, NO_FLUSH, FLUSH_ONCE, NO_SCAN);
}

/* The same without packets: all shading is done in place, and regions are looked at again. */
static void hidden_without_packets(void **state)
{
    (void)state;
    struct litmus_program program = hide;
    program.name = "hidden, all shading in place";
    program.no_packets = true;
    CHECK(&program, NO_OLD, FORGET_NOTED);
}

/* M1 was scanned, allocates an object, which is born, so never traced, and puts it where M2 finds it. M2, not scanned
 * yet, stores X there, which nothing but its register leads to, and forgets it before it is scanned. The insertion
 * barrier of mutators that are not scanned shades X. */
static const struct litmus_program publish = {
    .name = "published from a stack before the scan",
    .mutators = 2,
    .slots = {[X] = {Y}},
    .registers = {{A}, {X, A}},
    .steps = {{{ALLOCATE, 1}, {STORE, 0, 0, 1}}, {{LOAD, 2, 1, 0}, {STORE, 2, 0, 0}, {FORGET, 0}}}};

static void published_before_the_scan(void **state)
{
    (void)state;
    CHECK(&publish, NO_NEW, NO_SCAN, RECORD_LATE);
}

static void published_without_packets(void **state)
{
    (void)state;
    struct litmus_program program = publish;
    program.name = "published, all shading in place";
    program.no_packets = true;
    CHECK(&program, NO_NEW, FORGET_NOTED);
}

/* M1 was scanned and reads X from a slot of B; M2 overwrites that slot. Were M2's barrier not on before anybody is
 * scanned, nobody would shade X: hence a handshake for the barriers before that for the roots. */
static const struct litmus_program two_handshakes = {.name = "read by a scanned one, overwritten by another",
                                                     .mutators = 2,
                                                     .slots = {[B] = {X}},
                                                     .registers = {{B}, {B}},
                                                     .steps = {{{LOAD, 1, 0, 0}}, {{STORE, 0, 0, NOTHING}}}};

static void overwritten_by_one_not_begun(void **state)
{
    (void)state;
    CHECK(&two_handshakes, ONE_HANDSHAKE, NO_OLD);
}

/* M1 and M2 store into one slot. M1 has read and shaded its old content when M2 stores X. M3, which was scanned, reads X
 * before M1 overwrites it without having seen it. M2 was not scanned yet, and forgets X. Either M2 has shaded X when it
 * stored it; or its barrier was not on yet, and then M1's store is over before anybody is scanned: hence a handshake
 * between that for the barriers and that for the roots. */
static const struct litmus_program one_slot = {
    .name = "two stores into one slot",
    .mutators = 3,
    .slots = {[A] = {Y}},
    .registers = {{A}, {A, X}, {A}},
    .steps = {{{STORE, 0, 0, NOTHING}}, {{STORE, 0, 0, 1}, {FORGET, 1}}, {{LOAD, 1, 0, 0}}}};

static void two_stores_into_one_slot(void **state)
{
    (void)state;
    CHECK(&one_slot, NO_PASSING, NO_NEW, NO_OLD, ONE_HANDSHAKE);
}

/* The same when M2 moves slots. It must shade the word that it stores: when it reads the slot for that after the store,
 * it may find what M1 has put there meanwhile. B, where X was, is M2's alone. */
static const struct litmus_program moved = {
    .name = "moved into a slot that another stores into",
    .mutators = 3,
    .slots = {[A] = {Y}, [B] = {X}},
    .registers = {{A}, {A, B}, {A}},
    .steps = {{{STORE, 0, 0, NOTHING}}, {{MOVE, 0, 0, 1}, {FORGET, 1}}, {{LOAD, 1, 0, 0}}}};

static void moved_into_one_slot(void **state)
{
    (void)state;
    CHECK(&moved, MOVE_SHADES_TARGET, NO_OLD);
}

/* Plain stores into a new object. One that is allocated before the scan is marked and traced, so what was stored into it
 * is found: it must not be born. One that is allocated after the scan is not traced: it must be born. */
static const struct litmus_program new_objects = {
    .name = "new objects, stored into plainly",
    .mutators = 2,
    .registers = {{X}, {Y, A}},
    .steps = {{{ALLOCATE, 1}, {INITIALISE, 1, 0, 0}, {FORGET, 0}},
              {{ALLOCATE, 2}, {INITIALISE, 2, 1, 0}, {FORGET, 0}, {STORE, 1, 0, 2}, {FORGET, 2}}}};

static void new_objects_before_and_after_the_scan(void **state)
{
    (void)state;
    CHECK(&new_objects, RECORD_EARLY, RECORD_LATE, NO_SCAN);
}

/* A thread that is stopped by a signal between its plain stores into a new object. It is scanned while X is in the object only;
 * it takes X out again, and overwrites the slot, before the object is traced. */
static const struct litmus_program new_objects_stopped = {
    .name = "new objects, stopped between plain stores",
    .mutators = 2,
    .conservative = true,
    .registers = {{NONE, X, Y}, {A}},
    .slots = {[A] = {B}},
    .steps = {{{ALLOCATE, 0}, {INITIALISE, 0, 0, 1}, {FORGET, 1}, {LOAD, 1, 0, 0}, {INITIALISE, 0, 0, 2}},
              {{LOAD, 1, 0, 0}, {STORE, 0, 0, NOTHING}}}};

static void new_objects_stopped_between_stores(void **state)
{
    (void)state;
    CHECK(&new_objects_stopped, NEW_UNSEEN);
}

/* The same with cells [cells]. One that a mutator had in reserve when it was scanned is born when it becomes an object; one
 * that was an object by then is not, and must be marked and traced; one that nobody marks is free after the sweep, and nothing
 * else is. When all is shaded in place, tracers look again at regions in which both kinds are. */
static void new_pinned_objects(void **state)
{
    (void)state;
    struct litmus_program program = new_objects;
    program.name = "new pinned objects, stored into plainly";
    program.cells = true;
    CHECK(&program, RECORD_EARLY, NO_SCAN);
    program.name = "new pinned objects, all shading in place";
    program.no_packets = true;
    CHECK(&program, RECORD_EARLY, FORGET_NOTED);
    program = publish;
    program.name = "a pinned object published before the scan";
    program.cells = true;
    CHECK(&program, NO_NEW, NO_SCAN);
}

/* M1 was scanned, takes X from a root of the heap and removes the visitor that shows it, before the collector has looked.
 * M2 does the opposite with Y: whoever comes later, its scan or the look at the heap's roots, must find it. */
static const struct litmus_program roots_move = {
    .name = "roots between a heap visitor and frames",
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
    CHECK(&roots_move, REMOVE_UNSEEN, ACTIVE_LATE, NO_SCAN);
}

/* Handed from thread to thread, back and forth, through visitors that come and go. */
static const struct litmus_program handed_on = {
    .name = "handed on through a heap visitor",
    .mutators = 2,
    .hidden = {true, true},
    .slots = {[B] = {X}},
    .registers = {{B}, {NONE}},
    .steps = {{{LOAD, 1, 0, 0}, {STORE, 0, 0, NOTHING}, {WRITE_ROOT, 0, 1}, {ADD_VISITOR, 0}, {FORGET, 1}},
              {{LOAD_ROOT, 0, 0}, {REMOVE_VISITOR, 0}}}};

static void handed_on_through_a_visitor(void **state)
{
    (void)state;
    CHECK(&handed_on, NO_OLD);
}

/* M1 was scanned and reads a handle before the collector does; M2 sets it to something else, or drops it. */
static const struct litmus_program handle = {
    .name = "a handle that is set and dropped",
    .mutators = 2,
    .roots = {X, Y},
    .registers = {{NONE}, {B}},
    .steps = {{{LOAD_ROOT, 0, 0}, {LOAD_ROOT, 1, 1}}, {{STORE_ROOT, 0, 0}, {STORE_ROOT, 1, NOTHING}}}};

static void handle_set_and_dropped(void **state)
{
    (void)state;
    CHECK(&handle, NO_OLD, ONE_HANDSHAKE);
}

/* M2 attaches at any stage, takes X from a handle's object and cuts the way to it. It has to know the stage. */
static const struct litmus_program attach = {
    .name = "attached at any stage",
    .mutators = 2,
    .detached = {false, true},
    .slots = {[A] = {X}},
    .roots = {A},
    .steps = {{{LOAD_ROOT, 0, 0}, {LOAD, 1, 0, 0}},
              {{ATTACH}, {LOAD_ROOT, 0, 0}, {STORE, 0, 0, NOTHING}, {ALLOCATE, 1}, {STORE, 0, 1, 1}}}};

static void attached_at_any_stage(void **state)
{
    (void)state;
    CHECK(&attach, ATTACH_PLAIN, NO_OLD, RECORD_LATE);
}

/* M1 cuts the way to X and detaches, at any stage, while M2 holds X. What M1 shaded must not go with it. */
static const struct litmus_program detach = {
    .name = "detached at any stage",
    .mutators = 2,
    .slots = {[A] = {X}},
    .registers = {{A}, {A}},
    .steps = {{{STORE, 0, 0, NOTHING}, {ALLOCATE, 1}, {STORE, 0, 1, 1}, {FORGET, 0}, {FORGET, 1}, {DETACH}},
              {{LOAD, 1, 0, 0}}}};

static void detached_at_any_stage(void **state)
{
    (void)state;
    CHECK(&detach, DETACH_DROPS, NO_OLD);
}

/* Attached and detached by turns: what it stored before must be as safe as what others store. */
static const struct litmus_program come_and_go = {
    .name = "detached and attached again",
    .mutators = 2,
    .slots = {[A] = {X}},
    .registers = {{A, X}, {A}},
    .steps = {{{FORGET, 0}, {FORGET, 1}, {DETACH}, {ATTACH}, {ALLOCATE, 0}},
              {{LOAD, 1, 0, 0}, {STORE, 0, 0, NOTHING}, {STORE, 0, 1, 1}}}};

static void detached_and_attached_again(void **state)
{
    (void)state;
    CHECK(&come_and_go, NO_OLD);
}

/* The packet is full between shading the old content and the new one, and offered in the middle of the store. */
static const struct litmus_program full_packet = {
    .name = "a packet that is full in mid-store",
    .mutators = 2,
    .slots = {[A] = {C, X}},
    .registers = {{A, Y}, {A}},
    .steps = {{{STORE, 0, 0, NOTHING}, {FILL}, {STORE, 0, 1, 1}, {STORE, 0, 0, 1}, {FORGET, 1}},
              {{LOAD, 1, 0, 1}}}};

static void packet_full_in_mid_store(void **state)
{
    (void)state;
    CHECK(&full_packet, LOSE_OFFERED, NO_OLD);
}

/* All is traced but X, which M1 shades at the last moment before it is asked for what it shaded: the collector must ask
 * again after it has traced that, since X may lead M2 to more. */
static const struct litmus_program last_moment = {
    .name = "shaded at the last moment",
    .mutators = 2,
    .slots = {[A] = {B}, [B] = {C}, [C] = {X}},
    .registers = {{A}, {NONE}},
    .roots = {NONE},
    .steps = {
        {{LOAD, 1, 0, 0}, {STORE, 0, 0, NOTHING}, {LOAD, 2, 1, 0}, {STORE, 1, 0, NOTHING}, {FORGET, 1}}}};

static void shaded_at_the_last_moment(void **state)
{
    (void)state;
    CHECK(&last_moment, NO_FLUSH, FLUSH_ONCE, NO_OLD);
}

/* ---- random programs -------------------------------------------------------------------------------- */

/* Often the register that an object was in from the beginning. */
static int random_register(struct test_random *random)
{
    return test_random_chance(random, 60) ? 0 : (int)test_random_below(random, LITMUS_REGISTERS);
}

static struct litmus_step random_step(struct test_random *random)
{
    static const enum litmus_operation operations[] = {LOAD,  LOAD, LOAD,   LOAD,     STORE,     STORE,
                                                       STORE, MOVE, FORGET, ALLOCATE, LOAD_ROOT, STORE_ROOT};
    struct litmus_step step = {.operation = operations[test_random_below(random, 12)]};
    int slot = (int)test_random_below(random, LITMUS_SLOTS);
    int other = (int)test_random_between(random, 1, LITMUS_REGISTERS - 1);
    switch (step.operation) {
    case LOAD:
        return (struct litmus_step){LOAD, other, random_register(random), slot};
    case STORE:
        return (struct litmus_step){STORE, random_register(random), slot,
                                    test_random_chance(random, 60) ? NOTHING : other};
    case MOVE:
        return (struct litmus_step){MOVE, random_register(random), slot, other};
    case LOAD_ROOT:
        return (struct litmus_step){LOAD_ROOT, other, slot % LITMUS_ROOTS, 0};
    case STORE_ROOT:
        return (struct litmus_step){STORE_ROOT, slot % LITMUS_ROOTS, other, 0};
    default: /* FORGET, ALLOCATE */
        step.a = random_register(random);
        return step;
    }
}

static enum litmus_object random_object(struct test_random *random)
{
    return (enum litmus_object)test_random_below(random, LITMUS_OBJECTS);
}

static void random_program(struct test_random *random, struct litmus_program *program)
{
    *program =
        (struct litmus_program){.name = "random", .mutators = 2 + (unsigned)test_random_below(random, 2)};
    program->no_packets = test_random_chance(random, 25);
    program->cells = test_random_chance(random, 40);
    /* A and B are in hand; the way to the others is short, and often the only one. */
    for (int i = A; i < LITMUS_OBJECTS; i++) {
        for (int s = 0; s < LITMUS_SLOTS; s++) {
            if (test_random_chance(random, i <= B ? 70 : 25))
                program->slots[i][s] = (enum litmus_object)test_random_between(random, C, Y);
        }
    }
    for (int r = 0; r < LITMUS_ROOTS; r++)
        program->roots[r] = test_random_chance(random, 20) ? random_object(random) : NONE;
    for (unsigned m = 0; m < program->mutators; m++) {
        program->registers[m][0] = test_random_chance(random, 70) ? A : B;
        program->registers[m][1] = test_random_chance(random, 25) ? random_object(random) : NONE;
        size_t steps = test_random_between(random, 1, program->mutators == 2 ? 4 : 3);
        for (size_t i = 0; i < steps; i++)
            program->steps[m][i] = random_step(random);
    }
}

static void print_program(const struct litmus_program *program)
{
    printf("  %u mutators%s%s\n", program->mutators, program->no_packets ? ", no packets" : "",
           program->cells ? ", pinned" : "");
    for (int i = A; i < LITMUS_OBJECTS; i++)
        printf("  object %d: %d %d\n", i, program->slots[i][0], program->slots[i][1]);
    printf("  roots: %d %d\n", program->roots[0], program->roots[1]);
    for (unsigned m = 0; m < program->mutators; m++) {
        printf("  M%u: registers %d %d %d, steps", m + 1, program->registers[m][0], program->registers[m][1],
               program->registers[m][2]);
        for (const struct litmus_step *step = program->steps[m]; step->operation != END; step++)
            printf(" {%d, %d, %d, %d}", (int)step->operation, step->a, step->b, step->c);
        printf("\n");
    }
}

/* Programs nobody has thought of. */
static void random_programs(void **state)
{
    (void)state;
    static struct litmus_result result;
    unsigned count = test_rounds(150, 15);
    unsigned complete = 0;
    unsigned noticed = 0;
    unsigned long runs = 0;
    unsigned long marks = 0;
    for (unsigned i = 0; i < count; i++) {
        struct test_random random = test_random_make(test_seed(), i);
        struct litmus_program program;
        random_program(&random, &program);
        litmus_explore(&program, BREACH_NONE, 20000, &result);
        if (result.lost) {
            print_program(&program);
            fail_msg("an object is lost: %s", result.schedule);
        }
        runs += result.runs;
        marks += result.marks;
        complete += result.complete;
        litmus_explore(&program, NO_OLD, 20000, &result);
        noticed += result.lost;
    }
    printf("  %u programs, %u of them in all interleavings: %lu runs, %lu markings; "
           "%u programs lose an object without deletion barrier\n",
           count, complete, runs, marks, noticed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_behind_a_traced_object),
        cmocka_unit_test(hidden_without_packets),
        cmocka_unit_test(published_before_the_scan),
        cmocka_unit_test(published_without_packets),
        cmocka_unit_test(overwritten_by_one_not_begun),
        cmocka_unit_test(two_stores_into_one_slot),
        cmocka_unit_test(moved_into_one_slot),
        cmocka_unit_test(new_objects_before_and_after_the_scan),
        cmocka_unit_test(new_objects_stopped_between_stores),
        cmocka_unit_test(new_pinned_objects),
        cmocka_unit_test(roots_between_visitor_and_frames),
        cmocka_unit_test(handed_on_through_a_visitor),
        cmocka_unit_test(handle_set_and_dropped),
        cmocka_unit_test(attached_at_any_stage),
        cmocka_unit_test(detached_at_any_stage),
        cmocka_unit_test(detached_and_attached_again),
        cmocka_unit_test(packet_full_in_mid_store),
        cmocka_unit_test(shaded_at_the_last_moment),
        cmocka_unit_test(random_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
