/*
 * Conservative roots on real heaps: what a word on a stack keeps alive and in place, and what it does not; threads that never
 * poll; coroutines; native sections; what is refused.
 *
 * The test keeps addresses only in disguise, as a compiler would not, so that nothing but the words it means to put on the stack
 * points at objects. Words that earlier calls left behind may, by chance; so of what should be dead, most must be.
 */
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

struct cell {
    struct cell *next;
    uint64_t number;
};

static const uint32_t first[] = {0};

struct scene {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *cell;
    const shale_type *bytes;
};

enum { DISGUISE = 0x5a };

static uintptr_t disguise(const void *address)
{
    return ~(uintptr_t)address ^ DISGUISE;
}

static void *reveal(uintptr_t disguised)
{
    return (void *)~(disguised ^ DISGUISE); // NOLINT(performance-no-int-to-ptr)
}

/* Overwrites what earlier calls left below. */
static __attribute__((noinline)) void clear_stack(void)
{
    volatile char left[8192];
    for (size_t i = 0; i < sizeof left; i++)
        left[i] = 0;
}

static void set_up_mode(struct scene *scene, enum stress_mode mode, shale_encoding encoding)
{
    shale_options options;
    stress_options(&options, mode, (size_t)16 << 20, NULL);
    options.verify = 1;
    options.encoding = encoding;
    scene->heap = stress_heap(&options);
    scene->cell = shale_type_register(
        scene->heap,
        &(shale_type_spec){
            .name = "cell", .size = sizeof(struct cell), .pointers = first, .pointer_count = 1},
        NULL);
    scene->bytes =
        shale_type_register(scene->heap, &(shale_type_spec){.name = "bytes", .element_size = 1}, NULL);
    scene->mutator = stress_attach_conservative(scene->heap);
}

static void set_up(struct scene *scene)
{
    set_up_mode(scene, STRESS_THREAD, (shale_encoding)SHALE_ENCODING_PLAIN);
}

static void tear_down(struct scene *scene)
{
    assert_int_equal(shale_detach(scene->mutator), SHALE_OK);
    stress_heap_end(scene->heap);
}

/* ---- where a word points --------------------------------------------------------------------------- */

enum { OBJECTS = 64, LENGTH = 40 };

/* Objects that nothing but weak handles know, among others that keep them apart. */
struct objects {
    shale_weak_handle *handles[OBJECTS];
    uintptr_t addresses[OBJECTS];
    size_t lengths[OBJECTS];
};

static __attribute__((noinline)) void make_objects(struct scene *scene, struct objects *objects)
{
    for (size_t i = 0; i < OBJECTS; i++) {
        objects->lengths[i] = LENGTH + i;
        char *object = shale_allocate_array(scene->mutator, scene->bytes, objects->lengths[i]);
        assert_non_null(object);
        memset(object, (int)i + 1, objects->lengths[i]);
        objects->addresses[i] = disguise(object);
        objects->handles[i] = shale_weak_handle_create(scene->mutator, object);
        assert_non_null(objects->handles[i]);
    }
    /* The region that is being filled does not move in any case. */
    for (size_t i = 0; i < (1u << 18) / 1024 + 2; i++)
        assert_non_null(shale_allocate_array(scene->mutator, scene->bytes, 1000));
    clear_stack();
}

static __attribute__((noinline)) bool is_in_place(struct scene *scene, const struct objects *objects,
                                                  size_t index)
{
    const unsigned char *object = shale_weak_handle_get(scene->mutator, objects->handles[index]);
    if (object == NULL || disguise(object) != objects->addresses[index])
        return false;
    for (size_t i = 0; i < objects->lengths[index]; i++) {
        if (object[i] != index + 1)
            return false;
    }
    return true;
}

static __attribute__((noinline)) bool is_dead(struct scene *scene, const struct objects *objects,
                                              size_t index)
{
    return shale_weak_handle_get(scene->mutator, objects->handles[index]) == NULL;
}

