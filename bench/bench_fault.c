/*
 * A mutator's fault in both fault modes, by what is on the page, beside bare faults served the same way,
 * and a read of a page that is mapped. The targets of the same name say exactly what is timed; an iteration
 * is the median of some hundred.
 */
#include "bench/gbench.h"
#include "bench/support/bare.h"
#include "bench/support/graph.h"

enum { TOUCHES = 256 };

static const enum shale_compaction by_thread = SHALE_COMPACTION_FAULT_THREAD;
static const enum shale_compaction by_signal = SHALE_COMPACTION_FAULT_SIGNAL;
static const enum bare_server bare_poll = BARE_POLL;
static const enum bare_server bare_spin = BARE_SPIN;
static const enum bare_server bare_signal = BARE_SIGNAL;

/* Seconds. */
static double touch_pages(struct graph *graph, struct samples *samples)
{
    samples_clear(samples);
    random_shuffle(&graph->random, graph->moved_pages, graph->moved_count);
    for (size_t i = 0; i < TOUCHES; i++) {
        size_t offset = (size_t)graph->moved_pages[i] << graph->memory.views.page_shift;
        samples_add(samples, (double)touch_nanoseconds(views_mutator(&graph->memory.views, offset)));
    }
    return samples_median(samples) / 1e9;
}

static void shale_fault(gbench_state *state, void *context)
{
    struct graph graph;
    struct samples samples = {NULL, 0, 0};
    struct graph_shape shape = {.object_size = (uint32_t)gbench_arg(state, 0),
                                .references = (uint32_t)gbench_arg(state, 1),
                                .sparse_regions = 128,
                                .dense_regions = 64,
                                .live_percent = 50,
                                .compaction = *(const enum shale_compaction *)context};
    graph_create(&graph, &shape);
    graph.collector.compaction.ways.neighbours = 0; /* see the target */
    graph.collector.compaction.ways.neighbours_most = 0;
    while (gbench_keep_running(state)) {
        graph_restore(&graph);
        graph_flip(&graph);
        gbench_set_iteration_time(state, touch_pages(&graph, &samples));
        graph_finish(&graph);
    }
    graph_destroy(&graph);
    samples_free(&samples);
}

static void bare_fault(gbench_state *state, void *context)
{
    struct bare bare;
    struct samples samples = {NULL, 0, 0};
    bare_create(&bare, *(const enum bare_server *)context, 4096);
    while (gbench_keep_running(state)) {
        bare_arm(&bare);
        samples_clear(&samples);
        bare_touch(&bare, TOUCHES, &samples);
        bare_disarm(&bare);
        gbench_set_iteration_time(state, samples_median(&samples) / 1e9);
    }
    samples_free(&samples);
    bare_destroy(&bare);
}

static void mapped_touch(gbench_state *state, void *context)
{
    (void)context;
    struct graph graph;
    struct samples samples = {NULL, 0, 0};
    struct graph_shape shape = {.object_size = 64,
                                .references = 2,
                                .sparse_regions = 128,
                                .dense_regions = 64,
                                .live_percent = 50,
                                .compaction = SHALE_COMPACTION_IN_PAUSE};
    graph_create(&graph, &shape);
    while (gbench_keep_running(state))
        gbench_set_iteration_time(state, touch_pages(&graph, &samples));
    graph_destroy(&graph);
    samples_free(&samples);
}

static gbench_case *add(const char *name, gbench_function function, const void *context)
{
    gbench_case *benchmark = gbench_register(name, function, (void *)(uintptr_t)context);
    gbench_set_unit(benchmark, GBENCH_US);
    gbench_use_manual_time(benchmark);
    gbench_set_iterations(benchmark, 15);
    return benchmark;
}

static void add_shapes(gbench_case *benchmark)
{
    static const int64_t shapes[][2] = {{32, 2}, {64, 2}, {1024, 0}};
    gbench_set_arg_names(benchmark, (const char *const[]){"object", "references"}, 2);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        gbench_add_args(benchmark, shapes[i], 2);
}

int main(int argc, char **argv)
{
    const char *reason;
    if (!graph_can_compact(SHALE_COMPACTION_FAULT_SIGNAL, &reason))
        return 0;
    add_shapes(add("fault/thread", shale_fault, &by_thread));
    add("fault/bare_poll_limit", bare_fault, &bare_poll);
    add("fault/bare_spin_limit", bare_fault, &bare_spin);
    add_shapes(add("fault/signal", shale_fault, &by_signal));
    add("fault/bare_signal_limit", bare_fault, &bare_signal);
    add("fault/mapped_page", mapped_touch, NULL);
    return gbench_main(argc, argv);
}
