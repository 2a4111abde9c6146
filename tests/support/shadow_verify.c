#include "tests/support/shadow_node.h"

#include "tests/support/stress_support.h"

#include <stdlib.h>
#include <string.h>

/* Objects that a verification has reached and not looked into yet. */
struct pending {
    struct {
        struct shadow_node *node;
        const void *object;
    } * entries;
    size_t count;
    size_t size;
};

static void push(struct pending *pending, struct shadow_node *node, const void *object)
{
    if (pending->count == pending->size) {
        pending->size = pending->size != 0 ? 2 * pending->size : 256;
        pending->entries = realloc(pending->entries, pending->size * sizeof pending->entries[0]);
        STRESS_CHECK(pending->entries != NULL, "no memory for a verification");
    }
    pending->entries[pending->count].node = node;
    pending->entries[pending->count].object = object;
    pending->count++;
}

/* One node, one address. That one address has one node follows from the serial number in the contents, and
 * for objects without any is checked by find_twins. */
static void reach(struct pending *pending, struct shadow_node *node, const void *object)
{
    STRESS_CHECK((node == NULL) == (object == NULL), "a reference to %p where %s was expected", object,
                 node == NULL ? "none" : "one");
    if (node == NULL)
        return;
    STRESS_CHECK(node->address == 0 || node->address == (uintptr_t)object,
                 "object %llu is at %p and at %p: it was split in two", (unsigned long long)node->serial,
                 (void *)node->address, object);
    if (node->address != 0)
        return;
    STRESS_CHECK(node->pinned == 0 || node->pinned == (uintptr_t)object,
                 "object %llu was allocated pinned at %p, and is at %p", (unsigned long long)node->serial,
                 (void *)node->pinned, object);
    node->address = (uintptr_t)object;
    push(pending, node, object);
}

void shadow_check_identity(const struct shadow_graph *graph, const struct shadow_node *node,
                           const void *object)
{
    unsigned long long serial = node->serial;
    STRESS_CHECK((uintptr_t)object % 16 == 0, "object %llu is at the odd address %p", serial, object);
    const shale_type *type = shale_type_of(graph->mutator, object);
    STRESS_CHECK(type == graph->types->types[node->kind], "object %llu at %p is of type %s instead of %s",
                 serial, object, type != NULL ? shale_type_name(type) : "(none)",
                 shale_type_name(graph->types->types[node->kind]));
    STRESS_CHECK(shale_length_of(object) == node->length, "object %llu at %p has length %zu instead of %u",
                 serial, object, shale_length_of(object), node->length);
}

void shadow_check_hash(const struct shadow_graph *graph, struct shadow_node *node, const void *object)
{
    uint64_t hash = shale_identity_hash(graph->mutator, object);
    STRESS_CHECK(hash != 0 && (node->hash == 0 || node->hash == hash),
                 "object %llu at %p has the identity hash %#llx instead of %#llx",
                 (unsigned long long)node->serial, object, (unsigned long long)hash,
                 (unsigned long long)node->hash);
    node->hash = hash;
}

void *shadow_follow(const struct shadow_graph *graph, const struct shadow_node *node, uint32_t word,
                    uint64_t found)
{
    const struct shadow_slot *slot = &node->slots[word];
    enum shadow_encoding encoding = graph->types->encoding;
    if (shadow_role_of(node->kind, node->stride, word) == SHADOW_POINTER) {
        STRESS_CHECK((found == 0) == (slot->target == NULL), "object %llu, word %u: pointer %#llx",
                     (unsigned long long)node->serial, word, (unsigned long long)found);
        return (void *)(uintptr_t)found;
    }
    if (slot->target == NULL) {
        STRESS_CHECK(found == slot->word, "object %llu, word %u: the value %#llx instead of %#llx",
                     (unsigned long long)node->serial, word, (unsigned long long)found,
                     (unsigned long long)slot->word);
        return NULL;
    }
    STRESS_CHECK(shadow_address_in(encoding, found) != NULL && shadow_bits_of(encoding, found) == slot->word,
                 "object %llu, word %u: the reference %#llx with the tag %#llx lost",
                 (unsigned long long)node->serial, word, (unsigned long long)found,
                 (unsigned long long)slot->word);
    return shadow_address_in(encoding, found);
}

