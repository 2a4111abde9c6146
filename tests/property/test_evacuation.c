/*
 * The choice of the evacuation set, over random tables of regions: against a naive model of what each scope asks
 * for, and, on heaps that are as fragmented as [packing] allows, played through until a region is free.
 */
#include "gc/evacuation.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <shale/shale.h>

enum { REGIONS_MAX = 600 };

static const uint32_t no_growth[REGIONS_MAX];

/* ---- random tables --------------------------------------------------------------------------------- */

struct scene {
    struct test_random random;
    struct region regions[REGIONS_MAX];
    struct region_table table;
    struct evacuation_terms terms;
    uint32_t growth[REGIONS_MAX];
    region_number set[REGIONS_MAX];
    struct evacuation chosen;
    /* What the model sees in the table. */
    uint32_t largest; /* of all objects that may move */
    double live;      /* bytes that may move */
    bool packable;    /* the loose regions, packed as badly as it goes, would be fewer */
};

static uint32_t random_live(struct test_random *random, unsigned shape)
{
    size_t most = REGION_CAPACITY / GRANULE_SIZE;
    switch (shape) {
    case 0: /* anything */
        return (uint32_t)(test_random_between(random, 0, most) * GRANULE_SIZE);
    case 1: /* sparse */
        return (uint32_t)(test_random_between(random, 0, most / 5) * GRANULE_SIZE);
    case 2: /* dense */
        return (uint32_t)(test_random_between(random, most * 8 / 10, most) * GRANULE_SIZE);
    default: /* empty, full, or all the same */
        return (uint32_t)((shape % 3 == 0 ? most : shape % 3 == 1 ? 1 : most * 86 / 100) * GRANULE_SIZE);
    }
}

static void random_scene(struct scene *scene)
{
    static const enum region_state states[] = {REGION_USED, REGION_USED, REGION_USED,       REGION_USED,
                                               REGION_USED, REGION_USED, REGION_ALLOCATING, REGION_BORN};
    struct test_random *random = &scene->random;
    memset(scene->regions, 0, sizeof scene->regions);
    region_number count = (region_number)test_random_between(random, 8, REGIONS_MAX);
    bool hashes = test_random_chance(random, 20);
    region_table_init(&scene->table, scene->regions, count);
    region_number free_count =
        (region_number)test_random_below(random, test_random_chance(random, 50) ? count / 2 : count / 8 + 1);
    unsigned shape = (unsigned)test_random_below(random, 6);
    uint32_t largest = (uint32_t)test_random_between(random, 1, OBJECT_SIZE_MAX / GRANULE_SIZE);
    bool young = test_random_chance(random, 30);
    for (region_number r = 0; r < count - free_count; r++) {
        region_number taken = region_take(&scene->table, REGION_ALLOCATING, 0);
        struct region *region = &scene->regions[taken];
        region->live_bytes = random_live(random, shape);
        region->largest = (uint32_t)(test_random_between(random, 1, largest) * GRANULE_SIZE);
        if (region->largest > region->live_bytes)
            region->largest = region->live_bytes;
        /* In few heaps anybody asks for hashes, and then for those of few objects. */
        scene->growth[taken] = 0;
        if (hashes && test_random_chance(random, 30))
            scene->growth[taken] =
                (uint32_t)test_random_below(random, region->live_bytes / GRANULE_SIZE / 8 + 1) * GRANULE_SIZE;
        enum region_state state = states[test_random_below(random, young ? 8 : 7)];
        if (state != REGION_ALLOCATING)
            region_set_state(&scene->table, taken, state);
    }
    scene->terms = (struct evacuation_terms){
        .growth = scene->growth,
        .scope = (enum plan_scope)test_random_below(random, 4),
        .sparse_percent = (unsigned)test_random_below(random, 101),
        .reserve = (region_number)test_random_below(random, 20),
        .free_count = free_count,
        .room = test_random_chance(random, 80) ? free_count
                                               : (region_number)test_random_below(random, free_count + 1),
    };
    if (test_random_chance(random, 50))
        scene->terms.outlook = (struct evacuation_outlook){
            .goal = (region_number)test_random_below(random, count + 10),
            .meanwhile = (region_number)test_random_below(random, count / 4 + 1),
            .awaited = test_random_chance(random, 20),
        };
    scene->chosen = (struct evacuation){.regions = scene->set};
}

