/*
 * [packing]: while 1.15 times the live bytes and a region for each mutator fit into the heap, no allocation fails,
 * whatever was allocated and dropped before. Programs that fragment the heap on purpose fill it right up to that,
 * drop what makes the pieces worst, and fill it again with objects of other sizes.
 *
 * And where nothing is worth moving, nothing moves.
 */
#include "heap/layout.h"
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS_MAX = 6, PAGE = 4096 };

struct blob {
    uint64_t number;
    unsigned char filler[];
};

struct setting {
    shale_heap *heap;
    const shale_type *blob;
};

/* Of the fillings that come one after the other, each so many-th is tried. */
static int fillings_step(void)
{
#if defined(STRESS_TSAN)
    return stress_quick() ? 7 : 2; /* a whole run takes minutes there */
#else
    return stress_quick() ? 3 : 1;
#endif
}

/* What one thread keeps alive. */
struct hoard {
    struct setting *setting;
    shale_mutator *mutator;
    shale_frame frame;
    struct stress_random random;
    struct blob **blobs; /* in the frame */
    size_t capacity;
    size_t count;
    uint64_t live;   /* bytes, headers included */
    uint64_t budget; /* up to which allocation must work */
    uint64_t number;
    const char *doing;
};

static size_t size_of(const struct blob *blob)
{
    return round_up(HEADER_SIZE + sizeof *blob + shale_length_of(blob), GRANULE_SIZE);
}

/* ---- how to fill ----------------------------------------------------------------------------------- */

/* Bytes with header of the next object, at least 32. */
enum filling { SMALL, KIBIBYTES, LARGEST, JUST_NO_EIGHTH, GROWING, SHRINKING, BIMODAL, MIXED, FILLINGS };

static const char *const filling_names[] = {"small",   "kibibytes", "largest", "just no eighth",
                                            "growing", "shrinking", "bimodal", "mixed"};

static size_t next_size(struct hoard *hoard, enum filling filling, size_t index)
{
    struct stress_random *random = &hoard->random;
    switch (filling) {
    case SMALL:
        return 32 + 16 * stress_random_below(random, 6);
    case KIBIBYTES: /* a group of its own each */
        return 1024 + 16 * stress_random_below(random, 2);
    case LARGEST:
        return OBJECT_SIZE_MAX;
    case JUST_NO_EIGHTH: /* eight of them are a granule more than a region holds */
        return REGION_SIZE / 8;
    case GROWING:
        return (size_t)32 << hoard->live * 11 / (hoard->budget + 1);
    case SHRINKING:
        return (size_t)32768 >> index % 11;
    case BIMODAL: /* as much as a group can have before its largest object */
        return index % 16 == 15 ? OBJECT_SIZE_MAX : 64;
    default:
        return stress_random_chance(random, 20) ? 32 + 16 * stress_random_below(random, 2048)
                                                : 32 + 16 * stress_random_below(random, 100);
    }
}

/* False: one more would break the condition. */
static bool add(struct hoard *hoard, size_t size)
{
    if (hoard->live + size > hoard->budget || hoard->count == hoard->capacity)
        return false;
    size_t length = size - HEADER_SIZE - sizeof(struct blob);
    if (length > SHALE_OBJECT_MAX - sizeof(struct blob))
        length = SHALE_OBJECT_MAX - sizeof(struct blob);
    struct blob *blob = shale_allocate_array(hoard->mutator, hoard->setting->blob, length);
    STRESS_CHECK(blob != NULL, "with %llu of %llu KiB live, %s: %s", (unsigned long long)hoard->live >> 10,
                 (unsigned long long)hoard->budget >> 10, hoard->doing,
                 shale_last_error(hoard->mutator)->message);
    blob->number = ++hoard->number;
    blob->filler[0] = (unsigned char)blob->number;
    blob->filler[length - 1] = (unsigned char)blob->number;
    hoard->blobs[hoard->count++] = blob;
    hoard->live += size_of(blob);
    return true;
}

/* Takes an object out: the last one comes to its place. */
static void take_out(struct hoard *hoard, size_t index)
{
    hoard->live -= size_of(hoard->blobs[index]);
    hoard->blobs[index] = hoard->blobs[--hoard->count];
    hoard->blobs[hoard->count] = NULL;
}

/* With `litter`, one in so many objects is dropped again at once, so that the regions are all about as full as the
 * heap is. 0: none. */
