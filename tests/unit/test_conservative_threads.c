/*
 * Conservative roots of threads that run on: loops that never poll, native sections, and addresses that are in one register only.
 */
#include "tests/support/conservative_scene.h"

#include "heap/announce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a list that only locals hold, while another thread collects ------------------------------------ */

struct looping {
    struct scene *scene;
    uint32_t begun; /* atomic, as the next */
    uint32_t over;
    bool native;
};

static void *loop(void *argument)
{
    struct looping *looping = argument;
    shale_mutator *mutator = stress_attach_conservative(looping->scene->heap);
    struct cell *list = list_make(mutator, looping->scene->cell);
    __atomic_store_n(&looping->begun, 1, __ATOMIC_RELEASE);
    if (looping->native)
        STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering");
    /* No poll, no allocation. */
    while (__atomic_load_n(&looping->over, __ATOMIC_ACQUIRE) == 0) {
        if (!looping->native)
            list_check(list);
    }
    if (looping->native)
        STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving");
    list_check(list);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void check_looping(enum stress_mode mode, bool native)
{
    if (!stress_mode_works(mode))
        return;
    struct scene scene;
    scene_set_up_mode(&scene, mode, (shale_encoding)SHALE_ENCODING_PLAIN);
    struct looping looping = {.scene = &scene, .native = native};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, loop, &looping), 0);
    while (__atomic_load_n(&looping.begun, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
    for (int i = 0; i < 10; i++) {
        list_check(list_make(scene.mutator, scene.cell));
        scene_move_all(&scene);
    }
    __atomic_store_n(&looping.over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    scene_tear_down(&scene);
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
    scene_set_up(&scene);
    objects_make(&scene, &objects);
    enum { HELD = 20 };
    struct holding holding = {&scene, objects.addresses[HELD], vector, 0, 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold, &holding), 0);
    while (__atomic_load_n(&holding.begun, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
    for (int i = 0; i < 3; i++) {
        clear_stack();
        scene_move_all(&scene);
        assert_true(objects_is_in_place(&scene, &objects, HELD));
    }
    __atomic_store_n(&holding.over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    size_t dead = 0;
    for (size_t i = 0; i < OBJECTS; i++)
        dead += objects_is_dead(&scene, &objects, i);
    assert_in_range(dead, OBJECTS - 5, OBJECTS - 1);
    scene_tear_down(&scene);
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

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looping_thread),
        cmocka_unit_test(test_native_thread),
#if defined(__x86_64__)
        cmocka_unit_test(test_registers),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
