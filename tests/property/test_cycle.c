/*
 * Whole cycles in a fake world: mark, plan, flip, compact and reclaim over a random graph, on one thread, with
 * a simulated kernel. Mutators allocate and touch pages between all steps, as real ones would; after each cycle
 * every object is compared with the model.
 *
 * With faults by signal the collector's whole behaviour follows from the seed. With a fault server its thread
 * answers the faults, so that their order varies; what must hold does not.
 */
#include "gc/cycle.h"
#include "gc/hold_back.h"
#include "gc/page_build.h"
#include "gc/page_contents.h"
#include "gc/reclaim.h"
#include "gc/shade.h"
#include "heap/large.h"
#include "tests/support/fake_world.h"
#include "tests/support/os_simulated.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { YOUNG_MAX = 2000, BACKLOG = 2000, PINS_MAX = 16, LARGE_PERCENT = 2, LARGES_MAX = 8 };

struct scene {
    struct os_simulated os;
    struct test_random random;
    struct model model;
    struct fake_world fake;
    struct collector collector;
    enum shale_compaction compaction;
    bool flipping; /* since the flip's stop: image and has_contents say what must come */
    bool in_hook;
    region_number
        touched; /* by the last flip; the pages of regions taken since are not compaction's business */
    char *image;
    bool *has_contents;
    uint64_t clean_slots; /* on clean pages, that refer to another region */
    uint64_t large_slots; /* of large objects, that refer to what moves */
    uint64_t large_built; /* pages of large objects that were shown to mutators */
    uint64_t marked;      /* objects that the mark of this cycle must find */
    uint64_t marked_bytes;
    /* Objects that were allocated after the flip, with one word of data. */
    size_t young[YOUNG_MAX];
    size_t young_count;
    uint64_t roots[MODEL_ROOTS]; /* as they must be after the flip */
    region_number pinned[PINS_MAX];
    unsigned pinned_count;
    const char *wrong;
    const char *wrong_on_map; /* under the simulation's lock, since the fault server finds it as well */
};

/* Of all scenes: else they have shown little. */
static uint64_t clean_slots;
static uint64_t large_slots;
static uint64_t large_built;
static uint64_t held_back;
static uint64_t flips_held_off;

static void require(struct scene *scene, bool holds, const char *wrong)
{
    if (!holds && scene->wrong == NULL)
        scene->wrong = wrong;
}

/* ---- what mutators do ----------------------------------------------------------------------------------- */

static page_number region_pages(const struct scene *scene)
{
    return memory_page(&scene->model.memory, scene->model.memory.views.regions);
}

static page_number flipped_pages(const struct scene *scene)
{
    return memory_page(&scene->model.memory, model_end(&scene->model));
}

static bool is_evacuated(const struct scene *scene, page_number page)
{
    return page < region_pages(scene) &&
           scene->collector.plan.roles[region_of(page * scene->os.page_size)] == ROLE_EVACUATED;
}

/* A page of any region, or of the large space as far as it was ever used. */
static page_number random_page(struct scene *scene)
{
    page_number large = page_runs_touched(&scene->model.memory.fixed.large);
    return (page_number)test_random_below(&scene->random, region_pages(scene) + large);
}

/* A touch of a page, with its fault answered if it has one. Mutators have no way to the evacuation set, nor to
 * pages without objects. */
static void touch(struct scene *scene, page_number page)
{
    bool by_read = scene->compaction == SHALE_COMPACTION_FAULT_THREAD;
    size_t waiter;
    if (scene->compaction == SHALE_COMPACTION_IN_PAUSE || !scene->has_contents[page] ||
        is_evacuated(scene, page))
        return;
    if (scene->os.waiter_count >= BACKLOG || os_simulated_touch(&scene->os, page, by_read ? &waiter : NULL))
        return;
    if (by_read)
        return; /* asleep until somebody wakes it; looked at when the cycle has ended */
    struct page_states *pages = &scene->model.memory.pages;
    enum compact_answer answer =
        compact_fault(&scene->collector.compaction, &scene->collector.handlers, page);
    if (answer != COMPACT_BEING_BUILT) {
        require(scene, os_simulated_touch(&scene->os, page, NULL), "an answered fault happens again");
        require(scene, page_is_mapped(pages, page), "an answered fault leaves its page unmapped");
    }
}

