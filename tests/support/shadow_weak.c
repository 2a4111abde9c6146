#include "tests/support/shadow_weak.h"

#include "runtime/inside.h"
#include "tests/support/shadow_node.h"
#include "tests/support/stress_support.h"

#include <stdlib.h>
#include <string.h>

enum { LEAF_PAYLOAD_MAX = 2048, TAKE_AT_ONCE = 4 };

/* ---- targets --------------------------------------------------------------------------------------- */

static void target_drop(struct shadow_target *target)
{
    if (target->forgotten)
        free(target->node);
    *target = (struct shadow_target){.node = NULL};
}

static void target_set(struct shadow_target *target, struct shadow_node *node)
{
    target_drop(target);
    target->node = node;
}

/* The copy of the graph is about to free a node: its contents stay as they are, if the object lives on. */
static void target_forget(struct shadow_target *target, const struct shadow_node *node)
{
    if (target->node != node || target->forgotten)
        return;
    struct shadow_node *last = malloc(sizeof *last);
    STRESS_CHECK(last != NULL, "no memory for the copy of an object");
    memcpy(last, node, sizeof *last);
    *target = (struct shadow_target){last, true};
}

static void forget(void *context, const struct shadow_node *node)
{
    struct shadow_weak *weak = context;
    for (unsigned i = 0; i < SHADOW_WEAKS; i++) {
        target_forget(&weak->entries[i].key, node);
        target_forget(&weak->entries[i].value, node);
    }
}

/* ---- life ------------------------------------------------------------------------------------------ */

static void show(void *context, shale_visitor *visitor)
{
    shale_visit_pointers(visitor, ((struct shadow_weak *)context)->objects, SHADOW_WEAKS);
}

void shadow_weak_init(struct shadow_weak *weak, struct shadow_graph *graph)
{
    *weak = (struct shadow_weak){.graph = graph};
    weak->visitor = shale_heap_root_visitor_add(graph->heap, show, weak);
    STRESS_CHECK(weak->visitor != NULL, "no heap root visitor");
    graph->forgotten = forget;
    graph->forgotten_context = weak;
}

void shadow_weak_end(struct shadow_weak *weak)
{
    weak->graph->forgotten = NULL;
    STRESS_CHECK(shale_root_visitor_remove(weak->visitor) == SHALE_OK, "removing a visitor");
    for (unsigned i = 0; i < SHADOW_WEAKS; i++) {
        target_drop(&weak->entries[i].key);
        target_drop(&weak->entries[i].value);
    }
}

static void set(struct shadow_weak *weak, unsigned index, void *object)
{
    shale_store_root(weak->graph->mutator, &weak->objects[index], object);
    target_drop(&weak->entries[index].key);
    target_drop(&weak->entries[index].value);
}

void shadow_weak_clear(struct shadow_weak *weak)
{
    for (unsigned i = 0; i < SHADOW_WEAKS; i++)
        set(weak, i, NULL);
}

/* ---- reading --------------------------------------------------------------------------------------- */

/* What was read where the target, or nothing, is to be. */
static void check_target(const struct shadow_weak *weak, const struct shadow_target *target,
                         const void *object)
{
    if (object == NULL)
        return;
    STRESS_CHECK(target->node != NULL, "%p was read where there was nothing", object);
    shadow_check_contents(weak->graph, target->node, object);
}

/* The two are read without a safepoint in between. */
struct reading {
    void *key;
    void *value;
};

static struct reading read_entry(const struct shadow_weak *weak, unsigned index, bool key_first)
{
    shale_mutator *mutator = weak->graph->mutator;
    struct reading reading = {NULL, NULL};
    if (!weak->entries[index].ephemeron) {
        reading.key = shale_weak_get(mutator, weak->objects[index]);
    } else {
        shale_ephemeron *ephemeron = weak->objects[index];
        if (key_first)
            reading.key = shale_ephemeron_key(mutator, ephemeron);
        reading.value = shale_ephemeron_value(mutator, ephemeron);
        if (!key_first)
            reading.key = shale_ephemeron_key(mutator, ephemeron);
        /* Who reads a value keeps the key alive with it. */
        STRESS_CHECK(reading.value == NULL || reading.key != NULL || key_first, "a value without its key");
        STRESS_CHECK(reading.key == NULL || !key_first ||
                         (reading.value != NULL) == (weak->entries[index].value.node != NULL),
                     "the value of a live key is %p", reading.value);
    }
    check_target(weak, &weak->entries[index].key, reading.key);
    check_target(weak, &weak->entries[index].value, reading.value);
    return reading;
}

