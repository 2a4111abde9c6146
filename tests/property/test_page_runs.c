/*
 * [runs], [budget] Random sequences of takes, frees and discards against a model that knows the state of each page.
 */
#include "heap/budget.h"
#include "tests/support/os_failing.h"
#include "tests/support/test_random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGES_MAX = 70000 };

struct model {
    struct test_random random;
    struct page_runs runs;
    struct page_run *table;
    atomic_u64 *bitmaps;
    page_number count;
    uint8_t *states; /* of each page: hole, dirty, or taken */
    page_number *taken;
    size_t taken_count;
    uint64_t now;
    uint64_t *freed_at; /* of each page that is free and has memory */
};

static void model_create(struct model *model, page_number count, uint64_t stream)
{
    *model = (struct model){.random = test_random_make(test_seed(), stream), .count = count, .now = 100};
    model->table = calloc(count, sizeof *model->table);
    model->bitmaps = calloc(page_runs_bitmap_words(count), sizeof *model->bitmaps);
    model->states = calloc(count, 1);
    model->taken = calloc(count, sizeof *model->taken);
    model->freed_at = calloc(count, sizeof *model->freed_at);
    page_runs_init(&model->runs, model->table, model->bitmaps, count);
}

static void model_destroy(struct model *model)
{
    page_runs_destroy(&model->runs);
    free(model->table);
    free(model->bitmaps);
    free(model->states);
    free(model->taken);
    free(model->freed_at);
}

/* Pages from `page` on that are in the state that it is in. */
static page_number stretch(const struct model *model, page_number page)
{
    page_number end = page;
    while (end < model->count && model->states[end] == model->states[page])
        end++;
    return end - page;
}

/* The length of the shortest free stretch in a state that holds `count` pages, 0: none. */
static page_number best_fit(const struct model *model, uint8_t state, page_number count)
{
    page_number best = 0;
    for (page_number page = 0; page < model->count;) {
        page_number length = stretch(model, page);
        if (model->states[page] == state && length >= count && (best == 0 || length < best))
            best = length;
        page += length;
    }
    return best;
}

static page_number stretch_around(const struct model *model, page_number page)
{
    while (page > 0 && model->states[page - 1] == model->states[page])
        page--;
    return stretch(model, page);
}

static void took(struct model *model, page_number first, page_number count, uint8_t expected)
{
    for (page_number page = first; page < first + count; page++) {
        assert_int_equal(model->states[page], expected);
        model->states[page] = RUN_TAKEN;
    }
    model->taken[model->taken_count++] = first;
}

static void step_take(struct model *model, page_number largest)
{
    page_number count = (page_number)test_random_between(&model->random, 1, largest);
    enum run_state expected = RUN_ZERO;
    page_number fit = best_fit(model, RUN_ZERO, count);
    if (fit == 0)
        fit = best_fit(model, expected = RUN_DIRTY, count);
    if (fit == 0)
        fit = best_fit(model, expected = RUN_HOLE, count);
    enum run_state was;
    page_number first = page_runs_take(&model->runs, count, &was);
    if (fit == 0) {
        assert_int_equal(first, RUN_NONE);
        return;
    }
    assert_true(first < model->count);
    assert_int_equal(was, expected);
    assert_int_equal(stretch_around(model, first), fit);
    took(model, first, count, was);
    assert_true(page_runs_touched(&model->runs) >= first + count);
    assert_int_equal(page_runs_pages(&model->runs, first), count);
}

static void freed(struct model *model, size_t index, enum run_state state)
{
    page_number first = model->taken[index];
    page_number end = first + page_runs_pages(&model->runs, first);
    page_runs_free(&model->runs, first, state);
    for (page_number page = first; page < end; page++) {
        assert_int_equal(model->states[page], RUN_TAKEN);
        model->states[page] = (uint8_t)state;
    }
    /* What has become one run is as old as its newest part. */
    page_number start = first;
    while (state != RUN_HOLE && start > 0 && model->states[start - 1] == state)
        start--;
    for (page_number page = start; state != RUN_HOLE && page < model->count && model->states[page] == state;
         page++)
        model->freed_at[page] = model->now;
    model->taken[index] = model->taken[--model->taken_count];
}