static void fill(struct hoard *hoard, enum filling filling, uint32_t litter)
{
    hoard->doing = filling_names[filling];
    /* What does not fit ends it, but for sizes that vary: then smaller ones may. */
    unsigned misses = filling == SMALL || filling == MIXED || filling == SHRINKING ? 12 : 1;
    for (size_t index = 0; misses != 0; index++) {
        if (!add(hoard, next_size(hoard, filling, index)))
            misses--;
        else if (litter != 0 && stress_random_chance(&hoard->random, litter))
            take_out(hoard, hoard->count - 1);
    }
}

/* Changes objects for others, with the heap as full as it may be. */
static void churn(struct hoard *hoard, enum filling filling)
{
    hoard->doing = "churning";
    uint64_t bytes = 0;
    for (size_t index = 0; bytes < hoard->budget / 4 && hoard->count != 0; index++) {
        size_t size = next_size(hoard, filling, index);
        while (hoard->live + size > hoard->budget && hoard->count != 0)
            take_out(hoard, stress_random_below(&hoard->random, (uint32_t)hoard->count));
        bytes += add(hoard, size) ? size : REGION_SIZE;
    }
}

/* ---- what to drop ---------------------------------------------------------------------------------- */

enum dropping {
    ALL_BUT_ONE_PER_REGION,
    ALL_BUT_ONE_PER_PAGE,
    ALL_BUT_EVERY_KTH,
    EVERY_KTH,
    AT_RANDOM,
    LARGE_ONES,
    ONE_AT_THE_END_OF_EACH_REGION,
    DROPPINGS
};

/* `before` and `after` are the addresses of the next objects there are in either direction. */
static bool keeps(struct hoard *hoard, enum dropping dropping, size_t k, size_t index, uintptr_t before,
                  uintptr_t after)
{
    const struct blob *blob = hoard->blobs[index];
    uintptr_t address = (uintptr_t)blob;
    switch (dropping) {
    case ALL_BUT_ONE_PER_REGION:
        return address / REGION_SIZE != before / REGION_SIZE;
    case ALL_BUT_ONE_PER_PAGE:
        return address / PAGE != before / PAGE;
    case ALL_BUT_EVERY_KTH:
        return index % k == 0;
    case EVERY_KTH:
        return index % k != 0;
    case AT_RANDOM:
        return !stress_random_chance(&hoard->random, (uint32_t)k);
    case LARGE_ONES:
        return size_of(blob) < 1024 || stress_random_chance(&hoard->random, 8);
    default:
        return address / REGION_SIZE == after / REGION_SIZE;
    }
}

static int by_address(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t) * (struct blob *const *)a;
    uintptr_t right = (uintptr_t) * (struct blob *const *)b;
    return left < right ? -1 : left > right;
}

static void drop(struct hoard *hoard, enum dropping dropping)
{
    size_t k = 2 + stress_random_below(&hoard->random, 12);
    size_t count = hoard->count;
    uintptr_t before = 0;
    qsort(hoard->blobs, count, sizeof(struct blob *), by_address);
    hoard->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct blob *blob = hoard->blobs[i];
        uintptr_t after = i + 1 == count ? 0 : (uintptr_t)hoard->blobs[i + 1];
        bool keep = keeps(hoard, dropping, k, i, before, after);
        before = (uintptr_t)blob;
        hoard->blobs[i] = NULL;
        if (keep)
            hoard->blobs[hoard->count++] = blob;
        else
            hoard->live -= size_of(blob);
    }
}

/* ---- programs -------------------------------------------------------------------------------------- */

static void check(const struct hoard *hoard)
{
    uint64_t live = 0;
    for (size_t i = 0; i < hoard->count; i++) {
        const struct blob *blob = hoard->blobs[i];
        unsigned char stamp = (unsigned char)blob->number;
        STRESS_CHECK(blob->filler[0] == stamp && blob->filler[shale_length_of(blob) - 1] == stamp,
                     "blob %llu was overwritten", (unsigned long long)blob->number);
        live += size_of(blob);
    }
    STRESS_CHECK(live == hoard->live, "blobs changed size");
}