static bool allocate_raw(struct scene *scene, enum model_type type, size_t length, size_t *offset)
{
    struct memory *memory = &scene->model.memory;
    struct bump *buffer = &scene->fake.locals[test_random_below(&scene->random, FAKE_MUTATORS)].bump;
    size_t size = model_size(type, length);
    uint64_t header = scene->model.types[type]->api.header | (uint64_t)length << 32;
    bool in_hook = scene->in_hook;
    scene->in_hook = true; /* this thread does nothing else meanwhile */
    uintptr_t address = bump_allocate(buffer, memory, size, header, scene->collector.reserve);
    scene->in_hook = in_hook;
    if (address == 0)
        return false;
    *offset = views_offset(&memory->views, address);
    const uint64_t *payload = (const uint64_t *)model_payload(&scene->model, *offset);
    for (size_t i = 0; i < (size - HEADER_SIZE) / 8; i++)
        require(scene, payload[i] == 0, "a new object is not zero");
    require(scene, memory_header(memory, *offset) == header, "a new object has a wrong header");
    return true;
}

static bool allocate_large(struct scene *scene, enum model_type type, size_t length, size_t *offset)
{
    struct memory *memory = &scene->model.memory;
    const shale_type_spec *spec = model_spec(type);
    const struct mutator_local *local = &scene->fake.locals[test_random_below(&scene->random, FAKE_MUTATORS)];
    struct large_request request = {.type = scene->model.types[type],
                                    .length = length,
                                    .payload = spec->size + length * spec->element_size};
    bool in_hook = scene->in_hook;
    scene->in_hook = true;
    struct large_run run = large_take(memory, &request, scene->collector.reserve);
    if (run.start != OFFSET_NONE)
        *offset = views_offset(&memory->views, large_complete(memory, &request, &run, local->bump.recording));
    scene->in_hook = in_hook;
    if (run.start == OFFSET_NONE)
        return false;
    const char *payload = model_payload(&scene->model, *offset);
    for (size_t i = 0; i < request.payload; i++)
        require(scene, payload[i] == 0, "a new large object is not zero");
    return true;
}

/* Types with an array can be large. Of those there are few, or nothing else would fit. */
static bool wants_large(struct scene *scene, enum model_type type)
{
    size_t live = 0;
    for (size_t i = 0; i < scene->model.large_count; i++)
        live += scene->model.objects[scene->model.larges[i]].live;
    return model_spec(type)->element_size != 0 && live < LARGES_MAX &&
           scene->model.large_count < MODEL_LARGE_MAX && test_random_chance(&scene->random, LARGE_PERCENT);
}

/* Allocates objects that refer to others; only when no addresses are changing. */
static void allocate_old(struct scene *scene, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        enum model_type type = (enum model_type)test_random_below(&scene->random, MODEL_TYPES);
        bool large = wants_large(scene, type);
        size_t length = large ? model_random_large_length(&scene->random, type)
                              : model_random_length(&scene->random, type);
        size_t offset;
        if (large ? !allocate_large(scene, type, length, &offset)
                  : !allocate_raw(scene, type, length, &offset))
            return;
        struct model_object *object = model_add(&scene->model, type, length, offset);
        object->live = true;
        model_fill_object(&scene->model, object);
    }
}

