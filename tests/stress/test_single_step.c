/*
 * A conservative thread stopped at every instruction: it allocates, stores and uses frames and handles with the processor's trap
 * flag set, and after each instruction outside the library a whole cycle runs that moves everything, verified. What the thread
 * was about to do then is done as if nothing had happened.
 *
 * In the trap's handler it waits for another thread to have collected, and is stopped there by the signal: what was interrupted
 * lies on the same stack.
 */
#include "runtime/inside.h"
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SKIPPED = 77 };

#if defined(__x86_64__) && !defined(STRESS_TSAN)

struct cell {
    struct cell *next;
    uint64_t number;
};

static const uint32_t first[] = {0};

static struct {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *cell;
    const shale_type *cells;
    uint32_t asked; /* cycles; atomic, as the next */
    uint32_t done;
    uint32_t over;
    uint32_t skip; /* instructions between two cycles, less one */
    uint32_t since;
    uint64_t steps; /* instructions outside the library */
} stepping;

static void wait_for_cycle(void)
{
    uint32_t number = __atomic_add_fetch(&stepping.asked, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&stepping.done, __ATOMIC_ACQUIRE) != number)
        usleep(20);
}

static void on_trap(int number)
{
    (void)number;
    if (inside.depth != 0)
        return;
    stepping.steps++;
    if (stepping.since++ < stepping.skip)
        return;
    stepping.since = 0;
    wait_for_cycle();
}

static void *collect(void *argument)
{
    (void)argument;
    shale_mutator *mutator = stress_attach(stepping.heap);
    while (__atomic_load_n(&stepping.over, __ATOMIC_ACQUIRE) == 0) {
        uint32_t number = __atomic_load_n(&stepping.asked, __ATOMIC_ACQUIRE);
        if (number == __atomic_load_n(&stepping.done, __ATOMIC_ACQUIRE)) {
            STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering");
            usleep(10);
            STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving");
            continue;
        }
        STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
        __atomic_store_n(&stepping.done, number, __ATOMIC_RELEASE);
    }
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

/* From the next instruction on, and not any more. */
#define STEP() __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc")
#define RUN() __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" : : : "memory", "cc")

static void set_up(enum stress_mode mode)
{
    shale_options options;
    stress_options(&options, mode, (size_t)8 << 20, NULL);
    options.verify = 1;
    memset(&stepping, 0, sizeof stepping);
    stepping.heap = stress_heap(&options);
    stepping.cell = shale_type_register(
        stepping.heap,
        &(shale_type_spec){
            .name = "cell", .size = sizeof(struct cell), .pointers = first, .pointer_count = 1},
        NULL);
    stepping.cells = shale_type_register(
        stepping.heap,
        &(shale_type_spec){
            .name = "cells", .element_size = 8, .element_pointers = first, .element_pointer_count = 1},
        NULL);
    stepping.mutator = stress_attach_conservative(stepping.heap);
}

/* What is stepped through, some of it in each round: a list that only locals hold. */
static __attribute__((noinline)) void use(unsigned round, struct cell *volatile *list)
{
    shale_mutator *mutator = stepping.mutator;
    STEP();
    struct cell *cell = shale_allocate(mutator, stepping.cell);
    cell->next = *list;
    cell->number = round;
    *list = cell;
    struct cell **cells = shale_allocate_array(mutator, stepping.cells, 3);
    cells[0] = *list;
    cells[1] = NULL;
    cells[1] = cells[0]; /* what is written a second time before the next allocation */
    struct cell *second = shale_allocate(mutator, stepping.cell);
    second->number = round + 1000;
    shale_store(mutator, cells, &cells[2], second);
    shale_store(mutator, cells, &cells[0], NULL);
    struct {
        struct cell *kept;
    } local = {cells[1]};
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 1);
    shale_scope scope;
    shale_scope_open(mutator, &scope);
    shale_handle *handle = shale_local(mutator, cells[2]);
    struct cell *found = shale_handle_get(handle);
    shale_scope_close(mutator, &scope);
    shale_frame_pop(mutator, &frame);
    RUN();
    STRESS_CHECK(found->number == round + 1000 && local.kept->number == round && cells[0] == NULL, "round %u",
                 round);
}

static void check(const struct cell *list, unsigned rounds)
{
    for (; list != NULL; list = list->next)
        STRESS_CHECK(list->number == --rounds, "the list is not what it was");
    STRESS_CHECK(rounds == 0, "the list is too short");
}

static void step_through(enum stress_mode mode, unsigned rounds, uint32_t skip)
{
    if (!stress_mode_works(mode))
        return;
    set_up(mode);
    struct sigaction action = {.sa_handler = on_trap};
    struct sigaction before;
    STRESS_CHECK(sigaction(SIGTRAP, &action, &before) == 0, "no handler");
    pthread_t thread;
    STRESS_CHECK(pthread_create(&thread, NULL, collect, NULL) == 0, "no thread");
    struct cell *volatile list = NULL;
    for (unsigned round = 0; round < rounds; round++) {
        /* Each begins at another instruction. */
        stepping.skip = skip;
        stepping.since = skip != 0 ? round % (skip + 1) : 0;
        use(round, &list);
        check(list, round + 1);
    }
    __atomic_store_n(&stepping.over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    printf("  %llu instructions, %u cycles\n", (unsigned long long)stepping.steps, stepping.asked);
    STRESS_CHECK(stepping.asked > rounds, "it was not stopped");
    STRESS_CHECK(shale_detach(stepping.mutator) == SHALE_OK, "detaching");
    stress_heap_end(stepping.heap);
    sigaction(SIGTRAP, &before, NULL);
}

/* All instructions: most allocations take the slow path then, as each flip has the page left. */
static void test_every_instruction(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++)
        step_through((enum stress_mode)mode, stress_quick() ? 1 : 4, 0);
}

/* One stop or two in each round, somewhere else each time: the fast path is begun before and finished after. */
static void test_some_instructions(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++)
        step_through((enum stress_mode)mode, stress_quick() ? 70 : 280, 69);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    if (stress_watched()) {
        printf("skipped: a checking tool runs the program\n");
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_instruction),
        cmocka_unit_test(test_some_instructions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    puts("skipped: single steps need x86-64, and no ThreadSanitizer");
    return SKIPPED;
}

#endif
