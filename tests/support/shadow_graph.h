/*
 * A random object graph in a Shale heap, and a copy of it in malloc's memory to compare it with. The copy knows
 * each object's contents and structure but never its address: an object is found, as a program would find it,
 * by following references from the roots with plain loads, checking each on the way. That is where page faults
 * are taken.
 *
 * A graph is used by one thread at a time, between shadow_graph_enter and shadow_graph_leave; its roots are
 * then shown the way it was told to, or by a visitor of the heap while nobody has entered.
 */
#ifndef SHALE_TESTS_SHADOW_GRAPH_H
#define SHALE_TESTS_SHADOW_GRAPH_H

#include "tests/support/shadow_types.h"

enum { SHADOW_ROOTS = 12, SHADOW_HANDLES = 4 };

enum shadow_show { SHADOW_IN_FRAMES, SHADOW_IN_MUTATOR_VISITOR, SHADOW_IN_HEAP_VISITOR, SHADOW_SHOWS };

struct shadow_node;

struct shadow_graph {
    const struct shadow_types *types;
    shale_heap *heap;
    struct stress_random random;
    size_t budget;      /* bytes that are to be live at most */
    bool move_slots;    /* use shale_move_slots too */
    bool hashes;        /* ask for identity hashes too */
    bool pinned;        /* allocate some objects pinned */
    bool large;         /* some arrays are large objects */
    bool null_is_error; /* an allocation that fails ends the program */
    bool plain;         /* stores are plain: the heap has no write barrier */

    /* Roots in the heap, and the nodes they lead to. */
    void *pointers[SHADOW_ROOTS];
    shale_value values[SHADOW_ROOTS];
    shale_handle *handles[SHADOW_HANDLES];
    struct shadow_node *root_nodes[2 * SHADOW_ROOTS + SHADOW_HANDLES];
    uint64_t value_bits[SHADOW_ROOTS];

    /* Objects being worked on, so that they survive an allocation. */
    void *locals[2];

    shale_mutator *mutator; /* NULL: nobody has entered */
    enum shadow_show show;
    shale_frame frames[3];
    shale_root_visitor *visitor;

    struct shadow_node *nodes; /* all, reachable or not */
    size_t bytes;              /* of nodes, payload and header */
    size_t bytes_after_sweep;
    uint64_t serial;
    uint64_t allocations;
    uint64_t failed_allocations;
    uint64_t operations;

    /* Called, if set, with each node that can no longer be reached, before it is freed. */
    void (*forgotten)(void *context, const struct shadow_node *node);
    void *forgotten_context;
};

/* Starts empty, shown by a heap visitor. */
void shadow_graph_init(struct shadow_graph *graph, shale_heap *heap, const struct shadow_types *types,
                       uint64_t seed, size_t budget);
/* Nobody has entered. Drops the roots and frees the copy. The handles must have been dropped, or the heap be
 * about to go. */
void shadow_graph_end(struct shadow_graph *graph);

void shadow_graph_enter(struct shadow_graph *graph, shale_mutator *mutator, enum shadow_show show);
void shadow_graph_leave(struct shadow_graph *graph);

/* One random operation: allocate and link, link, unlink, drop a root, rewrite data, move slots, ask for an
 * identity hash. May collect. */
void shadow_graph_step(struct shadow_graph *graph);

/* Compares all that can be reached: contents, structure and identity. Does not collect. Nodes that can no
 * longer be reached are forgotten. */
void shadow_graph_verify(struct shadow_graph *graph);

/* Drops all roots. */
void shadow_graph_clear(struct shadow_graph *graph);

/* Drops one root in `one_in`. Does not collect. */
void shadow_graph_drop_some(struct shadow_graph *graph, uint32_t one_in);

#endif
