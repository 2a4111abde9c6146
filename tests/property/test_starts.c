/*
 * Object starts against a model: regions filled at random, of every kind in which conservative roots look for objects, over several
 * cycles with the same tables. The model says of every granule which valid object it is part of [starts].
 */
#include "heap/announce.h"
#include "heap/starts.h"
#include "tests/support/os_simulated.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { REGIONS = 6, SIZE_MAX_SMALL = 160, SIZE_MAX_LARGE = 20000 };

/* How a region came to be what it is when the cycle begins, or since. */
enum kind { ALL_NEW, MARKED, MARKED_AND_BORN, FILLING, TAKEN_SINCE, PLACED, NOT_IN_USE, KINDS };

struct scene {
    struct test_random *random;
    struct os_simulated os;
    struct memory memory;
    struct starts starts;
    void *table;
    const struct type *bytes;
    granule_number expected[REGIONS][REGION_GRANULES];
};

static struct region *region_at(struct scene *scene, region_number region)
{
    return &scene->memory.regions.regions[region];
}

static void open(struct scene *scene, struct test_random *random)
{
    static const shale_encoding plain = SHALE_ENCODING_PLAIN;
    scene->random = random;
    os_simulated_init(&scene->os, 4096);
    const char *failed;
    assert_int_equal(memory_create(&scene->memory, &scene->os.os, HEAP_SIZE_MIN, &plain, &failed), 0);
    announce_object(views_mutator(&scene->memory.views, 0), HEAP_SIZE_MIN);
    const shale_type_spec spec = {.name = "bytes", .element_size = 1};
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    scene->bytes = type_register(&scene->memory.types, &spec, &status, message, sizeof message);
    assert_non_null(scene->bytes);
    scene->table = calloc(1, starts_size(&scene->memory));
    assert_non_null(scene->table);
    starts_init(&scene->starts, &scene->memory, scene->table);
    for (region_number i = 0; i < REGIONS; i++)
        assert_int_equal(region_take(&scene->memory.regions, REGION_ALLOCATING, 0), i);
}

static void close(struct scene *scene)
{
    free(scene->table);
    memory_destroy(&scene->memory);
    os_simulated_destroy(&scene->os);
}

/* ---- filling --------------------------------------------------------------------------------------- */

static void expect(struct scene *scene, size_t object, size_t size)
{
    region_number region = region_of(object);
    for (size_t at = object; at < object + size && at < region_start(region) + REGION_SIZE;
         at += GRANULE_SIZE)
        scene->expected[region][granule_of(at - region_start(region))] = granule_of(object);
}

static size_t random_size(struct scene *scene, size_t room)
{
    size_t most = test_random_chance(scene->random, 90) ? SIZE_MAX_SMALL : SIZE_MAX_LARGE;
    size_t size = test_random_between(scene->random, 1, most / GRANULE_SIZE) * GRANULE_SIZE;
    return size < room ? size : room;
}

/* What is live, or valid otherwise, is chosen object by object. */
struct filling {
    size_t
        born_from; /* address within the region from which on all are valid; set to where the next object begins */
    size_t end;        /* the same from which on none is */
    unsigned live;     /* percent of those before born_from */
    uint64_t *bits;    /* that are set for them */
    uint8_t between;   /* what gaps hold */
    bool bits_of_born; /* are set, too */
};

/* Fills a region; returns where the next object would be, from its start. */
static size_t fill(struct scene *scene, region_number region, struct filling *filling)
{
    char *alias = views_alias(&scene->memory.views, region_start(region));
    memset(alias, filling->between, REGION_SIZE);
    size_t at = REGION_FIRST_OBJECT;
    bool born = false;
    bool ended = false;
    while (at + HEADER_SIZE <= REGION_SIZE && !test_random_chance(scene->random, 1)) {
        if (!born && at >= filling->born_from)
            filling->born_from = at;
        if (!ended && at >= filling->end)
            filling->end = at;
        born = at >= filling->born_from;
        ended = at >= filling->end;
        size_t size = random_size(scene, (REGION_SIZE - (at - HEADER_SIZE)) & ~(size_t)(GRANULE_SIZE - 1));
        bool gap = test_random_chance(scene->random, 15);
        if (size == 0)
            break;
        if (!gap) {
            uint64_t header = scene->bytes->api.header | (uint64_t)(size - HEADER_SIZE) << 32;
            assert_int_equal(object_size(scene->bytes, header), size);
            *(uint64_t *)(alias + at - HEADER_SIZE) = header;
            memset(alias + at, 0xaa, size - HEADER_SIZE);
            bool live = !born && test_random_chance(scene->random, filling->live);
            size_t object = region_start(region) + at;
            if (filling->bits != NULL && (live || (born && filling->bits_of_born)))
                bits_set(filling->bits, granule_of(object));
            if ((born || live) && !ended)
                expect(scene, object, size);
        }
        at += size;
    }
    if (!born && at >= filling->born_from)
        filling->born_from = at;
    if (!ended && at >= filling->end)
        filling->end = at;
    return at;
}

static void set_top(struct scene *scene, region_number region, size_t next)
{
    region_at(scene, region)->top = (uint32_t)(next - HEADER_SIZE);
    region_set_state(&scene->memory.regions, region, REGION_USED);
}

