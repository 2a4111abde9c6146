/*
 * Marking of random graphs with weak references, ephemerons and finalizable objects, in a fake world, against a naive
 * fixpoint: what must be live, what cleared, what queued. With plenty of packets and with hardly any, so that
 * objects are marked in place; with one worker and with several.
 *
 * In half of the cycles nobody changes anything, and the model says exactly what must come out. In the others a
 * mutator reads weak references and ephemerons and stores before and after each handshake; then what it can reach
 * at the end must be live and intact, and what is live must not lead to anything that is not.
 */
#include "gc/mark.h"
#include "heap/os.h"
#include "tests/support/fake_world.h"
#include "tests/support/late_workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS_MAX = 12000, FILLED_REGIONS = 4, PACKETS_MAX = 64, NOTHING = -1 };

enum kind { NODE, WEAK, EPHEMERON };

struct item {
    enum kind kind;
    size_t offset;
    /* What it was made with: a weak reference's referent, an ephemeron's key. */
    int weakly;
};

/* A set of items. */
struct item_set {
    bool has[ITEMS_MAX];
};

/* In place of a number of workers: as many as happen to join. */
enum { JOINING = 0 };

struct scene {
    struct test_random random;
    struct model model;
    struct fake_world fake;
    struct fake_finalizers finalizers;
    struct workers all; /* or `late`, when they are JOINING */
    struct late_workers late;
    unsigned worker_count;
    struct mark mark;
    struct type *node_type;
    struct item items[ITEMS_MAX];
    int count;
    unsigned empty_percent; /* of slots */
    bool mutating;
    bool starving; /* packets are withheld from some handshake on, the last at the latest */
    struct packet *withheld[PACKETS_MAX];
    size_t withheld_count;
    const char *wrong;
};

static const struct memory *memory_of(const struct scene *scene)
{
    return &scene->model.memory;
}

static uint64_t address_of(const struct scene *scene, int item)
{
    return item == NOTHING
               ? 0
               : (uint64_t)(uintptr_t)views_mutator(&memory_of(scene)->views, scene->items[item].offset);
}

static uint64_t *slots_of(const struct scene *scene, int item)
{
    return (uint64_t *)views_alias(&memory_of(scene)->views, scene->items[item].offset);
}

/* The item that a word refers to; NOTHING for what is outside the heap. */
static int item_at(const struct scene *scene, uint64_t word)
{
    size_t offset = views_offset(&memory_of(scene)->views, word);
    if (offset >= memory_of(scene)->views.regions)
        return NOTHING;
    return (int)scene->model.at[offset / GRANULE_SIZE] - 1;
}

static bool is_live(const struct scene *scene, int item)
{
    return memory_is_live(memory_of(scene), scene->items[item].offset);
}

/* ---- making a graph -------------------------------------------------------------------------------------- */

static const struct type *type_of_kind(const struct scene *scene, enum kind kind)
{
    const struct type *types[] = {
        [NODE] = scene->node_type,
        [WEAK] = memory_of(scene)->weak_type,
        [EPHEMERON] = memory_of(scene)->ephemeron_type,
    };
    return types[kind];
}

static int random_item(struct scene *scene)
{
    if (scene->count == 0 || test_random_chance(&scene->random, 8))
        return NOTHING;
    return (int)test_random_below(&scene->random, (size_t)scene->count);
}

static int add_item(struct scene *scene, enum kind kind, size_t offset)
{
    int item = scene->count++;
    scene->items[item] = (struct item){kind, offset, NOTHING};
    scene->model.at[offset / GRANULE_SIZE] = (uint32_t)item + 1;
    return item;
}

/* First writes into a new object. */
static void fill_item(struct scene *scene, int item, int first, int second)
{
    uint64_t *slots = slots_of(scene, item);
    slots[0] = address_of(scene, first);
    scene->items[item].weakly = first;
    if (scene->items[item].kind == EPHEMERON && first == NOTHING)
        second = NOTHING;
    if (scene->items[item].kind != WEAK)
        slots[1] = address_of(scene, second);
}

