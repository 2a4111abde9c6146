/*
 * Publishing pages by batch size: page_claim and page_publish, beside UFFDIO_CONTINUE alone.
 */
#include "bench/gbench.h"
#include "bench/support/bare.h"
#include "bench/support/graph.h"

enum { PAGES = 16384 };

static void publish(gbench_state *state, void *context)
{
    (void)context;
    page_number batch = (page_number)gbench_arg(state, 0);
    struct graph graph;
    /* Dense regions alone would leave nothing to do: one sparse one is what the flip is for. */
    struct graph_shape shape = {.object_size = 1024,
                                .sparse_regions = 2,
                                .dense_regions = PAGES / 64,
                                .live_percent = 40,
                                .compaction = SHALE_COMPACTION_FAULT_THREAD};
    graph_create(&graph, &shape);
    struct page_states *pages = &graph.memory.pages;
    size_t done = 0;
    while (gbench_keep_running(state)) {
        graph_flip(&graph);
        uint64_t before = thread_nanoseconds();
        for (size_t i = 0; i + batch <= graph.staying_count; i += batch) {
            for (page_number page = 0; page < batch; page++)
                page_claim(pages, graph.staying_pages[i] + page);
            page_publish(pages, graph.staying_pages[i], batch);
            done += batch;
        }
        gbench_set_iteration_time(state, (double)(thread_nanoseconds() - before) / 1e9);
        graph_finish(&graph);
    }
    gbench_set_items_processed(state, (int64_t)done);
    graph_destroy(&graph);
}

static void bare_continue(gbench_state *state, void *context)
{
    (void)context;
    size_t batch = (size_t)gbench_arg(state, 0);
    struct bare bare;
    bare_create(&bare, BARE_POLL, PAGES);
    const struct os *os = os_linux();
    while (gbench_keep_running(state)) {
        bare_arm(&bare);
        uint64_t before = thread_nanoseconds();
        for (size_t i = 0; i < PAGES; i += batch) {
            size_t done;
            os->faults_continue(os, bare.faults, bare.view + i * bare.page_size, batch * bare.page_size,
                                &done);
        }
        gbench_set_iteration_time(state, (double)(thread_nanoseconds() - before) / 1e9);
        bare_disarm(&bare);
    }
    gbench_set_items_processed(state, gbench_iterations(state) * PAGES);
    bare_destroy(&bare);
}

static void add(const char *name, gbench_function function)
{
    static const int64_t batches[] = {1, 4, 16, 64};
    gbench_case *benchmark = gbench_register(name, function, NULL);
    gbench_set_arg_names(benchmark, (const char *const[]){"batch"}, 1);
    gbench_set_unit(benchmark, GBENCH_MS);
    gbench_use_manual_time(benchmark);
    gbench_set_iterations(benchmark, 12);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++)
        gbench_add_args(benchmark, &batches[i], 1);
}

int main(int argc, char **argv)
{
    const char *reason;
    if (!graph_can_compact(SHALE_COMPACTION_FAULT_THREAD, &reason))
        return 0;
    add("publish/shale", publish);
    add("publish/continue_limit", bare_continue);
    return gbench_main(argc, argv);
}
