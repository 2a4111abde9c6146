/*
 * Stacks of conservative mutators: coroutines, and what is refused.
 */
#include "tests/support/conservative_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

/* ---- coroutines ------------------------------------------------------------------------------------ */

enum { COROUTINES = 3, COROUTINE_STACK = 256 << 10, ROUNDS = 6 };

struct coroutine {
    struct scene *scene;
    ucontext_t context;
    ucontext_t *back;
    char *memory;
    shale_stack *stack;
    bool over;
};

static void swap(void *argument)
{
    ucontext_t **contexts = argument;
    assert_int_equal(swapcontext(contexts[0], contexts[1]), 0);
}

static void switch_context(struct scene *scene, ucontext_t *from, ucontext_t *to)
{
    ucontext_t *contexts[] = {from, to};
    assert_int_equal(shale_stack_switch(scene->mutator, swap, contexts), SHALE_OK);
}

static void run_coroutine(unsigned high, unsigned low)
{
    struct coroutine *self =
        (struct coroutine *)((uintptr_t)high << 32 | low); // NOLINT(performance-no-int-to-ptr)
    struct cell *list = list_make(self->scene->mutator, self->scene->cell);
    for (int i = 0; i < ROUNDS; i++) {
        switch_context(self->scene, &self->context, self->back);
        list_check(list);
        scene_move_all(self->scene);
        list_check(list);
    }
    self->over = true;
    switch_context(self->scene, &self->context, self->back);
}

static void test_coroutines(void **state)
{
    (void)state;
    struct scene scene;
    scene_set_up(&scene);
    ucontext_t here;
    struct coroutine coroutines[COROUTINES];
    struct cell *own = list_make(scene.mutator, scene.cell);
    for (int i = 0; i < COROUTINES; i++) {
        struct coroutine *self = &coroutines[i];
        *self = (struct coroutine){.scene = &scene, .back = &here, .memory = malloc(COROUTINE_STACK)};
        assert_non_null(self->memory);
        memset(self->memory, 0, COROUTINE_STACK);
        assert_int_equal(getcontext(&self->context), 0);
        self->context.uc_stack.ss_sp = self->memory;
        self->context.uc_stack.ss_size = COROUTINE_STACK;
        makecontext(&self->context, (void (*)(void))run_coroutine, 2, (unsigned)((uintptr_t)self >> 32),
                    (unsigned)(uintptr_t)self);
        self->stack = shale_stack_register(scene.mutator, self->memory, self->memory + COROUTINE_STACK);
        assert_non_null(self->stack);
    }
    for (int round = 0; round <= ROUNDS; round++) {
        for (int i = 0; i < COROUTINES; i++) {
            switch_context(&scene, &here, &coroutines[i].context);
            list_check(own);
        }
        scene_move_all(&scene);
    }
    for (int i = 0; i < COROUTINES; i++) {
        assert_true(coroutines[i].over);
        assert_int_equal(shale_stack_unregister(scene.mutator, coroutines[i].stack), SHALE_OK);
        free(coroutines[i].memory);
    }
    list_check(own);
    scene_tear_down(&scene);
}

/* ---- misuse ---------------------------------------------------------------------------------------- */

static void ignore_line(void *context, shale_log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static shale_heap *quiet_heap(void)
{
    shale_options options;
    stress_options(&options, STRESS_THREAD, (size_t)4 << 20, NULL);
    options.log = ignore_line;
    return stress_heap(&options);
}

static void test_stacks_misused(void **state)
{
    (void)state;
    shale_heap *heap = quiet_heap();
    static char memory[4096];
    char *own = __builtin_frame_address(0);
    shale_mutator *exact = stress_attach(heap);
    assert_null(shale_stack_register(exact, memory, memory + sizeof memory));
    assert_int_equal(shale_last_error(exact)->status, SHALE_ERROR_MISUSE);
    assert_int_equal(shale_stack_switch(exact, swap, NULL), SHALE_ERROR_MISUSE);
    assert_int_equal(shale_detach(exact), SHALE_OK);

    shale_mutator *mutator = stress_attach_conservative(heap);
    assert_null(shale_stack_register(mutator, memory, memory));
    shale_stack *stack = shale_stack_register(mutator, memory, memory + sizeof memory);
    assert_non_null(stack);
    assert_null(shale_stack_register(mutator, memory + 100, memory + sizeof memory));
    assert_null(shale_stack_register(mutator, own - 8, own + 8));
    assert_int_equal(shale_stack_unregister(mutator, stack), SHALE_OK);
    assert_int_equal(shale_stack_unregister(mutator, stack), SHALE_ERROR_MISUSE);
    assert_non_null(shale_stack_register(mutator, memory, memory + sizeof memory));
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    stress_heap_end(heap);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coroutines),
        cmocka_unit_test(test_stacks_misused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
