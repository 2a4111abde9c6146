/* The region table: its states one by one, then random sequences against a model that is a set. */
#include "heap/region.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { REGIONS = 24 };

static struct region regions[REGIONS];
static struct region_table table;

static int set_up(void **state)
{
    (void)state;
    memset(regions, 0, sizeof regions);
    region_table_init(&table, regions, REGIONS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    region_table_destroy(&table);
    return 0;
}

static void test_reserve_is_left(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REGIONS - 5; i++)
        assert_int_not_equal(region_take(&table, REGION_ALLOCATING, 5), REGION_NONE);
    assert_int_equal(region_take(&table, REGION_ALLOCATING, 5), REGION_NONE);
    assert_int_equal(region_free_count(&table), 5);
    assert_int_not_equal(region_take(&table, REGION_DESTINATION, 0), REGION_NONE);
}

static void test_take_forgets_what_was_counted(void **state)
{
    (void)state;
    region_number region = region_take(&table, REGION_DESTINATION, 0);
    assert_int_equal(region_get_state(&table, region), REGION_DESTINATION);
    assert_false(regions[region].dirty);
    regions[region].top = 100;
    regions[region].live_bytes = 90;
    regions[region].largest = 80;
    region_set_state(&table, region, REGION_USED);
    region_free(&table, region);
    assert_int_equal(region_get_state(&table, region), REGION_FREE);
    /* Last in, first out: its memory is warm. */
    assert_int_equal(region_take(&table, REGION_ALLOCATING, 0), region);
    assert_true(regions[region].dirty);
    assert_int_equal(regions[region].top, 0);
    assert_int_equal(regions[region].live_bytes, 0);
    assert_int_equal(regions[region].largest, 0);
}

static void test_begin_cycle(void **state)
{
    (void)state;
    region_number born = region_take(&table, REGION_ALLOCATING, 0);
    region_number allocating = region_take(&table, REGION_ALLOCATING, 0);
    region_set_state(&table, born, REGION_BORN);
    regions[born].live_bytes = regions[allocating].live_bytes = 5;
    regions[born].largest = regions[allocating].largest = 5;
    region_begin_cycle(&table, born);
    region_begin_cycle(&table, allocating);
    assert_int_equal(region_get_state(&table, born), REGION_USED);
    assert_int_equal(region_get_state(&table, allocating), REGION_ALLOCATING);
    assert_int_equal(regions[born].live_bytes + regions[allocating].live_bytes, 0);
    assert_int_equal(regions[born].largest + regions[allocating].largest, 0);
}

/* Regions with memory are handed out before those without, and are given back in the order in which they became
 * free, when they have been for long enough. */
static void test_discarding(void **state)
{
    (void)state;
    uint64_t freed_at;
    region_number taken[4];
    for (int i = 0; i < 4; i++)
        taken[i] = region_take(&table, REGION_USED, 0);
    assert_false(region_oldest(&table, &freed_at));
    assert_int_equal(region_take_oldest(&table, UINT64_MAX), REGION_NONE);
    for (uint64_t i = 0; i < 4; i++) {
        region_table_set_time(&table, 10 + i);
        region_free(&table, taken[i]);
    }
    assert_true(region_oldest(&table, &freed_at));
    assert_int_equal(freed_at, 10);
    assert_int_equal(region_take_oldest(&table, 9), REGION_NONE);
    assert_int_equal(region_take_oldest(&table, 11), taken[0]);
    assert_int_equal(region_free_count(&table), REGIONS - 1);
    region_return_discarded(&table, taken[0]);
    assert_int_equal(region_free_count(&table), REGIONS);
    assert_false(regions[taken[0]].dirty);
    assert_int_equal(region_take_oldest(&table, 11), taken[1]);
    region_return_discarded(&table, taken[1]);
    assert_int_equal(region_take_oldest(&table, 11), REGION_NONE);
    /* The last that was freed, the one before, and then those without memory. */
    assert_int_equal(region_take(&table, REGION_USED, 0), taken[3]);
    assert_int_equal(region_take(&table, REGION_USED, 0), taken[2]);
    assert_false(region_oldest(&table, &freed_at));
    assert_int_equal(region_take(&table, REGION_USED, 0), taken[1]);
    assert_int_equal(region_take(&table, REGION_USED, 0), taken[0]);
    assert_int_equal(region_take(&table, REGION_USED, 0), 4);
}

/* ---- model ---------------------------------------------------------------------------------------------- */

enum model_state { UNTOUCHED, TAKEN, RESIDENT, DISCARDED, WITH_SYSTEM };

struct model {
    enum model_state states[REGIONS];
    unsigned counts[WITH_SYSTEM + 1];
    region_number resident[REGIONS]; /* the one freed last is the last; as many as the count says */
    uint64_t freed_at[REGIONS];
    bool zero[REGIONS]; /* RESIDENT, but nothing was in it */
    uint64_t now;
};