static void step_free(struct model *model)
{
    if (model->taken_count == 0)
        return;
    model->now += test_random_below(&model->random, 4);
    page_runs_set_time(&model->runs, model->now);
    freed(model, test_random_below(&model->random, model->taken_count),
          test_random_chance(&model->random, 80) ? RUN_DIRTY : RUN_HOLE);
}

static bool is_idle(const struct model *model, page_number page)
{
    return model->states[page] == RUN_DIRTY || model->states[page] == RUN_ZERO;
}

/* Memory is cleared in the background. */
static void step_clear(struct model *model)
{
    page_number count;
    page_number maximum = (page_number)test_random_between(&model->random, 1, 40);
    page_number first = page_runs_take_dirty(&model->runs, maximum, &count);
    assert_int_equal(first == RUN_NONE, best_fit(model, RUN_DIRTY, 1) == 0);
    if (first == RUN_NONE)
        return;
    assert_true(first < model->count && count >= 1 && count <= maximum);
    took(model, first, count, RUN_DIRTY);
    freed(model, model->taken_count - 1, RUN_ZERO);
}

static void step_discard(struct model *model)
{
    uint64_t oldest = UINT64_MAX;
    for (page_number page = 0; page < model->count; page++) {
        if (is_idle(model, page) && model->freed_at[page] < oldest)
            oldest = model->freed_at[page];
    }
    uint64_t at;
    assert_int_equal(page_runs_oldest(&model->runs, &at), oldest != UINT64_MAX);
    if (oldest == UINT64_MAX)
        return;
    assert_int_equal(at, oldest);
    page_number count;
    assert_int_equal(page_runs_take_oldest(&model->runs, oldest - 1, 5, &count), RUN_NONE);
    page_number maximum = (page_number)test_random_between(&model->random, 1, 40);
    page_number first = page_runs_take_oldest(&model->runs, oldest, maximum, &count);
    assert_true(first < model->count && count >= 1 && count <= maximum);
    for (page_number page = first; page < first + count; page++)
        assert_int_equal(model->freed_at[page], oldest);
    took(model, first, count, model->states[first]);
    freed(model, model->taken_count - 1, test_random_chance(&model->random, 20) ? RUN_DIRTY : RUN_HOLE);
}

/* Of every page it is found which run it is in; the runs in use are enumerated; the counters count. */
static void check(struct model *model)
{
    uint64_t idle = 0;
    for (page_number page = 0; page < model->count; page++) {
        idle += is_idle(model, page);
        if (model->states[page] != RUN_TAKEN)
            assert_int_equal(page_runs_find(&model->runs, page), RUN_NONE);
    }
    assert_int_equal(atomic_u64_load(&model->runs.idle_pages), idle);
    for (size_t i = 0; i < model->taken_count; i++) {
        page_number first = model->taken[i];
        page_number last = first + page_runs_pages(&model->runs, first) - 1;
        page_number inside = (page_number)test_random_between(&model->random, first, last);
        assert_int_equal(page_runs_find(&model->runs, first), first);
        assert_int_equal(page_runs_find(&model->runs, inside), first);
        assert_int_equal(page_runs_find(&model->runs, last), first);
    }
    size_t seen = 0;
    page_number page = page_runs_next(&model->runs, 0, RUN_TAKEN);
    while (page != RUN_NONE) {
        assert_int_equal(page_runs_find(&model->runs, page), page);
        seen++;
        page_number from = page + 1;
        page = page_runs_next(&model->runs, from, RUN_TAKEN);
        assert_true(page >= from);
    }
    assert_int_equal(seen, model->taken_count);
}

static void run_sequence(page_number count, page_number largest, unsigned steps, uint64_t stream)
{
    struct model model;
    model_create(&model, count, stream);
    for (unsigned step = 0; step < steps; step++) {
        /* Phases in which there are more of the one or of the other. */
        unsigned takes = step / 200 % 2 == 0 ? 55 : 35;
        if (test_random_chance(&model.random, takes))
            step_take(&model, test_random_chance(&model.random, 10) ? largest : largest / 8 + 1);
        else if (test_random_chance(&model.random, 85))
            step_free(&model);
        else if (test_random_chance(&model.random, 50))
            step_clear(&model);
        else
            step_discard(&model);
        if (step % 64 == 0)
            check(&model);
    }
    check(&model);
    while (model.taken_count != 0)
        freed(&model, model.taken_count - 1, RUN_HOLE);
    while (atomic_u64_load(&model.runs.idle_pages) != 0) {
        page_number pages;
        page_number first = page_runs_take_oldest(&model.runs, UINT64_MAX, count, &pages);
        page_runs_free(&model.runs, first, RUN_HOLE);
    }
    /* Everything is one run again. */
    enum run_state was;
    assert_int_equal(page_runs_take(&model.runs, count, &was), 0);
    assert_int_equal(was, RUN_HOLE);
    model_destroy(&model);
}