static enum kind random_kind(struct scene *scene)
{
    size_t draw = test_random_below(&scene->random, 10);
    return draw < 5 ? NODE : draw < 7 ? WEAK : EPHEMERON;
}

static void fill_region(struct scene *scene, int items)
{
    struct memory *memory = &scene->model.memory;
    region_number region = region_take(&memory->regions, REGION_ALLOCATING, 0);
    size_t at = region_start(region) + REGION_FIRST_OBJECT;
    for (int i = 0; i < items; i++) {
        enum kind kind = random_kind(scene);
        const struct type *type = type_of_kind(scene, kind);
        int item = add_item(scene, kind, at);
        slots_of(scene, item)[-1] = type->api.header;
        at += type->api.size;
    }
    memory->regions.regions[region].top = (uint32_t)(at - HEADER_SIZE - region_start(region));
    region_set_state(&memory->regions, region, REGION_USED);
}

/* References mostly to near items, so that there are chains and cycles, of ephemerons as well. */
static int near_item(struct scene *scene, int item)
{
    if (test_random_chance(&scene->random, scene->empty_percent))
        return NOTHING;
    if (test_random_chance(&scene->random, 40))
        return random_item(scene);
    int near = item + (int)test_random_below(&scene->random, 9) - 4;
    return near >= 0 && near < scene->count ? near : NOTHING;
}

static void make_graph(struct scene *scene)
{
    scene->empty_percent = (unsigned)test_random_below(&scene->random, 70);
    int items = (int)test_random_between(&scene->random, 1, 2200);
    for (int i = 0; i < FILLED_REGIONS; i++)
        fill_region(scene, items);
    for (int i = 0; i < scene->count; i++)
        fill_item(scene, i, scene->items[i].kind == NODE ? near_item(scene, i) : random_item(scene),
                  near_item(scene, i));
}

static void random_roots(struct scene *scene)
{
    unsigned percent = (unsigned)test_random_below(&scene->random, 101);
    for (int i = 0; i < MODEL_ROOTS; i++) {
        bool none = i % 2 != 0 || test_random_chance(&scene->random, percent);
        scene->model.roots[i] = none ? 0 : address_of(scene, random_item(scene));
    }
}

/* Many, so that they do not fit into one packet, and several on one object. */
static void random_finalizers(struct scene *scene)
{
    struct fake_finalizers *finalizers = &scene->finalizers;
    static const size_t limits[] = {1, 1, 1, 20, 1500};
    size_t count = test_random_below(&scene->random, limits[test_random_below(&scene->random, 5)]);
    for (size_t i = 0; i < count && finalizers->registered_count < FAKE_FINALIZERS / 2; i++) {
        int item = random_item(scene);
        if (item == NOTHING)
            continue;
        for (size_t times = 1 + test_random_below(&scene->random, 3); times != 0; times--)
            finalizers->registered[finalizers->registered_count++] = address_of(scene, item);
    }
}

/* ---- the model ------------------------------------------------------------------------------------------- */

static bool include(const struct scene *scene, struct item_set *set, uint64_t word)
{
    int item = item_at(scene, word);
    if (item == NOTHING || set->has[item])
        return false;
    set->has[item] = true;
    return true;
}

/* Adds what a word leads to, without ephemerons' values. */
static void close_strongly(const struct scene *scene, struct item_set *set, uint64_t word)
{
    static int work[ITEMS_MAX];
    int count = 0;
    if (include(scene, set, word))
        work[count++] = item_at(scene, word);
    while (count != 0) {
        int item = work[--count];
        for (int i = 0; i < 2 && scene->items[item].kind == NODE; i++) {
            uint64_t slot = slots_of(scene, item)[i];
            if (include(scene, set, slot))
                work[count++] = item_at(scene, slot);
        }
    }
}

static bool key_is_in(const struct scene *scene, const struct item_set *set, int ephemeron)
{
    uint64_t key = slots_of(scene, ephemeron)[0];
    return key != 0 && (item_at(scene, key) == NOTHING || set->has[item_at(scene, key)]);
}