/* Stores into objects that are live, with the barrier that a mutator has at this moment. */
static void store_some(struct scene *scene, unsigned count)
{
    static struct model_slot slots[MODEL_SLOTS_MAX];
    struct model *model = &scene->model;
    for (unsigned i = 0; i < count && model->count != 0; i++) {
        struct mutator_local *local = &scene->fake.locals[test_random_below(&scene->random, FAKE_MUTATORS)];
        uint32_t barrier = local->bump.api.barrier;
        const struct model_object *object = &model->objects[test_random_below(&scene->random, model->count)];
        const struct model_object *target = &model->objects[test_random_below(&scene->random, model->count)];
        char *payload = model_payload(model, object->offset);
        size_t slot_count = model_slots(object->type, object->length, payload, slots);
        if (!object->live || !target->live || slot_count == 0)
            continue;
        struct model_slot slot = slots[test_random_below(&scene->random, slot_count)];
        uint64_t *word = (uint64_t *)(payload + slot.offset);
        uint64_t address = model_address(model, target);
        struct shading shading = {&scene->collector.mark.work, &model->memory, &local->shaded};
        if ((barrier & BARRIER_OLD) != 0)
            shade_slots(&shading, word, 1, slot.value);
        *word = slot.value ? model_value_make(model->encoding, &scene->random, address) : address;
        if ((barrier & BARRIER_NEW) != 0)
            shade_slots(&shading, word, 1, slot.value);
        if ((barrier & BARRIER_PAGES) != 0)
            memory_note_store(&model->memory,
                              views_mutator(&model->memory.views, object->offset + slot.offset));
    }
}

/* Allocates after the flip: the pages must be there, and nobody may write to them afterwards. */
static void allocate_young(struct scene *scene, unsigned count)
{
    for (unsigned i = 0; i < count && scene->young_count < YOUNG_MAX; i++) {
        size_t offset;
        if (!allocate_raw(scene, MODEL_BLOB, 0, &offset))
            return;
        page_number page = memory_page(&scene->model.memory, offset);
        if (page_states_active(&scene->model.memory.pages))
            touch(scene, page);
        require(scene, page_is_mapped(&scene->model.memory.pages, page), "a new object's page is stale");
        *(uint64_t *)model_payload(&scene->model, offset) = ~offset;
        scene->young[scene->young_count++] = offset;
    }
}

/* ---- hooks ------------------------------------------------------------------------------------------------ */

static void expect_roots(struct scene *scene)
{
    for (int i = 0; i < MODEL_ROOTS; i++) {
        uint64_t word = scene->model.roots[i];
        const struct model_object *target = model_target(&scene->model, word, i % 2 != 0);
        uint64_t address = target == NULL ? 0 : model_address(&scene->model, target);
        scene->roots[i] = target == NULL ? word
                                         : model_with_address(&scene->model, word, i % 2 != 0,
                                                              address - target->offset + target->moved_to);
    }
}

/* [clean]: nothing on a page that is taken for clean refers to what moves. */
static void expect_clean_pages(struct scene *scene)
{
    static struct model_slot slots[MODEL_SLOTS_MAX];
    const struct model *model = &scene->model;
    const struct plan *plan = &scene->collector.plan;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_object *object = &model->objects[i];
        if (!object->live || object->moves || object->offset >= model_end(model))
            continue;
        bool large = !model_in_region(model, object);
        const char *payload = model_payload(model, object->offset);
        size_t slot_count = model_slots(object->type, object->length, payload, slots);
        for (size_t s = 0; s < slot_count; s++) {
            uint64_t word = *(const uint64_t *)(payload + slots[s].offset);
            const struct model_object *target = model_target(model, word, slots[s].value);
            if (target == NULL)
                continue;
            bool clean = page_is_clean(plan, memory_page(&model->memory, object->offset + slots[s].offset));
            require(scene, !(clean && target->moves),
                    "a page with a reference to what moves is taken for clean");
            scene->large_slots += large && target->moves;
            scene->clean_slots += clean && region_of(target->offset) != region_of(object->offset);
        }
    }
}

/* ---- pins ------------------------------------------------------------------------------------------- */

static void pin_some(struct scene *scene, unsigned most)
{
    const struct model *model = &scene->model;
    for (unsigned i = 0; i < most && scene->pinned_count < PINS_MAX && model->count != 0; i++) {
        const struct model_object *object = &model->objects[test_random_below(&scene->random, model->count)];
        if (!object->live || !model_in_region(model, object))
            continue;
        region_number region = region_of(object->offset);
        region_pin(&scene->model.memory.regions, region);
        scene->pinned[scene->pinned_count++] = region;
    }
}

static void unpin_all(struct scene *scene)
{
    while (scene->pinned_count != 0)
        region_unpin(&scene->model.memory.regions, scene->pinned[--scene->pinned_count]);
}