static void test_small_ranges(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(60, 10); round++)
        run_sequence((page_number)(1 + round * 7), 1 + round, 500, round);
}

static void test_large_range(void **state)
{
    (void)state;
    run_sequence(5000, 300, test_rounds(6000, 1000), 1000);
    run_sequence(PAGES_MAX, 4000, test_rounds(400, 100), 1001);
}

/* ---- the budget ------------------------------------------------------------------------------------------ */

enum { REGIONS = 16, SPACE_PAGES = 4 * REGIONS * 64 };

struct spaces {
    struct os_failing os;
    struct views views;
    struct region_table regions;
    struct region region_array[REGIONS];
    struct page_runs runs[2];
    struct page_run *tables[2];
    atomic_u64 *bitmaps[2];
    struct budget budget;
};

static void spaces_create(struct spaces *spaces)
{
    memset(spaces, 0, sizeof *spaces);
    os_failing_init(&spaces->os);
    const char *failed;
    assert_int_equal(views_create(&spaces->views, &spaces->os.os, REGIONS * REGION_SIZE, &failed), 0);
    region_table_init(&spaces->regions, spaces->region_array, REGIONS);
    for (int i = 0; i < 2; i++) {
        spaces->tables[i] = calloc(SPACE_PAGES, sizeof(struct page_run));
        spaces->bitmaps[i] = calloc(page_runs_bitmap_words(SPACE_PAGES), sizeof(uint64_t));
        page_runs_init(&spaces->runs[i], spaces->tables[i], spaces->bitmaps[i], SPACE_PAGES);
    }
    budget_init(&spaces->budget, &spaces->views, &spaces->regions, &spaces->runs[0], &spaces->runs[1]);
}

static void spaces_destroy(struct spaces *spaces)
{
    budget_destroy(&spaces->budget);
    for (int i = 0; i < 2; i++) {
        page_runs_destroy(&spaces->runs[i]);
        free(spaces->tables[i]);
        free(spaces->bitmaps[i]);
    }
    region_table_destroy(&spaces->regions);
    views_destroy(&spaces->views);
}

static uint64_t file_memory(struct spaces *spaces)
{
    uint64_t bytes = 0;
    assert_int_equal(spaces->os.os.file_memory(&spaces->os.os, spaces->views.file, &bytes), 0);
    return bytes;
}

static void fill(struct spaces *spaces, size_t start, size_t size)
{
    memset(views_alias(&spaces->views, start), 1, size);
}