/* Adds values until there are no more to add. Ephemerons in `cleared` have none. */
static void close_ephemerons(const struct scene *scene, struct item_set *set, const struct item_set *cleared)
{
    for (bool any = true; any;) {
        any = false;
        for (int i = 0; i < scene->count; i++) {
            if (scene->items[i].kind != EPHEMERON || !set->has[i] || (cleared != NULL && cleared->has[i]) ||
                !key_is_in(scene, set, i))
                continue;
            int value = item_at(scene, slots_of(scene, i)[1]);
            if (value != NOTHING && !set->has[value]) {
                close_strongly(scene, set, slots_of(scene, i)[1]);
                any = true;
            }
        }
    }
}

/* What roots lead to; and the first `queued` entries of the queue. */
static void reach(const struct scene *scene, struct item_set *set, size_t queued)
{
    memset(set, 0, sizeof *set);
    for (int i = 0; i < MODEL_ROOTS; i += 2)
        close_strongly(scene, set, scene->model.roots[i]);
    for (size_t i = 0; i < queued; i++)
        close_strongly(scene, set, scene->finalizers.queue[i]);
    close_ephemerons(scene, set, NULL);
}

/* What a cycle in which nothing changes must come to. */
struct expectation {
    struct item_set live;
    struct item_set kept; /* weak references and ephemerons that still refer to what they did */
    uint64_t queue[FAKE_FINALIZERS];
    size_t queue_count;
    uint64_t registered[FAKE_FINALIZERS];
    size_t registered_count;
};

/* Weak references and ephemerons in `from`, not in `except`: those whose referent is in `live` keep it. */
static void keep(const struct scene *scene, struct expectation *expected, const struct item_set *except)
{
    for (int i = 0; i < scene->count; i++) {
        if (scene->items[i].kind != NODE && expected->live.has[i] && (except == NULL || !except->has[i]))
            expected->kept.has[i] = key_is_in(scene, &expected->live, i);
    }
}

static void expect(const struct scene *scene, struct expectation *expected)
{
    static struct item_set decided;
    static struct item_set cleared;
    const struct fake_finalizers *finalizers = &scene->finalizers;
    memset(expected, 0, sizeof *expected);
    memset(&cleared, 0, sizeof cleared);
    reach(scene, &expected->live, finalizers->queue_count);
    decided = expected->live;
    keep(scene, expected, NULL);
    for (int i = 0; i < scene->count; i++)
        cleared.has[i] = decided.has[i] && !expected->kept.has[i];
    memcpy(expected->queue, finalizers->queue, finalizers->queue_count * sizeof(uint64_t));
    expected->queue_count = finalizers->queue_count;
    for (size_t i = 0; i < finalizers->registered_count; i++) {
        uint64_t object = finalizers->registered[i];
        if (decided.has[item_at(scene, object)])
            expected->registered[expected->registered_count++] = object;
        else
            expected->queue[expected->queue_count++] = object;
    }
    for (size_t i = finalizers->queue_count; i < expected->queue_count; i++)
        close_strongly(scene, &expected->live, expected->queue[i]);
    close_ephemerons(scene, &expected->live, &cleared);
    keep(scene, expected, &decided);
}

static void check_exactly(const struct scene *scene, const struct expectation *expected)
{
    const struct fake_finalizers *finalizers = &scene->finalizers;
    for (int i = 0; i < scene->count; i++) {
        if (is_live(scene, i) != expected->live.has[i])
            fail_msg("item %d of kind %d is live: %d", i, (int)scene->items[i].kind, is_live(scene, i));
        if (scene->items[i].kind == NODE || !is_live(scene, i))
            continue;
        uint64_t weakly = slots_of(scene, i)[0];
        assert_true(weakly == 0 || weakly == address_of(scene, scene->items[i].weakly));
        if ((weakly != 0) != expected->kept.has[i])
            fail_msg("item %d of kind %d refers to %#llx", i, (int)scene->items[i].kind,
                     (unsigned long long)weakly);
    }
    assert_int_equal(finalizers->queue_count, expected->queue_count);
    assert_memory_equal(finalizers->queue, expected->queue, expected->queue_count * sizeof(uint64_t));
    assert_int_equal(finalizers->registered_count, expected->registered_count);
    assert_memory_equal(finalizers->registered, expected->registered,
                        expected->registered_count * sizeof(uint64_t));
}

