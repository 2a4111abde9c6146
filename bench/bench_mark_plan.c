/*
 * Marking and planning, by object size, on random graphs of 128 MiB of live objects. Marking's limit is
 * reading the header of every object in random order, with as many reads in flight as the processor likes;
 * planning's is reading the live bits and writing as many tables as it fills. Marking a binary tree that was
 * allocated depth first, of 16 MiB, is beside them for what marking takes when it hardly waits for memory.
 */
#include "bench/gbench.h"
#include "bench/support/graph.h"

#include <stdlib.h>
#include <string.h>

static void shape_of(struct graph_shape *shape, gbench_state *state)
{
    *shape = (struct graph_shape){.object_size = (uint32_t)gbench_arg(state, 0),
                                  .references = 2,
                                  .sparse_regions = 512,
                                  .dense_regions = 256,
                                  .live_percent = 50,
                                  .compaction = SHALE_COMPACTION_IN_PAUSE};
}

/* That a plan writes for each chunk of the evacuation set. */
enum { TABLE_BYTES = 16 };

static void add_iteration(gbench_state *state, uint64_t before)
{
    gbench_set_iteration_time(state, (double)(thread_nanoseconds() - before) / 1e9);
}

static void mark_repeatedly(gbench_state *state, struct graph *graph)
{
    uint64_t objects = 0;
    while (gbench_keep_running(state)) {
        uint64_t before = thread_nanoseconds();
        mark_run(&graph->collector.mark);
        add_iteration(state, before);
        objects += graph->collector.mark.objects;
    }
    gbench_set_items_processed(state, (int64_t)objects);
}

static void mark(gbench_state *state, void *context)
{
    (void)context;
    struct graph graph;
    struct graph_shape shape;
    shape_of(&shape, state);
    graph_create(&graph, &shape);
    graph_forget_plan(&graph);
    mark_repeatedly(state, &graph);
    graph_destroy(&graph);
}

/* Makes the first 2^depth - 1 objects a tree; each comes after its subtrees, as where a tree is built from its
 * leaves. Returns its root. */
static uint64_t make_tree(struct graph *graph, unsigned depth)
{
    const struct views *views = &graph->memory.views;
    size_t count = ((size_t)1 << depth) - 1;
    bench_require(count <= graph->object_count, "there are not enough objects for the tree");
    /* The objects before this one that are roots of trees without a parent yet, and how high these are. */
    uint64_t roots[64];
    unsigned heights[64];
    unsigned waiting = 0;
    for (size_t i = 0; i < count; i++) {
        size_t offset = granule_start(graph->objects[i]);
        uint64_t *slots = (uint64_t *)views_alias(views, offset);
        bool inner = waiting >= 2 && heights[waiting - 1] == heights[waiting - 2];
        slots[0] = inner ? roots[waiting - 2] : 0;
        slots[1] = inner ? roots[waiting - 1] : 0;
        unsigned height = inner ? heights[waiting - 1] + 1 : 1;
        waiting = inner ? waiting - 2 : waiting;
        roots[waiting] = (uint64_t)(uintptr_t)views_mutator(views, offset);
        heights[waiting++] = height;
    }
    return roots[0];
}

static void mark_tree(gbench_state *state, void *context)
{
    enum { DEPTH = 19, OBJECT_SIZE = 32, SPARSE = 4, DENSE = 64 };
    (void)context;
    struct graph graph;
    graph_create(&graph, &(struct graph_shape){.object_size = OBJECT_SIZE,
                                               .references = 2,
                                               .sparse_regions = SPARSE,
                                               .dense_regions = DENSE,
                                               .live_percent = 50,
                                               .compaction = SHALE_COMPACTION_IN_PAUSE});
    graph_forget_plan(&graph);
    uint64_t root = make_tree(&graph, DEPTH);
    for (size_t i = 0; i < GRAPH_ROOTS; i++)
        graph.roots[i] = root;
    mark_repeatedly(state, &graph);
    graph_destroy(&graph);
}

static void mark_limit(gbench_state *state, void *context)
{
    (void)context;
    struct graph graph;
    struct graph_shape shape;
    shape_of(&shape, state);
    graph_create(&graph, &shape);
    random_shuffle(&graph.random, graph.objects, graph.object_count);
    uint64_t sum = 0;
    while (gbench_keep_running(state)) {
        uint64_t before = thread_nanoseconds();
        for (size_t i = 0; i < graph.object_count; i++)
            sum += memory_header(&graph.memory, granule_start(graph.objects[i]));
        add_iteration(state, before);
    }
    gbench_keep(&sum);
    gbench_set_items_processed(state, gbench_iterations(state) * (int64_t)graph.object_count);
    graph_destroy(&graph);
}

static void plan(gbench_state *state, void *context)
{
    (void)context;
    struct graph graph;
    struct graph_shape shape;
    shape_of(&shape, state);
    graph_create(&graph, &shape);
    struct plan *made = &graph.collector.plan;
    uint64_t objects = 0;
    while (gbench_keep_running(state)) {
        graph_forget_plan(&graph);
        uint64_t before = thread_nanoseconds();
        plan_make(made, PLAN_SPARSE, 75, 0);
        add_iteration(state, before);
        objects += made->objects;
    }
    gbench_set_items_processed(state, (int64_t)objects);
    graph_destroy(&graph);
}

static void plan_limit(gbench_state *state, void *context)
{
    (void)context;
    struct graph graph;
    struct graph_shape shape;
    shape_of(&shape, state);
    graph_create(&graph, &shape);
    graph_forget_plan(&graph);
    size_t chunks = (size_t)shape.sparse_regions * REGION_CHUNKS;
    size_t table_size = chunks * TABLE_BYTES;
    char *table = malloc(table_size);
    bench_require(table != NULL, "there is no memory for a table");
    uint64_t sum = 0;
    while (gbench_keep_running(state)) {
        uint64_t before = thread_nanoseconds();
        for (size_t i = 0; i < chunks; i++)
            sum += graph.memory.live_bits[i];
        gbench_keep(memset(table, 1, table_size));
        add_iteration(state, before);
    }
    gbench_keep(&sum);
    /* So that the rates compare: as many objects as the plan above moves. */
    gbench_set_items_processed(state, gbench_iterations(state) * (int64_t)chunks * (int64_t)CHUNK_SIZE / 2 /
                                          shape.object_size);
    free(table);
    graph_destroy(&graph);
}

static void add(const char *name, gbench_function function)
{
    static const int64_t sizes[] = {32, 64, 1024};
    gbench_case *benchmark = gbench_register(name, function, NULL);
    gbench_set_arg_names(benchmark, (const char *const[]){"object"}, 1);
    gbench_set_unit(benchmark, GBENCH_MS);
    gbench_use_manual_time(benchmark);
    gbench_set_iterations(benchmark, 4);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        gbench_add_args(benchmark, &sizes[i], 1);
}

int main(int argc, char **argv)
{
    enum { TREE_ITERATIONS = 16 };
    add("mark/shale", mark);
    gbench_case *tree = gbench_register("mark/tree", mark_tree, NULL);
    gbench_set_unit(tree, GBENCH_MS);
    gbench_use_manual_time(tree);
    gbench_set_iterations(tree, TREE_ITERATIONS);
    add("mark/read_headers_limit", mark_limit);
    add("plan/shale", plan);
    add("plan/tables_limit", plan_limit);
    return gbench_main(argc, argv);
}
