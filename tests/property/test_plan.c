/*
 * The plan against a naive model, over random heaps: which regions are freed and evacuated, and where every
 * single object goes.
 */
#include "gc/plan.h"
#include "heap/live_bits.h"
#include "tests/support/model_heap.h"
#include "tests/support/os_simulated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct before {
    enum region_state state;
    uint32_t live_bytes;
};

static struct before *look_at_regions(const struct region_table *regions)
{
    struct before *before = malloc(regions->count * sizeof *before);
    assert_non_null(before);
    for (region_number r = 0; r < regions->count; r++)
        before[r] = (struct before){region_get_state(regions, r), regions->regions[r].live_bytes};
    return before;
}

/* Every region ends in the state that its contents call for. */
static void check_regions(const struct plan *plan, const struct before *before, enum plan_scope scope,
                          unsigned percent, bool tight)
{
    const struct region_table *regions = &plan->memory->regions;
    region_number freed = 0;
    region_number evacuated = 0;
    region_number destinations = 0;
    for (region_number r = 0; r < regions->count; r++) {
        enum region_state now = region_get_state(regions, r);
        if (before[r].state == REGION_USED && before[r].live_bytes == 0) {
            /* Freed, and perhaps taken at once for what moves. */
            assert_true(now == REGION_FREE || now == REGION_DESTINATION);
            freed++;
        } else if (now == REGION_EVACUATED) {
            assert_int_equal(before[r].state, REGION_USED);
            if (scope == PLAN_WORTHWHILE || (scope == PLAN_SPARSE && !tight))
                assert_true((uint64_t)before[r].live_bytes * 100 <= (uint64_t)REGION_SIZE * percent);
            evacuated++;
        } else if (before[r].state != REGION_FREE) {
            assert_int_equal(now, before[r].state);
        }
        enum plan_role role = now == REGION_EVACUATED     ? ROLE_EVACUATED
                              : now == REGION_DESTINATION ? ROLE_DESTINATION
                                                          : ROLE_STAY;
        assert_int_equal(plan->roles[r], role);
        destinations += now == REGION_DESTINATION;
    }
    assert_int_equal(freed, plan->freed_count);
    assert_int_equal(evacuated, plan->evacuated_count);
    assert_int_equal(destinations, plan->destination_count);
    if (scope == PLAN_WORTHWHILE || (scope == PLAN_SPARSE && !tight))
        assert_true(evacuated == 0 || destinations < evacuated);
    if (scope != PLAN_EVERYTHING)
        assert_true(destinations <= evacuated);
}

/* With room for all of it, everything that can move does. */
static void check_everything_moves(const struct plan *plan, const struct before *before)
{
    const struct region_table *regions = &plan->memory->regions;
    for (region_number r = 0; r < regions->count; r++) {
        if (before[r].state == REGION_USED && before[r].live_bytes != 0)
            assert_int_equal(region_get_state(regions, r), REGION_EVACUATED);
    }
}

static void check_forwarding(struct model *model, const struct plan *plan)
{
    model_place(model, plan);
    uint64_t base = (uint64_t)(uintptr_t)model->memory.views.mutator;
    uint64_t objects = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_object *object = &model->objects[i];
        if (!object->live)
            continue;
        assert_int_equal(plan_forward(plan, model_address(model, object)), base + object->moved_to);
        objects += object->moves;
        bytes += object->moves ? object->moved_size : 0;
    }
    assert_int_equal(objects, plan->objects);
    assert_int_equal(bytes, plan->bytes);
    uint64_t elsewhere[] = {0,          1,
                            base - 16,  base + model->memory.views.regions,
                            UINT64_MAX, (uint64_t)(uintptr_t)model->memory.views.alias + 32};
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        assert_int_equal(plan_forward(plan, elsewhere[i]), elsewhere[i]);
}

static void check_cleared(struct plan *plan)
{
    plan_clear(plan);
    for (region_number r = 0; r < plan->memory->regions.count; r++)
        assert_int_equal(plan->roles[r], ROLE_STAY);
    for (size_t chunk = 0; chunk < plan->forwarding.size / CHUNK_SIZE; chunk++)
        assert_true(plan->forwarding.chunks[chunk].gaps == 0 && plan->forwarding.chunks[chunk].shift == 0);
    for (size_t chunk = 0; chunk < plan->forwarding.size / CHUNK_SIZE; chunk++)
        assert_int_equal(plan->growth.bits[chunk], 0);
    assert_null(plan->forwarding.growers);
    assert_int_equal(plan->evacuated_count, 0);
    assert_int_equal(plan->objects, 0);
    assert_int_equal(plan->bytes, 0);
}