/* Where everything goes, and which pages will be built. The last mutators to stop have pinned some of what was about to
 * move. */
static void expect_places(struct scene *scene)
{
    struct plan *plan = &scene->collector.plan;
    for (unsigned i = 0; i < scene->pinned_count; i++)
        require(scene, plan->roles[scene->pinned[i]] == ROLE_STAY, "a region moves that was pinned in time");
    memset(scene->has_contents, 0, flipped_pages(scene) * sizeof(bool));
    model_place(&scene->model, plan);
    model_pages_with_contents(&scene->model, scene->has_contents);
    if (!test_random_chance(&scene->random, 50))
        return;
    pin_some(scene, 4);
    hold_back_late(plan);
    for (unsigned i = 0; i < scene->pinned_count; i++)
        require(scene, plan->roles[scene->pinned[i]] == ROLE_STAY, "a region moves that was pinned late");
    held_back += plan->held_back_count;
    model_place(&scene->model, plan);
    model_pages_with_contents(&scene->model, scene->has_contents);
}

/* What mutators were told and have pinned by then must hold when nothing moves after all. */
static bool held_off(void *context)
{
    struct scene *scene = context;
    if (!test_random_chance(&scene->random, 20))
        return false;
    model_ask_some(&scene->model, &scene->collector.plan, 5);
    pin_some(scene, 2);
    flips_held_off++;
    return true;
}

static void on_stopped(void *context)
{
    struct scene *scene = context;
    if (scene->flipping || !scene->fake.moving)
        return;
    store_some(scene, 20); /* before they stopped */
    /* The flip. What was born since marking is written by now; addresses change from here on. */
    model_ask_some(&scene->model, &scene->collector.plan, 5);
    pthread_mutex_lock(&scene->os.lock);
    scene->flipping = true;
    scene->touched = region_touched(&scene->model.memory.regions);
    expect_places(scene);
    expect_clean_pages(scene);
    model_expect(&scene->model, scene->image);
    expect_roots(scene);
    pthread_mutex_unlock(&scene->os.lock);
}

static void on_resumed(void *context)
{
    struct scene *scene = context;
    if (!scene->flipping) {
        store_some(scene, (unsigned)test_random_below(&scene->random, 20));
        allocate_old(scene, (unsigned)test_random_below(&scene->random, 200));
        /* Marking has just ended, or the cycle. */
        model_ask_some(&scene->model, &scene->collector.plan, 5);
        return;
    }
    allocate_young(scene, 100);
    for (int i = 0; i < 60; i++)
        touch(scene, random_page(scene));
}

/* From when the mutators are scanned, what they allocate is born: live, and not for marking to find. */
static void on_handshake(void *context)
{
    struct scene *scene = context;
    if (!scene->flipping)
        store_some(scene, (unsigned)test_random_below(&scene->random, 40));
    if (scene->fake.stage == STAGE_TRACING || scene->fake.stage == STAGE_DECIDED)
        allocate_old(scene, (unsigned)test_random_below(&scene->random, 100));
}

/* [view]: what is shown to mutators is complete. The lock of the simulation is held. */
static void on_map(void *context, size_t page)
{
    struct scene *scene = context;
    size_t page_size = scene->os.page_size;
    if (!scene->flipping || page >= flipped_pages(scene) || !scene->has_contents[page] ||
        is_evacuated(scene, (page_number)page))
        return;
    if (page < region_pages(scene)) {
        /* A page that mutators allocate on now holds more than the model knows of. */
        enum region_state state = region_get_state(&scene->model.memory.regions, region_of(page * page_size));
        if (state == REGION_ALLOCATING || state == REGION_BORN)
            return;
    } else {
        scene->large_built++;
    }
    if (memcmp(views_alias(&scene->model.memory.views, page * page_size), scene->image + page * page_size,
               page_size) != 0)
        scene->wrong_on_map = "a page was published before it was up to date";
}

