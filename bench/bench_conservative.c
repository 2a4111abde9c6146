/*
 * Conservative roots. First, noting what a thousand words of a stack point at and finding out what is there, by the size that the heap
 * may grow to, beside reading the words. It runs in the remark's stop of heaps without a write barrier, so it must not
 * depend on that size. Second, native sections by the depth of the stack, which is copied on the way in, beside memcpy.
 */
#include "bench/gbench.h"
#include "bench/support/samples.h"

#include "gc/mark.h"

#include <shale/shale.h>

#include <stdlib.h>
#include <string.h>

enum { WORDS = 1000, REGIONS = 16, BYTES = 64 };

struct scene {
    struct memory memory;
    struct workers workers;
    struct world world;
    struct mark mark;
    struct mutator_local local;
    uint64_t words[WORDS];
};

static void visit_stacks(void *context, struct mutator_local *local, words_function function, void *argument)
{
    const struct scene *scene = context;
    (void)local;
    function(argument, scene->words, scene->words + WORDS);
}

/* Regions full of objects without slots. */
static void fill(struct scene *scene, const struct type *type)
{
    struct memory *memory = &scene->memory;
    for (int i = 0; i < REGIONS; i++) {
        region_number region = region_take(&memory->regions, REGION_ALLOCATING, 0);
        bench_require(region != REGION_NONE, "the heap is too small");
        uint32_t at = REGION_FIRST_OBJECT;
        for (; at + BYTES <= REGION_SIZE; at += BYTES)
            *(uint64_t *)(views_alias(&memory->views, region_start(region) + at) - HEADER_SIZE) =
                type->api.header;
        memory->regions.regions[region].top = at - (uint32_t)HEADER_SIZE;
        region_set_state(&memory->regions, region, REGION_USED);
    }
}

static void scene_create(struct scene *scene, size_t mebibytes)
{
    static const shale_encoding plain = SHALE_ENCODING_PLAIN;
    const char *failed;
    bench_require(memory_create(&scene->memory, os_linux(), mebibytes << 20, &plain, &failed) == 0,
                  "the heap could not be created");
    const shale_type_spec spec = {.name = "bytes", .size = BYTES - HEADER_SIZE};
    shale_status status;
    char message[256];
    const struct type *type = type_register(&scene->memory.types, &spec, &status, message, sizeof message);
    bench_require(type != NULL, message);
    fill(scene, type);
    scene->world = (struct world){.context = scene, .visit_stacks = visit_stacks};
    bench_require(workers_create(&scene->workers, os_linux(), 1) == 0, "workers could not be started");
    bench_require(mark_create(&scene->mark, &scene->memory, &scene->world, &scene->workers, 0) == 0,
                  "there is no memory for tables");
    bump_init(&scene->local.bump, BUMP_CHUNK_SIZE);
    scene->local.bump.conservative = true;
    atomic_u32_store(&scene->mark.conservative.wanted, 1);
    uint64_t seed = 1;
    for (int i = 0; i < WORDS; i++) {
        size_t offset = random_next(&seed) % ((size_t)REGIONS * REGION_SIZE);
        scene->words[i] = (uintptr_t)views_mutator(&scene->memory.views, offset);
    }
}

static void scene_destroy(struct scene *scene)
{
    mark_destroy(&scene->mark);
    workers_destroy(&scene->workers);
    memory_destroy(&scene->memory);
}

static void shade_words(gbench_state *state, void *context)
{
    (void)context;
    struct scene *scene = calloc(1, sizeof *scene);
    bench_require(scene != NULL, "malloc has no memory");
    scene_create(scene, (size_t)gbench_arg(state, 0));
    struct mark *mark = &scene->mark;
    mark_prepare(mark);
    while (gbench_keep_running(state)) {
        conservative_scan(&mark->conservative, &scene->world, &scene->local);
        conservative_shade(&mark->conservative, &mark->work);
        work_drop(&mark->work);
    }
    scene_destroy(scene);
    free(scene);
}

static void read_words(gbench_state *state, void *context)
{
    (void)context;
    static uint64_t words[WORDS];
    uint64_t sum = 0;
    while (gbench_keep_running(state)) {
        for (int i = 0; i < WORDS; i++)
            sum += ((const volatile uint64_t *)words)[i];
    }
    gbench_keep(&sum);
}

/* ---- native sections ------------------------------------------------------------------------------- */

static __attribute__((noinline)) void enter_and_leave(gbench_state *state, shale_mutator *mutator,
                                                      size_t depth)
{
    enum { FRAME = 4096 };
    char frame[FRAME];
    memset(frame, 0, sizeof frame);
    gbench_keep(frame);
    if (depth > FRAME) {
        enter_and_leave(state, mutator, depth - FRAME);
    } else {
        while (gbench_keep_running(state)) {
            shale_enter_native(mutator);
            shale_leave_native(mutator);
        }
    }
    gbench_keep(frame);
}

static void native(gbench_state *state, void *context)
{
    (void)context;
    shale_options options;
    shale_attach_options attach;
    shale_error error;
    shale_options_init(&options);
    shale_attach_options_init(&attach);
    options.ignore_environment = true;
    options.heap_size = (size_t)64 << 20;
    attach.conservative = true;
    shale_heap *heap = shale_heap_create(&options, &error);
    bench_require(heap != NULL, error.message);
    shale_mutator *mutator = shale_attach_with(heap, &attach, &error);
    bench_require(mutator != NULL, error.message);
    enter_and_leave(state, mutator, (size_t)gbench_arg(state, 0) << 10);
    shale_detach(mutator);
    shale_heap_destroy(heap, &error);
}

static void copy_bytes(gbench_state *state, void *context)
{
    (void)context;
    size_t size = (size_t)gbench_arg(state, 0) << 10;
    char *from = calloc(1, size);
    char *to = calloc(1, size);
    bench_require(from != NULL && to != NULL, "malloc has no memory");
    while (gbench_keep_running(state)) {
        gbench_keep(from);
        gbench_keep(memcpy(to, from, size));
    }
    free(from);
    free(to);
}

int main(int argc, char **argv)
{
    static const int64_t sizes[] = {64, 1024, 16384};
    static const int64_t depths[] = {4, 64, 1024};
    gbench_case *benchmark = gbench_register("conservative/shale", shade_words, NULL);
    gbench_set_arg_names(benchmark, (const char *const[]){"heap_mib"}, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        gbench_add_args(benchmark, &sizes[i], 1);
    gbench_register("conservative/read_limit", read_words, NULL);
    gbench_case *sections[] = {gbench_register("native/shale", native, NULL),
                               gbench_register("native/memcpy_limit", copy_bytes, NULL)};
    for (size_t i = 0; i < 2; i++) {
        gbench_set_arg_names(sections[i], (const char *const[]){"stack_kib"}, 1);
        for (size_t k = 0; k < sizeof depths / sizeof depths[0]; k++)
            gbench_add_args(sections[i], &depths[k], 1);
    }
    return gbench_main(argc, argv);
}