/* ---- the naive model ------------------------------------------------------------------------------- */

static double whole(double number)
{
    return (double)(uint64_t)number;
}

static double whole_up(double number)
{
    return whole(number) + (whole(number) < number);
}

static uint32_t bytes_of(const struct scene *scene, region_number region)
{
    return scene->regions[region].live_bytes + scene->growth[region];
}

/* All objects that start in one chunk may grow. */
static uint32_t largest_of(const struct scene *scene, region_number region)
{
    uint32_t growth = scene->growth[region];
    return scene->regions[region].largest + (growth < CHUNK_SIZE ? growth : (uint32_t)CHUNK_SIZE);
}

static bool movable(const struct scene *scene, region_number region)
{
    return region_get_state(&scene->table, region) == REGION_USED && scene->regions[region].live_bytes != 0;
}

/* Bytes that are in a destination region at the least when a group did not fit. */
static double filled(uint32_t largest)
{
    return (double)REGION_SIZE - 16 - 1008 - largest;
}

static bool loose(const struct scene *scene, region_number region)
{
    return movable(scene, region) && bytes_of(scene, region) < filled(scene->largest);
}

/* Sums up the table. */
static void look_at_table(struct scene *scene)
{
    scene->largest = 0;
    scene->live = 0;
    for (region_number r = 0; r < scene->table.count; r++) {
        if (!movable(scene, r))
            continue;
        scene->live += bytes_of(scene, r);
        if (largest_of(scene, r) > scene->largest)
            scene->largest = largest_of(scene, r);
    }
    double bytes = 0;
    double count = 0;
    for (region_number r = 0; r < scene->table.count; r++) {
        if (loose(scene, r)) {
            bytes += bytes_of(scene, r);
            count++;
        }
    }
    scene->packable = whole_up(bytes / filled(scene->largest)) < count;
}

static double spare_of(const struct scene *scene)
{
    double spare = (double)scene->terms.free_count - scene->terms.reserve;
    return spare > 0 ? spare : 0;
}

static enum plan_scope scope_of(const struct scene *scene)
{
    bool tight = spare_of(scene) <= whole(scene->table.count / 16.0);
    if (scene->terms.scope == PLAN_TIGHT && !tight)
        return PLAN_WORTHWHILE;
    return scene->terms.scope == PLAN_SPARSE && tight ? PLAN_TIGHT : scene->terms.scope;
}

static bool candidate(const struct scene *scene, enum plan_scope scope, region_number region)
{
    double live = bytes_of(scene, region);
    if (!movable(scene, region))
        return false;
    if (scope == PLAN_EVERYTHING)
        return true;
    if (scope == PLAN_TIGHT)
        return scene->packable && loose(scene, region);
    return live * 100 <= (double)REGION_SIZE * scene->terms.sparse_percent;
}

static double most_destinations(const struct scene *scene, enum plan_scope scope)
{
    double most = scene->terms.free_count;
    double meanwhile = scene->terms.outlook.meanwhile;
    double kept = whole(spare_of(scene) / 2);
    if (meanwhile != 0 && meanwhile + scene->terms.reserve < kept)
        kept = meanwhile + scene->terms.reserve;
    if ((scope == PLAN_WORTHWHILE || scope == PLAN_SPARSE) && !scene->terms.outlook.awaited)
        most -= kept;
    return most < scene->terms.room ? most : scene->terms.room;
}

static double above_zero(double number)
{
    return number > 0 ? number : 0;
}

/* Regions in use at most, when all goes well. */
static double goal_of(const struct scene *scene)
{
    double most = above_zero((double)scene->table.count - scene->terms.reserve);
    double goal = scene->terms.outlook.goal;
    return goal != 0 && goal < most ? goal : most;
}

/* The formula of docs/design/evacuation.md. */
static double net_gain(const struct scene *scene, double count, double destinations, double moved)
{
    double gain = count - destinations;
    if (gain < 1 || gain < whole(goal_of(scene) / 64.0))
        return 0;
    double used = (double)scene->table.count - scene->terms.free_count;
    double headroom = above_zero(goal_of(scene) - used);
    return 4 * 1.5 * scene->live * gain / (headroom + gain) - scene->live - 0.4 * moved;
}