static bool is_zero(struct spaces *spaces, size_t start, size_t size)
{
    const char *bytes = views_alias(&spaces->views, start);
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Memory goes from one space to the other and back, and the file never holds more than the heap's size. */
static void test_memory_is_traded(void **state)
{
    (void)state;
    struct spaces spaces;
    spaces_create(&spaces);
    struct test_random random = test_random_make(test_seed(), 2000);
    size_t page_size = spaces.views.page_size;
    struct {
        int space;
        page_number first;
        uint64_t bytes;
    } runs[REGIONS * 8];
    size_t run_count = 0;
    region_number taken[REGIONS];
    size_t taken_count = 0;
    for (unsigned step = 0; step < test_rounds(3000, 300); step++) {
        budget_set_time(&spaces.budget, step);
        size_t what = test_random_below(&random, 4);
        if (what == 0) {
            region_number region = region_take(&spaces.regions, REGION_USED, 0);
            if (region == REGION_NONE)
                continue;
            if (!spaces.region_array[region].dirty) {
                budget_fit(&spaces.budget);
                assert_true(is_zero(&spaces, region_start(region), REGION_SIZE));
            }
            fill(&spaces, region_start(region), REGION_SIZE);
            taken[taken_count++] = region;
        } else if (what == 1) {
            page_number pages = (page_number)test_random_between(&random, 1, 200);
            uint64_t bytes = pages * page_size;
            if (run_count == REGIONS * 8 || !budget_take(&spaces.budget, bytes, 0))
                continue;
            int space = (int)test_random_below(&random, 2);
            enum run_state was;
            page_number first = page_runs_take(&spaces.runs[space], pages, &was);
            assert_int_not_equal(first, RUN_NONE);
            size_t start = (space == 0 ? spaces.views.regions : spaces.views.data) + first * page_size;
            if (was == RUN_HOLE) {
                budget_fit(&spaces.budget);
                assert_true(is_zero(&spaces, start, bytes));
            }
            fill(&spaces, start, bytes);
            runs[run_count].space = space;
            runs[run_count].first = first;
            runs[run_count++].bytes = bytes;
        } else if (what == 2 && taken_count != 0) {
            size_t i = test_random_below(&random, taken_count);
            region_free(&spaces.regions, taken[i]);
            taken[i] = taken[--taken_count];
        } else if (what == 3 && run_count != 0) {
            size_t i = test_random_below(&random, run_count);
            page_runs_free(&spaces.runs[runs[i].space], runs[i].first, RUN_DIRTY);
            budget_return(&spaces.budget, runs[i].bytes);
            runs[i] = runs[--run_count];
        }
        uint64_t held = 0;
        for (size_t i = 0; i < run_count; i++)
            held += runs[i].bytes;
        assert_int_equal(budget_held(&spaces.budget), held);
        assert_int_equal(region_free_count(&spaces.regions),
                         REGIONS - taken_count - (held + REGION_SIZE - 1) / REGION_SIZE);
        assert_true(file_memory(&spaces) <= REGIONS * REGION_SIZE + REGION_SIZE);
    }
    spaces_destroy(&spaces);
}

static void test_reserve_and_size_are_left(void **state)
{
    (void)state;
    struct spaces spaces;
    spaces_create(&spaces);
    assert_false(budget_take(&spaces.budget, (REGIONS + 1) * REGION_SIZE, 0));
    assert_false(budget_take(&spaces.budget, UINT64_MAX, 0));
    assert_false(budget_take(&spaces.budget, (REGIONS - 1) * REGION_SIZE, 2));
    assert_true(budget_take(&spaces.budget, (REGIONS - 2) * REGION_SIZE - 1, 2));
    assert_true(budget_take(&spaces.budget, 1, 2)); /* room that was rounded up to */
    assert_false(budget_take(&spaces.budget, 1, 2));
    assert_int_equal(region_free_count(&spaces.regions), 2);
    budget_return(&spaces.budget, (REGIONS - 2) * REGION_SIZE);
    assert_int_equal(region_free_count(&spaces.regions), REGIONS);
    spaces_destroy(&spaces);
}

/* The system does not take memory back: nothing is lost, and the heap goes over its size. */
static void test_discarding_fails(void **state)
{
    (void)state;
    struct spaces spaces;
    spaces_create(&spaces);
    enum run_state was;
    assert_true(budget_take(&spaces.budget, REGIONS * REGION_SIZE, 0));
    page_number first = page_runs_take(&spaces.runs[0],
                                       (page_number)(REGIONS * REGION_SIZE >> spaces.views.page_shift), &was);
    page_runs_free(&spaces.runs[0], first, RUN_DIRTY);
    budget_return(&spaces.budget, REGIONS * REGION_SIZE);
    assert_int_not_equal(region_take(&spaces.regions, REGION_USED, 0), REGION_NONE);
    os_failing_plan_from_now(&spaces.os, OS_FILE_DISCARD, 1, 1, EOPNOTSUPP);
    budget_fit(&spaces.budget);
    assert_int_equal(budget_idle(&spaces.budget), REGIONS * REGION_SIZE);
    budget_fit(&spaces.budget);
    assert_true(budget_idle(&spaces.budget) <= (REGIONS - 1) * REGION_SIZE);
    spaces_destroy(&spaces);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_ranges),     cmocka_unit_test(test_large_range),
        cmocka_unit_test(test_memory_is_traded), cmocka_unit_test(test_reserve_and_size_are_left),
        cmocka_unit_test(test_discarding_fails),
    };
    return cmocka_run_group_tests_name("property.page_runs", tests, NULL, NULL);
}
