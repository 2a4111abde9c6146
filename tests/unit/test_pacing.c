/* What the pace of collection looks like from outside: the goal, stalls, and memory that goes back. */
#include "gc/pace.h"
#include "gc/reclaim.h"
#include "heap/layout.h"
#include "runtime/heap.h"
#include "tests/support/log_lines.h"
#include "tests/support/os_failing.h"

#include <errno.h>
#include <setjmp.h>
#include <shale/shale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { KIB = 1 << 10, MIB = 1 << 20, BLOCK = 1000 };

struct block {
    struct block *next;
    char bytes[BLOCK];
};

struct scene {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *type;
    struct block *list;
    shale_frame frame;
    struct log_lines lines;
    struct os_failing os;
};

static struct scene scene;

static void begin(const char *const settings[][2])
{
    static const uint32_t pointers[] = {offsetof(struct block, next)};
    static const shale_type_spec spec = {
        .name = "block", .size = sizeof(struct block), .pointers = pointers, .pointer_count = 1};
    shale_options options;
    shale_error error;
    memset(&scene, 0, sizeof scene);
    log_lines_init(&scene.lines);
    shale_options_init(&options);
    options.ignore_environment = true;
    log_lines_connect(&scene.lines, &options, SHALE_LOG_WARNING);
    for (size_t i = 0; settings[i][0] != NULL; i++)
        assert_int_equal(shale_options_set(&options, settings[i][0], settings[i][1], &error), SHALE_OK);
    os_failing_init(&scene.os);
    scene.heap = heap_create(&scene.os.os, &options, false, &error);
    if (scene.heap == NULL)
        fail_msg("%s", error.message);
    scene.mutator = shale_attach(scene.heap, &error);
    assert_non_null(scene.mutator);
    scene.type = shale_type_register(scene.heap, &spec, &error);
    assert_non_null(scene.type);
    shale_frame_push(scene.mutator, &scene.frame, &scene.list, 1);
}

static void end(void)
{
    shale_frame_pop(scene.mutator, &scene.frame);
    assert_int_equal(shale_detach(scene.mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(scene.heap, NULL), SHALE_OK);
    log_lines_destroy(&scene.lines);
}

static shale_statistics now(void)
{
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(scene.heap, &statistics), SHALE_OK);
    return statistics;
}

static void make(size_t bytes, bool keep)
{
    for (size_t made = 0; made < bytes; made += sizeof(struct block)) {
        struct block *block = shale_allocate(scene.mutator, scene.type);
        assert_non_null(block);
        if (!keep)
            continue;
        block->next = scene.list;
        scene.list = block;
    }
}

static void collect(void)
{
    assert_int_equal(shale_collect(scene.mutator, SHALE_COLLECT_NORMAL), SHALE_OK);
}