void shadow_check_contents(const struct shadow_graph *graph, const struct shadow_node *node,
                           const void *object)
{
    shadow_check_identity(graph, node, object);
    const uint64_t *words = object;
    uint32_t payload = shadow_payload(node->kind, node->length);
    for (uint32_t word = 0; word < payload / 8; word++) {
        if (shadow_role_of(node->kind, node->stride, word) != SHADOW_DATA)
            continue;
        uint64_t expected = node->kind == SHADOW_CUSTOM && word == 0
                                ? node->stride
                                : shadow_data(node->serial, node->version, word);
        STRESS_CHECK(
            words[word] == expected, "object %llu (%s, length %u) at %p, word %u: %#llx instead of %#llx",
            (unsigned long long)node->serial, shale_type_name(graph->types->types[node->kind]), node->length,
            object, word, (unsigned long long)words[word], (unsigned long long)expected);
    }
    uint64_t last = shadow_data(node->serial, node->version, payload / 8);
    STRESS_CHECK(memcmp((const char *)object + payload / 8 * 8, &last, payload % 8) == 0,
                 "object %llu at %p: its last %u bytes are wrong", (unsigned long long)node->serial, object,
                 payload % 8);
}

/* ---- the whole graph ------------------------------------------------------------------------------- */

static int compare_addresses(const void *a, const void *b)
{
    uintptr_t left = *(const uintptr_t *)a;
    uintptr_t right = *(const uintptr_t *)b;
    return left < right ? -1 : left > right;
}

/* No two objects at one address. */
static void find_twins(const struct shadow_graph *graph, size_t count)
{
    uintptr_t *addresses = malloc((count + 1) * sizeof *addresses);
    STRESS_CHECK(addresses != NULL, "no memory for a verification");
    size_t found = 0;
    for (const struct shadow_node *node = graph->nodes; node != NULL; node = node->next) {
        if (node->address != 0)
            addresses[found++] = node->address;
    }
    qsort(addresses, found, sizeof *addresses, compare_addresses);
    for (size_t i = 1; i < found; i++)
        STRESS_CHECK(addresses[i - 1] != addresses[i], "two objects became one at %p", (void *)addresses[i]);
    free(addresses);
}

void shadow_graph_verify(struct shadow_graph *graph)
{
    struct pending pending = {.entries = NULL};
    size_t count = 0;
    shadow_sweep(graph);
    for (unsigned root = 0; root < 2 * SHADOW_ROOTS + SHADOW_HANDLES; root++)
        reach(&pending, graph->root_nodes[root], shadow_root(graph, root));
    while (pending.count != 0) {
        struct shadow_node *node = pending.entries[--pending.count].node;
        const uint64_t *words = pending.entries[pending.count].object;
        shadow_check_contents(graph, node, words);
        if (node->hash != 0)
            shadow_check_hash(graph, node, words);
        count++;
        if (!shadow_has_slots(node->kind))
            continue;
        for (uint32_t word = 0; word < shadow_payload(node->kind, node->length) / 8; word++) {
            if (shadow_role_of(node->kind, node->stride, word) != SHADOW_DATA)
                reach(&pending, node->slots[word].target, shadow_follow(graph, node, word, words[word]));
        }
    }
    free(pending.entries);
    find_twins(graph, count);
}

/* ---- forgetting ------------------------------------------------------------------------------------ */

static void mark(struct pending *pending, struct shadow_node *node)
{
    if (node == NULL || node->reached)
        return;
    node->reached = true;
    push(pending, node, NULL);
}

void shadow_sweep(struct shadow_graph *graph)
{
    struct pending pending = {.entries = NULL};
    for (struct shadow_node *node = graph->nodes; node != NULL; node = node->next) {
        node->reached = false;
        node->address = 0;
    }
    for (unsigned root = 0; root < 2 * SHADOW_ROOTS + SHADOW_HANDLES; root++)
        mark(&pending, graph->root_nodes[root]);
    while (pending.count != 0) {
        struct shadow_node *node = pending.entries[--pending.count].node;
        if (!shadow_has_slots(node->kind))
            continue;
        for (uint32_t word = 0; word < shadow_payload(node->kind, node->length) / 8; word++)
            mark(&pending, node->slots[word].target);
    }
    free(pending.entries);

    struct shadow_node **link = &graph->nodes;
    graph->bytes = 0;
    while (*link != NULL) {
        struct shadow_node *node = *link;
        if (node->reached) {
            graph->bytes += shadow_node_size(node);
            link = &node->next;
        } else {
            *link = node->next;
            if (graph->forgotten != NULL)
                graph->forgotten(graph->forgotten_context, node);
            free(node);
        }
    }
    graph->bytes_after_sweep = graph->bytes;
}
