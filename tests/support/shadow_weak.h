/*
 * Weak references, ephemerons and finalizers beside a shadow graph.
 *
 * A set of weak references and ephemerons, roots of the heap, that lead to objects of one graph. What the copy of the
 * graph can reach must be found through them, with its contents; what it cannot is either gone or as it was when the
 * copy forgot it. What is read through one may become reachable again. Ephemerons' values, and objects with
 * finalizers, are small ones without slots, so that what the copy knows nothing of stays small.
 *
 * Used by whoever has entered the graph.
 */
#ifndef SHALE_TESTS_SHADOW_WEAK_H
#define SHALE_TESTS_SHADOW_WEAK_H

#include "tests/support/shadow_graph.h"

enum { SHADOW_WEAKS = 24 };

/* An object that may be gone. */
struct shadow_target {
    struct shadow_node *node; /* NULL: none */
    bool forgotten;           /* by the copy of the graph: `node` is what it was, and owned by this */
};

struct shadow_weak {
    struct shadow_graph *graph;
    shale_root_visitor *visitor;
    void *objects[SHADOW_WEAKS]; /* roots: weak references and ephemerons */
    struct {
        bool ephemeron;
        struct shadow_target key; /* or referent */
        struct shadow_target value;
    } entries[SHADOW_WEAKS];
};

/* The graph's `forgotten` belongs to this until the end. */
void shadow_weak_init(struct shadow_weak *weak, struct shadow_graph *graph);
/* Before shadow_graph_end. Nobody has entered. */
void shadow_weak_end(struct shadow_weak *weak);

/* One random operation: make, read, keep what was read, change a value, give a finalizer, take some. May collect. */
void shadow_weak_step(struct shadow_weak *weak);

/* Compares all. Does not collect. Nodes that can no longer be reached are forgotten. */
void shadow_weak_verify(struct shadow_weak *weak);

/* Drops all roots. */
void shadow_weak_clear(struct shadow_weak *weak);

/* Takes some objects that wait for their finalizers, of whichever graph. Returns how many. */
unsigned shadow_weak_take(struct shadow_graph *graph, unsigned most);

#endif
