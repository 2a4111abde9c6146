#include "bench/support/random_graph.h"

#include "bench/support/samples.h"
#include "gc/durations.h"
#include "heap/layout.h"

_Static_assert(sizeof(struct random_object) + HEADER_SIZE == RANDOM_GRAPH_OBJECT_SIZE,
               "the heap's objects are as large as announced");

static const shale_type *register_type(struct random_graph *graph, const shale_type_spec *spec)
{
    shale_error error;
    const shale_type *type = shale_type_register(graph->heap, spec, &error);
    bench_require(type != NULL, error.message);
    return type;
}

static void *new_array(struct random_graph *graph, const shale_type *type, size_t length)
{
    void *array = shale_allocate_array(graph->mutator, type, length);
    bench_require(array != NULL, "the heap is full");
    return array;
}

static void fill_directory(struct random_graph *graph)
{
    static const uint32_t offsets[RANDOM_GRAPH_REFERENCES] = {0, 8, 16, 24};
    const shale_type *array_type = register_type(graph, &(shale_type_spec){.name = "array",
                                                                           .element_size = sizeof(void *),
                                                                           .element_pointers = offsets,
                                                                           .element_pointer_count = 1});
    const shale_type *object_type =
        register_type(graph, &(shale_type_spec){.name = "object",
                                                .size = sizeof(struct random_object),
                                                .pointers = offsets,
                                                .pointer_count = RANDOM_GRAPH_REFERENCES});
    size_t arrays = (graph->count + RANDOM_GRAPH_ARRAY - 1) / RANDOM_GRAPH_ARRAY;
    graph->root.directory = new_array(graph, array_type, arrays);
    for (size_t i = 0; i < graph->count; i++) {
        struct random_array **entry = &graph->root.directory[i / RANDOM_GRAPH_ARRAY];
        if (i % RANDOM_GRAPH_ARRAY == 0) {
            struct random_array *array = new_array(graph, array_type, RANDOM_GRAPH_ARRAY);
            entry = &graph->root.directory[i / RANDOM_GRAPH_ARRAY];
            shale_store(graph->mutator, graph->root.directory, entry, array);
        }
        struct random_object *object = shale_allocate(graph->mutator, object_type);
        bench_require(object != NULL, "the heap is full");
        struct random_array *array = graph->root.directory[i / RANDOM_GRAPH_ARRAY];
        shale_store(graph->mutator, array, &array->objects[i % RANDOM_GRAPH_ARRAY], object);
    }
}

static struct random_object *object_at(const struct random_graph *graph, size_t index)
{
    return graph->root.directory[index / RANDOM_GRAPH_ARRAY]->objects[index % RANDOM_GRAPH_ARRAY];
}

static void connect(struct random_graph *graph)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct random_object *object = object_at(graph, i);
        for (size_t slot = 0; slot < RANDOM_GRAPH_REFERENCES; slot++)
            shale_store(graph->mutator, object, &object->references[slot],
                        object_at(graph, random_below(&graph->random, graph->count)));
    }
}

void random_graph_create(struct random_graph *graph, size_t bytes, const shale_options *options)
{
    *graph = (struct random_graph){.count = bytes / RANDOM_GRAPH_OBJECT_SIZE, .random = 7};
    bench_require(graph->count <= (size_t)RANDOM_GRAPH_ARRAY * RANDOM_GRAPH_ARRAY,
                  "a graph of so many objects is not foreseen");
    shale_error error;
    shale_options own = *options;
    /* An eighth more for the directory's slots, and what the collector keeps in reserve. */
    own.heap_size = bytes + bytes / 2;
    own.target = 0;
    own.evacuate = 0;
    graph->heap = shale_heap_create(&own, &error);
    bench_require(graph->heap != NULL, error.message);
    graph->mutator = shale_attach(graph->heap, &error);
    bench_require(graph->mutator != NULL, error.message);
    shale_frame_push(graph->mutator, &graph->frame, &graph->root, 1);
    fill_directory(graph);
    connect(graph);
}

void random_graph_destroy(struct random_graph *graph)
{
    shale_frame_pop(graph->mutator, &graph->frame);
    shale_detach(graph->mutator);
    bench_require(shale_heap_destroy(graph->heap, NULL) == SHALE_OK, "the heap could not be destroyed");
}

uint64_t random_graph_collect(struct random_graph *graph)
{
    shale_statistics before;
    shale_statistics after;
    shale_heap_statistics(graph->heap, &before);
    bench_require(shale_collect(graph->mutator, SHALE_COLLECT_NORMAL) == SHALE_OK, "a cycle failed");
    shale_heap_statistics(graph->heap, &after);
    bench_require(after.flips == before.flips, "a cycle moved objects");
    bench_require(after.objects_marked - before.objects_marked >= graph->count,
                  "a cycle did not mark all objects");
    return after.mark_time.total - before.mark_time.total;
}
