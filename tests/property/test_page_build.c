/*
 * Page building against a naive model, over random heaps: built in any order, by one thread or by several that
 * claim pages from each other, the heap ends up byte by byte as the model says; also when regions were held back after
 * the plan was made.
 */
#include "gc/compact.h"
#include "gc/hold_back.h"
#include "gc/page_contents.h"
#include "tests/support/model_heap.h"
#include "tests/support/os_simulated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A heap with a plan, and what must come of it. */
struct scene {
    struct os_simulated os;
    struct test_random random;
    struct model model;
    struct plan plan;
    page_number pages;
    bool *has_contents;
    char *image;
};

/* Destination pages on which there would have been something are built all the same. */
static void hold_back_some(struct scene *scene)
{
    struct plan *plan = &scene->plan;
    model_place(&scene->model, plan);
    model_pages_with_contents(&scene->model, scene->has_contents);
    unsigned percent = (unsigned)test_random_below(&scene->random, 6) * 20;
    for (region_number i = 0; i < plan->evacuated_count; i++) {
        if (!test_random_chance(&scene->random, percent))
            continue;
        assert_true(hold_back(plan, plan->evacuated[i]));
        assert_false(hold_back(plan, plan->evacuated[i]));
    }
}

static void check_counts(const struct scene *scene)
{
    uint64_t objects = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < scene->model.count; i++) {
        const struct model_object *object = &scene->model.objects[i];
        objects += object->live && object->moves;
        bytes += object->live && object->moves ? object->moved_size : 0;
    }
    assert_int_equal(scene->plan.objects, objects);
    assert_int_equal(scene->plan.bytes, bytes);
}

static void scene_open(struct scene *scene, uint64_t stream)
{
    static const size_t page_sizes[] = {4096, 16384, 65536};
    scene->random = test_random_make(test_seed(), stream);
    struct test_random *random = &scene->random;
    os_simulated_init(&scene->os, page_sizes[test_random_below(random, 3)]);
    model_create(&scene->model, &scene->os.os, 16 * REGION_SIZE, random);
    unsigned most = test_quick() ? 4 : 12;
    model_fill(&scene->model, &(struct model_fill){
                                  .regions = (unsigned)test_random_between(random, 1, most),
                                  .live_percent = (unsigned)test_random_between(random, 5, 100),
                                  .stuck_percent = 20,
                                  .hash_percent = (unsigned)test_random_below(random, 4) * 33,
                              });
    model_set_live_bits(&scene->model);
    assert_int_equal(plan_create(&scene->plan, &scene->model.memory), 0);
    plan_make(&scene->plan, test_random_chance(random, 70) ? PLAN_EVERYTHING : PLAN_SPARSE, 100, 0);
    model_ask_some(&scene->model, &scene->plan, 10);
    scene->pages = memory_page(&scene->model.memory, scene->model.memory.views.regions);
    scene->has_contents = calloc(scene->pages, sizeof(bool));
    scene->image = malloc(scene->model.memory.views.regions);
    assert_non_null(scene->has_contents);
    assert_non_null(scene->image);
    if (stream % 2 != 0)
        hold_back_some(scene);
    model_place(&scene->model, &scene->plan);
    check_counts(scene);
    /* After it, as objects that are held back before they were asked did not grow. */
    model_ask_some(&scene->model, &scene->plan, 10);
    model_pages_with_contents(&scene->model, scene->has_contents);
    /* Pages of evacuated regions are not built, whatever lies on them. */
    for (page_number page = 0; page < scene->pages; page++) {
        region_number region = region_of((size_t)page * scene->os.page_size);
        scene->has_contents[page] &= scene->plan.roles[region] != ROLE_EVACUATED;
    }
    model_expect(&scene->model, scene->image);
}

static void scene_close(struct scene *scene)
{
    free(scene->image);
    free(scene->has_contents);
    plan_destroy(&scene->plan);
    model_destroy(&scene->model);
    os_simulated_destroy(&scene->os);
}

