/*
 * Allocating objects that are dropped at once, by size, with all that the collector does for it. The limit is
 * clearing the same memory: objects come zeroed. malloc and free of the same sizes for comparison.
 */
#include "bench/gbench.h"
#include "bench/support/samples.h"

#include <shale/shale.h>

#include <stdlib.h>
#include <string.h>

enum { LIVE_BLOCKS = 64 };
#define HEAP_BYTES ((size_t)64 << 20)

static void allocate(gbench_state *state, void *context)
{
    (void)context;
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = HEAP_BYTES;
    shale_heap *heap = shale_heap_create(&options, &error);
    bench_require(heap != NULL, error.message);
    shale_mutator *mutator = shale_attach(heap, &error);
    shale_type_spec spec = {.name = "bytes", .size = (size_t)gbench_arg(state, 0)};
    const shale_type *type = shale_type_register(heap, &spec, &error);
    bench_require(mutator != NULL && type != NULL, error.message);
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++)
            gbench_keep(shale_allocate(mutator, type));
    }
    gbench_set_bytes_processed(state, gbench_iterations(state) * gbench_arg(state, 0));
    shale_detach(mutator);
    shale_heap_destroy(heap, NULL);
}

/* As many bytes as all of the heap, one object after the other. */
static void clear(gbench_state *state, void *context)
{
    (void)context;
    size_t size = (size_t)gbench_arg(state, 0);
    char *memory = malloc(HEAP_BYTES);
    bench_require(memory != NULL, "there is no memory to clear");
    memset(memory, 1, HEAP_BYTES);
    /* By what the library clears at a time, and then one write an object. */
    enum { CHUNK = 16384 };
    size_t cleared = 0;
    size_t used = 0;
    while (gbench_keep_running(state)) {
        if (used + size > cleared) {
            size_t need = (size + CHUNK - 1) / CHUNK * CHUNK;
            if (cleared + need > HEAP_BYTES)
                cleared = used = 0;
            gbench_keep(memset(memory + cleared, 0, need));
            cleared += need;
        }
        *(volatile uint64_t *)(memory + used) = 1;
        used += size;
    }
    gbench_set_bytes_processed(state, gbench_iterations(state) * gbench_arg(state, 0));
    free(memory);
}

static void allocate_malloc(gbench_state *state, void *context)
{
    (void)context;
    size_t size = (size_t)gbench_arg(state, 0);
    void *blocks[LIVE_BLOCKS] = {NULL};
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            free(blocks[i % LIVE_BLOCKS]);
            gbench_keep(blocks[i % LIVE_BLOCKS] = malloc(size));
        }
    }
    for (size_t i = 0; i < LIVE_BLOCKS; i++)
        free(blocks[i]);
    gbench_set_bytes_processed(state, gbench_iterations(state) * gbench_arg(state, 0));
}

static void add(const char *name, gbench_function function)
{
    static const int64_t sizes[] = {16, 40, 64, 120, 504, 4088, 32752};
    gbench_case *benchmark = gbench_register(name, function, NULL);
    gbench_set_arg_names(benchmark, (const char *const[]){"bytes"}, 1);
    gbench_set_min_time(benchmark, 0.25);
    gbench_use_real_time(benchmark);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        gbench_add_args(benchmark, &sizes[i], 1);
}

int main(int argc, char **argv)
{
    add("allocate/shale", allocate);
    add("allocate/clear_limit", clear);
    add("allocate/malloc_free", allocate_malloc);
    return gbench_main(argc, argv);
}