static void one_heap(struct test_random *random, enum plan_scope scope)
{
    static const size_t page_sizes[] = {4096, 16384, 65536};
    struct os_simulated os;
    os_simulated_init(&os, page_sizes[test_random_below(random, 3)]);
    size_t regions = test_random_between(random, 2, 4) * 8;
    struct model model;
    model_create(&model, &os.os, regions * REGION_SIZE, random);
    struct model_fill fill = {
        .regions = (unsigned)test_random_between(random, 1, test_quick() ? 6 : regions),
        .live_percent = (unsigned)test_random_below(random, 101),
        .stuck_percent = (unsigned)test_random_below(random, 3) * 25,
        .hash_percent = (unsigned)test_random_below(random, 4) * 33,
    };
    model_fill(&model, &fill);
    model_set_live_bits(&model);
    struct before *before = look_at_regions(&model.memory.regions);
    struct plan plan;
    assert_int_equal(plan_create(&plan, &model.memory), 0);

    unsigned percent = (unsigned)test_random_below(random, 101);
    region_number reserve = (region_number)test_random_below(random, 9);
    region_number free_count = region_free_count(&model.memory.regions);
    for (region_number r = 0; r < model.memory.regions.count; r++)
        free_count += before[r].state == REGION_USED && before[r].live_bytes == 0;
    bool tight = free_count <= reserve + model.memory.regions.count / 16;
    plan_make(&plan, scope, percent, reserve);
    const char *wrong = plan_check(&plan);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    check_regions(&plan, before, scope, percent, tight);
    if (scope == PLAN_EVERYTHING && fill.regions <= regions / 3)
        check_everything_moves(&plan, before);
    check_forwarding(&model, &plan);
    model_ask_some(&model, &plan, 20);
    check_forwarding(&model, &plan);
    wrong = plan_check(&plan);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    check_cleared(&plan);

    plan_destroy(&plan);
    free(before);
    model_destroy(&model);
    os_simulated_destroy(&os);
}

static void scope_agrees_with_the_model(enum plan_scope scope)
{
    for (unsigned round = 0; round < test_rounds(40, 3); round++) {
        struct test_random random = test_random_make(test_seed(), (uint64_t)scope * 1000 + round);
        one_heap(&random, scope);
    }
}

static void test_worthwhile(void **state)
{
    (void)state;
    scope_agrees_with_the_model(PLAN_WORTHWHILE);
}

static void test_tight(void **state)
{
    (void)state;
    scope_agrees_with_the_model(PLAN_TIGHT);
}

static void test_sparse(void **state)
{
    (void)state;
    scope_agrees_with_the_model(PLAN_SPARSE);
}

static void test_everything(void **state)
{
    (void)state;
    scope_agrees_with_the_model(PLAN_EVERYTHING);
}

/* The check itself must notice: each field of a good plan is spoilt in turn. */
static void test_check_notices_a_wrong_plan(void **state)
{
    (void)state;
    struct test_random random = test_random_make(test_seed(), 77);
    struct os_simulated os;
    os_simulated_init(&os, 4096);
    struct model model;
    model_create(&model, &os.os, 16 * REGION_SIZE, &random);
    model_fill(&model, &(struct model_fill){.regions = 5, .live_percent = 60});
    /* Whatever the dice say, there is something to move. */
    model.objects[0].live = true;
    model_set_live_bits(&model);
    struct plan plan;
    assert_int_equal(plan_create(&plan, &model.memory), 0);
    plan_make(&plan, PLAN_EVERYTHING, 100, 0);
    assert_null(plan_check(&plan));
    assert_true(plan.evacuated_count > 0);

    struct model_object *object = &model.objects[0];
    chunk_number chunk = (chunk_number)(object->offset / CHUNK_SIZE);
    plan.forwarding.chunks[chunk].shift++;
    assert_non_null(plan_check(&plan));
    plan.forwarding.chunks[chunk].shift += GRANULE_SIZE - 1;
    assert_non_null(plan_check(&plan));
    plan.forwarding.chunks[chunk].shift -= GRANULE_SIZE;
    plan.forwarding.chunks[chunk].gaps ^= UINT64_C(1) << (object->offset / 16 % 64);
    assert_non_null(plan_check(&plan));
    plan.forwarding.chunks[chunk].gaps ^= UINT64_C(1) << (object->offset / 16 % 64);
    plan.roles[plan.destinations[0]] = ROLE_STAY;
    assert_non_null(plan_check(&plan));
    plan.roles[plan.destinations[0]] = ROLE_DESTINATION;
    plan.objects++;
    assert_non_null(plan_check(&plan));
    plan.objects--;
    model.memory.regions.regions[plan.destinations[plan.destination_count - 1]].top -= 16;
    assert_non_null(plan_check(&plan));
    model.memory.regions.regions[plan.destinations[plan.destination_count - 1]].top += 16;
    page_number page = memory_page(&model.memory, region_start(plan.destinations[0]));
    chunk_number source = plan.page_source[page];
    plan.page_source[page] = (chunk_number)(region_start(plan.destinations[0]) / CHUNK_SIZE);
    assert_non_null(plan_check(&plan));
    plan.page_source[page] = source;
    assert_null(plan_check(&plan));

    plan_destroy(&plan);
    model_destroy(&model);
    os_simulated_destroy(&os);
}