/* Between two steps of whoever publishes. */
static void after_continue(void *context)
{
    struct scene *scene = context;
    if (scene->compaction != SHALE_COMPACTION_FAULT_SIGNAL || scene->in_hook || scene->fake.stopped)
        return;
    scene->in_hook = true;
    if (test_random_chance(&scene->random, 50))
        touch(scene, random_page(scene));
    if (test_random_chance(&scene->random, 30))
        allocate_young(scene, 5);
    static const int errors[] = {EAGAIN, EAGAIN, EEXIST, EFAULT, ENOMEM};
    if (test_random_chance(&scene->random, 20))
        os_simulated_inject(&scene->os, errors[test_random_below(&scene->random, 5)],
                            test_random_below(&scene->random, 4));
    scene->in_hook = false;
}

/* ---- between cycles ----------------------------------------------------------------------------------------- */

/* Cuts and makes connections, so that some of the graph dies. */
static void mutate(struct scene *scene)
{
    static struct model_slot slots[MODEL_SLOTS_MAX];
    struct model *model = &scene->model;
    allocate_old(scene, (unsigned)test_random_below(&scene->random, 300));
    for (size_t i = 0; i < model->count; i++) {
        if (test_random_chance(&scene->random, 5))
            model_ask(model, &scene->collector.plan, &model->objects[i]);
    }
    for (size_t i = 0; i < model->count; i++) {
        struct model_object *object = &model->objects[i];
        if (!test_random_chance(&scene->random, 25))
            continue;
        if (test_random_chance(&scene->random, 20)) {
            model_fill_object(model, object);
            continue;
        }
        char *payload = model_payload(model, object->offset);
        size_t count = model_slots(object->type, object->length, payload, slots);
        for (size_t s = 0; s < count; s++)
            *(uint64_t *)(payload + slots[s].offset) = slots[s].value ? 1 : 0;
    }
    for (int i = 0; i < MODEL_ROOTS && model->count != 0;
         i += (int)test_random_between(&scene->random, 1, 9)) {
        uint64_t address =
            model_address(model, &model->objects[test_random_below(&scene->random, model->count)]);
        model->roots[i] = i % 2 == 0 ? address : model_value_make(model->encoding, &scene->random, address);
    }
}

/* What must be found live; nothing else is known to the model afterwards. */
static void expect_marks(struct scene *scene)
{
    model_trace(&scene->model);
    scene->marked = 0;
    scene->marked_bytes = 0;
    for (size_t i = 0; i < scene->model.count; i++) {
        struct model_object *object = &scene->model.objects[i];
        object->moved_to = object->offset;
        object->moved_size = object->size;
        object->moves = false;
        scene->marked += object->live;
        size_t size = object->size;
        if (!model_in_region(&scene->model, object))
            size = memory_fixed_size(&scene->model.memory, object->offset);
        scene->marked_bytes += object->live ? size : 0;
    }
}

/* Where a live object is there is one; nowhere else. */
static void check_place(struct scene *scene, const struct model_object *object)
{
    struct memory *memory = &scene->model.memory;
    if (!model_in_region(&scene->model, object)) {
        assert_int_equal(memory_fixed_object(memory, object->offset), object->offset);
        return;
    }
    enum region_state state = region_get_state(&memory->regions, region_of(object->moved_to));
    assert_true(state == REGION_USED || state == REGION_BORN || state == REGION_ALLOCATING);
}

static void check_large_objects(struct scene *scene)
{
    struct memory *memory = &scene->model.memory;
    size_t live = 0;
    for (size_t i = 0; i < scene->model.large_count; i++)
        live += scene->model.objects[scene->model.larges[i]].live;
    size_t found = 0;
    for (size_t offset = 0; (offset = memory_next_large(memory, offset)) != OFFSET_NONE;
         offset += FIXED_FIRST_OBJECT)
        found++;
    assert_int_equal(found, live);
    assert_int_equal(atomic_u64_load(&memory->fixed.large_objects), live);
}

static void check_objects(struct scene *scene)
{
    struct model *model = &scene->model;
    check_large_objects(scene);
    for (size_t i = 0; i < model->count; i++) {
        const struct model_object *object = &model->objects[i];
        if (!object->live)
            continue;
        check_place(scene, object);
        if (scene->flipping && object->offset < model_end(model))
            assert_memory_equal(model_payload(model, object->moved_to) - 8,
                                scene->image + object->moved_to - 8, object->moved_size);
    }
    for (size_t i = 0; i < scene->young_count; i++)
        assert_int_equal(*(uint64_t *)model_payload(model, scene->young[i]), ~scene->young[i]);
    if (scene->flipping)
        assert_memory_equal(model->roots, scene->roots, sizeof scene->roots);
}