/* What must hold whatever a mutator did. `queued_before` entries were in the queue when the cycle began. */
static void check_consistent(const struct scene *scene, size_t queued_before)
{
    static struct item_set reached;
    reach(scene, &reached, scene->finalizers.queue_count);
    for (int i = 0; i < scene->count; i++) {
        if (reached.has[i] && !is_live(scene, i))
            fail_msg("item %d can be reached and is not live", i);
        const uint64_t *slots = slots_of(scene, i);
        for (int s = 0; s < 2 && is_live(scene, i); s++) {
            int target = s == 1 && scene->items[i].kind == WEAK ? NOTHING : item_at(scene, slots[s]);
            if (target != NOTHING && !is_live(scene, target))
                fail_msg("item %d is live, of kind %d, and refers to %d, which is not", i,
                         (int)scene->items[i].kind, target);
        }
        assert_true(scene->items[i].kind != EPHEMERON || !is_live(scene, i) || slots[0] != 0 ||
                    slots[1] == 0);
    }
    /* What a program can reach other than by way of the queue was never dead. */
    reach(scene, &reached, queued_before);
    for (int i = 0; i < scene->count; i++) {
        int weakly = scene->items[i].weakly;
        if (scene->items[i].kind != NODE && reached.has[i] && weakly != NOTHING && reached.has[weakly])
            assert_int_equal(slots_of(scene, i)[0], address_of(scene, weakly));
    }
    for (size_t i = queued_before; i < scene->finalizers.queue_count; i++)
        assert_false(reached.has[item_at(scene, scene->finalizers.queue[i])]);
}

/* ---- what a mutator does --------------------------------------------------------------------------------- */

static void require(struct scene *scene, bool holds, const char *wrong)
{
    if (!holds && scene->wrong == NULL)
        scene->wrong = wrong;
}

/* As runtime/barrier.c does. */
static void store(struct scene *scene, uint64_t *slot, uint64_t word)
{
    struct mutator_local *local = &scene->fake.locals[0];
    if ((local->bump.api.barrier & BARRIER_OLD) != 0)
        mark_shade(&scene->mark, local, *slot);
    if ((local->bump.api.barrier & BARRIER_NEW) != 0)
        mark_shade(&scene->mark, local, word);
    *slot = word;
}

/* A root that belongs to the mutator, written plainly; see fake_world. */
static uint64_t *own_root(struct scene *scene)
{
    return &scene->model.roots[2 + 4 * test_random_below(&scene->random, MODEL_ROOTS / 4)];
}

static uint64_t *heap_root(struct scene *scene)
{
    return &scene->model.roots[4 * test_random_below(&scene->random, MODEL_ROOTS / 4)];
}

/* Something that the mutator can get hold of by plain loads. */
static int walk(struct scene *scene)
{
    int item = item_at(scene, test_random_chance(&scene->random, 50) ? *own_root(scene) : *heap_root(scene));
    for (size_t steps = test_random_below(&scene->random, 6); item != NOTHING && steps != 0; steps--) {
        if (scene->items[item].kind != NODE)
            break;
        int next = item_at(scene, slots_of(scene, item)[test_random_below(&scene->random, 2)]);
        item = next != NOTHING ? next : item;
    }
    return item;
}

static uint64_t read_weakly(struct scene *scene, int item)
{
    struct weak *weak = &scene->mark.weak;
    struct mutator_local *local = &scene->fake.locals[0];
    void *object = slots_of(scene, item);
    bool value = scene->items[item].kind == EPHEMERON && test_random_chance(&scene->random, 50);
    uint64_t word =
        value ? weak_read_value(weak, &scene->mark.work, local, object)
              : weak_read(weak, &scene->mark.work, local, &((const struct weak_object *)object)->referent);
    int found = item_at(scene, word);
    require(scene,
            atomic_u32_load(&weak->phase) != WEAK_CLEARING || found == NOTHING || is_live(scene, found),
            "something dead was read");
    return word;
}

