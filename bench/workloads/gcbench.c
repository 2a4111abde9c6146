/*
 * GCBench, after the benchmark of John Ellis, Pete Kovac and Hans Boehm: a tree of depth D stretches the heap
 * and is dropped; a tree of depth 16 and an array of 500,000 doubles stay; then, for each depth d from 4 to D
 * in steps of 2, as many trees of depth d as have twice the nodes of the largest are built from the top
 * down, and as many from the bottom up, each dropped when it is complete.
 */
#include "bench/workloads/workload.h"

#include <string.h>

enum { DEPTH_LEAST = 4 };

const char workload_name[] = "gcbench";
const char workload_about[] = "GCBench: builds and drops trees of all sizes, while a tree and an array stay.";
const unsigned workload_threads_max = 1;

struct sizes {
    unsigned depth;
    unsigned long_lived_depth;
    uint32_t array_length;
};

static const struct sizes sizes[SCALES] = {
    [SCALE_TINY] = {12, 10, 5000}, [SCALE_QUICK] = {16, 14, 125000}, [SCALE_FULL] = {18, 16, 500000}};

struct node {
    struct node *left;
    struct node *right;
    int32_t numbers[2]; /* the original's, which it never looks at */
};

static memory_type node_type;
static memory_type array_type;

static struct node *new_node(struct memory *memory)
{
    struct node *node = memory_record(memory, node_type, sizeof *node);
    memory_null(&node->left);
    memory_null(&node->right);
    return node;
}

/* ---- trees ----------------------------------------------------------------------------------------- */

static void populate(struct memory *memory, unsigned depth, struct node *node)
{
    if (depth == 0)
        return;
    struct {
        struct node *node;
    } local = {node};
    memory_frame frame;
    memory_push(memory, &frame, &local, 1);
    struct node *child = new_node(memory);
    memory_store(memory, local.node, &local.node->left, child);
    child = new_node(memory);
    memory_store(memory, local.node, &local.node->right, child);
    populate(memory, depth - 1, local.node->left);
    populate(memory, depth - 1, local.node->right);
    memory_pop(memory, &frame);
}

static struct node *make_top_down(struct memory *memory, unsigned depth)
{
    struct {
        struct node *root;
    } local = {new_node(memory)};
    memory_frame frame;
    memory_push(memory, &frame, &local, 1);
    populate(memory, depth, local.root);
    memory_pop(memory, &frame);
    return local.root;
}

static struct node *make_bottom_up(struct memory *memory, unsigned depth)
{
    if (depth == 0)
        return new_node(memory);
    struct {
        struct node *left;
        struct node *right;
    } local = {NULL, NULL};
    memory_frame frame;
    memory_push(memory, &frame, &local, 2);
    local.left = make_bottom_up(memory, depth - 1);
    local.right = make_bottom_up(memory, depth - 1);
    struct node *node = memory_record(memory, node_type, sizeof *node);
    memory_initialize(&node->left, local.left);
    memory_initialize(&node->right, local.right);
    memory_pop(memory, &frame);
    return node;
}

static uint64_t left_depth(const struct node *node)
{
    uint64_t depth = 0;
    while ((node = node->left) != NULL)
        depth++;
    return depth;
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

static void make_and_drop(struct memory *memory, struct run *run,
                          struct node *(*make)(struct memory *memory, unsigned depth), unsigned depth)
{
    struct node *tree = make(memory, depth);
    run->checksum = checksum_add(run->checksum, left_depth(tree));
    drop_tree(memory, tree);
}

/* ---- the array ------------------------------------------------------------------------------------- */

static double *make_array(struct memory *memory, size_t length)
{
    double *array = (double *)(void *)memory_words(memory, array_type, length);
    for (size_t i = 0; i < length; i++)
        array[i] = 1.0 / (double)(i + 1);
    return array;
}

/* Of the bits of all elements. */
static uint64_t sum_array(const double *array, size_t length)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t bits;
        memcpy(&bits, &array[i], sizeof bits);
        sum += bits;
    }
    return sum;
}

/* ---- the program ----------------------------------------------------------------------------------- */

static uint64_t nodes_of(unsigned depth)
{
    return (UINT64_C(2) << depth) - 1;
}

/* All depths' trees, one after the other. */
static void make_trees(struct memory *memory, struct run *run, unsigned depth_most)
{
    for (unsigned depth = DEPTH_LEAST; depth <= depth_most; depth += 2) {
        uint64_t count = 2 * nodes_of(depth_most) / nodes_of(depth);
        for (uint64_t i = 0; i < count; i++)
            make_and_drop(memory, run, make_top_down, depth);
        for (uint64_t i = 0; i < count; i++)
            make_and_drop(memory, run, make_bottom_up, depth);
        run->operations += 2 * count * nodes_of(depth);
    }
}

void workload_run(struct memory *memory, struct run *run)
{
    const struct sizes *size = &sizes[run->scale];
    node_type = manager_record("node", sizeof(struct node), 2);
    array_type = manager_words("array");
    struct {
        struct node *tree;
        double *array;
    } local = {NULL, NULL};
    memory_frame frame;
    make_and_drop(memory, run, make_top_down, size->depth);
    memory_push(memory, &frame, &local, 2);
    local.tree = make_top_down(memory, size->long_lived_depth);
    local.array = make_array(memory, size->array_length);
    run->operations = nodes_of(size->depth) + nodes_of(size->long_lived_depth) + 1;
    make_trees(memory, run, size->depth);
    run->checksum = checksum_add(run->checksum, count_nodes(local.tree));
    run->checksum = checksum_add(run->checksum, sum_array(local.array, size->array_length));
    memory_pop(memory, &frame);
    live_add(&run->live, nodes_of(size->depth) + nodes_of(size->long_lived_depth), sizeof(struct node));
    live_add(&run->live, 1, size->array_length * sizeof(double));
}