static void check_rest(struct scene *scene)
{
    const struct memory *memory = &scene->model.memory;
    if (scene->wrong != NULL || scene->wrong_on_map != NULL || scene->os.violation != NULL ||
        scene->fake.violation != NULL)
        fail_msg("%s; %s; %s; %s", scene->wrong, scene->wrong_on_map, scene->os.violation,
                 scene->fake.violation);
    assert_int_equal(scene->collector.mark.objects, scene->marked);
    assert_int_equal(scene->collector.mark.bytes, scene->marked_bytes);
    assert_int_equal(os_simulated_sleepers(&scene->os), 0);
    assert_false(scene->os.registered);
    assert_false(page_states_active(&memory->pages));
    assert_null(scene->fake.update);
    assert_int_equal(log_lines_count(&scene->fake.lines, SHALE_LOG_ERROR, ""), 0);
    page_number used = memory_page(memory, region_start(scene->touched));
    for (page_number page = 0; page < flipped_pages(scene); page++) {
        if (page < used || (scene->flipping && scene->has_contents[page]))
            assert_true(page_is_mapped(&memory->pages, page));
    }
    for (region_number r = 0; r < memory->regions.count; r++) {
        assert_int_equal(scene->collector.plan.roles[r], ROLE_STAY);
        assert_int_not_equal(region_get_state(&memory->regions, r), REGION_EVACUATED);
        assert_int_not_equal(region_get_state(&memory->regions, r), REGION_DESTINATION);
    }
}

/* The model follows the heap. */
static void advance(struct scene *scene)
{
    model_advance(&scene->model);
    scene->young_count = 0;
    pthread_mutex_lock(&scene->os.lock);
    scene->flipping = false;
    scene->os.waiter_count = 0;
    pthread_mutex_unlock(&scene->os.lock);
}

static void scene_open(struct scene *scene, enum shale_compaction compaction)
{
    struct test_random *random = &scene->random;
    bool in_pause = compaction == SHALE_COMPACTION_IN_PAUSE;
    scene->compaction = compaction;
    os_simulated_init(&scene->os, (size_t)4096 << test_random_below(random, 3));
    model_create(&scene->model, &scene->os.os, 16 * REGION_SIZE, random);
    model_fill(&scene->model, &(struct model_fill){.regions = (unsigned)test_random_between(random, 2, 9),
                                                   .live_percent = 80,
                                                   .hash_percent = 10});
    fake_world_init(&scene->fake, &scene->model);
    scene->fake.context = scene->os.context = scene;
    scene->fake.on_stopped = on_stopped;
    scene->fake.on_resumed = on_resumed;
    scene->fake.on_handshake = on_handshake;
    scene->fake.held_off = held_off;
    scene->image = malloc(model_end(&scene->model));
    scene->has_contents = calloc(flipped_pages(scene), sizeof(bool));
    assert_non_null(scene->image);
    assert_non_null(scene->has_contents);
    const char *how;
    struct collector_options options = {
        .compaction = compaction,
        .faults = in_pause ? -1 : scene->os.os.faults_open(&scene->os.os, OS_FAULTS_BY_READ, &how),
        /* Level 1 looks through the mutator view, and a simulated fault is not a fault. */
        .verify = in_pause ? (int)test_random_below(random, 3) : 2 * (int)test_random_below(random, 2),
        .evacuate_percent = (unsigned)test_random_between(random, 20, 100),
        .reserve = (uint32_t)test_random_between(random, 2, 4),
        .target_percent = (unsigned)test_random_between(random, 110, 1000),
        .workers = 1,
    };
    const char *failed;
    assert_int_equal(
        collector_create(&scene->collector, &scene->model.memory, &scene->fake.world, &options, &failed), 0);
    scene->os.on_map = on_map;
    scene->os.after_continue = after_continue;
}

