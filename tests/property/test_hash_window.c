/*
 * Mutators that ask for identity hashes before, while and after a plan is made: whatever the moment, all that ask
 * for one object's get the same answer, and it is what the object has when it has moved.
 */
#include "gc/hash_window.h"
#include "gc/hold_back.h"
#include "gc/page_build.h"
#include "heap/identity_hash.h"
#include "tests/support/model_heap.h"
#include "tests/support/os_simulated.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { THREADS = 3 };

struct scene {
    struct os_simulated os;
    struct test_random random;
    struct model model;
    struct plan plan;
    atomic_u32 begun; /* threads that ask already */
    atomic_u32 done;  /* the plan is made */
};

struct asker {
    struct scene *scene;
    struct test_random random;
    uint64_t *answers; /* per object, 0: not asked */
    size_t pause;
    const char *wrong;
    pthread_t thread;
};

static void ask_for(struct asker *asker, size_t index)
{
    const struct model *model = &asker->scene->model;
    if (!model->objects[index].live)
        return; /* no mutator has its address */
    size_t offset = model->objects[index].offset;
    uint64_t hash = identity_hash_ask(&asker->scene->plan, model_payload(model, offset), offset);
    if (hash == 0 || (asker->answers[index] != 0 && asker->answers[index] != hash))
        asker->wrong = "a hash changed";
    asker->answers[index] = hash;
}

/* Half of the time what the plan comes to next, as it goes through regions from the first to the last. */
static void *ask(void *argument)
{
    struct asker *asker = argument;
    struct scene *scene = asker->scene;
    size_t count = scene->model.count;
    size_t next = 0;
    bool last = false;
    atomic_u32_fetch_add(&scene->begun, 1);
    for (unsigned left = 200; left != 0; left -= last) {
        last = last || atomic_u32_load_acquire(&scene->done) != 0;
        ask_for(asker, test_random_below(&asker->random, count));
        next = (next + test_random_below(&asker->random, 5)) % count;
        ask_for(asker, next);
        /* Or all would be asked for before the plan has begun. */
        for (size_t pause = last ? 0 : test_random_below(&asker->random, asker->pause); pause != 0; pause--)
            atomic_pause();
    }
    return NULL;
}

/* Settles what was asked for into the model. */
static unsigned collect_answers(struct scene *scene, const struct asker *askers)
{
    unsigned late = 0;
    for (size_t i = 0; i < scene->model.count; i++) {
        struct model_object *object = &scene->model.objects[i];
        uint64_t answer = 0;
        for (int t = 0; t < THREADS; t++) {
            if (askers[t].answers[i] == 0)
                continue;
            if (answer != 0)
                assert_int_equal(askers[t].answers[i], answer);
            answer = askers[t].answers[i];
        }
        if (answer == 0)
            continue;
        if (object->hash_value != 0) {
            assert_int_equal(answer, object->hash_value); /* from before all this */
            continue;
        }
        object->hash_value = answer;
        object->hash =
            answer == identity_hash_of_place(&scene->model.memory, object->offset) ? MODEL_ASKED : MODEL_LATE;
        if (object->hash == MODEL_ASKED)
            continue;
        late++;
        size_t to = forward_offset(&scene->plan.forwarding, object->offset);
        assert_int_not_equal(to, object->offset);
        assert_int_equal(answer, identity_hash_of_place(&scene->model.memory, to));
    }
    return late;
}

static void scene_open(struct scene *scene, uint64_t stream, unsigned hash_percent)
{
    *scene = (struct scene){.random = test_random_make(test_seed(), stream)};
    os_simulated_init(&scene->os, 4096);
    model_create(&scene->model, &scene->os.os, 16 * REGION_SIZE, &scene->random);
    model_fill(&scene->model, &(struct model_fill){
                                  .regions = (unsigned)test_random_between(&scene->random, 2, 6),
                                  .live_percent = 100,
                                  .hash_percent = hash_percent,
                              });
    assert_int_equal(plan_create(&scene->plan, &scene->model.memory), 0);
}

static void scene_close(struct scene *scene)
{
    plan_destroy(&scene->plan);
    model_destroy(&scene->model);
    os_simulated_destroy(&scene->os);
}

static void build_all(struct scene *scene)
{
    model_place(&scene->model, &scene->plan);
    for (page_number page = 0; page < memory_page(&scene->model.memory, scene->model.memory.views.regions);
         page++)
        page_build(&scene->plan, page);
}