static void check_heap(const struct scene *scene)
{
    size_t at = model_first_difference(&scene->model, scene->image);
    if (at != SIZE_MAX)
        fail_msg("at offset %#zx (page %zu, role %d) the heap is not as expected", at,
                 at / scene->os.page_size, scene->plan.roles[region_of(at)]);
}

static void test_pages_in_random_order(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(60, 4); round++) {
        struct scene scene;
        scene_open(&scene, round);
        uint32_t *order = malloc(scene.pages * sizeof *order);
        assert_non_null(order);
        for (page_number page = 0; page < scene.pages; page++)
            order[page] = page;
        test_random_shuffle(&scene.random, order, scene.pages);
        size_t page_size = scene.os.page_size;
        for (page_number i = 0; i < scene.pages; i++) {
            page_number page = order[i];
            assert_int_equal(page_has_contents(&scene.plan, page), scene.has_contents[page]);
            page_build(&scene.plan, page);
            /* Complete at once, whatever was built before and is not built yet. */
            assert_memory_equal(views_alias(&scene.model.memory.views, page * page_size),
                                scene.image + page * page_size, page_size);
        }
        check_heap(&scene);
        model_check_hashes(&scene.model, &scene.plan);
        free(order);
        scene_close(&scene);
    }
}

/* ---- several threads ---------------------------------------------------------------------------------- */

/* The collector, which is this thread; another worker; and two that get faults. */
enum { THREADS = 4 };

struct worker {
    struct scene *scene;
    struct compaction *compaction;
    struct builder builder;
    struct test_random random;
    unsigned number;
    pthread_t thread;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    if (worker->number == 1) {
        while (compact_next_unit(worker->compaction, &worker->builder))
            continue;
        return NULL;
    }
    /* As faults come: any page, in any order. Pages without contents are asked for as well. */
    for (unsigned i = 0; i < 600; i++) {
        page_number page = (page_number)test_random_below(&worker->random, worker->scene->pages);
        /* It is counted with the pages that were built, even if there was nothing to do. */
        if (compact_fault(worker->compaction, &worker->builder, page) == COMPACT_BUILT &&
            !worker->scene->has_contents[page])
            atomic_u64_fetch_add(&worker->builder.pages, (uint64_t)-1);
    }
    return NULL;
}

static void test_pages_by_several_threads(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(40, 4); round++) {
        struct scene scene;
        scene_open(&scene, 1000 + round);
        struct page_states *pages = &scene.model.memory.pages;
        struct compaction compaction;
        compaction_init(&compaction, &scene.model.memory, &scene.plan);
        page_states_flip(pages);
        compact_begin(&compaction);
        struct worker workers[THREADS];
        for (unsigned i = 0; i < THREADS; i++) {
            workers[i] = (struct worker){.scene = &scene, .compaction = &compaction, .number = i};
            workers[i].random = test_random_make(test_random_next(&scene.random), i);
            if (i != 0)
                assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        }
        while (compact_next_unit(&compaction, &workers[0].builder))
            continue;
        /* The other worker may be in the middle of its last region: the end must not overtake it. */
        compact_end(&compaction, &workers[0].builder);
        const struct memory *memory = compaction.memory;
        page_number used = memory_page(memory, region_start(region_touched(&memory->regions)));
        for (page_number page = 0; page < used; page++)
            assert_true(page_is_mapped(pages, page));
        check_heap(&scene);
        uint64_t built = atomic_u64_load(&workers[0].builder.pages);
        uint64_t expected = 0;
        for (unsigned i = 1; i < THREADS; i++) {
            pthread_join(workers[i].thread, NULL);
            built += atomic_u64_load(&workers[i].builder.pages);
        }
        for (page_number page = 0; page < scene.pages; page++)
            expected += scene.has_contents[page];
        /* [claim]: each page once, however many wanted it. */
        assert_int_equal(built, expected);
        scene_close(&scene);
    }
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_in_random_order),
        cmocka_unit_test(test_pages_by_several_threads),
    };
    return cmocka_run_group_tests_name("property.page_build", tests, NULL, NULL);
}
