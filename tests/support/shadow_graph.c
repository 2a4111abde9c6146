#include "tests/support/shadow_graph.h"

#include "runtime/heap.h"
#include "runtime/inside.h"
#include "tests/support/shadow_node.h"
#include "tests/support/stress_support.h"

#include <stdlib.h>
#include <string.h>

enum { ROOT_COUNT = 2 * SHADOW_ROOTS + SHADOW_HANDLES };

/* ---- roots ----------------------------------------------------------------------------------------- */

static void show_roots(void *context, shale_visitor *visitor)
{
    struct shadow_graph *graph = context;
    shale_visit_pointers(visitor, graph->pointers, SHADOW_ROOTS);
    shale_visit_values(visitor, graph->values, SHADOW_ROOTS);
}

static bool is_value_root(unsigned root)
{
    return root >= SHADOW_ROOTS && root < 2 * SHADOW_ROOTS;
}

void *shadow_root(const struct shadow_graph *graph, unsigned root)
{
    if (root < SHADOW_ROOTS)
        return graph->pointers[root];
    if (!is_value_root(root)) {
        const shale_handle *handle = graph->handles[root - 2 * SHADOW_ROOTS];
        return handle != NULL ? shale_handle_get(handle) : NULL;
    }
    unsigned index = root - SHADOW_ROOTS;
    shale_value value = graph->values[index];
    if (graph->root_nodes[root] == NULL)
        return NULL;
    STRESS_CHECK(shadow_bits_of(graph->types->encoding, value) == graph->value_bits[index],
                 "value root %u is %#llx", index, (unsigned long long)value);
    return shadow_address_in(graph->types->encoding, value);
}

static void set_root(struct shadow_graph *graph, unsigned root, struct shadow_node *node, void *object)
{
    graph->root_nodes[root] = node;
    bool heaps = graph->show == SHADOW_IN_HEAP_VISITOR;
    if (root < SHADOW_ROOTS && heaps) {
        shale_store_root(graph->mutator, &graph->pointers[root], object);
    } else if (root < SHADOW_ROOTS) {
        graph->pointers[root] = object;
    } else if (is_value_root(root)) {
        unsigned index = root - SHADOW_ROOTS;
        shale_value value = object != NULL ? shadow_reference(graph->types->encoding, object,
                                                              stress_random_next(&graph->random))
                                           : shadow_immediate(graph->types->encoding, &graph->random);
        if (heaps)
            shale_store_root_value(graph->mutator, &graph->values[index], value);
        else
            graph->values[index] = value;
        graph->value_bits[index] = shadow_bits_of(graph->types->encoding, graph->values[index]);
    } else {
        shale_handle **handle = &graph->handles[root - 2 * SHADOW_ROOTS];
        /* Handles come and go, rather than only change. */
        if (*handle != NULL && (object == NULL || stress_random_chance(&graph->random, 2))) {
            STRESS_CHECK(shale_handle_drop(graph->mutator, *handle) == SHALE_OK, "dropping a handle");
            *handle = NULL;
        }
        if (object != NULL && *handle == NULL) {
            *handle = shale_handle_create(graph->mutator, object);
            STRESS_CHECK(*handle != NULL, "no handle");
        } else if (object != NULL) {
            STRESS_CHECK(shale_handle_set(graph->mutator, *handle, object) == SHALE_OK, "setting a handle");
        }
    }
}

void shadow_graph_init(struct shadow_graph *graph, shale_heap *heap, const struct shadow_types *types,
                       uint64_t seed, size_t budget)
{
    *graph = (struct shadow_graph){
        .types = types,
        .heap = heap,
        .random = stress_random_make(seed),
        .budget = budget,
        .null_is_error = true,
        .plain = heap->options.barrier == SHALE_BARRIER_PAGES,
        .serial = seed << 32,
    };
    graph->visitor = shale_heap_root_visitor_add(heap, show_roots, graph);
    STRESS_CHECK(graph->visitor != NULL, "no heap root visitor");
}

void shadow_graph_end(struct shadow_graph *graph)
{
    STRESS_CHECK(shale_root_visitor_remove(graph->visitor) == SHALE_OK, "removing a visitor");
    memset(graph->root_nodes, 0, sizeof graph->root_nodes);
    shadow_sweep(graph);
}

