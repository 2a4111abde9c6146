/*
 * What gc/evacuation.c weighs against each other, by object size: marking, rewriting pages that stay, building
 * pages that objects move to, publishing included, each for the same number of live bytes. Random graphs with two
 * references an object, of which one leads near by; half of what is live moves.
 *
 * The counters of the cases named cost are what the constants there are chosen from: marking and moving, as
 * shares of rewriting in place.
 */
#include "bench/gbench.h"
#include "bench/support/graph.h"

enum { BATCH = 16, ROUNDS = 3 };

/* Nanoseconds for each live byte. */
struct costs {
    double marking;
    double staying;
    double moving;
};

/* Builds and publishes stale pages in batches, as a worker does; in nanoseconds. */
static uint64_t build_and_publish(struct graph *graph, const page_number *pages, size_t count)
{
    struct page_states *states = &graph->memory.pages;
    uint64_t before = thread_nanoseconds();
    for (size_t i = 0; i < count;) {
        size_t run = 0;
        while (run < BATCH && i + run < count && pages[i + run] == pages[i] + run) {
            page_claim(states, pages[i + run]);
            page_build(&graph->collector.plan, pages[i + run]);
            run++;
        }
        bench_require(page_publish(states, pages[i], (page_number)run) == 0, "pages could not be published");
        i += run;
    }
    return thread_nanoseconds() - before;
}

static uint64_t live_in(const struct graph *graph, const region_number *regions, region_number count)
{
    uint64_t bytes = 0;
    for (region_number i = 0; i < count; i++)
        bytes += graph->memory.regions.regions[regions[i]].live_bytes;
    return bytes;
}

static void measure(struct graph *graph, struct costs *costs)
{
    const struct plan *plan = &graph->collector.plan;
    uint64_t moved = plan->bytes;
    uint64_t stayed = live_in(graph, graph->dense, graph->dense_count);
    graph_flip(graph);
    costs->moving = (double)build_and_publish(graph, graph->moved_pages, graph->moved_count) / (double)moved;
    costs->staying =
        (double)build_and_publish(graph, graph->staying_pages, graph->staying_count) / (double)stayed;
    graph_finish(graph);
    graph_restore(graph);
}

static double measure_marking(struct graph *graph)
{
    graph_forget_plan(graph);
    uint64_t before = thread_nanoseconds();
    mark_run(&graph->collector.mark);
    return (double)(thread_nanoseconds() - before) / (double)graph->collector.mark.bytes;
}

static void cost(gbench_state *state, void *context)
{
    (void)context;
    struct samples marking = {NULL, 0, 0};
    struct samples moving = {NULL, 0, 0};
    while (gbench_keep_running(state)) {
        struct graph graph;
        struct costs costs;
        graph_create(&graph, &(struct graph_shape){.object_size = (uint32_t)gbench_arg(state, 0),
                                                   .references = 2,
                                                   .near = 1,
                                                   .sparse_regions = 256,
                                                   .dense_regions = 128,
                                                   .live_percent = 50,
                                                   .compaction = SHALE_COMPACTION_FAULT_THREAD});
        /* The first flip makes page tables. */
        for (int round = 0; round <= ROUNDS; round++) {
            measure(&graph, &costs);
            if (round == 0)
                continue;
            samples_add(&moving, costs.moving / costs.staying);
        }
        costs.marking = measure_marking(&graph);
        samples_add(&marking, costs.marking / costs.staying);
        gbench_set_iteration_time(state, costs.staying * 1e-9);
        graph_destroy(&graph);
    }
    gbench_set_counter(state, "marking", samples_median(&marking), GBENCH_VALUE);
    gbench_set_counter(state, "moving", samples_median(&moving), GBENCH_VALUE);
    samples_free(&marking);
    samples_free(&moving);
}

int main(int argc, char **argv)
{
    static const int64_t sizes[] = {32, 64, 128, 256, 1024, 4096};
    const char *reason;
    if (!graph_can_compact(SHALE_COMPACTION_FAULT_THREAD, &reason))
        return 0;
    gbench_case *benchmark = gbench_register("evacuation/cost", cost, NULL);
    gbench_set_arg_names(benchmark, (const char *const[]){"object"}, 1);
    gbench_use_manual_time(benchmark);
    gbench_set_iterations(benchmark, 3);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        gbench_add_args(benchmark, &sizes[i], 1);
    return gbench_main(argc, argv);
}