static void scene_close(struct scene *scene)
{
    collector_destroy(&scene->collector);
    if (scene->compaction != SHALE_COMPACTION_IN_PAUSE)
        scene->os.os.faults_close(&scene->os.os, scene->collector.options.faults);
    free(scene->image);
    free(scene->has_contents);
    fake_world_destroy(&scene->fake);
    model_destroy(&scene->model);
    os_simulated_destroy(&scene->os);
}

/* Returns how many cycles flipped. */
static uint64_t run_scene(enum shale_compaction compaction, uint64_t stream)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene.random = test_random_make(test_seed(), stream);
    scene_open(&scene, compaction);
    unsigned cycles = test_rounds(8, 3);
    for (unsigned cycle = 1; cycle <= cycles; cycle++) {
        mutate(&scene);
        expect_marks(&scene);
        if (compaction == SHALE_COMPACTION_FAULT_THREAD) {
            pthread_mutex_lock(&scene.os.lock);
            scene.os.late_waiter = true;
            scene.os.late_page = random_page(&scene);
            /* Now and then the server comes to its events so late that the next flip may be under way. */
            if (cycle == 1 || test_random_chance(&scene.random, 5))
                scene.os.hold_reader = 60;
            pthread_mutex_unlock(&scene.os.lock);
        }
        /* Most cycles move everything: the others often find nothing worth it. */
        enum plan_scope scope =
            test_random_chance(&scene.random, 60) ? PLAN_EVERYTHING : (enum plan_scope)(cycle % 3);
        if (test_random_chance(&scene.random, 30))
            pin_some(&scene, 2);
        cycle_run(&scene.collector, cycle, scope);
        reclaim_entries(&scene.collector);
        check_objects(&scene);
        check_rest(&scene);
        model_check_hashes(&scene.model, &scene.collector.plan);
        advance(&scene);
        unpin_all(&scene);
    }
    uint64_t flips = atomic_u64_load(&scene.collector.statistics.flips);
    clean_slots += scene.clean_slots;
    large_slots += scene.large_slots;
    large_built += scene.large_built;
    scene_close(&scene);
    return flips;
}

/* A heap that is full of dense regions never flips, but not all are. */
static void run_scenes(enum shale_compaction compaction, uint64_t stream, unsigned count)
{
    uint64_t flips = 0;
    for (unsigned i = 0; i < count; i++)
        flips += run_scene(compaction, stream + i);
    assert_true(flips > 0 || count < 3);
}

static void test_in_pause(void **state)
{
    (void)state;
    run_scenes(SHALE_COMPACTION_IN_PAUSE, 0, test_rounds(8, 1));
}

static void test_faults_by_signal(void **state)
{
    (void)state;
    run_scenes(SHALE_COMPACTION_FAULT_SIGNAL, 100, test_rounds(15, 2));
}

static void test_faults_by_thread(void **state)
{
    (void)state;
    run_scenes(SHALE_COMPACTION_FAULT_THREAD, 200, test_rounds(15, 2));
}

static void test_some_pages_were_clean(void **state)
{
    (void)state;
    if (!test_quick())
        assert_true(clean_slots > 0);
}

static void test_some_large_objects_were_brought_up_to_date(void **state)
{
    (void)state;
    if (!test_quick()) {
        assert_true(large_slots > 0);
        assert_true(large_built > 0);
    }
}

static void test_some_regions_were_held_back(void **state)
{
    (void)state;
    if (!test_quick())
        assert_true(held_back > 0);
}

static void test_some_flips_were_held_off(void **state)
{
    (void)state;
    if (!test_quick())
        assert_true(flips_held_off > 0);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_pause),
        cmocka_unit_test(test_faults_by_signal),
        cmocka_unit_test(test_faults_by_thread),
        cmocka_unit_test(test_some_pages_were_clean),
        cmocka_unit_test(test_some_large_objects_were_brought_up_to_date),
        cmocka_unit_test(test_some_regions_were_held_back),
        cmocka_unit_test(test_some_flips_were_held_off),
    };
    return cmocka_run_group_tests_name("property.cycle", tests, NULL, NULL);
}