/* Reads, and now and then makes the copy and the heap hold on to what was read. */
static void read_and_keep(struct shadow_weak *weak, unsigned index)
{
    struct shadow_graph *graph = weak->graph;
    if (weak->objects[index] == NULL)
        return;
    struct reading reading = read_entry(weak, index, stress_random_chance(&graph->random, 2));
    const struct shadow_target *key = &weak->entries[index].key;
    const struct shadow_target *value = &weak->entries[index].value;
    if (reading.key != NULL && !key->forgotten && stress_random_chance(&graph->random, 3))
        shadow_graph_hold(graph, key->node, reading.key);
    if (reading.value != NULL && !value->forgotten && stress_random_chance(&graph->random, 3))
        shadow_graph_hold(graph, value->node, reading.value);
}

void shadow_weak_verify(struct shadow_weak *weak)
{
    shadow_sweep(weak->graph); /* what is not forgotten now can be reached */
    for (unsigned i = 0; i < SHADOW_WEAKS; i++) {
        const struct shadow_target *key = &weak->entries[i].key;
        if (weak->objects[i] == NULL)
            continue;
        struct reading reading = read_entry(weak, i, true);
        STRESS_CHECK(reading.key != NULL || key->node == NULL || key->forgotten,
                     "object %llu can be reached, but not through a weak reference",
                     (unsigned long long)key->node->serial);
    }
}

/* ---- making ---------------------------------------------------------------------------------------- */

/* A small object without slots. */
static void *draw_leaf(struct shadow_graph *graph, struct shadow_node **node)
{
    for (int tries = 0; tries < 6; tries++) {
        void *object = shadow_graph_draw(graph, node);
        if (object != NULL && !shadow_has_slots((*node)->kind) &&
            shadow_payload((*node)->kind, (*node)->length) <= LEAF_PAYLOAD_MAX)
            return object;
    }
    *node = NULL;
    return NULL;
}

static void make(struct shadow_weak *weak, unsigned index, bool ephemeron)
{
    struct shadow_graph *graph = weak->graph;
    struct shadow_node *key;
    struct shadow_node *value = NULL;
    void *to = shadow_graph_draw(graph, &key);
    if (to == NULL)
        return;
    void *made = ephemeron ? (void *)shale_ephemeron_create(graph->mutator, to, draw_leaf(graph, &value))
                           : (void *)shale_weak_create(graph->mutator, to);
    if (made == NULL) {
        STRESS_CHECK(!graph->null_is_error, "no memory: %s", shale_last_error(graph->mutator)->message);
        shadow_graph_drop_some(graph, 4);
        return;
    }
    set(weak, index, made);
    weak->entries[index].ephemeron = ephemeron;
    target_set(&weak->entries[index].key, key);
    target_set(&weak->entries[index].value, value);
}

static void set_value(struct shadow_weak *weak, unsigned index)
{
    struct shadow_graph *graph = weak->graph;
    if (weak->objects[index] == NULL || !weak->entries[index].ephemeron)
        return;
    struct shadow_node *node;
    void *value = draw_leaf(graph, &node);
    shale_ephemeron_set_value(graph->mutator, weak->objects[index], value);
    target_set(&weak->entries[index].value, node);
    read_entry(weak, index, true);
}

/* ---- finalizers ------------------------------------------------------------------------------------ */

/* Which object it is, as far as anybody can know who takes it: any thread may. */
static void give_finalizer(struct shadow_graph *graph)
{
    struct shadow_node *node;
    void *object = draw_leaf(graph, &node);
    if (object != NULL)
        STRESS_CHECK(shale_finalizer_add(graph->mutator, object, (uintptr_t)node->length << 8 | node->kind) ==
                         SHALE_OK,
                     "no finalizer");
}

unsigned shadow_weak_take(struct shadow_graph *graph, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        uintptr_t data;
        void *object = shale_finalizer_take(graph->mutator, &data);
        if (object == NULL)
            return i;
        struct shadow_node identity = {.kind = (enum shadow_kind)(data & 0xff),
                                       .length = (uint32_t)(data >> 8)};
        shadow_check_identity(graph, &identity, object);
    }
    return most;
}

/* As for a thread that is stopped where it polls and allocates: what is read of one reference and of another belongs
 * together. */
void shadow_weak_step(struct shadow_weak *weak)
{
    INSIDE();
    struct stress_random *random = &weak->graph->random;
    unsigned index = stress_random_below(random, SHADOW_WEAKS);
    switch (stress_random_below(random, 16)) {
    case 0:
    case 1:
        make(weak, index, false);
        break;
    case 2:
    case 3:
        make(weak, index, true);
        break;
    case 4:
    case 5:
        set_value(weak, index);
        break;
    case 6:
        give_finalizer(weak->graph);
        break;
    case 7:
    case 8:
        shadow_weak_take(weak->graph, TAKE_AT_ONCE);
        break;
    case 9:
        set(weak, index, NULL);
        break;
    default:
        read_and_keep(weak, index);
    }
}