static void sleep_milliseconds(unsigned milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

/* ---- the goal -------------------------------------------------------------------------------------- */

static void test_goal_follows_what_is_live(void **state)
{
    (void)state;
    begin((const char *const[][2]){{"heap", "256M"}, {"target", "300"}, {NULL, NULL}});
    assert_int_equal(now().goal_bytes, PACE_GOAL_MIN);
    make(20 * MIB, true);
    collect();
    shale_statistics full = now();
    assert_true(full.live_bytes >= 20 * MIB);
    assert_in_range(full.goal_bytes, full.live_bytes * 29 / 10, full.live_bytes * 3);
    scene.list = NULL;
    collect();
    assert_int_equal(now().goal_bytes, PACE_GOAL_MIN);
    end();
}

/* Whether a cycle runs, or was asked for and has not begun. */
static bool cycle_is_due(struct collector *collector)
{
    pthread_mutex_lock(&collector->lock);
    bool due = collector->wanted > atomic_u64_load(&collector->completed);
    pthread_mutex_unlock(&collector->lock);
    return due;
}

/* The goal is soft, but a program that does not run away from the collector is not left far behind it: here a cycle that
 * is due gets the time it needs, however slow the machine. */
static void test_goal_is_kept(void **state)
{
    (void)state;
    begin((const char *const[][2]){{"heap", "1G"}, {NULL, NULL}});
    make(16 * MIB, true);
    collect();
    uint64_t most = 0;
    const uint64_t cycles = now().cycles;
    for (int i = 0; i < 200; i++) {
        make(MIB, false);
        shale_statistics statistics = now();
        most = statistics.used_bytes > most ? statistics.used_bytes : most;
        while (cycle_is_due(&scene.heap->collector)) {
            shale_poll(scene.mutator);
            sleep_milliseconds(1);
        }
    }
    shale_statistics after = now();
    assert_true(after.cycles > cycles + 3);
    assert_true(most < 128 * MIB);
    assert_int_equal(after.allocation_stalls, 0);
    assert_int_equal(log_lines_count(&scene.lines, SHALE_LOG_WARNING, "stall"), 0);
    end();
}

/* ---- the maximum ----------------------------------------------------------------------------------- */

static uint64_t made_up_limit;

static int memory_limit(const struct os *os, uint64_t *bytes)
{
    (void)os;
    *bytes = made_up_limit;
    return made_up_limit != 0 ? 0 : -EOPNOTSUPP;
}

static uint64_t size_with(uint64_t limit, const char *heap)
{
    struct os os = *os_linux();
    os.memory_limit = memory_limit;
    made_up_limit = limit;
    struct log_lines lines;
    shale_options options;
    shale_error error;
    shale_statistics statistics;
    log_lines_init(&lines);
    shale_options_init(&options);
    options.ignore_environment = true;
    log_lines_connect(&lines, &options, SHALE_LOG_INFO);
    assert_int_equal(shale_options_set(&options, "heap", heap, &error), SHALE_OK);
    shale_heap *created = heap_create(&os, &options, false, &error);
    if (created == NULL)
        fail_msg("%s", error.message);
    assert_int_equal(shale_heap_statistics(created, &statistics), SHALE_OK);
    char size[32];
    snprintf(size, sizeof size, "of at most %zu MiB", (size_t)statistics.heap_size >> 20);
    assert_int_equal(log_lines_count(&lines, SHALE_LOG_INFO, size), 1);
    assert_int_equal(log_lines_count(&lines, SHALE_LOG_WARNING, "set the option heap"), limit == 0 ? 1 : 0);
    assert_int_equal(shale_heap_destroy(created, NULL), SHALE_OK);
    log_lines_destroy(&lines);
    return statistics.heap_size;
}

static void test_automatic_size(void **state)
{
    (void)state;
    assert_int_equal(size_with((uint64_t)1 << 30, "auto"), 256 * MIB);
    assert_int_equal(size_with(103 * MIB, "auto"), 24 * MIB);
    assert_int_equal(size_with(3 * MIB, "auto"), HEAP_SIZE_MIN);
    assert_int_equal(size_with(0, "auto"), 256 * MIB);
    assert_int_equal(size_with((uint64_t)20 << 30, "auto"), (size_t)5 << 30);
    /* What was asked for is taken as it is. */
    assert_int_equal(size_with(103 * MIB, "1G"), (size_t)1 << 30);
}

/* ---- stalls ---------------------------------------------------------------------------------------- */

static void test_stalls_are_reported(void **state)
{
    (void)state;
    /* Nothing but running out of memory starts a cycle. */
    begin((const char *const[][2]){{"heap", "4M"}, {"target", "off"}, {NULL, NULL}});
    assert_int_equal(now().goal_bytes, 16 * REGION_SIZE);
    make(2 * MIB, false);
    assert_int_equal(now().cycles, 0);
    for (int i = 0; i < 100 && now().allocation_stalls < 3; i++)
        make(2 * MIB, false);
    shale_statistics statistics = now();
    assert_true(statistics.allocation_stalls >= 3);
    assert_int_equal(statistics.allocation_stall_time.count, statistics.allocation_stalls);
    assert_true(statistics.allocation_stall_time.maximum > 0);
    assert_true(statistics.allocation_stall_time.total >= statistics.allocation_stall_time.maximum);
    unsigned lines = log_lines_count(&scene.lines, SHALE_LOG_WARNING, "allocation stall: ");
    assert_in_range(lines, 1, statistics.cycles);
    assert_int_equal(log_lines_count(&scene.lines, SHALE_LOG_WARNING, "larger than 4 MiB"), lines);
    end();
}

/* ---- giving memory back ---------------------------------------------------------------------------- */

static unsigned discards(void)
{
    return atomic_load(&scene.os.calls[OS_FILE_DISCARD]);
}

/* Memory is given back by itself, some time after the last cycle, to near what is live. */
static void test_memory_goes_back(void **state)
{
    (void)state;
    begin((const char *const[][2]){{"heap", "256M"}, {"release", "50"}, {NULL, NULL}});
    make(2 * MIB, true);
    struct block *kept = scene.list;
    make(60 * MIB, true);
    uint64_t before = now().committed_bytes;
    assert_true(before >= 62 * MIB);
    scene.list = kept;
    collect();
    for (int waited = 0; waited < 1000 && now().committed_bytes > 6 * MIB; waited++)
        sleep_milliseconds(10);
    shale_statistics after = now();
    assert_true(after.committed_bytes <= 6 * MIB);
    assert_true(after.committed_bytes >= after.live_bytes);
    /* And can be had again. */
    make(60 * MIB, true);
    end();
}

static void test_nothing_is_kept(void **state)
{
    (void)state;
    begin((const char *const[][2]){{"heap", "64M"}, {"release", "0"}, {NULL, NULL}});
    make(20 * MIB, false);
    collect();
    for (int waited = 0; waited < 1000 && now().committed_bytes > MIB; waited++)
        sleep_milliseconds(10);
    assert_true(now().committed_bytes <= MIB);
    end();
}

/* A program that goes on as it does keeps what it uses, whatever the time between its cycles. */
static void test_steady_program_keeps_its_memory(void **state)
{
    (void)state;
    begin((const char *const[][2]){{"heap", "64M"}, {"release", "40"}, {"target", "off"}, {NULL, NULL}});
    make(4 * MIB, true);
    unsigned start = 0;
    for (int cycle = 0; cycle < 12; cycle++) {
        /* Cycles follow each other more slowly than memory is given back. */
        for (int part = 0; part < 6; part++) {
            make(2 * MIB, false);
            sleep_milliseconds(10);
        }
        collect();
        if (cycle == 3)
            start = discards();
    }
    /* 48 regions are used in each cycle. */
    assert_true(discards() - start < 48);
    end();
}

/* The same with made-up times: order and slices. The collector's thread, which looks as well, finds nothing due. */
static void test_delay(void **state)
{
    (void)state;
    begin((const char *const[][2]){{"heap", "64M"}, {"release", "3600000"}, {"target", "off"}, {NULL, NULL}});
    struct collector *collector = &scene.heap->collector;
    make(10 * MIB, false);
    collect();
    const uint64_t hour = UINT64_C(3600000000000);
    uint32_t resident = region_resident_count(&scene.heap->memory.regions);
    assert_true(resident >= 39);
    uint64_t freed_at;
    assert_true(region_oldest(&scene.heap->memory.regions, &freed_at));
    /* Nothing is due yet. */
    assert_int_equal(reclaim_memory(collector, freed_at), freed_at + hour);
    assert_int_equal(reclaim_memory(collector, freed_at + hour - 1), freed_at + hour);
    assert_int_equal(discards(), 0);
    /* Then all is, in slices. */
    unsigned calls = 0;
    uint64_t time = freed_at + 2 * hour; /* some were made ready ahead of allocation, and are younger */
    while (reclaim_memory(collector, time) <= time)
        calls++;
    assert_int_equal(discards(), resident);
    assert_in_range(calls, resident / 16, resident);
    assert_int_equal(reclaim_memory(collector, time), RECLAIM_NEVER);
    end();
}

/* Rare cycles make it longer, to a point. */
static void test_delay_follows_period(void **state)
{
    (void)state;
    const uint64_t delay = 1000;
    assert_int_equal(reclaim_delay(delay, 0), delay);
    assert_int_equal(reclaim_delay(delay, delay / 2), delay);
    assert_int_equal(reclaim_delay(delay, 2 * delay), 4 * delay);
    assert_int_equal(reclaim_delay(delay, 200 * delay), 10 * delay);
    assert_int_equal(reclaim_delay(0, 200), 0);
}

/* What the system will not take back is not offered all the time. */
static void test_refusal(void **state)
{
    (void)state;
    begin((const char *const[][2]){{"heap", "64M"}, {"release", "0"}, {"target", "off"}, {NULL, NULL}});
    os_failing_plan(&scene.os, OS_FILE_DISCARD, 1, 1000000, 0);
    make(10 * MIB, false);
    collect();
    sleep_milliseconds(100);
    /* One for each cycle, and one a second. */
    assert_in_range(discards(), 1, now().cycles + 60);
    assert_true(now().committed_bytes >= 10 * MIB);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goal_follows_what_is_live),
        cmocka_unit_test(test_goal_is_kept),
        cmocka_unit_test(test_automatic_size),
        cmocka_unit_test(test_stalls_are_reported),
        cmocka_unit_test(test_memory_goes_back),
        cmocka_unit_test(test_nothing_is_kept),
        cmocka_unit_test(test_steady_program_keeps_its_memory),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_delay_follows_period),
        cmocka_unit_test(test_refusal),
    };
    return cmocka_run_group_tests_name("unit.pacing", tests, NULL, NULL);
}