static size_t random_place(struct scene *scene)
{
    return REGION_FIRST_OBJECT + test_random_below(scene->random, REGION_SIZE / GRANULE_SIZE) * GRANULE_SIZE;
}

/* So that somebody else has it from now on, as far as can be seen. */
static void take_again(struct scene *scene, region_number region)
{
    struct region *taken = region_at(scene, region);
    atomic_u32_store(&taken->generation, atomic_u32_load(&taken->generation) + 1);
    atomic_u32_store(&taken->born_from, REGION_SIZE);
    atomic_u32_store(&taken->scanned_to, 0);
}

/* As it is when the cycle begins. */
static void prepare(struct scene *scene, region_number region, enum kind kind)
{
    struct filling filling = {.born_from = 0, .end = REGION_SIZE};
    struct region *prepared = region_at(scene, region);
    memory_clear_marks(&scene->memory, region);
    take_again(scene, region);
    bool marked = kind == MARKED || kind == MARKED_AND_BORN ||
                  (kind == TAKEN_SINCE && test_random_chance(scene->random, 70));
    switch (kind) {
    case TAKEN_SINCE:
    case MARKED:
    case MARKED_AND_BORN:
        if (!marked)
            break;
        filling.born_from = kind == MARKED_AND_BORN ? random_place(scene) : REGION_SIZE;
        filling.live = (unsigned)test_random_below(scene->random, 101);
        filling.bits = scene->memory.live_bits;
        filling.bits_of_born = test_random_chance(scene->random, 50);
        break;
    case PLACED:
        filling.born_from = REGION_SIZE;
        filling.live = 40;
        filling.bits = scene->starts.words;
        filling.between = 0xdb;
        starts_begin_placed(&scene->starts, region);
        break;
    case FILLING:
        filling.end = test_random_chance(scene->random, 30) ? 0 : random_place(scene);
        break;
    case NOT_IN_USE:
        filling.end = 0;
        break;
    default:
        break;
    }
    size_t next = fill(scene, region, &filling);
    set_top(scene, region, next);
    if (marked) {
        atomic_u8_store(&prepared->marked, 1);
        atomic_u32_store(&prepared->born_from, (uint32_t)filling.born_from);
    }
    if (kind == FILLING) {
        region_set_state(&scene->memory.regions, region,
                         test_random_chance(scene->random, 50) ? REGION_ALLOCATING : REGION_BORN);
        atomic_u32_store(&prepared->scanned_to, (uint32_t)filling.end);
    }
}

/* What happens to it before all mutators were scanned. */
static void change(struct scene *scene, region_number region, enum kind kind)
{
    memory_clear_marks(&scene->memory, region);
    if (kind == NOT_IN_USE) {
        static const enum region_state states[] = {REGION_EVACUATED, REGION_DESTINATION};
        region_set_state(&scene->memory.regions, region, states[test_random_below(scene->random, 2)]);
    } else if (kind == TAKEN_SINCE) {
        for (size_t i = 0; i < REGION_GRANULES; i++)
            scene->expected[region][i] = GRANULE_NONE;
        take_again(scene, region);
        struct filling filling = {.born_from = 0, .end = REGION_SIZE};
        set_top(scene, region, fill(scene, region, &filling));
    }
}

/* ---- looking --------------------------------------------------------------------------------------- */

static void check(struct scene *scene, region_number region, granule_number granule, enum kind kind)
{
    granule_number asked = granule_of(region_start(region)) + granule;
    granule_number found = starts_find(&scene->starts, asked);
    if (found != scene->expected[region][granule])
        fail_msg("granule %u of region %u of kind %d: object at %u, not at %u", granule, region, (int)kind,
                 found, scene->expected[region][granule]);
}

static void run_cycle(struct scene *scene)
{
    enum kind kinds[REGIONS];
    for (size_t i = 0; i < REGIONS * REGION_GRANULES; i++)
        scene->expected[i / REGION_GRANULES][i % REGION_GRANULES] = GRANULE_NONE;
    for (region_number region = 0; region < REGIONS; region++) {
        kinds[region] = (enum kind)test_random_below(scene->random, KINDS);
        prepare(scene, region, kinds[region]);
        starts_keep(&scene->starts, region);
        change(scene, region, kinds[region]);
    }
    /* In no order at first, as words come. */
    for (int i = 0; i < 1000; i++) {
        region_number region = (region_number)test_random_below(scene->random, REGIONS);
        check(scene, region, (granule_number)test_random_below(scene->random, REGION_GRANULES),
              kinds[region]);
    }
    for (region_number region = 0; region < REGIONS; region++) {
        for (granule_number granule = 0; granule < REGION_GRANULES; granule++)
            check(scene, region, granule, kinds[region]);
    }
}

static void like_the_model(void **state)
{
    (void)state;
    unsigned rounds = test_rounds(20, 4);
    for (unsigned round = 0; round < rounds; round++) {
        struct test_random random = test_random_make(test_seed(), round);
        struct scene *scene = calloc(1, sizeof *scene);
        assert_non_null(scene);
        open(scene, &random);
        for (int cycle = 0; cycle < 4; cycle++)
            run_cycle(scene);
        close(scene);
        free(scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