/* Whether a set of so many regions would do. */
static bool acceptable(const struct scene *scene, enum plan_scope scope, double count, double destinations,
                       double bytes)
{
    if (destinations > most_destinations(scene, scope))
        return false;
    switch (scope) {
    case PLAN_WORTHWHILE:
        return net_gain(scene, count, destinations, bytes) > 0;
    case PLAN_TIGHT:
        return count >= 2;
    case PLAN_SPARSE:
        return destinations < count;
    default:
        return scene->terms.free_count - destinations + count >= scene->terms.reserve;
    }
}

static void check_members(const struct scene *scene, enum plan_scope scope)
{
    bool chosen[REGIONS_MAX] = {false};
    uint32_t densest = 0;
    for (region_number i = 0; i < scene->chosen.count; i++) {
        region_number region = scene->set[i];
        assert_true(region < scene->table.count && !chosen[region]);
        assert_true(candidate(scene, scope, region));
        chosen[region] = true;
        if (bytes_of(scene, region) > densest)
            densest = bytes_of(scene, region);
    }
    /* The sparsest, to within a class of 4 KiB; those that cannot be packed come last, in no order. */
    bool dense = false;
    for (region_number i = 0; i < scene->chosen.count; i++) {
        assert_false(dense && loose(scene, scene->set[i]));
        dense = dense || !loose(scene, scene->set[i]);
    }
    for (region_number r = 0; r < scene->table.count && scene->chosen.count != 0; r++) {
        if (!chosen[r] && candidate(scene, scope, r) && loose(scene, r))
            assert_true(!dense && bytes_of(scene, r) + REGION_SIZE / 64 >= densest);
    }
}

/* How much a number of regions is wanted, by the scope's measure. */
static double measure(const struct scene *scene, enum plan_scope scope, double count, double destinations,
                      double bytes)
{
    if (!acceptable(scene, scope, count, destinations, bytes))
        return 0;
    return scope == PLAN_WORTHWHILE ? net_gain(scene, count, destinations, bytes) : count;
}

/* No other number of the candidates in this order would have been better. */
static void check_count(const struct scene *scene, enum plan_scope scope)
{
    region_number candidates = 0;
    for (region_number r = 0; r < scene->table.count; r++)
        candidates += candidate(scene, scope, r);
    double best = 0;
    double chosen = 0;
    double bytes = 0;
    uint32_t largest = 0;
    for (region_number count = 1; count <= candidates; count++) {
        region_number region = scene->set[count - 1];
        bytes += bytes_of(scene, region);
        largest = largest_of(scene, region) > largest ? largest_of(scene, region) : largest;
        double destinations = whole_up(bytes / filled(largest));
        double worth = measure(scene, scope, count, destinations, bytes);
        best = worth > best ? worth : best;
        if (count == scene->chosen.count) {
            assert_true(worth > 0 && scene->chosen.destinations == destinations);
            chosen = worth;
        }
    }
    /* Bytes are rounded to granules, and what is saved to hundredths of them. */
    assert_true(chosen + 64 >= best);
}

static void check_progress(const struct scene *scene)
{
    bool young = false;
    unsigned loose_count = 0;
    for (region_number r = 0; r < scene->table.count; r++)
        young = young || region_get_state(&scene->table, r) == REGION_BORN;
    for (region_number i = 0; i < scene->chosen.count; i++)
        loose_count += loose(scene, scene->set[i]);
    assert_int_equal(scene->chosen.progress, young || (loose_count >= 2 && scene->packable));
}

static void test_agrees_with_the_model(void **state)
{
    (void)state;
    unsigned sets = 0;
    unsigned rounds = test_rounds(4000, 400);
    for (unsigned round = 0; round < rounds; round++) {
        static struct scene scene;
        scene.random = test_random_make(test_seed(), round);
        random_scene(&scene);
        look_at_table(&scene);
        evacuation_choose(&scene.chosen, &scene.table, &scene.terms);
        enum plan_scope scope = scope_of(&scene);
        check_members(&scene, scope);
        check_count(&scene, scope);
        check_progress(&scene);
        sets += scene.chosen.count != 0;
        region_table_destroy(&scene.table);
    }
    assert_true(sets > rounds / 8);
}

