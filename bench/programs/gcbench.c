/*
 * GCBench, after the benchmark of John Ellis, Pete Kovac and Hans Boehm: a tree of depth D stretches the heap
 * and is dropped; a tree of depth 16 and an array of 500,000 doubles stay; then, for each depth d from 4 to D
 * in steps of 2, as many trees of depth d as have twice the nodes of the largest are built from the top
 * down, and as many from the bottom up, each dropped when it is complete.
 *
 * The array is split into pieces, under every manager alike, because Shale's objects have at most 32 KiB.
 *
 * The checksum is the sum of the depths of all trees as found by going down their left sides, of the nodes of
 * the tree that stayed, and of the array's contents.
 */
#include "bench/programs/memory.h"

enum {
    LONG_LIVED_DEPTH = 16,
    DEPTH_LEAST = 4,
    ARRAY_LENGTH = 500000,
    PIECE_LENGTH = 4000,
    PIECES = ARRAY_LENGTH / PIECE_LENGTH,
    DESCRIPTION_MAX = 200
};

struct node {
    struct node *left;
    struct node *right;
    int32_t numbers[2]; /* the original's, which it never looks at */
};

struct program {
    struct memory memory;
    memory_type node_type;
    memory_type pieces_type;
    memory_type piece_type;
    struct result result;
};

static struct node *new_node(struct program *program)
{
    program->result.objects++;
    return memory_allocate(&program->memory, program->node_type, sizeof(struct node));
}

/* ---- trees ----------------------------------------------------------------------------------------- */

static void populate(struct program *program, unsigned depth, struct node *node)
{
    if (depth == 0)
        return;
    struct memory *memory = &program->memory;
    struct {
        struct node *node;
    } local = {node};
    memory_frame frame;
    memory_push(memory, &frame, &local, 1);
    struct node *child = new_node(program);
    memory_store(memory, local.node, &local.node->left, child);
    child = new_node(program);
    memory_store(memory, local.node, &local.node->right, child);
    populate(program, depth - 1, local.node->left);
    populate(program, depth - 1, local.node->right);
    memory_pop(memory, &frame);
}

static struct node *make_top_down(struct program *program, unsigned depth)
{
    struct {
        struct node *root;
    } local = {new_node(program)};
    memory_frame frame;
    memory_push(&program->memory, &frame, &local, 1);
    populate(program, depth, local.root);
    memory_pop(&program->memory, &frame);
    return local.root;
}

static struct node *make_bottom_up(struct program *program, unsigned depth)
{
    if (depth == 0)
        return new_node(program);
    struct memory *memory = &program->memory;
    struct {
        struct node *left;
        struct node *right;
    } local = {NULL, NULL};
    memory_frame frame;
    memory_push(memory, &frame, &local, 2);
    local.left = make_bottom_up(program, depth - 1);
    local.right = make_bottom_up(program, depth - 1);
    struct node *node = new_node(program);
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

static void drop_tree(struct program *program, struct node *node)
{
    if (!MEMORY_EXPLICIT || node == NULL)
        return;
    drop_tree(program, node->left);
    drop_tree(program, node->right);
    memory_give_back(&program->memory, node);
}

/* `at_peak`: nothing that the program does needs more memory than this tree and what is there already. */
static void make_and_drop(struct program *program,
                          struct node *(*make)(struct program *program, unsigned depth), unsigned depth,
                          bool at_peak)
{
    struct {
        struct node *tree;
    } local = {NULL};
    memory_frame frame;
    memory_push(&program->memory, &frame, &local, 1);
    local.tree = make(program, depth);
    if (at_peak)
        memory_at_peak(&program->memory);
    program->result.checksum += left_depth(local.tree);
    drop_tree(program, local.tree);
    memory_pop(&program->memory, &frame);
}

/* ---- the array ------------------------------------------------------------------------------------- */

static double **make_array(struct program *program)
{
    struct memory *memory = &program->memory;
    struct {
        double **pieces;
    } local = {memory_allocate_array(memory, program->pieces_type, PIECES)};
    memory_frame frame;
    memory_push(memory, &frame, &local, 1);
    for (size_t i = 0; i < PIECES; i++) {
        double *piece = memory_allocate_array(memory, program->piece_type, PIECE_LENGTH);
        memory_store(memory, local.pieces, &local.pieces[i], piece);
        for (size_t j = 0; j < PIECE_LENGTH; j++)
            piece[j] = 1.0 / (double)(i * PIECE_LENGTH + j + 1);
    }
    program->result.objects += 1 + PIECES;
    memory_pop(memory, &frame);
    return local.pieces;
}

static uint64_t sum_array(double *const *pieces)
{
    static const double UNIT = 1e6;
    double sum = 0;
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < PIECE_LENGTH; j++)
            sum += pieces[i][j];
    }
    return (uint64_t)(sum * UNIT);
}

static void drop_array(struct program *program, double **pieces)
{
    for (size_t i = 0; MEMORY_EXPLICIT && i < PIECES; i++)
        memory_give_back(&program->memory, pieces[i]);
    memory_give_back(&program->memory, pieces);
}

/* ---- the program ----------------------------------------------------------------------------------- */

static uint64_t nodes_of(unsigned depth)
{
    return (UINT64_C(2) << depth) - 1;
}

static void run(struct program *program, unsigned depth_most)
{
    struct {
        struct node *tree;
        double **array;
    } local = {NULL, NULL};
    memory_frame frame;
    make_and_drop(program, make_top_down, depth_most, true);
    memory_push(&program->memory, &frame, &local, 2);
    local.tree = make_top_down(program, LONG_LIVED_DEPTH);
    local.array = make_array(program);
    for (unsigned depth = DEPTH_LEAST; depth <= depth_most; depth += 2) {
        uint64_t count = 2 * nodes_of(depth_most) / nodes_of(depth);
        for (uint64_t i = 0; i < count; i++)
            make_and_drop(program, make_top_down, depth, depth + 2 > depth_most && i == 0);
        for (uint64_t i = 0; i < count; i++)
            make_and_drop(program, make_bottom_up, depth, false);
    }
    program->result.checksum += count_nodes(local.tree) + sum_array(local.array);
    drop_tree(program, local.tree);
    drop_array(program, local.array);
    memory_pop(&program->memory, &frame);
}

int main(int argc, char **argv)
{
    struct command_line command;
    struct program program = {.result = {0, 0}};
    command_line_read(&command, argc, argv,
                      "GCBench: builds and drops trees of all sizes, while a tree and an array stay.");
    memory_open(&program.memory, &command);
    program.node_type = memory_record(&program.memory, "node", sizeof(struct node), 2);
    program.pieces_type = memory_array(&program.memory, "pieces", true);
    program.piece_type = memory_array(&program.memory, "piece", false);
    run(&program, command.depth);
    char description[DESCRIPTION_MAX];
    memory_describe(&program.memory, description, sizeof description);
    result_print(&program.result, "gcbench", MEMORY_NAME, description);
    memory_close(&program.memory);
    return EXIT_SUCCESS;
}