/* As runtime/weak.c does. */
static void set_value(struct scene *scene, int item, uint64_t value)
{
    struct ephemeron_object *object = (void *)slots_of(scene, item);
    if (weak_read(&scene->mark.weak, &scene->mark.work, &scene->fake.locals[0], &object->key) != 0)
        store(scene, &slots_of(scene, item)[1], value);
}

static void allocate(struct scene *scene, int first, int second)
{
    enum kind kind = random_kind(scene);
    const struct type *type = type_of_kind(scene, kind);
    if (scene->count == ITEMS_MAX)
        return;
    uintptr_t address =
        bump_allocate(&scene->fake.locals[0].bump, &scene->model.memory, type->api.size, type->api.header, 0);
    require(scene, address != 0, "the heap is too small for this test");
    int item = add_item(scene, kind, views_offset(&memory_of(scene)->views, address));
    fill_item(scene, item, first, second);
    *own_root(scene) = address;
}

static void mutate(struct scene *scene)
{
    int item = walk(scene);
    if (item == NOTHING)
        return;
    enum kind kind = scene->items[item].kind;
    switch (test_random_below(&scene->random, 8)) {
    case 0:
        *own_root(scene) = 0;
        break;
    case 1:
        store(scene, heap_root(scene), test_random_chance(&scene->random, 50) ? 0 : address_of(scene, item));
        break;
    case 2:
        *own_root(scene) = address_of(scene, item);
        break;
    case 3:
        allocate(scene, item, walk(scene));
        break;
    default:
        if (kind == NODE)
            store(scene, &slots_of(scene, item)[test_random_below(&scene->random, 2)],
                  address_of(scene, test_random_chance(&scene->random, 60) ? NOTHING : walk(scene)));
        else if (kind == EPHEMERON && test_random_chance(&scene->random, 40))
            set_value(scene, item, address_of(scene, walk(scene)));
        else
            *own_root(scene) = read_weakly(scene, item);
    }
}

/* From now on there are no packets to be had. */
static void withhold_packets(struct scene *scene)
{
    struct packet *packet;
    while ((packet = packet_take_free(&scene->mark.work.pool)) != NULL)
        scene->withheld[scene->withheld_count++] = packet;
}

static void give_packets_back(struct scene *scene)
{
    while (scene->withheld_count != 0)
        packet_give_free(&scene->mark.work.pool, scene->withheld[--scene->withheld_count]);
}

static void mutate_some(struct scene *scene)
{
    if (!scene->mutating)
        return;
    for (size_t i = test_random_below(&scene->random, 40); i != 0; i--)
        mutate(scene);
}

static void before_handshake(void *context, enum mark_stage stage)
{
    struct scene *scene = context;
    if (scene->starving && (stage == STAGE_DECIDED || test_random_chance(&scene->random, 30)))
        withhold_packets(scene);
    for (int i = stage == STAGE_DECIDED ? 4 : 1; i != 0; i--)
        mutate_some(scene);
}

static void on_handshake(void *context)
{
    mutate_some(context);
}

/* ---- a run ----------------------------------------------------------------------------------------------- */

static void scene_open(struct scene *scene, uint32_t packet_limit, unsigned workers)
{
    static const uint32_t both[] = {0, 8};
    shale_type_spec node = {.name = "node", .size = 16, .pointers = both, .pointer_count = 2};
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    model_create(&scene->model, os_linux(), HEAP_UNIT, &scene->random);
    scene->node_type = type_register(&scene->model.memory.types, &node, &status, message, sizeof message);
    assert_non_null(scene->node_type);
    fake_world_init(&scene->fake, &scene->model);
    scene->fake.context = scene;
    scene->fake.finalizers = &scene->finalizers;
    scene->fake.before_handshake = before_handshake;
    scene->fake.on_handshake = on_handshake;
    scene->worker_count = workers;
    if (workers == JOINING)
        late_workers_create(&scene->late, os_linux(), workers);
    else
        assert_int_equal(workers_create(&scene->all, os_linux(), workers), 0);
    assert_int_equal(mark_create(&scene->mark, &scene->model.memory, &scene->fake.world,
                                 workers == JOINING ? &scene->late.workers : &scene->all, packet_limit),
                     0);
    make_graph(scene);
}

