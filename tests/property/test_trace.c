/*
 * Tracing against a naive traversal: random graphs, a list of millions of objects, a tree, and millions of roots, with
 * one and more tracers, with all the packets they may want and with hardly any. However deep or wide the graph is, no
 * more packets are used than there are.
 */
#include "heap/announce.h"
#include "heap/live_bits.h"
#include "tests/support/fake_world.h"
#include "tests/support/late_workers.h"
#include "tests/support/os_simulated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const unsigned worker_counts[] = {1, 2, 4};

/* In place of a number of workers: as many as happen to join. */
enum { JOINING = 0 };

/* ---- random graphs ---------------------------------------------------------------------------------- */

static void compare(const struct model *model, const struct mark *mark)
{
    const struct region_table *regions = &model->memory.regions;
    uint64_t objects = 0;
    uint64_t bytes = 0;
    uint32_t *live_bytes = calloc(regions->count, sizeof *live_bytes);
    uint32_t *largest = calloc(regions->count, sizeof *largest);
    assert_non_null(live_bytes);
    assert_non_null(largest);
    for (size_t i = 0; i < model->count; i++) {
        const struct model_object *object = &model->objects[i];
        assert_int_equal(bits_test(model->memory.live_bits, granule_of(object->offset)), object->live);
        if (!object->live)
            continue;
        region_number region = region_of(object->offset);
        objects++;
        bytes += object->size;
        live_bytes[region] += (uint32_t)object->size;
        if (largest[region] < object->size)
            largest[region] = (uint32_t)object->size;
    }
    assert_int_equal(mark->objects, objects);
    assert_int_equal(mark->bytes, bytes);
    for (region_number r = 0; r < regions->count; r++) {
        assert_int_equal(regions->regions[r].live_bytes, live_bytes[r]);
        assert_int_equal(regions->regions[r].largest, largest[r]);
    }
    free(live_bytes);
    free(largest);
}

static void trace_random(uint64_t stream, unsigned worker_count, uint32_t packet_limit)
{
    struct test_random random = test_random_make(test_seed(), stream);
    struct os_simulated os;
    static struct model model;
    static struct fake_world fake;
    struct late_workers late;
    struct workers all;
    struct workers *workers = worker_count == JOINING ? &late.workers : &all;
    struct mark mark;
    os_simulated_init(&os, 4096);
    model_create(&model, &os.os, 16 * REGION_SIZE, &random);
    model_fill(&model, &(struct model_fill){.regions = (unsigned)test_random_between(&random, 1, 12),
                                            .live_percent = 90});
    fake_world_init(&fake, &model);
    if (worker_count == JOINING)
        late_workers_create(&late, &os.os, stream);
    else
        assert_int_equal(workers_create(&all, &os.os, worker_count), 0);
    assert_int_equal(mark_create(&mark, &model.memory, &fake.world, workers, packet_limit), 0);
    for (int cycle = 0; cycle < 3; cycle++) {
        model_trace(&model);
        mark_run(&mark);
        compare(&model, &mark);
        /* Some of it is garbage the next time. */
        for (int i = 0; i < MODEL_ROOTS; i++) {
            if (test_random_chance(&random, 30))
                model.roots[i] = i % 2 == 0 ? 0 : model_value_immediate(model.encoding, &random);
        }
    }
    assert_null(fake.violation);
    mark_destroy(&mark);
    if (worker_count == JOINING)
        late_workers_destroy(&late);
    else
        workers_destroy(&all);
    fake_world_destroy(&fake);
    model_destroy(&model);
    os_simulated_destroy(&os);
}

static void random_graphs(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 2, 7, 0};
    unsigned rounds = test_rounds(8, 1);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned w = 0; w < 4; w++) {
            for (unsigned l = 0; l < 4; l++)
                trace_random(round * 16 + w * 4 + l, w < 3 ? worker_counts[w] : JOINING, limits[l]);
        }
    }
}

/* ---- large graphs ----------------------------------------------------------------------------------- */

enum { SLOTS_MAX = 100 };

/* A heap of objects of one type, with an array of roots and no mutators. */
struct large {
    struct memory memory;
    struct world world;
    const struct type *type;
    size_t object_size;
    uint64_t *objects; /* addresses of all that are to be live */
    size_t count;
    uint64_t *roots;
    size_t root_count;
};

static void no_handshake(void *context, enum mark_stage stage, local_function function, void *argument)
{
    (void)context;
    (void)stage;
    (void)function;
    (void)argument;
}

static void show_roots(void *context, struct shale_visitor *visitor)
{
    struct large *large = context;
    shale_visit_pointers(visitor, large->roots, large->root_count);
}

