/*
 * shale_identity_hash while no cycle runs: asked for again, of an object that has not moved since (settled) and of
 * one that has (stored), and for the first time, of objects that have room for it and of ones that will have to
 * grow. The limit is what no identity hash can do without: reading the header, and mixing an address.
 */
#include "bench/gbench.h"
#include "bench/support/samples.h"
#include "heap/identity_hash.h"

#include <shale/shale.h>

enum { OBJECTS = 4096 };

static shale_heap *heap;
static shale_mutator *mutator;
static const shale_type *roomy;
static const shale_type *growing;
static void *objects[OBJECTS];

static void create(void)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    heap = shale_heap_create(&options, &error);
    bench_require(heap != NULL, error.message);
    mutator = shale_attach(heap, &error);
    bench_require(mutator != NULL, error.message);
    roomy = shale_type_register(heap, &(shale_type_spec){.name = "roomy", .size = 16}, &error);
    growing = shale_type_register(heap, &(shale_type_spec){.name = "growing", .size = 24}, &error);
    bench_require(roomy != NULL && growing != NULL, error.message);
}

static void renew(const shale_type *type)
{
    for (unsigned i = 0; i < OBJECTS; i++) {
        objects[i] = shale_allocate(mutator, type);
        bench_require(objects[i] != NULL, "the heap is full");
    }
}

static void ask_all(gbench_state *state)
{
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < count; i++)
            sum += shale_identity_hash(mutator, objects[i % OBJECTS]);
        gbench_keep(&sum);
    }
}

static void ask_again(gbench_state *state, bool move)
{
    shale_frame frame;
    shale_frame_push(mutator, &frame, objects, OBJECTS);
    renew(growing);
    for (unsigned i = 0; i < OBJECTS; i++)
        shale_identity_hash(mutator, objects[i]);
    if (move) {
        /* A region does not move while it is being filled. */
        for (size_t i = 0; i < 2 * REGION_SIZE / 32; i++)
            bench_require(shale_allocate(mutator, growing) != NULL, "the heap is full");
        bench_require(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting failed");
    }
    bench_require(((((uint64_t *)objects[0])[-1] & HEADER_STORED) != 0) == move, "the hash is elsewhere");
    ask_all(state);
    shale_frame_pop(mutator, &frame);
}

static void settled(gbench_state *state, void *context)
{
    (void)context;
    ask_again(state, false);
}

static void stored(gbench_state *state, void *context)
{
    (void)context;
    ask_again(state, true);
}

static void ask_first(gbench_state *state, const shale_type *type)
{
    shale_frame frame;
    shale_frame_push(mutator, &frame, objects, OBJECTS);
    unsigned next = OBJECTS;
    while (gbench_keep_running(state)) {
        if (next == OBJECTS) {
            gbench_pause_timing(state);
            renew(type);
            next = 0;
            gbench_resume_timing(state);
        }
        gbench_keep((void *)(uintptr_t)shale_identity_hash(mutator, objects[next++]));
    }
    shale_frame_pop(mutator, &frame);
}

static void first_with_room(gbench_state *state, void *context)
{
    (void)context;
    ask_first(state, roomy);
}

static void first_without_room(gbench_state *state, void *context)
{
    (void)context;
    ask_first(state, growing);
}

static void header_and_mix_limit(gbench_state *state, void *context)
{
    (void)context;
    shale_frame frame;
    shale_frame_push(mutator, &frame, objects, OBJECTS);
    renew(growing);
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < count; i++) {
            const uint64_t *object = objects[i % OBJECTS];
            sum += identity_hash_mix((uintptr_t)object) ^ *(const volatile uint64_t *)(object - 1);
        }
        gbench_keep(&sum);
    }
    shale_frame_pop(mutator, &frame);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        gbench_function function;
    } cases[] = {
        {"identity_hash/settled", settled},
        {"identity_hash/stored", stored},
        {"identity_hash/header_and_mix_limit", header_and_mix_limit},
        {"identity_hash/first_with_room", first_with_room},
        {"identity_hash/first_without_room", first_without_room},
    };
    create();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        gbench_set_min_time(gbench_register(cases[i].name, cases[i].function, NULL), 0.2);
    int status = gbench_main(argc, argv);
    shale_detach(mutator);
    shale_heap_destroy(heap, NULL);
    return status;
}
