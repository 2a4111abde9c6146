/*
 * Building pages, by object size and number of references: pages that objects move to (copied and
 * rewritten) and pages that stay (rewritten in place), also in heaps in which a tenth of the objects grow because
 * their identity hash was asked for. The limits are memcpy from page to page, and memcpy
 * plus one random read of a table as large as the plan's for each of 256 references, which is what a page
 * of 32-byte objects with two references needs if they lead anywhere in a heap of 320 MiB.
 */
#include "bench/gbench.h"
#include "bench/support/copying.h"
#include "bench/support/graph.h"

#include <stdlib.h>
#include <string.h>

static void build(gbench_state *state, bool moved, uint32_t hashed_percent)
{
    struct graph graph;
    struct graph_shape shape = {.object_size = (uint32_t)gbench_arg(state, 0),
                                .references = (uint32_t)gbench_arg(state, 1),
                                .sparse_regions = 256,
                                .dense_regions = 128,
                                .live_percent = (uint32_t)gbench_arg(state, 2),
                                .hashed_percent = hashed_percent,
                                .compaction = SHALE_COMPACTION_IN_PAUSE};
    graph_create(&graph, &shape);
    const page_number *pages = moved ? graph.moved_pages : graph.staying_pages;
    size_t count = moved ? graph.moved_count : graph.staying_count;
    size_t next = count;
    while (gbench_keep_running(state)) {
        if (next == count) {
            next = 0;
            if (!moved) {
                gbench_pause_timing(state);
                graph_restore(&graph);
                gbench_resume_timing(state);
            }
        }
        page_build(&graph.collector.plan, pages[next++]);
    }
    gbench_set_bytes_processed(state, gbench_iterations(state) * (int64_t)graph_page_size(&graph));
    graph_destroy(&graph);
}

static void build_moved(gbench_state *state, void *context)
{
    (void)context;
    build(state, true, 0);
}

static void build_staying(gbench_state *state, void *context)
{
    (void)context;
    build(state, false, 0);
}

/* Objects that grow, and chunks whose forwarding has to heed that. */
static void build_moved_hashed(gbench_state *state, void *context)
{
    (void)context;
    build(state, true, 10);
}

static void build_staying_hashed(gbench_state *state, void *context)
{
    (void)context;
    build(state, false, 10);
}

static void copy(gbench_state *state, void *context)
{
    (void)context;
    struct copying copying;
    copying_create(&copying, (size_t)64 << 20);
    while (gbench_keep_running(state))
        copy_pages(&copying, 1);
    gbench_set_bytes_processed(state, gbench_iterations(state) * (int64_t)copying.page_size);
    copying_destroy(&copying);
}

enum { LOOKUPS = 256, ENTRY_WORDS = 2, ENTRIES = (320 << 20) / CHUNK_SIZE };

static void copy_and_look_up(gbench_state *state, void *context)
{
    (void)context;
    struct copying copying;
    copying_create(&copying, (size_t)64 << 20);
    uint64_t *table = calloc(ENTRIES * ENTRY_WORDS, sizeof *table);
    bench_require(table != NULL, "there is no memory for a table");
    memset(table, 1, ENTRIES * ENTRY_WORDS * sizeof *table);
    uint32_t random = 1;
    uint64_t sum = 0;
    while (gbench_keep_running(state)) {
        copy_pages(&copying, 1);
        for (unsigned i = 0; i < LOOKUPS; i++) {
            random = random * 1664525 + 1013904223;
            sum += table[((uint64_t)random * ENTRIES >> 32) * ENTRY_WORDS];
        }
    }
    gbench_keep(&sum);
    gbench_set_bytes_processed(state, gbench_iterations(state) * (int64_t)copying.page_size);
    free(table);
    copying_destroy(&copying);
}

static void add(const char *name, gbench_function function)
{
    static const int64_t shapes[][3] = {{32, 2, 50},  {32, 2, 10},   {64, 2, 50},   {64, 7, 50},
                                        {256, 4, 50}, {1024, 0, 50}, {1024, 4, 50}, {4096, 0, 50}};
    gbench_case *benchmark = gbench_register(name, function, NULL);
    gbench_set_arg_names(benchmark, (const char *const[]){"object", "references", "live"}, 3);
    /* Exactly so many, because each call of the body makes a graph. */
    gbench_set_iterations(benchmark, 50000);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        gbench_add_args(benchmark, shapes[i], 3);
}

int main(int argc, char **argv)
{
    add("page_build/moved", build_moved);
    add("page_build/staying", build_staying);
    add("page_build/moved_a_tenth_hashed", build_moved_hashed);
    add("page_build/staying_a_tenth_hashed", build_staying_hashed);
    gbench_set_min_time(gbench_register("page_build/memcpy_limit", copy, NULL), 0.5);
    gbench_set_min_time(gbench_register("page_build/memcpy_and_look_up_limit", copy_and_look_up, NULL), 0.5);
    return gbench_main(argc, argv);
}