static void no_external(void *context, bool (*is_dead)(void *argument, uint64_t address), void *argument)
{
    (void)context;
    (void)is_dead;
    (void)argument;
}

static uint64_t no_finalizers(void *context, bool (*is_dead)(void *argument, uint64_t address),
                              void *argument)
{
    (void)context;
    (void)is_dead;
    (void)argument;
    return 0;
}

static void no_changes(void *context)
{
    (void)context;
}

static uint64_t *slots_at(const struct large *large, uint64_t address)
{
    return (uint64_t *)views_alias(&large->memory.views, views_offset(&large->memory.views, address));
}

/* Fills regions with objects of `pointers` slots; each third one is to be garbage that refers to what is live. */
static void large_create(struct large *large, size_t count, uint32_t pointers)
{
    *large = (struct large){.count = count};
    large->object_size = (HEADER_SIZE + pointers * 8 + 15) & ~(size_t)15;
    size_t per_region = REGION_CAPACITY / large->object_size;
    size_t all = count + count / 2 + 1;
    size_t size = round_up((all / per_region + 2) * REGION_SIZE, HEAP_UNIT);
    static const shale_encoding plain = SHALE_ENCODING_PLAIN;
    const char *failed;
    assert_int_equal(memory_create(&large->memory, os_linux(), size < HEAP_SIZE_MIN ? HEAP_SIZE_MIN : size,
                                   &plain, &failed),
                     0);
    announce_object(large->memory.views.mutator, size);
    uint32_t offsets[SLOTS_MAX];
    for (uint32_t i = 0; i < SLOTS_MAX; i++)
        offsets[i] = i * 8;
    shale_type_spec spec = {
        .name = "large", .size = pointers * 8, .pointers = offsets, .pointer_count = pointers};
    shale_status status;
    char message[256];
    large->type = type_register(&large->memory.types, &spec, &status, message, sizeof message);
    assert_non_null(large->type);
    assert_int_equal(large->type->api.size, large->object_size);
    large->objects = malloc(count * sizeof *large->objects);
    assert_non_null(large->objects);
    size_t made = 0;
    uint64_t base = (uint64_t)(uintptr_t)large->memory.views.mutator;
    for (size_t i = 0, live = 0; live < count;) {
        region_number region = region_take(&large->memory.regions, REGION_ALLOCATING, 0);
        assert_int_not_equal(region, REGION_NONE);
        size_t offset = region_start(region) + REGION_FIRST_OBJECT;
        for (size_t n = 0; n < per_region && live < count; n++, i++, offset += large->object_size) {
            uint64_t *slots = slots_at(large, base + offset);
            slots[-1] = large->type->api.header;
            if (i % 3 != 2)
                large->objects[live++] = base + offset;
            else
                slots[0] = large->objects[0];
            made++;
        }
        large->memory.regions.regions[region].top = (uint32_t)(offset - HEADER_SIZE - region_start(region));
        region_set_state(&large->memory.regions, region, REGION_USED);
    }
    assert_true(made <= all);
    large->world = (struct world){.context = large,
                                  .handshake = no_handshake,
                                  .visit_heap_roots = show_roots,
                                  .queue_finalizable = no_finalizers,
                                  .find_dead_external = no_external,
                                  .await_root_changes = no_changes};
}

static void large_destroy(struct large *large)
{
    free(large->objects);
    memory_destroy(&large->memory);
}

static uint64_t bits_in_heap(const struct memory *memory)
{
    uint64_t count = 0;
    for (size_t word = 0; word < memory->views.regions >> CHUNK_SHIFT; word++)
        count += (uint64_t)__builtin_popcountll(memory->live_bits[word]);
    return count;
}

/* Marks, and checks that exactly the objects in large->objects are live. */
static void large_mark(struct large *large, unsigned worker_count, uint32_t packet_limit)
{
    struct workers workers;
    struct mark mark;
    assert_int_equal(workers_create(&workers, os_linux(), worker_count), 0);
    assert_int_equal(mark_create(&mark, &large->memory, &large->world, &workers, packet_limit), 0);
    mark_prepare(&mark);
    mark_roots(&mark);
    do {
        mark_trace(&mark);
    } while (!mark_flush(&mark));
    uint32_t used = atomic_u32_load(&mark.work.pool.untouched);
    mark_decide(&mark);
    mark_weak(&mark);
    mark_count(&mark);
    printf("    %u workers, %u of %u packets used\n", worker_count, used, mark.work.pool.limit);
    assert_true(used <= mark.work.pool.limit);
    assert_true(packet_limit == 0 || mark.work.pool.limit == packet_limit);
    assert_true(mark.work.pool.limit * sizeof(struct packet) <= large->memory.views.regions / 64 ||
                mark.work.pool.limit <= 512);
    assert_int_equal(mark.objects, large->count);
    assert_int_equal(mark.bytes, large->count * large->object_size);
    assert_int_equal(bits_in_heap(&large->memory), large->count);
    for (size_t i = 0; i < large->count; i++) {
        size_t offset = views_offset(&large->memory.views, large->objects[i]);
        if (!bits_test(large->memory.live_bits, granule_of(offset)))
            fail_msg("object %zu of %zu was missed", i, large->count);
    }
    mark_destroy(&mark);
    workers_destroy(&workers);
}