/* A heap that is full of regions which cannot be packed any more densely for certain, though none is full. */
static void test_a_packed_heap_is_left_alone(void **state)
{
    (void)state;
    static struct scene scene;
    enum { COUNT = 40, LARGEST = 4096 };
    memset(scene.regions, 0, sizeof scene.regions);
    region_table_init(&scene.table, scene.regions, COUNT + 8);
    for (unsigned i = 0; i < COUNT; i++) {
        struct region *region = &scene.regions[region_take(&scene.table, REGION_USED, 0)];
        region->live_bytes = (uint32_t)filled(LARGEST) - 16;
        region->largest = LARGEST;
    }
    scene.terms = (struct evacuation_terms){.scope = PLAN_TIGHT,
                                            .sparse_percent = 100,
                                            .reserve = 8,
                                            .free_count = 8,
                                            .room = 8,
                                            .growth = scene.growth};
    scene.chosen = (struct evacuation){.regions = scene.set};
    evacuation_choose(&scene.chosen, &scene.table, &scene.terms);
    assert_int_equal(scene.chosen.count, 0);
    assert_false(scene.chosen.progress);
    /* Until something in one of them dies. */
    scene.regions[9].live_bytes = 16;
    scene.regions[7].live_bytes = 16;
    evacuation_choose(&scene.chosen, &scene.table, &scene.terms);
    assert_true(scene.chosen.count >= 2 && scene.chosen.progress);
    region_table_destroy(&scene.table);
}

/* ---- [packing], played through --------------------------------------------------------------------- */

enum { GROUPS_MAX = 600 };

/* A region's live objects, as the groups that stay together, each with its largest object. */
struct contents {
    uint32_t groups[GROUPS_MAX];
    uint32_t largest[GROUPS_MAX];
    unsigned count;
};

struct play {
    struct test_random random;
    struct region regions[REGIONS_MAX];
    struct contents contents[REGIONS_MAX];
    struct region_table table;
    region_number set[REGIONS_MAX];
    region_number reserve;
};

static void put_group(struct play *play, region_number region, uint32_t group, uint32_t largest)
{
    struct contents *contents = &play->contents[region];
    assert_true(contents->count < GROUPS_MAX);
    contents->groups[contents->count] = group;
    contents->largest[contents->count++] = largest;
    play->regions[region].live_bytes += group;
    if (largest > play->regions[region].largest)
        play->regions[region].largest = largest;
    assert_true(play->regions[region].live_bytes <= REGION_CAPACITY);
}

/* Groups that leave much unused where they do not fit. */
static void fill_region(struct play *play, region_number region, uint64_t bytes)
{
    struct test_random *random = &play->random;
    unsigned misses = 4;
    while (misses != 0) {
        uint32_t largest = test_random_chance(random, 70)
                               ? (uint32_t)OBJECT_SIZE_MAX
                               : (uint32_t)(test_random_between(random, 64, 2049) * GRANULE_SIZE);
        uint32_t group = largest + (uint32_t)(test_random_below(random, 64) * GRANULE_SIZE);
        if (play->regions[region].live_bytes + group <= bytes)
            put_group(play, region, group, largest);
        else
            misses--;
    }
    /* Down to the last granule. */
    for (;;) {
        uint64_t left = (bytes - play->regions[region].live_bytes) / GRANULE_SIZE * GRANULE_SIZE;
        uint32_t group = (uint32_t)(left < 1024 ? left : 1024);
        if (group == 0 || play->contents[region].count == GROUPS_MAX)
            return;
        put_group(play, region, group, group);
    }
}

/* All regions of the heap in use, as full on average as the condition allows; only the reserve is free. */
static region_number play_open(struct play *play)
{
    struct test_random *random = &play->random;
    region_number heap = (region_number)test_random_between(random, 3, 60);
    region_number mutators = (region_number)test_random_between(random, 1, heap > 8 ? 6 : 2);
    memset(play->regions, 0, sizeof play->regions);
    play->reserve = (region_number)test_random_between(random, 2, 8);
    region_table_init(&play->table, play->regions, heap + play->reserve);
    region_number used = heap - mutators + 1;
    uint64_t left = (uint64_t)(heap - mutators) * REGION_SIZE * 100 / 115;
    bool even = test_random_chance(random, 50);
    for (region_number i = 0; i < heap; i++) {
        region_number region = region_take(&play->table, REGION_ALLOCATING, 0);
        play->contents[region].count = 0;
        if (i >= used)
            continue; /* the buffer of a mutator that does not wait */
        region_set_state(&play->table, region, REGION_USED);
        uint64_t share = left / (used - i);
        if (!even)
            share = share * test_random_between(random, 60, 130) / 100;
        if (share < 1024)
            share = 1024;
        share = share < left ? share : left;
        fill_region(play, region, share < REGION_CAPACITY ? share : REGION_CAPACITY);
        left -= play->regions[region].live_bytes;
    }
    return used;
}

