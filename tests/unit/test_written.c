/*
 * Which pages count as written, as the kernel at hand says, and as the simulation does.
 */
#include "heap/announce.h"
#include "heap/written.h"
#include "tests/support/os_failing.h"
#include "tests/support/os_simulated.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct scene {
    struct os_simulated simulated;
    struct os_failing failing;
    bool simulating;
    struct memory memory;
    struct os_writes writes;
    struct written written;
};

/* Regions 0 to 3 are in use. */
static bool scene_open(struct scene *scene, bool simulating)
{
    static const shale_encoding plain = SHALE_ENCODING_PLAIN;
    const char *failed;
    scene->simulating = simulating;
    os_simulated_init(&scene->simulated, os_linux()->page_size(os_linux()));
    os_failing_init(&scene->failing);
    const struct os *os = simulating ? &scene->simulated.os : &scene->failing.os;
    assert_int_equal(memory_create(&scene->memory, os, HEAP_SIZE_MIN, &plain, &failed), 0);
    announce_object(views_mutator(&scene->memory.views, 0), HEAP_SIZE_MIN);
    for (int i = 0; i < 4; i++)
        assert_int_equal(region_take(&scene->memory.regions, REGION_USED, 0), i);
    if (announce_kernel_calls_unknown() || os->writes_open(os, &scene->writes) != 0) {
        memory_destroy(&scene->memory);
        os_simulated_destroy(&scene->simulated);
        return false;
    }
    assert_int_equal(written_create(&scene->written, &scene->memory, &scene->writes), 0);
    return true;
}

static void scene_close(struct scene *scene)
{
    written_destroy(&scene->written);
    scene->memory.os->writes_close(scene->memory.os, &scene->writes);
    memory_destroy(&scene->memory);
    os_simulated_destroy(&scene->simulated);
    assert_null(scene->simulated.violation);
    assert_null(os_failing_leak(&scene->failing));
}

static void write_page(struct scene *scene, size_t offset)
{
    char *address = views_mutator(&scene->memory.views, offset);
    *(volatile char *)address = 1;
    if (scene->simulating)
        os_simulated_write(&scene->simulated, address);
}

static size_t find_all(struct scene *scene, bool rearm)
{
    size_t found = 0;
    for (uint32_t slice = 0; slice < written_slices(&scene->written); slice++)
        found += written_find(&scene->written, slice, rearm);
    return found;
}

static uint64_t page_bit(const struct scene *scene, size_t offset)
{
    return UINT64_C(1) << (offset % REGION_SIZE >> scene->memory.views.page_shift);
}

static void what_counts(struct scene *scene)
{
    size_t page = scene->memory.views.page_size;
    unsigned pages = (unsigned)(REGION_SIZE / page);
    write_page(scene, 0);
    write_page(scene, page); /* before tracking */
    written_begin(&scene->written);
    assert_true(scene->written.armed);
    assert_int_equal(find_all(scene, true), 0);

    write_page(scene, 3 * page);
    write_page(scene, region_start(2) - page);
    write_page(scene, region_start(2));
    *views_alias(&scene->memory.views, 5 * page) = 1; /* the collector's writes do not count */
    assert_int_equal(find_all(scene, true), 3);
    assert_int_equal(find_all(scene, true), 0);
    assert_int_equal(written_take(&scene->written, 0), page_bit(scene, 3 * page));
    assert_int_equal(written_take(&scene->written, 0), 0);
    assert_int_equal(written_take(&scene->written, 1), page_bit(scene, region_start(2) - page));
    assert_int_equal(written_take(&scene->written, 2), page_bit(scene, 0));

    /* Reading is no writing. Finding does not take, and not arming leaves the page as written. */
    (void)*(volatile char *)views_mutator(&scene->memory.views, 7 * page);
    write_page(scene, 3 * page);
    assert_int_equal(find_all(scene, false), 1);
    assert_int_equal(find_all(scene, false), 1);
    write_page(scene, 4 * page);
    assert_int_equal(find_all(scene, true), 2);
    assert_int_equal(written_take(&scene->written, 0), page_bit(scene, 3 * page) | page_bit(scene, 4 * page));

    /* A region that is taken now was never armed. */
    assert_int_equal(region_take(&scene->memory.regions, REGION_USED, 0), 4);
    write_page(scene, region_start(4));
    assert_in_range(find_all(scene, true), 1, pages);
    assert_true((written_take(&scene->written, 4) & page_bit(scene, 0)) != 0);
    assert_int_equal(find_all(scene, true), 0);
    assert_int_equal(atomic_u32_load(&scene->written.failure), 0);

    /* Afterwards as before. */
    written_end(&scene->written);
    write_page(scene, 3 * page);
    written_begin(&scene->written);
    assert_int_equal(find_all(scene, true), 0);
    written_end(&scene->written);
}

static void test_what_counts(void **state)
{
    (void)state;
    static struct scene scene;
    for (int simulating = 0; simulating < 2; simulating++) {
        if (!scene_open(&scene, simulating != 0)) {
            print_message("the kernel cannot tell which pages were written\n");
            continue;
        }
        what_counts(&scene);
        scene_close(&scene);
    }
}

/* More ranges than are asked for at once. */
static void test_every_other_page(void **state)
{
    (void)state;
    static struct scene scene;
    for (int simulating = 0; simulating < 2; simulating++) {
        if (!scene_open(&scene, simulating != 0))
            continue;
        size_t page = scene.memory.views.page_size;
        size_t pages = region_start(4) / page;
        written_begin(&scene.written);
        for (size_t i = 0; i < pages; i += 2)
            write_page(&scene, i * page);
        assert_int_equal(find_all(&scene, true), pages / 2);
        for (region_number r = 0; r < 4; r++)
            assert_int_equal(written_take(&scene.written, r),
                             UINT64_C(0x5555555555555555) &
                                 (pages / 4 == 64 ? ~UINT64_C(0) : (UINT64_C(1) << pages / 4) - 1));
        written_end(&scene.written);
        scene_close(&scene);
    }
}

static void test_what_cannot_be_told_counts(void **state)
{
    (void)state;
    static const enum os_call kinds[] = {OS_WRITES_REGISTER, OS_WRITES_ARM, OS_WRITES_FIND};
    static struct scene scene;
    if (!scene_open(&scene, false))
        skip();
    size_t all = region_start(4) / scene.memory.views.page_size;
    for (int i = 0; i < 3; i++) {
        os_failing_plan_from_now(&scene.failing, kinds[i], 1, 1, ENOMEM);
        written_begin(&scene.written);
        assert_int_equal(find_all(&scene, true), all);
        assert_int_equal(atomic_u32_load(&scene.written.failure), ENOMEM);
        assert_int_equal(written_take(&scene.written, 3),
                         all / 4 == 64 ? ~UINT64_C(0) : (UINT64_C(1) << all / 4) - 1);
        written_end(&scene.written);
        for (region_number r = 0; r < 3; r++)
            written_take(&scene.written, r);
    }
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_every_other_page),
        cmocka_unit_test(test_what_cannot_be_told_counts),
    };
    return cmocka_run_group_tests_name("written", tests, NULL, NULL);
}