static __attribute__((noinline)) void move_all(struct scene *scene)
{
    assert_int_equal(shale_collect(scene->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
}

enum place { AT_START, IN_THE_MIDDLE, AT_LAST_BYTE, BEHIND_IT, PLACES };

static uintptr_t place_in(const struct objects *objects, size_t index, enum place place)
{
    uintptr_t start = (uintptr_t)reveal(objects->addresses[index]);
    size_t length = objects->lengths[index];
    size_t offsets[] = {0, length / 2, length - 1, length};
    return start + offsets[place];
}

static __attribute__((noinline)) void hold_and_collect(struct scene *scene, const struct objects *objects,
                                                       size_t held, enum place place)
{
    volatile uintptr_t word = place_in(objects, held, place);
    for (int i = 0; i < 3; i++) {
        clear_stack();
        move_all(scene);
        if (!is_in_place(scene, objects, held))
            fail_msg("object %zu did not stay, with a word at place %d", held, (int)place);
    }
    __asm__ volatile("" : : "m"(word));
}

static void check_places(enum stress_mode mode)
{
    if (!stress_mode_works(mode))
        return;
    for (int place = 0; place < PLACES; place++) {
        struct scene scene;
        struct objects objects;
        set_up_mode(&scene, mode, (shale_encoding)SHALE_ENCODING_PLAIN);
        for (size_t held = 5; held < OBJECTS; held += 29) {
            make_objects(&scene, &objects);
            hold_and_collect(&scene, &objects, held, (enum place)place);
            size_t dead = 0;
            for (size_t i = 0; i < OBJECTS; i++)
                dead += is_dead(&scene, &objects, i);
            assert_in_range(dead, OBJECTS - 5, OBJECTS - 1);
            /* Nothing holds it any more. */
            clear_stack();
            move_all(&scene);
            dead = 0;
            for (size_t i = 0; i < OBJECTS; i++) {
                dead += is_dead(&scene, &objects, i);
                shale_weak_handle_drop(scene.mutator, objects.handles[i]);
            }
            assert_in_range(dead, OBJECTS - 4, OBJECTS);
        }
        tear_down(&scene);
    }
}

static void test_places(void **state)
{
    (void)state;
    check_places(STRESS_THREAD);
}

static void test_places_fault_signal(void **state)
{
    (void)state;
    check_places(STRESS_SIGNAL);
}

static void test_places_in_pause(void **state)
{
    (void)state;
    check_places(STRESS_NEVER);
}

/* ---- everything else moves ------------------------------------------------------------------------- */

static void test_others_move(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene);
    enum { HANDLES = 1000 };
    shale_handle **handles = malloc(HANDLES * sizeof(shale_handle *));
    uintptr_t *addresses = malloc(HANDLES * sizeof *addresses);
    for (size_t i = 0; i < HANDLES; i++) {
        /* One in a kilobyte: sparse. */
        handles[i] = shale_handle_create(scene.mutator, shale_allocate(scene.mutator, scene.cell));
        assert_non_null(handles[i]);
        ((struct cell *)shale_handle_get(handles[i]))->number = i;
        addresses[i] = disguise(shale_handle_get(handles[i]));
        assert_non_null(shale_allocate_array(scene.mutator, scene.bytes, 1000));
    }
    clear_stack();
    move_all(&scene);
    size_t moved = 0;
    for (size_t i = 0; i < HANDLES; i++) {
        const struct cell *cell = shale_handle_get(handles[i]);
        assert_int_equal(cell->number, i);
        moved += disguise(cell) != addresses[i];
    }
    /* All but what shares a region with a word left behind, or is in the one being filled. */
    assert_in_range(moved, HANDLES / 4, HANDLES);
    free(handles);
    free(addresses);
    tear_down(&scene);
}

/* ---- large objects --------------------------------------------------------------------------------- */

enum { LARGE_LENGTH = 1 << 20 };

static __attribute__((noinline)) shale_weak_handle *make_large(struct scene *scene, uintptr_t *disguised)
{
    char *object = shale_allocate_array(scene->mutator, scene->bytes, LARGE_LENGTH);
    assert_non_null(object);
    object[LARGE_LENGTH - 1] = 1;
    *disguised = disguise(object);
    return shale_weak_handle_create(scene->mutator, object);
}

static __attribute__((noinline)) bool lives(struct scene *scene, const shale_weak_handle *handle)
{
    return shale_weak_handle_get(scene->mutator, handle) != NULL;
}

static __attribute__((noinline)) void hold_large(struct scene *scene, const shale_weak_handle *handle,
                                                 uintptr_t disguised, size_t offset)
{
    volatile uintptr_t word = (uintptr_t)reveal(disguised) + offset;
    clear_stack();
    move_all(scene);
    assert_true(lives(scene, handle));
    __asm__ volatile("" : : "m"(word));
}

static void test_large_objects(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene);
    size_t offsets[] = {0, LARGE_LENGTH / 2, LARGE_LENGTH - 1};
    size_t dead = 0;
    for (size_t i = 0; i < 3; i++) {
        uintptr_t disguised;
        shale_weak_handle *handle = make_large(&scene, &disguised);
        hold_large(&scene, handle, disguised, offsets[i]);
        clear_stack();
        move_all(&scene);
        dead += !lives(&scene, handle);
        shale_weak_handle_drop(scene.mutator, handle);
    }
    assert_in_range(dead, 2, 3);
    tear_down(&scene);
}