/* Moves the set as gc/plan.c does: group by group, to the next destination when one does not fit. */
static region_number move(struct play *play, const struct evacuation *chosen)
{
    static struct contents old[REGIONS_MAX];
    for (region_number i = 0; i < chosen->count; i++)
        old[i] = play->contents[chosen->regions[i]];
    region_number destinations = 0;
    region_number destination = REGION_NONE;
    for (region_number i = 0; i < chosen->count; i++) {
        for (unsigned g = 0; g < old[i].count; g++) {
            if (destination == REGION_NONE ||
                play->regions[destination].live_bytes + old[i].groups[g] > REGION_CAPACITY) {
                destination = region_take(&play->table, REGION_DESTINATION, 0);
                assert_int_not_equal(destination, REGION_NONE);
                play->contents[destination].count = 0;
                destinations++;
                /* Not before the cycle ends. */
                region_set_state(&play->table, destination, REGION_USED);
            }
            put_group(play, destination, old[i].groups[g], old[i].largest[g]);
        }
    }
    for (region_number i = 0; i < chosen->count; i++)
        region_free(&play->table, chosen->regions[i]);
    return destinations;
}

static void play_through(uint64_t stream)
{
    static struct play play;
    play.random = test_random_make(test_seed(), stream);
    region_number used = play_open(&play);
    static const enum plan_scope scopes[] = {PLAN_TIGHT, PLAN_TIGHT, PLAN_SPARSE, PLAN_EVERYTHING};
    for (region_number cycle = 0; region_free_count(&play.table) <= play.reserve; cycle++) {
        assert_true(cycle < used);
        struct evacuation_terms terms = {.scope = scopes[test_random_below(&play.random, 4)],
                                         .sparse_percent = 75,
                                         .growth = no_growth,
                                         .reserve = play.reserve,
                                         .free_count = region_free_count(&play.table),
                                         .room = region_free_count(&play.table)};
        struct evacuation chosen = {.regions = play.set};
        evacuation_choose(&chosen, &play.table, &terms);
        assert_true(chosen.progress);
        assert_true(move(&play, &chosen) <= chosen.destinations);
        assert_true(region_free_count(&play.table) >= play.reserve);
    }
    region_table_destroy(&play.table);
}

static void test_a_region_is_freed_in_the_end(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(20000, 1000); round++)
        play_through(1000000 + round);
}

/* ---- the reserve ----------------------------------------------------------------------------------- */

static void test_reserve(void **state)
{
    (void)state;
    assert_int_equal(evacuation_reserve(HEAP_SIZE_MIN), 8);
    assert_int_equal(evacuation_reserve((size_t)64 << 20), 8);
    assert_int_equal(evacuation_reserve((size_t)66 << 20), 16);
    assert_int_equal(evacuation_reserve((size_t)1 << 30), 128);
    for (size_t size = HEAP_SIZE_MIN; size <= HEAP_SIZE_MAX; size += HEAP_UNIT * 997) {
        assert_int_equal(region_start(evacuation_reserve(size)) % HEAP_UNIT, 0);
        assert_true(evacuation_reserve(size) >= (size >> REGION_SHIFT) / 32);
    }
    assert_true(HEAP_SIZE_MAX + region_start(evacuation_reserve(HEAP_SIZE_MAX)) <= REGION_SPACE_MAX);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_the_model),
        cmocka_unit_test(test_a_packed_heap_is_left_alone),
        cmocka_unit_test(test_a_region_is_freed_in_the_end),
        cmocka_unit_test(test_reserve),
    };
    return cmocka_run_group_tests_name("property.evacuation", tests, NULL, NULL);
}