/* An order in which neighbours in memory are not neighbours: i -> i * step mod count, step prime to count. */
static size_t jump(const struct large *large, size_t i)
{
    return i * 7368787 % large->count;
}

/* The smallest objects with a pointer. No stack is as deep. */
static void deep_list(void **state)
{
    (void)state;
    struct large large;
    large_create(&large, test_rounds(10000000, 300000), 1);
    assert_int_equal(large.object_size, 16);
    printf("  a list of %zu\n", large.count);
    for (size_t i = 0; i + 1 < large.count; i++)
        slots_at(&large, large.objects[jump(&large, i)])[0] = large.objects[jump(&large, i + 1)];
    large.roots = &large.objects[jump(&large, 0)];
    large.root_count = 1;
    large_mark(&large, 1, 0);
    large_mark(&large, 2, 1);
    large_destroy(&large);
}

static void many_roots(void **state)
{
    (void)state;
    struct large large;
    large_create(&large, test_rounds(10000000, 300000), 1);
    printf("  %zu roots\n", large.count);
    /* Each leads to an object twice, which leads to another one. */
    large.roots = malloc(large.count * sizeof *large.roots);
    assert_non_null(large.roots);
    large.root_count = large.count;
    for (size_t i = 0; i < large.count / 2; i++) {
        large.roots[i] = large.roots[i + large.count / 2] = large.objects[2 * i];
        slots_at(&large, large.objects[2 * i])[0] = large.objects[2 * i + 1];
    }
    large_mark(&large, 1, 0);
    large_mark(&large, 2, 3);
    free(large.roots);
    large_destroy(&large);
}

/* A spine whose every joint has many twigs, each with an end. The tracer runs down the spine and keeps more twigs than it
 * has room for: without packets they are marked, and looked at again with their regions. */
static void comb(void **state)
{
    (void)state;
    enum { TWIGS = SLOTS_MAX - 1, JOINT = 1 + 2 * TWIGS };
    struct large large;
    large_create(&large, JOINT * (size_t)test_rounds(400, 60), SLOTS_MAX);
    printf("  a comb of %zu\n", large.count);
    for (size_t i = 0; i < large.count; i += JOINT) {
        const uint64_t *part = &large.objects[i];
        for (size_t twig = 1; twig <= TWIGS; twig++) {
            slots_at(&large, part[0])[twig - 1] = part[twig];
            slots_at(&large, part[twig])[0] = part[TWIGS + twig];
        }
        slots_at(&large, part[0])[TWIGS] = i + JOINT < large.count ? part[JOINT] : 0;
    }
    large.roots = &large.objects[0];
    large.root_count = 1;
    static const uint32_t limits[] = {0, 4, 1};
    for (int w = 0; w < 3; w++) {
        for (int l = 0; l < 3; l++)
            large_mark(&large, worker_counts[w], limits[l]);
    }
    large_destroy(&large);
}

/* A ternary tree, which fans out faster than one tracer can follow, so that the others get something to do. */
static void wide_tree(void **state)
{
    (void)state;
    struct large large;
    large_create(&large, test_rounds(2000000, 100000), 3);
    printf("  a tree of %zu\n", large.count);
    for (size_t i = 0; i < large.count; i++) {
        for (size_t child = 0; child < 3 && 3 * i + 1 + child < large.count; child++)
            slots_at(&large, large.objects[jump(&large, i)])[child] =
                large.objects[jump(&large, 3 * i + 1 + child)];
    }
    large.roots = &large.objects[jump(&large, 0)];
    large.root_count = 1;
    static const uint32_t limits[] = {0, 16, 1};
    for (int w = 0; w < 3; w++) {
        for (int l = 0; l < 3; l++)
            large_mark(&large, worker_counts[w], limits[l]);
    }
    large_destroy(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs), cmocka_unit_test(deep_list), cmocka_unit_test(many_roots),
        cmocka_unit_test(comb),          cmocka_unit_test(wide_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