static unsigned one_plan(uint64_t stream)
{
    static struct scene scene;
    scene_open(&scene, stream, (unsigned)(stream % 3) * 5);
    model_set_live_bits(&scene.model);
    struct test_random *random = &scene.random;
    struct asker askers[THREADS];
    for (unsigned t = 0; t < THREADS; t++) {
        askers[t] = (struct asker){.scene = &scene, .pause = (size_t)1 << test_random_below(random, 14)};
        askers[t].random = test_random_make(test_random_next(random), t);
        askers[t].answers = calloc(scene.model.count, sizeof(uint64_t));
        assert_non_null(askers[t].answers);
        assert_int_equal(pthread_create(&askers[t].thread, NULL, ask, &askers[t]), 0);
    }
    while (atomic_u32_load(&scene.begun) != THREADS)
        sched_yield();
    plan_make(&scene.plan, PLAN_EVERYTHING, 100, 0);
    const char *wrong = plan_check(&scene.plan);
    atomic_u32_store_release(&scene.done, 1);
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(askers[t].thread, NULL);
    for (unsigned t = 0; t < THREADS; t++) {
        if (wrong == NULL)
            wrong = askers[t].wrong;
    }
    if (wrong != NULL)
        fail_msg("%s", wrong);
    unsigned late = collect_answers(&scene, askers);
    build_all(&scene);
    model_check_hashes(&scene.model, &scene.plan);
    for (unsigned t = 0; t < THREADS; t++)
        free(askers[t].answers);
    scene_close(&scene);
    return late;
}

/* As reclaim does, and the next cycle's marking. */
static void begin_next_cycle(struct scene *scene)
{
    struct memory *memory = &scene->model.memory;
    for (region_number i = 0; i < scene->plan.destination_count; i++)
        region_set_state(&memory->regions, scene->plan.destinations[i], REGION_USED);
    for (region_number i = 0; i < scene->plan.evacuated_count; i++) {
        if (scene->plan.roles[scene->plan.evacuated[i]] != ROLE_EVACUATED)
            continue; /* held back */
        memory_forget_promises(memory, scene->plan.evacuated[i]);
        region_free(&memory->regions, scene->plan.evacuated[i]);
    }
    plan_clear(&scene->plan);
    model_advance(&scene->model);
    for (region_number region = 0; region < memory->regions.count; region++) {
        region_begin_cycle(&memory->regions, region);
        memory_clear_marks(memory, region);
    }
    model_set_live_bits(&scene->model);
}

/* What was asked for too late for one plan is known to the next, though nobody has asked again. */
static void test_late_objects_grow_the_next_time(void **state)
{
    (void)state;
    for (unsigned round = 0; round < test_rounds(20, 3); round++) {
        static struct scene scene;
        scene_open(&scene, 1000 + round, 0);
        /* Whatever the dice say. */
        struct model_object *object = scene.model.objects;
        while (object->type != MODEL_PAIR)
            object++;
        object->live = true;
        model_set_live_bits(&scene.model);
        plan_make(&scene.plan, PLAN_EVERYTHING, 100, 0);
        model_ask(&scene.model, &scene.plan, object);
        assert_int_equal(object->hash,
                         model_stored_size(MODEL_PAIR, 0) != object->size ? MODEL_LATE : MODEL_ASKED);
        /* It may also stay, and keep the hash that it was told all the same, until it moves. */
        bool stays = round % 2 != 0;
        if (stays)
            assert_true(hold_back(&scene.plan, region_of(object->offset)));
        build_all(&scene);
        model_check_hashes(&scene.model, &scene.plan);
        begin_next_cycle(&scene);
        plan_make(&scene.plan, PLAN_EVERYTHING, 100, 0);
        assert_null(plan_check(&scene.plan));
        build_all(&scene);
        model_check_hashes(&scene.model, &scene.plan);
        scene_close(&scene);
    }
}

static void test_asking_while_planning(void **state)
{
    (void)state;
    unsigned late = 0;
    unsigned rounds = test_rounds(200, 10);
    /* On a busy machine until one was asked for too late to grow. */
    for (unsigned round = 0; round < rounds || (late == 0 && round < 100 * rounds); round++)
        late += one_plan(round);
    assert_true(late > 0);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asking_while_planning),
        cmocka_unit_test(test_late_objects_grow_the_next_time),
    };
    return cmocka_run_group_tests_name("property.hash_window", tests, NULL, NULL);
}
