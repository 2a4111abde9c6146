/*
 * A heap full of live objects that refer to each other at random, made by a program through the public
 * interface: for marking, the least favourable for caches.
 *
 * A root leads to an array of arrays, the directory, and that to every object; each object has four references
 * to objects anywhere. Everything is live, and nothing is evacuated, so no cycle flips.
 */
#ifndef BENCH_SUPPORT_RANDOM_GRAPH_H
#define BENCH_SUPPORT_RANDOM_GRAPH_H

#include <shale/shale.h>

#include <stddef.h>

enum { RANDOM_GRAPH_OBJECT_SIZE = 64, RANDOM_GRAPH_REFERENCES = 4, RANDOM_GRAPH_ARRAY = 4000 };

/* An object; the header makes it RANDOM_GRAPH_OBJECT_SIZE. */
struct random_object {
    struct random_object *references[RANDOM_GRAPH_REFERENCES];
    uint64_t numbers[3];
};

struct random_array {
    struct random_object *objects[RANDOM_GRAPH_ARRAY];
};

struct random_graph {
    shale_heap *heap;
    shale_mutator *mutator;
    struct {
        struct random_array **directory;
    } root;
    shale_frame frame;
    size_t count; /* objects */
    uint64_t random;
};

/* `bytes` of objects, in a heap that has room for them and is created with `options`, except for the heap's
 * size, evacuation and the target: cycles come when the caller asks for one. */
void random_graph_create(struct random_graph *graph, size_t bytes, const shale_options *options);
void random_graph_destroy(struct random_graph *graph);

/* Runs a cycle that marks everything and moves nothing. Returns the nanoseconds of its marking. */
uint64_t random_graph_collect(struct random_graph *graph);

#endif
