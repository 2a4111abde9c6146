/*
 * Allocating objects that never move, by size, with all that the collector does for it: all of them dropped at once, so that
 * blocks are empty when they are used again; and with every eighth kept until as many more were allocated, so that they have holes.
 * mimalloc's malloc and free of the same sizes for comparison, if it is there.
 */
#include "bench/gbench.h"
#include "bench/support/mimalloc.h"
#include "bench/support/samples.h"

#include <shale/shale.h>

#include <stddef.h>

enum { KEPT = 20000, KEEP_EVERY = 8, LIVE_BLOCKS = 64 };
#define HEAP_BYTES ((size_t)64 << 20)

struct setting {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *type;
};

static void create(struct setting *setting, size_t size)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = HEAP_BYTES;
    setting->heap = shale_heap_create(&options, &error);
    bench_require(setting->heap != NULL, error.message);
    setting->mutator = shale_attach(setting->heap, &error);
    shale_type_spec spec = {.name = "bytes", .size = size};
    setting->type = shale_type_register(setting->heap, &spec, &error);
    bench_require(setting->mutator != NULL && setting->type != NULL, error.message);
}

static void destroy(struct setting *setting)
{
    shale_detach(setting->mutator);
    shale_heap_destroy(setting->heap, NULL);
}

static void dropped(gbench_state *state, void *context)
{
    (void)context;
    struct setting setting;
    create(&setting, (size_t)gbench_arg(state, 0));
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++)
            gbench_keep(shale_allocate_pinned(setting.mutator, setting.type));
    }
    gbench_set_bytes_processed(state, gbench_iterations(state) * gbench_arg(state, 0));
    destroy(&setting);
}

static void with_holes(gbench_state *state, void *context)
{
    (void)context;
    static void *kept[KEPT];
    struct setting setting;
    create(&setting, (size_t)gbench_arg(state, 0));
    size_t most = HEAP_BYTES / 8 / ((size_t)gbench_arg(state, 0) + 16);
    most = most < KEPT ? most : KEPT;
    for (size_t i = 0; i < KEPT; i++)
        kept[i] = NULL;
    shale_frame frame;
    shale_frame_push(setting.mutator, &frame, kept, KEPT);
    uint64_t count;
    size_t next = 0;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            void *object = shale_allocate_pinned(setting.mutator, setting.type);
            bench_require(object != NULL, "the heap is full");
            gbench_keep(object);
            if (i % KEEP_EVERY != 0)
                continue;
            kept[next] = object;
            next = next + 1 < most ? next + 1 : 0;
        }
    }
    gbench_set_bytes_processed(state, gbench_iterations(state) * gbench_arg(state, 0));
    shale_frame_pop(setting.mutator, &frame);
    destroy(&setting);
}

static struct mimalloc mimalloc;

static void allocate_mimalloc(gbench_state *state, void *context)
{
    (void)context;
    size_t size = (size_t)gbench_arg(state, 0);
    void *blocks[LIVE_BLOCKS] = {NULL};
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            mimalloc.free(blocks[i % LIVE_BLOCKS]);
            gbench_keep(blocks[i % LIVE_BLOCKS] = mimalloc.allocate(size));
        }
    }
    for (size_t i = 0; i < LIVE_BLOCKS; i++)
        mimalloc.free(blocks[i]);
    gbench_set_bytes_processed(state, gbench_iterations(state) * gbench_arg(state, 0));
}

static void add(const char *name, gbench_function function)
{
    static const int64_t sizes[] = {16, 40, 64, 120, 504, 4088};
    gbench_case *benchmark = gbench_register(name, function, NULL);
    gbench_set_arg_names(benchmark, (const char *const[]){"bytes"}, 1);
    gbench_set_min_time(benchmark, 0.25);
    gbench_use_real_time(benchmark);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        gbench_add_args(benchmark, &sizes[i], 1);
}

int main(int argc, char **argv)
{
    add("cells/dropped", dropped);
    add("cells/with_holes", with_holes);
    if (mimalloc_open(&mimalloc))
        add("cells/mimalloc", allocate_mimalloc);
    return gbench_main(argc, argv);
}