static void hoard_open(struct hoard *hoard)
{
    hoard->mutator = stress_attach(hoard->setting->heap);
    hoard->capacity = hoard->budget / 32;
    hoard->blobs = calloc(hoard->capacity, sizeof(struct blob *));
    STRESS_CHECK(hoard->blobs != NULL, "no memory for roots");
    shale_frame_push(hoard->mutator, &hoard->frame, hoard->blobs, hoard->capacity);
}

static void hoard_close(struct hoard *hoard)
{
    shale_frame_pop(hoard->mutator, &hoard->frame);
    STRESS_CHECK(shale_detach(hoard->mutator) == SHALE_OK, "detaching");
    free(hoard->blobs);
}

static void *hoard_thread(void *argument)
{
    struct hoard *hoard = argument;
    hoard_open(hoard);
    unsigned rounds = stress_runs(12, 3);
    for (unsigned round = 0; round < rounds; round++) {
        static const uint32_t litters[] = {0, 2, 7, 8};
        enum filling filling = (enum filling)stress_random_below(&hoard->random, FILLINGS);
        fill(hoard, filling, litters[stress_random_below(&hoard->random, 4)]);
        check(hoard);
        churn(hoard, (enum filling)stress_random_below(&hoard->random, FILLINGS));
        drop(hoard, (enum dropping)stress_random_below(&hoard->random, DROPPINGS));
    }
    check(hoard);
    hoard_close(hoard);
    return NULL;
}

static void begin_with(struct setting *setting, const shale_options *options)
{
    setting->heap = stress_heap(options);
    setting->blob = shale_type_register(
        setting->heap, &(shale_type_spec){.name = "blob", .size = sizeof(struct blob), .element_size = 1},
        NULL);
}

static void begin(struct setting *setting, enum stress_mode mode, size_t heap_size, unsigned stress)
{
    shale_options options;
    stress_options(&options, mode, heap_size, NULL);
    options.stress = stress;
    begin_with(setting, &options);
}

/* The condition, for so many mutators. */
static uint64_t budget_of(size_t heap_size, unsigned mutators)
{
    return (uint64_t)(heap_size - mutators * REGION_SIZE) * 100 / 115;
}

static void report(const struct setting *setting, enum stress_mode mode, size_t heap_size, unsigned threads)
{
    shale_statistics statistics;
    shale_heap_statistics(setting->heap, &statistics);
    printf("  faults %s, %zu MiB, %u threads: %llu stalls, %llu cycles, %llu flips, %llu KiB moved\n",
           stress_mode_names[mode], heap_size >> 20, threads,
           (unsigned long long)statistics.allocation_stalls, (unsigned long long)statistics.cycles,
           (unsigned long long)statistics.flips, (unsigned long long)statistics.bytes_moved >> 10);
}

/* ---- every filling after every other --------------------------------------------------------------- */

static void one_after_the_other(struct setting *setting, size_t heap_size, enum dropping dropping)
{
    struct hoard hoard = {.setting = setting,
                          .random = stress_random_make(stress_seed() + dropping),
                          .budget = budget_of(heap_size, 1)};
    hoard_open(&hoard);
    for (int first = 0; first < FILLINGS; first++) {
        for (int second = 0; second < FILLINGS; second += fillings_step()) {
            fill(&hoard, (enum filling)first, 0);
            drop(&hoard, dropping);
            fill(&hoard, (enum filling)second, second % 2 == 0 ? 7 : 0);
            check(&hoard);
            drop(&hoard, dropping);
        }
        if (first % 2 == 0)
            continue; /* on top of what is left */
        memset(hoard.blobs, 0, hoard.count * sizeof(struct blob *));
        hoard.count = 0;
        hoard.live = 0;
    }
    hoard_close(&hoard);
}

static void in_one_thread(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        size_t heap_size = mode == STRESS_THREAD ? HEAP_SIZE_MIN : 2 * HEAP_SIZE_MIN;
        struct setting setting;
        begin(&setting, (enum stress_mode)mode, heap_size, 0);
        for (int dropping = 0; dropping < DROPPINGS; dropping++)
            one_after_the_other(&setting, heap_size, (enum dropping)dropping);
        report(&setting, (enum stress_mode)mode, heap_size, 1);
        stress_heap_end(setting.heap);
    }
}

