/*
 * Pointer graph mutation: nodes with four references to other nodes each, all in a table. A random reference of a random node is
 * made to refer to another random node, over and over; each fourth store replaces a node's label instead, which is what there
 * is to collect. The latency is that of 64 stores.
 */
#include "bench/workloads/workload.h"

enum { SLOTS = 4, LABEL_EVERY = 4, STORES_AT_A_TIME = 64, LABEL_LENGTH = 4 /* words */ };

const char workload_name[] = "graph";
const char workload_about[] =
    "Changes random references in a graph of many nodes, and replaces their labels.";
const unsigned workload_threads_max = 1;

struct sizes {
    uint32_t nodes;
    uint32_t stores; /* a multiple of STORES_AT_A_TIME */
};

static const struct sizes sizes[SCALES] = {
    [SCALE_TINY] = {10000, 400000}, [SCALE_QUICK] = {200000, 3000000}, [SCALE_FULL] = {2000000, 50000000}};

struct node {
    struct node *slots[SLOTS];
    uint64_t *label;
    uint64_t number;
};

struct graph {
    memory_type node_type;
    memory_type label_type;
    uint32_t nodes;
    uint64_t random;
    uint64_t checksum;
};

/* All words are the number of the store that made it. */
static uint64_t *new_label(struct memory *memory, const struct graph *graph, uint64_t number)
{
    uint64_t *label = memory_words(memory, graph->label_type, LABEL_LENGTH);
    for (size_t i = 0; i < LABEL_LENGTH; i++)
        label[i] = number;
    return label;
}

static void make_nodes(struct memory *memory, const struct graph *graph, struct node **const *table)
{
    struct {
        struct node *node;
    } local = {NULL};
    memory_frame frame;
    memory_push(memory, &frame, &local, 1);
    for (uint32_t i = 0; i < graph->nodes; i++) {
        local.node = memory_record(memory, graph->node_type, sizeof *local.node);
        for (size_t slot = 0; slot < SLOTS; slot++)
            memory_null(&local.node->slots[slot]);
        memory_null(&local.node->label);
        local.node->number = i;
        uint64_t *label = new_label(memory, graph, i);
        memory_store(memory, local.node, &local.node->label, label);
        memory_store(memory, *table, &(*table)[i], local.node);
    }
    memory_pop(memory, &frame);
}

/* What was referred to is read first: its number, or 0. */
static void store_reference(struct memory *memory, struct graph *graph, struct node *const *table)
{
    uint64_t random = random_next(&graph->random);
    struct node *node = table[(random >> 32) * graph->nodes >> 32];
    struct node *target = table[(random & 0xffffffff) * graph->nodes >> 32];
    struct node **slot = &node->slots[random % SLOTS];
    if (*slot != NULL)
        graph->checksum += (*slot)->number;
    memory_store(memory, node, slot, target);
}

static void replace_label(struct memory *memory, struct graph *graph, struct node **const *table,
                          uint64_t number)
{
    uint64_t *label = new_label(memory, graph, number);
    struct node *node = (*table)[random_below(&graph->random, graph->nodes)];
    uint64_t *old = node->label;
    graph->checksum = checksum_add(graph->checksum, old[number % LABEL_LENGTH]);
    memory_store(memory, node, &node->label, label);
    memory_free(memory, old);
}

static void make_stores(struct memory *memory, struct graph *graph, struct node **const *table,
                        uint64_t number)
{
    for (uint64_t i = number; i < number + STORES_AT_A_TIME; i++) {
        if (i % LABEL_EVERY == 0)
            replace_label(memory, graph, table, i);
        else
            store_reference(memory, graph, *table);
    }
    memory_poll(memory);
}

/* The numbers of all nodes that each refers to, in order. */
static uint64_t checksum_of_nodes(const struct graph *graph, struct node *const *table)
{
    uint64_t checksum = graph->checksum;
    for (uint32_t i = 0; i < graph->nodes; i++) {
        for (size_t slot = 0; slot < SLOTS; slot++)
            checksum =
                checksum_add(checksum, table[i]->slots[slot] == NULL ? 0 : table[i]->slots[slot]->number);
        checksum = checksum_add(checksum, table[i]->label[0]);
    }
    return checksum;
}

void workload_run(struct memory *memory, struct run *run)
{
    const struct sizes *size = &sizes[run->scale];
    struct graph graph = {.node_type = manager_record("node", sizeof(struct node), SLOTS + 1),
                          .label_type = manager_words("label"),
                          .nodes = size->nodes,
                          .random = run->seed};
    struct {
        struct node **table;
    } local = {memory_references(memory, manager_references("table"), size->nodes)};
    memory_frame frame;
    memory_push(memory, &frame, &local, 1);
    make_nodes(memory, &graph, &local.table);
    latency_begin(run);
    for (uint64_t i = 0; i < size->stores; i += STORES_AT_A_TIME) {
        make_stores(memory, &graph, &local.table, i);
        latency_operation(run);
    }
    run->checksum = checksum_of_nodes(&graph, local.table);
    memory_pop(memory, &frame);
    run->operations = size->stores;
    live_add(&run->live, 1, size->nodes * sizeof(void *));
    live_add(&run->live, size->nodes, sizeof(struct node));
    live_add(&run->live, size->nodes, LABEL_LENGTH * sizeof(uint64_t));
}