/* ---- values ---------------------------------------------------------------------------------------- */

/* With an encoding, words that are values count as well. */
static __attribute__((noinline)) void hold_value(struct scene *scene, const struct objects *objects,
                                                 uint64_t tag)
{
    volatile uint64_t word = (uint64_t)(uintptr_t)reveal(objects->addresses[7]) | tag;
    clear_stack();
    move_all(scene);
    assert_true(is_in_place(scene, objects, 7));
    __asm__ volatile("" : : "m"(word));
}

static void test_values(void **state)
{
    (void)state;
    static const uint64_t TAG = UINT64_C(0xfffc) << 48;
    shale_encoding encoding = {
        .mask = UINT64_C(0xffff) << 48, .tag = TAG, .low_tags = 1, .address = (UINT64_C(1) << 48) - 1};
    struct scene scene;
    struct objects objects;
    set_up_mode(&scene, STRESS_THREAD, encoding);
    make_objects(&scene, &objects);
    hold_value(&scene, &objects, TAG);
    tear_down(&scene);
}

/* ---- a list that only locals hold, while another thread collects ------------------------------------ */

struct looping {
    struct scene *scene;
    uint32_t begun; /* atomic, as the next */
    uint32_t over;
    bool native;
};

enum { CELLS = 500 };

static struct cell *make_list(shale_mutator *mutator, const shale_type *type)
{
    struct cell *list = NULL;
    for (uint64_t i = 0; i < CELLS; i++) {
        struct cell *cell = shale_allocate(mutator, type);
        STRESS_CHECK(cell != NULL && cell->next == NULL && cell->number == 0, "a new object");
        cell->number = i;
        cell->next = list;
        list = cell;
        STRESS_CHECK(shale_allocate(mutator, type) != NULL, "garbage");
    }
    return list;
}

static void check_list(const struct cell *list)
{
    uint64_t expected = CELLS;
    for (; list != NULL; list = list->next)
        STRESS_CHECK(list->number == --expected, "a cell is another");
    STRESS_CHECK(expected == 0, "the list is too short");
}