/* Roots change hands: inside the library, so that no thread is stopped meanwhile. */
void shadow_graph_enter(struct shadow_graph *graph, shale_mutator *mutator, enum shadow_show show)
{
    INSIDE();
    graph->mutator = mutator;
    graph->show = show;
    graph->locals[0] = NULL;
    graph->locals[1] = NULL;
    shale_frame_push(mutator, &graph->frames[0], graph->locals, 2);
    if (show == SHADOW_IN_HEAP_VISITOR)
        return;
    /* Nothing here collects, so there is no moment at which roots are shown twice or not at all. */
    STRESS_CHECK(shale_root_visitor_remove(graph->visitor) == SHALE_OK, "removing a heap visitor");
    if (show == SHADOW_IN_FRAMES) {
        graph->visitor = NULL;
        shale_frame_push(mutator, &graph->frames[1], graph->pointers, SHADOW_ROOTS);
        shale_frame_push_values(mutator, &graph->frames[2], graph->values, SHADOW_ROOTS);
    } else {
        graph->visitor = shale_root_visitor_add(mutator, show_roots, graph);
        STRESS_CHECK(graph->visitor != NULL, "no mutator root visitor");
    }
}

void shadow_graph_leave(struct shadow_graph *graph)
{
    INSIDE();
    if (graph->show == SHADOW_IN_FRAMES) {
        shale_frame_pop(graph->mutator, &graph->frames[2]);
        shale_frame_pop(graph->mutator, &graph->frames[1]);
    }
    shale_frame_pop(graph->mutator, &graph->frames[0]);
    if (graph->show == SHADOW_IN_MUTATOR_VISITOR)
        STRESS_CHECK(shale_root_visitor_remove(graph->visitor) == SHALE_OK, "removing a mutator visitor");
    if (graph->show != SHADOW_IN_HEAP_VISITOR)
        graph->visitor = shale_heap_root_visitor_add(graph->heap, show_roots, graph);
    STRESS_CHECK(graph->visitor != NULL, "no heap root visitor");
    graph->mutator = NULL;
}

/* ---- finding an object ----------------------------------------------------------------------------- */

struct place {
    struct shadow_node *node;
    void *object;
};

/* The next slot of a node from a random word on; UINT32_MAX if it has none. */
static uint32_t draw_slot(struct shadow_graph *graph, const struct shadow_node *node)
{
    uint32_t words = shadow_payload(node->kind, node->length) / 8;
    if (!shadow_has_slots(node->kind) || words == 0)
        return UINT32_MAX;
    uint32_t word = stress_random_below(&graph->random, words);
    for (uint32_t tried = 0; tried < words; tried++, word = word + 1 == words ? 0 : word + 1) {
        if (shadow_role_of(node->kind, node->stride, word) != SHADOW_DATA)
            return word;
    }
    return UINT32_MAX;
}

/* Walks from a random root for a few steps. Plain loads, as a program would. */
static struct place draw_object(struct shadow_graph *graph)
{
    struct place at = {NULL, NULL};
    for (int tries = 0; tries < 4 && at.node == NULL; tries++) {
        unsigned root = stress_random_below(&graph->random, ROOT_COUNT);
        at = (struct place){graph->root_nodes[root], shadow_root(graph, root)};
    }
    if (at.node == NULL)
        return at;
    STRESS_CHECK(at.object != NULL, "a root has lost its object");
    for (unsigned steps = stress_random_below(&graph->random, 24); steps != 0; steps--) {
        uint32_t word = draw_slot(graph, at.node);
        if (word == UINT32_MAX || at.node->slots[word].target == NULL)
            continue;
        at.object = shadow_follow(graph, at.node, word, ((const uint64_t *)at.object)[word]);
        at.node = at.node->slots[word].target;
        STRESS_CHECK(at.object != NULL, "a slot has lost its object");
        shadow_check_identity(graph, at.node, at.object);
    }
    return at;
}

/* ---- changing objects ------------------------------------------------------------------------------ */

/* Stores into a slot, of the object and of its copy. `to.node` NULL: no reference. */
static void store(struct shadow_graph *graph, struct place from, uint32_t word, struct place to)
{
    struct shadow_slot *slot = &from.node->slots[word];
    uint64_t *at = (uint64_t *)from.object + word;
    slot->target = to.node;
    slot->word = 0;
    if (shadow_role_of(from.node->kind, from.node->stride, word) == SHADOW_POINTER) {
        if (graph->plain)
            *at = (uint64_t)(uintptr_t)to.object;
        else
            shale_store(graph->mutator, from.object, at, to.object);
        return;
    }
    shale_value value = to.node != NULL ? shadow_reference(graph->types->encoding, to.object,
                                                           stress_random_next(&graph->random))
                                        : shadow_immediate(graph->types->encoding, &graph->random);
    slot->word = to.node != NULL ? shadow_bits_of(graph->types->encoding, value) : value;
    if (graph->plain)
        *at = value;
    else
        shale_store_value(graph->mutator, from.object, at, value);
}