static void scene_close(struct scene *scene)
{
    mark_destroy(&scene->mark);
    if (scene->worker_count == JOINING)
        late_workers_destroy(&scene->late);
    else
        workers_destroy(&scene->all);
    fake_world_destroy(&scene->fake);
    model_destroy(&scene->model);
}

/* The program forgets what is dead, and takes and drops what was queued. */
static void forget(struct scene *scene)
{
    struct fake_finalizers *finalizers = &scene->finalizers;
    int kept = 0;
    static int moved[ITEMS_MAX];
    for (int i = 0; i < scene->count; i++) {
        moved[i] = is_live(scene, i) ? kept++ : NOTHING;
        scene->model.at[scene->items[i].offset / GRANULE_SIZE] = (uint32_t)(moved[i] + 1);
    }
    for (int i = 0; i < scene->count; i++) {
        int weakly = scene->items[i].weakly;
        if (moved[i] == NOTHING)
            continue;
        scene->items[moved[i]] = scene->items[i];
        bool kept_weakly = weakly != NOTHING && slots_of(scene, moved[i])[0] != 0;
        scene->items[moved[i]].weakly = kept_weakly ? moved[weakly] : NOTHING;
    }
    scene->count = kept;
    size_t taken = test_random_below(&scene->random, finalizers->queue_count + 1);
    memmove(finalizers->queue, finalizers->queue + taken,
            (finalizers->queue_count - taken) * sizeof(uint64_t));
    finalizers->queue_count -= taken;
    finalizers->published -= taken;
}

/* Between cycles anything may be linked to anything that is live, and something must be. */
static void relink(struct scene *scene)
{
    random_roots(scene);
    for (int i = 0; i < scene->count; i++) {
        if (scene->items[i].kind == NODE && test_random_chance(&scene->random, 20))
            slots_of(scene, i)[test_random_below(&scene->random, 2)] = address_of(scene, near_item(scene, i));
        else if (scene->items[i].kind == EPHEMERON && slots_of(scene, i)[0] != 0 &&
                 test_random_chance(&scene->random, 20))
            slots_of(scene, i)[1] = address_of(scene, near_item(scene, i));
    }
    if (scene->finalizers.registered_count == 0 || test_random_chance(&scene->random, 50))
        random_finalizers(scene);
}

static void end_cycle(struct scene *scene)
{
    for (int i = 0; i < FAKE_MUTATORS; i++) {
        bump_record(&scene->fake.locals[i].bump, &scene->model.memory);
        bump_stop_recording(&scene->fake.locals[i].bump);
        mark_attach(&scene->fake.locals[i], STAGE_IDLE);
    }
}

static void run_cycle(struct scene *scene)
{
    static struct expectation expected;
    size_t queued_before = scene->finalizers.queue_count;
    if (!scene->mutating)
        expect(scene, &expected);
    mark_run(&scene->mark);
    give_packets_back(scene);
    end_cycle(scene);
    if (scene->wrong != NULL || scene->fake.violation != NULL)
        fail_msg("%s; %s", scene->wrong, scene->fake.violation);
    assert_int_equal(atomic_u32_load(&scene->mark.weak.phase), WEAK_OPEN);
    assert_false(weak_any_waiting(&scene->mark.weak));
    assert_int_equal(scene->finalizers.published, scene->finalizers.queue_count);
    for (int i = 0; i < scene->count; i++) {
        if (scene->items[i].kind != NODE && is_live(scene, i)) {
            uint32_t *link = (uint32_t *)slots_of(scene, i) + (scene->items[i].kind == WEAK ? 2 : 4);
            assert_int_equal(*link, 0);
        }
    }
    if (!scene->mutating)
        check_exactly(scene, &expected);
    check_consistent(scene, queued_before);
}