/* In a heap of the largest size an object may move from one end to the other. */
static void test_moves_across_the_largest_heap(void **state)
{
    (void)state;
    size_t table_size = (REGION_SPACE_MAX >> CHUNK_SHIFT) * sizeof(struct chunk_move);
    void *table;
    assert_int_equal(os_linux()->map_table(os_linux(), table_size, &table), 0);
    struct plan plan = {.forwarding = {.base = VIEW_ALIGNMENT, .size = REGION_SPACE_MAX, .chunks = table}};
    size_t last = REGION_SPACE_MAX - REGION_SIZE + REGION_FIRST_OBJECT;
    size_t places[][2] = {{REGION_FIRST_OBJECT, last},
                          {last, REGION_FIRST_OBJECT},
                          {REGION_FIRST_OBJECT, REGION_SPACE_MAX / 2 + REGION_FIRST_OBJECT},
                          {REGION_SPACE_MAX / 2 + REGION_FIRST_OBJECT, REGION_FIRST_OBJECT}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        size_t from = places[i][0];
        size_t to = places[i][1];
        /* The object is the first in its chunk, so all that lies below it there is gap. */
        plan.forwarding.chunks[from >> CHUNK_SHIFT] =
            (struct chunk_move){.gaps = ~UINT64_C(0), .shift = to - (from & ~(CHUNK_SIZE - 1))};
        assert_int_equal(forward_offset(&plan.forwarding, from), to);
        assert_int_equal(plan_forward(&plan, plan.forwarding.base + from), plan.forwarding.base + to);
        plan.forwarding.chunks[from >> CHUNK_SHIFT] = (struct chunk_move){.gaps = 0};
    }
    os_linux()->unmap(os_linux(), table, table_size);
}

/* Every object doubles: no other heap needs so much more room than it has live. */
static void test_all_objects_double(void **state)
{
    (void)state;
    /* The last region is such that the groups fill 129 destinations and one group more. */
    enum { TINY = 65, LAST_CHUNKS = 64, HEAP = 200, STEP = 5 };
    struct os_simulated os;
    os_simulated_init(&os, 4096);
    struct memory memory;
    const char *failed;
    shale_encoding encoding = SHALE_ENCODING_PLAIN;
    assert_int_equal(memory_create(&memory, &os.os, HEAP * REGION_SIZE, &encoding, &failed), 0);
    struct type *types[MODEL_TYPES];
    model_types_register(&memory.types, types);
    uint64_t header = types[MODEL_BYTES]->api.header | UINT64_C(8) << 32 | HEADER_ASKED | HEADER_SETTLED;
    for (unsigned i = 0; i < TINY; i++) {
        region_number number = region_take(&memory.regions, REGION_USED, 0);
        struct region *region = &memory.regions.regions[number];
        atomic_u8_store(&region->asked, 1);
        region->largest = GRANULE_SIZE;
        size_t chunks = i + 1 == TINY ? LAST_CHUNKS : REGION_CHUNKS - 1;
        region->live_bytes = (uint32_t)(chunks * CHUNK_SIZE);
        for (size_t at = CHUNK_SIZE; at < CHUNK_SIZE * (chunks + 1); at += GRANULE_SIZE) {
            *(uint64_t *)(views_alias(&memory.views, region_start(number) + at) - HEADER_SIZE) = header;
            bits_set(memory.live_bits, granule_of(region_start(number) + at));
        }
    }
    struct plan plan;
    assert_int_equal(plan_create(&plan, &memory), 0);
    /* With room for all of it, and with less and less. */
    for (unsigned free_count = region_free_count(&memory.regions); free_count >= TINY; free_count -= STEP) {
        plan_make(&plan, PLAN_EVERYTHING, 100, 0);
        assert_null(plan_check(&plan));
        assert_true(plan.evacuated_count > TINY / 3 - 2);
        uint64_t live = 0;
        for (region_number i = 0; i < plan.evacuated_count; i++) {
            live += memory.regions.regions[plan.evacuated[i]].live_bytes;
            region_set_state(&memory.regions, plan.evacuated[i], REGION_USED);
        }
        assert_int_equal(plan.bytes, 2 * live);
        for (region_number i = 0; i < plan.destination_count; i++)
            region_free(&memory.regions, plan.destinations[i]);
        plan_clear(&plan);
        for (unsigned i = 0; i < STEP; i++)
            assert_int_not_equal(region_take(&memory.regions, REGION_ALLOCATING, 0), REGION_NONE);
    }
    plan_destroy(&plan);
    memory_destroy(&memory);
    os_simulated_destroy(&os);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worthwhile),
        cmocka_unit_test(test_tight),
        cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_check_notices_a_wrong_plan),
        cmocka_unit_test(test_moves_across_the_largest_heap),
        cmocka_unit_test(test_all_objects_double),
    };
    return cmocka_run_group_tests_name("property.plan", tests, NULL, NULL);
}