static void move(struct model *model, region_number region, enum model_state from, enum model_state to)
{
    assert_true(region < REGIONS);
    assert_int_equal(model->states[region], from);
    model->counts[from]--;
    model->counts[to]++;
    model->states[region] = to;
}

static unsigned model_free(const struct model *model)
{
    return model->counts[UNTOUCHED] + model->counts[RESIDENT] + model->counts[DISCARDED];
}

static void step_take(struct model *model, struct test_random *random)
{
    uint32_t reserve = (uint32_t)test_random_below(random, 4);
    region_number region = region_take(&table, REGION_ALLOCATING, reserve);
    if (model_free(model) <= reserve) {
        assert_int_equal(region, REGION_NONE);
        return;
    }
    enum model_state expected = model->counts[RESIDENT] != 0    ? RESIDENT
                                : model->counts[DISCARDED] != 0 ? DISCARDED
                                                                : UNTOUCHED;
    move(model, region, expected, TAKEN);
    if (expected == RESIDENT)
        assert_int_equal(region, model->resident[model->counts[RESIDENT]]);
    /* Memory that may hold anything is said to. */
    assert_int_equal(regions[region].dirty, expected == RESIDENT && !model->zero[region]);
}

static void model_freed(struct model *model, region_number region)
{
    model->resident[model->counts[RESIDENT] - 1] = region;
    model->freed_at[region] = model->now;
    model->zero[region] = false;
}

static void step_discard(struct model *model, struct test_random *random)
{
    uint64_t time = model->now - test_random_below(random, 20);
    uint64_t oldest;
    region_number region = region_take_oldest(&table, time);
    if (model->counts[RESIDENT] == 0 || model->freed_at[model->resident[0]] > time) {
        assert_int_equal(region, REGION_NONE);
        return;
    }
    assert_int_equal(region, model->resident[0]);
    move(model, region, RESIDENT, WITH_SYSTEM);
    memmove(model->resident, model->resident + 1, model->counts[RESIDENT] * sizeof model->resident[0]);
    assert_int_equal(region_free_count(&table), model_free(model));
    if (test_random_chance(random, 20)) {
        region_free(&table, region); /* the system would not have it */
        move(model, region, WITH_SYSTEM, RESIDENT);
        model_freed(model, region);
    } else {
        region_return_discarded(&table, region);
        move(model, region, WITH_SYSTEM, DISCARDED);
    }
    assert_int_equal(region_oldest(&table, &oldest), model->counts[RESIDENT] != 0);
    if (model->counts[RESIDENT] != 0)
        assert_int_equal(oldest, model->freed_at[model->resident[0]]);
}

static void step_free(struct model *model, struct test_random *random)
{
    region_number region = (region_number)test_random_below(random, REGIONS);
    if (model->states[region] != TAKEN)
        return;
    model->now += test_random_below(random, 4);
    region_table_set_time(&table, model->now);
    region_set_state(&table, region, REGION_USED);
    region_free(&table, region);
    move(model, region, TAKEN, RESIDENT);
    model_freed(model, region);
}

/* Memory ahead of allocation. */
static void step_prepare(struct model *model, struct test_random *random)
{
    uint32_t reserve = (uint32_t)test_random_below(random, 4);
    region_number region = region_take_hole(&table, reserve);
    if (model_free(model) <= reserve || model_free(model) == model->counts[RESIDENT]) {
        assert_int_equal(region, REGION_NONE);
        return;
    }
    move(model, region, model->counts[DISCARDED] != 0 ? DISCARDED : UNTOUCHED, WITH_SYSTEM);
    assert_int_equal(region_free_count(&table), model_free(model));
    assert_int_equal(region_get_state(&table, region), REGION_FREE);
    model->now += test_random_below(random, 4);
    region_table_set_time(&table, model->now);
    region_return_zero(&table, region);
    move(model, region, WITH_SYSTEM, RESIDENT);
    model_freed(model, region);
    model->zero[region] = true;
}

static void test_random_sequences(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 0);
    struct model model = {.counts = {[UNTOUCHED] = REGIONS}, .now = 100};
    for (unsigned step = 0; step < test_rounds(100000, 5000); step++) {
        switch (test_random_below(&random, 4)) {
        case 0:
            step_take(&model, &random);
            break;
        case 1:
            step_free(&model, &random);
            break;
        case 2:
            step_prepare(&model, &random);
            break;
        default:
            step_discard(&model, &random);
        }
        assert_int_equal(region_free_count(&table), model_free(&model));
        assert_int_equal(region_resident_count(&table), model.counts[RESIDENT]);
        assert_int_equal(region_touched(&table), REGIONS - model.counts[UNTOUCHED]);
        region_number any = (region_number)test_random_below(&random, REGIONS);
        assert_int_equal(region_get_state(&table, any) != REGION_FREE, model.states[any] == TAKEN);
    }
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reserve_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_take_forgets_what_was_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_begin_cycle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_discarding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_sequences, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unit.region", tests, NULL, NULL);
}