static void run_scene(uint32_t packet_limit, unsigned workers, uint64_t stream)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene.random = test_random_make(test_seed(), stream);
    scene_open(&scene, packet_limit, workers);
    for (int cycle = 0; cycle < 4 && scene.count != 0; cycle++) {
        relink(&scene);
        scene.mutating = test_random_chance(&scene.random, 50);
        scene.starving = packet_limit != 0 && test_random_chance(&scene.random, 50);
        run_cycle(&scene);
        forget(&scene);
    }
    scene_close(&scene);
}

static void run_scenes(uint32_t packet_limit, unsigned workers)
{
    unsigned rounds = test_rounds(60, 15);
    for (unsigned round = 0; round < rounds; round++)
        run_scene(packet_limit, workers, ((uint64_t)packet_limit * 8 + workers) * 10000 + round);
}

static void test_one_worker(void **state)
{
    (void)state;
    run_scenes(0, 1);
}

static void test_three_workers(void **state)
{
    (void)state;
    run_scenes(0, 3);
}

static void test_joining_workers(void **state)
{
    (void)state;
    run_scenes(0, JOINING);
}

static void test_one_packet(void **state)
{
    (void)state;
    run_scenes(1, 1);
}

static void test_few_packets(void **state)
{
    (void)state;
    run_scenes(2, 1);
    run_scenes(3, 3);
    run_scenes(5, 2);
    run_scenes(PACKETS_MAX, 3);
}

/* A key that is marked in place, for want of packets, when its ephemeron waits in another region. */
static void test_key_marked_in_place(void **state)
{
    (void)state;
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene.random = test_random_make(test_seed(), 0);
    scene_open(&scene, 1, 1);
    scene.count = 0;
    memset(scene.model.roots, 0, sizeof scene.model.roots);
    static const enum kind kinds[] = {EPHEMERON, NODE, NODE};
    for (int i = 0; i < 3; i++) {
        size_t offset = region_start((region_number)i + 1) + REGION_FIRST_OBJECT;
        int item = add_item(&scene, kinds[i], offset);
        slots_of(&scene, item)[-1] = type_of_kind(&scene, kinds[i])->api.header;
        memset(slots_of(&scene, item), 0, type_of_kind(&scene, kinds[i])->api.size - HEADER_SIZE);
    }
    fill_item(&scene, 0, 1, 2);
    scene.model.roots[0] = address_of(&scene, 0);

    mark_prepare(&scene.mark);
    mark_roots(&scene.mark);
    mark_trace(&scene.mark);
    assert_true(weak_any_waiting(&scene.mark.weak));
    withhold_packets(&scene);
    struct ephemeron_object *ephemeron = (void *)slots_of(&scene, 0);
    assert_int_equal(weak_read(&scene.mark.weak, &scene.mark.work, &scene.fake.locals[0], &ephemeron->key),
                     address_of(&scene, 1));
    assert_true(is_live(&scene, 1));
    assert_false(mark_flush(&scene.mark));
    mark_trace(&scene.mark);
    assert_true(is_live(&scene, 2));
    assert_false(weak_any_waiting(&scene.mark.weak));
    assert_true(mark_flush(&scene.mark));
    assert_false(weak_decide(&scene.mark.weak)); /* since something was read */
    assert_true(weak_decide(&scene.mark.weak));
    mark_decide(&scene.mark);
    mark_weak(&scene.mark);
    give_packets_back(&scene);
    mark_count(&scene.mark);
    assert_int_equal(slots_of(&scene, 0)[0], address_of(&scene, 1));
    assert_int_equal(slots_of(&scene, 0)[1], address_of(&scene, 2));
    scene_close(&scene);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_worker),      cmocka_unit_test(test_three_workers),
        cmocka_unit_test(test_joining_workers), cmocka_unit_test(test_one_packet),
        cmocka_unit_test(test_few_packets),     cmocka_unit_test(test_key_marked_in_place),
    };
    return cmocka_run_group_tests_name("property.weak", tests, NULL, NULL);
}
