/*
 * The copy of one object, and the checks of an object against it. Used by shadow_graph.c and shadow_verify.c.
 */
#ifndef SHALE_TESTS_SHADOW_NODE_H
#define SHALE_TESTS_SHADOW_NODE_H

#include "tests/support/shadow_graph.h"

struct shadow_slot {
    struct shadow_node *target; /* NULL: none, or `word` is an immediate value */
    shale_value word;           /* of a value slot: the immediate, or the bits around the address */
};

struct shadow_node {
    struct shadow_node *next;
    enum shadow_kind kind;
    uint32_t length;
    uint32_t stride;
    uint32_t version;
    uint64_t serial;
    uint64_t hash;     /* identity hash, 0: not asked for yet */
    uintptr_t pinned;  /* where it was allocated, of an object that must not move; 0: it may */
    uintptr_t address; /* where a verification has seen it, 0: not yet */
    bool reached;
    struct shadow_slot slots[]; /* one per payload word, of kinds that have slots */
};

/* Bytes in the heap, at most. */
static inline size_t shadow_node_size(const struct shadow_node *node)
{
    size_t hash = node->hash != 0 ? 8 : 0;
    return (shadow_payload(node->kind, node->length) + 8u + hash + 15u) & ~(size_t)15;
}

/* Checks type, length and the data in front: enough to know it is the right object. */
void shadow_check_identity(const struct shadow_graph *graph, const struct shadow_node *node,
                           const void *object);
/* Checks every word; references only for their kind. */
void shadow_check_contents(const struct shadow_graph *graph, const struct shadow_node *node,
                           const void *object);
/* Asks for the identity hash, and checks it against what was answered before. */
void shadow_check_hash(const struct shadow_graph *graph, struct shadow_node *node, const void *object);
/* What the word in a slot leads to, checked against the copy: NULL for what is no reference. */
void *shadow_follow(const struct shadow_graph *graph, const struct shadow_node *node, uint32_t word,
                    uint64_t found);

/* The heap's side of a root, checked against the copy's kind of word. */
void *shadow_root(const struct shadow_graph *graph, unsigned root);

/* A random object of the graph, found by walking from a root; NULL when there is none. */
void *shadow_graph_draw(struct shadow_graph *graph, struct shadow_node **node);
/* Has a random root refer to an object that is in hand; the copy has not forgotten its node. */
void shadow_graph_hold(struct shadow_graph *graph, struct shadow_node *node, void *object);

/* Marks what the copy can reach from the roots and frees the rest. */
void shadow_sweep(struct shadow_graph *graph);

#endif
