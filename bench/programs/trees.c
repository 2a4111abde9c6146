/*
 * Binary trees, the usual allocation program of language comparisons: a tree of depth D + 1 is built and
 * counted; one of depth D stays while, for each depth d from 4 to D in steps of 2, 2^(D - d + 4) trees of
 * depth d are built, counted and dropped; then the one that stayed is counted.
 *
 * The checksum is the sum of all counts.
 */
#include "bench/programs/memory.h"

enum { DEPTH_LEAST = 4, DESCRIPTION_MAX = 200 };

struct node {
    struct node *left;
    struct node *right;
};

struct program {
    struct memory memory;
    memory_type node_type;
    struct result result;
};

static struct node *make_tree(struct program *program, unsigned depth)
{
    struct {
        struct node *left;
        struct node *right;
    } local = {NULL, NULL};
    memory_frame frame;
    memory_push(&program->memory, &frame, &local, 2);
    if (depth > 0) {
        local.left = make_tree(program, depth - 1);
        local.right = make_tree(program, depth - 1);
    }
    struct node *node = memory_allocate(&program->memory, program->node_type, sizeof *node);
    memory_initialize(&node->left, local.left);
    memory_initialize(&node->right, local.right);
    memory_pop(&program->memory, &frame);
    program->result.objects++;
    return node;
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
static void make_and_drop(struct program *program, unsigned depth, bool at_peak)
{
    struct {
        struct node *tree;
    } local = {NULL};
    memory_frame frame;
    memory_push(&program->memory, &frame, &local, 1);
    local.tree = make_tree(program, depth);
    if (at_peak)
        memory_at_peak(&program->memory);
    program->result.checksum += count_nodes(local.tree);
    drop_tree(program, local.tree);
    memory_pop(&program->memory, &frame);
}

static void run(struct program *program, unsigned depth_most)
{
    struct {
        struct node *long_lived;
    } local = {NULL};
    memory_frame frame;
    make_and_drop(program, depth_most + 1, true);
    memory_push(&program->memory, &frame, &local, 1);
    local.long_lived = make_tree(program, depth_most);
    for (unsigned depth = DEPTH_LEAST; depth <= depth_most; depth += 2) {
        for (uint64_t i = 0; i < UINT64_C(1) << (depth_most - depth + DEPTH_LEAST); i++)
            make_and_drop(program, depth, depth + 2 > depth_most && i == 0);
    }
    program->result.checksum += count_nodes(local.long_lived);
    drop_tree(program, local.long_lived);
    memory_pop(&program->memory, &frame);
}

int main(int argc, char **argv)
{
    struct command_line command;
    struct program program = {.result = {0, 0}};
    command_line_read(&command, argc, argv,
                      "Binary trees: builds, counts and drops many, while one of the largest stays.");
    memory_open(&program.memory, &command);
    program.node_type = memory_record(&program.memory, "node", sizeof(struct node), 2);
    run(&program, command.depth);
    char description[DESCRIPTION_MAX];
    memory_describe(&program.memory, description, sizeof description);
    result_print(&program.result, "trees", MEMORY_NAME, description);
    memory_close(&program.memory);
    return EXIT_SUCCESS;
}
