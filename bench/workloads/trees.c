/*
 * Binary trees, the usual allocation program of language comparisons: a tree of depth D + 1 is built and
 * counted; one of depth D stays while, for each depth d from 4 to D in steps of 2, 2^(D - d + 4) trees of
 * depth d are built, counted and dropped; then the one that stayed is counted. With several threads each makes
 * every so manieth of the trees that are dropped.
 */
#include "bench/workloads/workload.h"

#include <stdatomic.h>

enum { DEPTH_LEAST = 4 };

const char workload_name[] = "trees";
const char workload_about[] = "Binary trees: builds, counts and drops many, while one of the largest stays.";
const unsigned workload_threads_max = 64;

static const unsigned depths[SCALES] = {[SCALE_TINY] = 12, [SCALE_QUICK] = 15, [SCALE_FULL] = 18};

struct node {
    struct node *left;
    struct node *right;
};

static memory_type node_type;

static struct node *make_tree(struct memory *memory, unsigned depth)
{
    struct {
        struct node *left;
        struct node *right;
    } local = {NULL, NULL};
    memory_frame frame;
    memory_push(memory, &frame, &local, 2);
    if (depth > 0) {
        local.left = make_tree(memory, depth - 1);
        local.right = make_tree(memory, depth - 1);
    }
    struct node *node = memory_record(memory, node_type, sizeof *node);
    memory_initialize(&node->left, local.left);
    memory_initialize(&node->right, local.right);
    memory_pop(memory, &frame);
    return node;
}

static uint64_t count_nodes(const struct node *node)
{
    return node == NULL ? 0 : 1 + count_nodes(node->left) + count_nodes(node->right);
}

static void drop_tree(struct memory *memory, struct node *node)
{
    if (!MEMORY_EXPLICIT || node == NULL)
        return;
    drop_tree(memory, node->left);
    drop_tree(memory, node->right);
    memory_free(memory, node);
}

/* Returns the number of nodes. Counting does not allocate, so the tree needs no frame. */
static uint64_t make_and_drop(struct memory *memory, unsigned depth)
{
    struct node *tree = make_tree(memory, depth);
    uint64_t nodes = count_nodes(tree);
    drop_tree(memory, tree);
    return nodes;
}

struct work {
    unsigned depth;
    unsigned threads;
    _Atomic uint64_t nodes;
};

static void make_trees(struct memory *memory, void *argument, unsigned index)
{
    struct work *work = argument;
    uint64_t nodes = 0;
    for (unsigned depth = DEPTH_LEAST; depth <= work->depth; depth += 2) {
        for (uint64_t i = index; i < UINT64_C(1) << (work->depth - depth + DEPTH_LEAST); i += work->threads)
            nodes += make_and_drop(memory, depth);
    }
    work->nodes += nodes;
}

static uint64_t nodes_of(unsigned depth)
{
    return (UINT64_C(2) << depth) - 1;
}

void workload_run(struct memory *memory, struct run *run)
{
    struct work work = {.depth = depths[run->scale], .threads = run->threads};
    node_type = manager_record("node", sizeof(struct node), 2);
    struct {
        struct node *long_lived;
    } local = {NULL};
    memory_frame frame;
    uint64_t nodes = make_and_drop(memory, work.depth + 1);
    memory_push(memory, &frame, &local, 1);
    local.long_lived = make_tree(memory, work.depth);
    workload_threads(memory, run->threads, make_trees, &work);
    nodes += count_nodes(local.long_lived) + work.nodes;
    memory_pop(memory, &frame);
    run->checksum = checksum_add(run->checksum, nodes);
    run->operations = nodes;
    /* One of the deepest stays while each thread has one, or else there is one that is deeper by one. */
    live_add(&run->live, (1 + run->threads) * nodes_of(work.depth), sizeof(struct node));
}