/* All that is live at its limit all the time, in regions that are all as full as the heap. */
static void at_the_limit(void **state)
{
    (void)state;
    size_t heap_size = 4 * HEAP_SIZE_MIN;
    struct setting setting;
    begin(&setting, STRESS_THREAD, heap_size, 0);
    for (int filling = 0; filling < FILLINGS; filling++) {
        struct hoard hoard = {.setting = &setting,
                              .random = stress_random_make(stress_seed() + (unsigned)filling),
                              .budget = budget_of(heap_size, 1)};
        hoard_open(&hoard);
        fill(&hoard, (enum filling)filling, 7);
        for (int other = 0; other < FILLINGS; other += fillings_step())
            churn(&hoard, (enum filling)other);
        check(&hoard);
        hoard_close(&hoard);
    }
    report(&setting, STRESS_THREAD, heap_size, 1);
    stress_heap_end(setting.heap);
}

/* ---- several threads ------------------------------------------------------------------------------- */

static void several(enum stress_mode mode, unsigned threads, size_t heap_size, unsigned stress)
{
    struct setting setting;
    begin(&setting, mode, heap_size, stress);
    struct hoard hoards[THREADS_MAX];
    for (unsigned i = 0; i < threads; i++)
        hoards[i] = (struct hoard){.setting = &setting,
                                   .random = stress_random_make(stress_seed() * 100 + mode * 10 + i),
                                   .budget = budget_of(heap_size, threads) / threads};
    stress_threads(threads, hoard_thread, hoards, sizeof hoards[0]);
    report(&setting, mode, heap_size, threads);
    stress_heap_end(setting.heap);
}

static void in_several_threads(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        several((enum stress_mode)mode, 2, 2 * HEAP_SIZE_MIN, 0);
        several((enum stress_mode)mode, THREADS_MAX, 4 * HEAP_SIZE_MIN, 0);
    }
}

/* Moving everything all the time uses up destinations, which must not be missing in the end [reserve]. */
static void under_stress(void **state)
{
    (void)state;
    several(STRESS_THREAD, 2, 2 * HEAP_SIZE_MIN, 40);
    several(STRESS_NEVER, 1, HEAP_SIZE_MIN, 40);
}

/* ---- nothing worth moving -------------------------------------------------------------------------- */

static uint64_t flips_after_collecting(struct hoard *hoard, shale_collect_kind kind)
{
    shale_statistics statistics;
    STRESS_CHECK(shale_collect(hoard->mutator, kind) == SHALE_OK, "collecting");
    shale_heap_statistics(hoard->setting->heap, &statistics);
    return statistics.flips;
}

static void nothing_is_worth_moving(void **state)
{
    (void)state;
    enum { HEAP = 64 << 20 };
    struct setting setting;
    shale_options options;
    stress_options(&options, STRESS_THREAD, HEAP, NULL);
    options.target = 1000; /* percent: so all that is free counts, and not what is left up to the goal */
    begin_with(&setting, &options);
    struct hoard hoard = {
        .setting = &setting, .random = stress_random_make(stress_seed()), .budget = HEAP / 8};
    hoard_open(&hoard);
    /* Dense regions, with a lot of memory free. */
    fill(&hoard, SMALL, 0);
    uint64_t flips = flips_after_collecting(&hoard, SHALE_COLLECT_NORMAL);
    STRESS_CHECK(flips == 0, "dense regions moved");
    flips = flips_after_collecting(&hoard, SHALE_COLLECT_COMPACT);
    STRESS_CHECK(flips == 0, "dense regions moved when asked for sparse ones");
    /* Sparse ones, but with ten times as much free as they would give. */
    for (size_t i = 0; i < hoard.count; i++)
        hoard.blobs[i] = i % 2 == 0 ? hoard.blobs[i] : NULL;
    for (int i = 0; i < 3; i++)
        flips = flips_after_collecting(&hoard, SHALE_COLLECT_NORMAL);
    STRESS_CHECK(flips == 0, "regions moved where memory is plentiful");
    flips = flips_after_collecting(&hoard, SHALE_COLLECT_COMPACT);
    STRESS_CHECK(flips == 1, "sparse regions did not move when asked to");
    flips = flips_after_collecting(&hoard, SHALE_COLLECT_COMPACT);
    STRESS_CHECK(flips == 1, "regions moved again for nothing");
    hoard_close(&hoard);
    stress_heap_end(setting.heap);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_one_thread),           cmocka_unit_test(at_the_limit),
        cmocka_unit_test(in_several_threads),      cmocka_unit_test(under_stress),
        cmocka_unit_test(nothing_is_worth_moving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