static void write_data(const struct shadow_node *node, void *object)
{
    uint64_t *words = object;
    uint32_t payload = shadow_payload(node->kind, node->length);
    uint32_t word = 0;
    /* What the visitor goes by is never anything else, not even between two writes: the second may fault, and
     * the page then be built by what the first has left. */
    if (node->kind == SHADOW_CUSTOM)
        words[word++] = node->stride;
    for (; word < payload / 8; word++) {
        if (shadow_role_of(node->kind, node->stride, word) == SHADOW_DATA)
            words[word] = shadow_data(node->serial, node->version, word);
    }
    uint64_t last = shadow_data(node->serial, node->version, payload / 8);
    memcpy((char *)object + payload / 8 * 8, &last, payload % 8);
}

/* The last word of the object as well as its first is there and zero. */
static void check_zeroed(const struct shadow_node *node, const void *object)
{
    const unsigned char *bytes = object;
    uint32_t payload = shadow_payload(node->kind, node->length);
    for (uint32_t i = 0; i < payload; i++)
        STRESS_CHECK(bytes[i] == 0, "a new object at %p of %u bytes has %#x in byte %u", object, payload,
                     bytes[i], i);
}

static struct shadow_node *make_node(struct shadow_graph *graph)
{
    static const unsigned char weights[SHADOW_KINDS] = {2, 12, 12, 1, 6, 6, 6, 6, 6};
    uint32_t draw = stress_random_below(&graph->random, 57);
    enum shadow_kind kind = SHADOW_EMPTY;
    while (draw >= weights[kind])
        draw -= weights[kind++];
    uint32_t length = shadow_draw_length(kind, &graph->random);
    if (kind == SHADOW_BIG_RECORD && !stress_random_chance(&graph->random, 4))
        kind = SHADOW_CELL;
    if (graph->large && stress_random_chance(&graph->random, 64))
        length = shadow_draw_large_length(kind, &graph->random);
    size_t words = shadow_has_slots(kind) ? shadow_payload(kind, length) / 8 : 0;
    struct shadow_node *node = calloc(1, sizeof *node + words * sizeof node->slots[0]);
    STRESS_CHECK(node != NULL, "no memory for the copy of an object");
    node->kind = kind;
    node->length = length;
    node->stride = 1 + stress_random_below(&graph->random, 5);
    node->serial = ++graph->serial;
    return node;
}

static void *allocate_moving(struct shadow_graph *graph, const shale_type *type, uint32_t length)
{
    return length != 0 ? shale_allocate_array(graph->mutator, type, length)
                       : shale_allocate(graph->mutator, type);
}

static void *allocate_pinned(struct shadow_graph *graph, const shale_type *type, uint32_t length)
{
    return length != 0 ? shale_allocate_pinned_array(graph->mutator, type, length)
                       : shale_allocate_pinned(graph->mutator, type);
}

static void allocate(struct shadow_graph *graph)
{
    struct shadow_node *node = make_node(graph);
    const shale_type *type = graph->types->types[node->kind];
    struct place parent = draw_object(graph);
    uint32_t word = parent.node != NULL ? draw_slot(graph, parent.node) : UINT32_MAX;
    struct place child = draw_object(graph);
    graph->locals[0] = parent.object;
    graph->locals[1] = child.object;
    bool pinned = graph->pinned && stress_random_chance(&graph->random, 3);
    void *object =
        pinned ? allocate_pinned(graph, type, node->length) : allocate_moving(graph, type, node->length);
    parent.object = graph->locals[0];
    child.object = graph->locals[1];
    graph->allocations++;
    if (object == NULL) {
        STRESS_CHECK(!graph->null_is_error, "allocation failed: %s with %zu bytes of %zu live here",
                     shale_last_error(graph->mutator)->message, graph->bytes, graph->budget);
        graph->failed_allocations++;
        free(node);
        shadow_graph_drop_some(graph, 4);
        return;
    }
    check_zeroed(node, object);
    write_data(node, object);
    bool large = shadow_payload(node->kind, node->length) > SHALE_OBJECT_MAX;
    node->pinned = pinned || large ? (uintptr_t)object : 0;
    node->next = graph->nodes;
    graph->nodes = node;
    graph->bytes += shadow_node_size(node);
    struct place new_object = {node, object};
    uint32_t first = draw_slot(graph, node);
    if (first != UINT32_MAX && child.node != NULL)
        store(graph, new_object, first, child);
    if (word != UINT32_MAX && stress_random_below(&graph->random, 4) != 0)
        store(graph, parent, word, new_object);
    else
        set_root(graph, stress_random_below(&graph->random, ROOT_COUNT), node, object);
}

/* ---- steps ----------------------------------------------------------------------------------------- */