static void *loop(void *argument)
{
    struct looping *looping = argument;
    shale_mutator *mutator = stress_attach_conservative(looping->scene->heap);
    struct cell *list = make_list(mutator, looping->scene->cell);
    __atomic_store_n(&looping->begun, 1, __ATOMIC_RELEASE);
    if (looping->native)
        STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering");
    /* No poll, no allocation. */
    while (__atomic_load_n(&looping->over, __ATOMIC_ACQUIRE) == 0) {
        if (!looping->native)
            check_list(list);
    }
    if (looping->native)
        STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving");
    check_list(list);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void check_looping(enum stress_mode mode, bool native)
{
    if (!stress_mode_works(mode))
        return;
    struct scene scene;
    set_up_mode(&scene, mode, (shale_encoding)SHALE_ENCODING_PLAIN);
    struct looping looping = {.scene = &scene, .native = native};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, loop, &looping), 0);
    while (__atomic_load_n(&looping.begun, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
    for (int i = 0; i < 10; i++) {
        check_list(make_list(scene.mutator, scene.cell));
        move_all(&scene);
    }
    __atomic_store_n(&looping.over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    tear_down(&scene);
}

static void test_looping_thread(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++)
        check_looping((enum stress_mode)mode, false);
}

static void test_native_thread(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++)
        check_looping((enum stress_mode)mode, true);
}

/* ---- registers ------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
struct holding {
    struct scene *scene;
    uintptr_t disguised;
    bool vector;
    uint32_t begun; /* atomic, as the next */
    uint32_t over;
};

/* Until `over` is set the address is in one register, general or vector, and nowhere else. */
static __attribute__((noinline)) void hold_in_register(uintptr_t disguised, uint32_t *begun,
                                                       const uint32_t *over, bool vector)
{
    if (vector)
        __asm__ volatile("xor %3, %0\n\tnot %0\n\tmovq %0, %%xmm7\n\txor %0, %0\n\tmovl $1, (%1)\n"
                         "1:\tcmpl $0, (%2)\n\tje 1b\n\tpxor %%xmm7, %%xmm7"
                         : "+r"(disguised)
                         : "r"(begun), "r"(over), "i"(DISGUISE)
                         : "memory", "cc", "xmm7");
    else
        __asm__ volatile("xor %3, %0\n\tnot %0\n\tmovl $1, (%1)\n"
                         "1:\tcmpl $0, (%2)\n\tje 1b\n\txor %0, %0"
                         : "+r"(disguised)
                         : "r"(begun), "r"(over), "i"(DISGUISE)
                         : "memory", "cc");
}

static void *hold(void *argument)
{
    struct holding *holding = argument;
    shale_mutator *mutator = stress_attach_conservative(holding->scene->heap);
    hold_in_register(holding->disguised, &holding->begun, &holding->over, holding->vector);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void check_register(bool vector)
{
    struct scene scene;
    struct objects objects;
    set_up(&scene);
    make_objects(&scene, &objects);
    enum { HELD = 20 };
    struct holding holding = {&scene, objects.addresses[HELD], vector, 0, 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold, &holding), 0);
    while (__atomic_load_n(&holding.begun, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
    for (int i = 0; i < 3; i++) {
        clear_stack();
        move_all(&scene);
        assert_true(is_in_place(&scene, &objects, HELD));
    }
    __atomic_store_n(&holding.over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    size_t dead = 0;
    for (size_t i = 0; i < OBJECTS; i++)
        dead += is_dead(&scene, &objects, i);
    assert_in_range(dead, OBJECTS - 5, OBJECTS - 1);
    tear_down(&scene);
}

static void test_registers(void **state)
{
    (void)state;
    check_register(false);
    /* Valgrind does not tell handlers of vector registers. */
    if (!announce_kernel_calls_unknown())
        check_register(true);
}
#endif

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
    struct cell *list = make_list(self->scene->mutator, self->scene->cell);
    for (int i = 0; i < ROUNDS; i++) {
        switch_context(self->scene, &self->context, self->back);
        check_list(list);
        move_all(self->scene);
        check_list(list);
    }
    self->over = true;
    switch_context(self->scene, &self->context, self->back);
}

static void test_coroutines(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene);
    ucontext_t here;
    struct coroutine coroutines[COROUTINES];
    struct cell *own = make_list(scene.mutator, scene.cell);
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
            check_list(own);
        }
        move_all(&scene);
    }
    for (int i = 0; i < COROUTINES; i++) {
        assert_true(coroutines[i].over);
        assert_int_equal(shale_stack_unregister(scene.mutator, coroutines[i].stack), SHALE_OK);
        free(coroutines[i].memory);
    }
    check_list(own);
    tear_down(&scene);
}

/* ---- a signal handler of the program's ------------------------------------------------------------- */

static volatile sig_atomic_t urgent;

static void on_urgent(int number)
{
    (void)number;
    urgent++;
}

static void test_signal_is_passed_on(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_urgent};
    struct sigaction before;
    assert_int_equal(sigaction(SIGURG, &action, &before), 0);
    struct scene scene;
    set_up(&scene);
    urgent = 0;
    move_all(&scene);
    assert_int_equal(urgent, 0);
    assert_int_equal(kill(getpid(), SIGURG), 0);
    while (urgent == 0)
        usleep(100);
    tear_down(&scene);
    struct sigaction now;
    assert_int_equal(sigaction(SIGURG, &before, &now), 0);
    assert_ptr_equal(now.sa_handler, on_urgent);
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

static void test_blocked_signal_is_refused(void **state)
{
    (void)state;
    shale_heap *heap = quiet_heap();
    shale_error error;
    shale_attach_options options;
    shale_attach_options_init(&options);
    options.conservative = true;
    sigset_t urg;
    sigemptyset(&urg);
    sigaddset(&urg, SIGURG);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &urg, NULL), 0);
    assert_null(shale_attach_with(heap, &options, &error));
    assert_int_equal(error.status, SHALE_ERROR_MISUSE);
    assert_non_null(strstr(error.message, "SIGURG"));
    /* Threads with exact roots do not care. */
    shale_mutator *mutator = shale_attach(heap, &error);
    assert_non_null(mutator);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &urg, NULL), 0);
    mutator = shale_attach_with(heap, &options, &error);
    assert_non_null(mutator);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    options.struct_size = 0;
    assert_null(shale_attach_with(heap, &options, &error));
    assert_int_equal(error.status, SHALE_ERROR_ARGUMENT);
    stress_heap_end(heap);
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

/* ---- late ------------------------------------------------------------------------------------------ */

static uint32_t late_lines;

static void count_late(void *context, shale_log_level level, const char *line)
{
    (void)context;
    (void)level;
    if (strstr(line, "SIGURG") != NULL)
        __atomic_add_fetch(&late_lines, 1, __ATOMIC_RELAXED);
}

static void *collect_once(void *argument)
{
    shale_heap *heap = argument;
    shale_mutator *mutator = stress_attach(heap);
    STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_NORMAL) == SHALE_OK, "collecting");
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

/* Blocks the signal after it was attached. */
static void test_late_thread_is_named(void **state)
{
    (void)state;
    shale_options options;
    stress_options(&options, STRESS_THREAD, (size_t)4 << 20, NULL);
    options.log = count_late;
    options.poll_warning = 20;
    shale_heap *heap = stress_heap(&options);
    shale_mutator *mutator = stress_attach_conservative(heap);
    sigset_t urg;
    sigemptyset(&urg);
    sigaddset(&urg, SIGURG);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &urg, NULL), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, collect_once, heap), 0);
    while (__atomic_load_n(&late_lines, __ATOMIC_RELAXED) == 0)
        usleep(1000);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &urg, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(shale_detach(mutator), SHALE_OK);
    stress_heap_end(heap);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_places_fault_signal),
        cmocka_unit_test(test_places_in_pause),
        cmocka_unit_test(test_others_move),
        cmocka_unit_test(test_large_objects),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_looping_thread),
        cmocka_unit_test(test_native_thread),
#if defined(__x86_64__)
        cmocka_unit_test(test_registers),
#endif
        cmocka_unit_test(test_coroutines),
        cmocka_unit_test(test_signal_is_passed_on),
        cmocka_unit_test(test_blocked_signal_is_refused),
        cmocka_unit_test(test_stacks_misused),
        cmocka_unit_test(test_late_thread_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