/* Moves a run of slots of one kind within an array. */
static void move(struct shadow_graph *graph, struct place at)
{
    if ((at.node->kind != SHADOW_POINTERS && at.node->kind != SHADOW_VALUES) || at.node->length < 2)
        return;
    uint32_t start = at.node->kind == SHADOW_POINTERS ? 1 : 0;
    uint32_t from = stress_random_below(&graph->random, at.node->length);
    uint32_t to = stress_random_below(&graph->random, at.node->length);
    uint32_t longest = at.node->length - (from > to ? from : to);
    uint32_t count = stress_random_below(&graph->random, longest + 1);
    uint64_t *words = (uint64_t *)at.object + start;
    if (graph->plain)
        memmove(&words[to], &words[from], count * sizeof *words);
    else
        shale_move_slots(graph->mutator, at.object, &words[to], &words[from], count);
    memmove(&at.node->slots[start + to], &at.node->slots[start + from], count * sizeof at.node->slots[0]);
}

/* Fills a run of slots of one kind within an array with one reference, or with none. */
static void fill(struct shadow_graph *graph, struct place at, struct place to)
{
    if ((at.node->kind != SHADOW_POINTERS && at.node->kind != SHADOW_VALUES) || at.node->length == 0)
        return;
    bool values = at.node->kind == SHADOW_VALUES;
    uint32_t first = (values ? 0 : 1) + stress_random_below(&graph->random, at.node->length);
    uint32_t count = stress_random_below(&graph->random, at.node->length + (values ? 0 : 1) - first + 1);
    uint64_t *words = (uint64_t *)at.object + first;
    uint64_t word = (uint64_t)(uintptr_t)to.object;
    struct shadow_slot slot = {.target = to.node};
    if (values) {
        enum shadow_encoding encoding = graph->types->encoding;
        word = to.node != NULL ? shadow_reference(encoding, to.object, stress_random_next(&graph->random))
                               : shadow_immediate(encoding, &graph->random);
        slot.word = to.node != NULL ? shadow_bits_of(encoding, word) : word;
    }
    if (graph->plain) {
        for (uint32_t i = 0; i < count; i++)
            words[i] = word;
    } else if (values) {
        shale_fill_values(graph->mutator, at.object, words, count, word);
    } else {
        shale_fill_slots(graph->mutator, at.object, words, count, to.object);
    }
    for (uint32_t i = 0; i < count; i++)
        at.node->slots[first + i] = slot;
}

void shadow_graph_drop_some(struct shadow_graph *graph, uint32_t one_in)
{
    for (unsigned root = 0; root < ROOT_COUNT; root++) {
        if (stress_random_chance(&graph->random, one_in))
            set_root(graph, root, NULL, NULL);
    }
}

void shadow_graph_clear(struct shadow_graph *graph)
{
    shadow_graph_drop_some(graph, 1);
}

/* Keeps what is live within the budget. */
static void keep_to_budget(struct shadow_graph *graph)
{
    if (graph->bytes <= graph->budget + graph->bytes_after_sweep / 4)
        return;
    shadow_sweep(graph);
    while (graph->bytes > graph->budget) {
        shadow_graph_drop_some(graph, 4);
        shadow_sweep(graph);
    }
}

static void ask_for_hash(struct shadow_graph *graph, struct place at)
{
    graph->bytes -= shadow_node_size(at.node);
    shadow_check_hash(graph, at.node, at.object);
    graph->bytes += shadow_node_size(at.node);
}

void shadow_graph_step(struct shadow_graph *graph)
{
    graph->operations++;
    uint32_t draw = stress_random_below(&graph->random, 100);
    if (draw < 40) {
        allocate(graph);
        keep_to_budget(graph);
        return;
    }
    if (draw < 42) {
        set_root(graph, stress_random_below(&graph->random, ROOT_COUNT), NULL, NULL);
        return;
    }
    struct place at = draw_object(graph);
    if (at.node == NULL)
        return;
    if (draw < 55) {
        at.node->version++;
        write_data(at.node, at.object);
    } else if (draw < 58 && graph->hashes) {
        ask_for_hash(graph, at);
    } else if (draw < 60) {
        shadow_check_contents(graph, at.node, at.object);
    } else if (draw < 64 && graph->move_slots) {
        move(graph, at);
    } else if (draw < 65 && graph->move_slots) {
        struct place none = {NULL, NULL};
        fill(graph, at, stress_random_chance(&graph->random, 2) ? none : draw_object(graph));
    } else if (draw < 70) {
        set_root(graph, stress_random_below(&graph->random, ROOT_COUNT), at.node, at.object);
    } else {
        uint32_t word = draw_slot(graph, at.node);
        struct place none = {NULL, NULL};
        if (word != UINT32_MAX)
            store(graph, at, word, draw < 80 ? none : draw_object(graph));
    }
}

void *shadow_graph_draw(struct shadow_graph *graph, struct shadow_node **node)
{
    struct place at = draw_object(graph);
    *node = at.node;
    return at.object;
}

void shadow_graph_hold(struct shadow_graph *graph, struct shadow_node *node, void *object)
{
    set_root(graph, stress_random_below(&graph->random, ROOT_COUNT), node, object);
}
