/*
 * What weak references and ephemerons keep alive, table by table, on real heaps.
 *
 * A graph is written as words: objects are letters.
 *
 *   *a      a is a root
 *   a>b     a refers to b
 *   w?a     w is a weak reference to a
 *   e:k=v   e is an ephemeron with key k and value v
 *
 * For each graph it says which objects are live after a cycle, and which of the weak references and ephemerons among
 * the roots then read as NULL; the others must still lead to the right objects.
 */
#include "tests/support/small_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *graph;
    const char *live;
    const char *null;
};

static const struct row weak_rows[] = {
    {"*w *a w?a", "wa", ""},
    {"*w w?a", "w", "w"},
    {"*w *b b>a w?a", "wba", ""},
    {"*w b>a w?a", "w", "w"},
    {"*w a>a w?a", "w", "w"},
    {"*w a>b b>a w?a", "w", "w"},
    {"*w w?w", "w", ""},
    /* several to one */
    {"*u *w *x u?a w?a x?a", "uwx", "uwx"},
    {"*u *w *x *a u?a w?a x?a", "uwxa", ""},
    {"*u *w *b u?a w?b b>a", "uwba", ""},
    {"*u *w b>a u?a w?b", "uw", "uw"},
    {"*u *w *x *b u?a w?b x?c b>c", "uwxbc", "u"},
    /* weak references to weak references */
    {"*w w?x x?a", "w", "w"},
    {"*w *a w?x x?a", "wa", "w"},
    {"*w *x w?x x?a", "wx", "x"},
    {"*w *x *a w?x x?a", "wxa", ""},
    {"*b b>w w?a", "bw", ""},
    /* dead ones */
    {"w?a", "", ""},
    {"*a w?a", "a", ""},
    {"*a *x w?a x?w", "ax", "x"},
};

static const struct row ephemeron_rows[] = {
    {"*e *k e:k=v", "ekv", ""},
    {"*e e:k=v", "e", "e"},
    {"*e e:k=v v>k", "e", "e"},
    {"*e e:k=v v>a a>k", "e", "e"},
    {"*e e:k=v k>v", "e", "e"},
    {"*e e:k=k", "e", "e"},
    {"*e e:e=v", "ev", ""},
    {"*e e:e=e", "e", ""},
    {"*e *k e:k=e", "ek", ""},
    {"*e e:k=e", "e", "e"},
    {"*e *a a>k e:k=v", "eakv", ""},
    {"*e *k k>e e:k=v", "ekv", ""},
    {"*e *k e:k=v v>k", "ekv", ""},
    {"*e *v e:k=v", "ev", "e"},
    {"*e *v e:k=v v>k", "evk", ""},
    {"*e *v *k e:k=v", "evk", ""},
    /* dead ones keep nothing */
    {"*k e:k=v", "k", ""},
    {"*k *w e:k=v w?v", "kw", "w"},
    {"*k *w e:k=v w?e", "kw", "w"},
    {"e:k=v", "", ""},
    /* several on one key, or with one value */
    {"*e *f *k e:k=v f:k=x", "efkvx", ""},
    {"*e *f e:k=v f:k=x", "ef", "ef"},
    {"*e *f e:k=v f:k=x x>k", "ef", "ef"},
    {"*e *f *k e:k=v f:l=v", "efkv", "f"},
    {"*e *f e:k=v f:l=v", "ef", "ef"},
    {"*e *f *k e:k=v f:l=v v>l", "efkvl", ""},
    /* chains */
    {"*e *f *k e:k=l f:l=v", "efklv", ""},
    {"*e *f e:k=l f:l=v", "ef", "ef"},
    {"*e *f *l e:k=l f:l=v", "eflv", "e"},
    {"*e *f *g *k e:k=l f:l=m g:m=v", "efgklmv", ""},
    {"*e *f *g *l e:k=l f:l=m g:m=v", "efglmv", "e"},
    {"*e *f *g *h *k e:k=l f:l=m g:m=n h:n=v", "efghklmnv", ""},
    {"*e *f *g *k e:k=v v>l f:l=x x>m g:m=y", "efgkvlxmy", ""},
    {"*e *f *g e:k=v v>l f:l=x x>m g:m=y", "efg", "efg"},
    {"*e *f *g *k e:k=v v>l v>m f:l=x g:m=x", "efgkvlmx", ""},
    /* cycles */
    {"*e *f e:k=l f:l=k", "ef", "ef"},
    {"*e *f *k e:k=l f:l=k", "efkl", ""},
    {"*e *f *l e:k=l f:l=k", "efkl", ""},
    {"*e *f e:k=v v>l f:l=x x>k", "ef", "ef"},
    {"*e *f *g e:k=l f:l=m g:m=k", "efg", "efg"},
    {"*e *f *g *m e:k=l f:l=m g:m=k", "efgklm", ""},
    {"*e *f *v e:k=v v>l f:l=x x>k", "efvlxk", ""},
    {"*e *f *x e:k=v v>l f:l=x x>k", "efvlxk", ""},
    /* ephemerons and weak references as keys and values */
    {"*e *f e:f=v f:k=x", "efv", "f"},
    {"*e *f *k e:f=v f:k=x", "efvkx", ""},
    {"*e e:f=v f:k=x", "e", "e"},
    {"*e *k e:f=v f:k=x", "ek", "e"},
    {"*e *k *f e:k=g f:g=x g:l=y", "ekgfx", ""},
    {"*e *k e:k=f f:l=v", "ekf", ""},
    {"*e *k *l e:k=f f:l=v", "ekflv", ""},
    {"*e *k e:k=f f:k=v", "ekfv", ""},
    {"*e e:k=f f:l=k *l", "el", "e"},
    {"*e *w e:w=v w?a", "ewv", "w"},
    {"*e e:w=v w?a", "e", "e"},
    {"*e *k e:k=w w?k", "ekw", ""},
    {"*e *k *a e:k=w w?a", "ekaw", ""},
    /* weak references to what ephemerons keep: decided together */
    {"*e *w w?k e:k=v", "ew", "ew"},
    {"*e *w w?v e:k=v", "ew", "ew"},
    {"*e *w w?k e:k=v v>k", "ew", "ew"},
    {"*e *w *k w?v e:k=v", "ewkv", ""},
    {"*e *w *f *k w?x e:k=v f:v=x", "ewfkvx", ""},
    {"*e *w *v w?k e:k=v", "ewv", "ew"},
};

/* How a graph is made. */
enum making { IN_ORDER, BACKWARDS, VALUES_LATER, MAKINGS };

enum { LETTERS = 26, TERMS = 32 };

struct graph {
    struct small_heap *heap;
    const struct row *row;
    char terms[TERMS][8];
    unsigned count;
    bool root[LETTERS];
};

/* The object of a letter; it is found there while the graph is being made, and afterwards if it is a root. */
static void **local(const struct graph *graph, char letter)
{
    return &graph->heap->locals[letter - 'a'];
}

static bool is_made(const struct graph *graph, char letter)
{
    return *local(graph, letter) != NULL;
}

/* The term that makes a letter a weak reference or an ephemeron, NULL for a node. */
static const char *maker(const struct graph *graph, char letter)
{
    for (unsigned i = 0; i < graph->count; i++) {
        const char *term = graph->terms[i];
        if (term[0] == letter && (term[1] == '?' || term[1] == ':'))
            return term;
    }
    return NULL;
}

static void parse(struct graph *graph, struct small_heap *heap, const struct row *row)
{
    memset(graph, 0, sizeof *graph);
    graph->heap = heap;
    graph->row = row;
    for (const char *at = row->graph; *at != '\0'; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if (*at == '*')
            graph->root[at[1] - 'a'] = true;
        else
            memcpy(graph->terms[graph->count++], at, length);
        at += length;
    }
}

/* Makes a weak reference or an ephemeron, if what it refers to weakly is there. */
static void try_to_make(const struct graph *graph, const char *term, enum making making)
{
    shale_mutator *mutator = graph->heap->mutator;
    if (is_made(graph, term[0]) || (term[2] != term[0] && !is_made(graph, term[2])))
        return;
    void *weakly = *local(graph, term[2]);
    if (term[1] == '?')
        *local(graph, term[0]) = shale_weak_create(mutator, weakly);
    else
        *local(graph, term[0]) =
            shale_ephemeron_create(mutator, weakly, making == VALUES_LATER ? NULL : *local(graph, term[4]));
    assert_non_null(*local(graph, term[0]));
}

/* Writes what refers to itself, which the interface cannot make. */
static void close_self_reference(const struct graph *graph, const char *term)
{
    void **object = *local(graph, term[0]);
    if (term[2] == term[0])
        shale_store(graph->heap->mutator, object, object, object);
}

static void make(const struct graph *graph, enum making making)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    for (const char *letter = letters; *letter != '\0'; letter++) {
        if (strchr(graph->row->graph, *letter) != NULL && maker(graph, *letter) == NULL)
            *local(graph, *letter) = small_heap_node(graph->heap, (uint64_t)*letter);
    }
    for (unsigned round = 0; round < graph->count; round++) {
        for (unsigned i = 0; i < graph->count; i++) {
            const char *term = graph->terms[making == BACKWARDS ? graph->count - 1 - i : i];
            if (term[1] != '>')
                try_to_make(graph, term, making);
        }
    }
    for (unsigned i = 0; i < graph->count; i++) {
        const char *term = graph->terms[i];
        assert_true(is_made(graph, term[0]) && is_made(graph, term[2]));
        if (term[1] == '>') {
            struct node *node = *local(graph, term[0]);
            void *slot = node->first == NULL ? &node->first : &node->second;
            shale_store(graph->heap->mutator, node, slot, *local(graph, term[2]));
            continue;
        }
        close_self_reference(graph, term);
        if (term[1] == ':')
            shale_ephemeron_set_value(graph->heap->mutator, *local(graph, term[0]), *local(graph, term[4]));
    }
    for (const char *letter = letters; *letter != '\0'; letter++) {
        if (!graph->root[*letter - 'a'])
            *local(graph, *letter) = NULL;
    }
}

static void look_at(const struct graph *graph, char letter, void *object, unsigned depth);

/* `found` is what was read where `expected` is to be. */
static void check_referent(const struct graph *graph, char reader, bool is_null, char expected, void *found,
                           unsigned depth)
{
    if (is_null != (found == NULL))
        fail_msg("\"%s\": %c reads as %p", graph->row->graph, reader, found);
    if (found != NULL)
        look_at(graph, expected, found, depth);
}

/* The object is the one of this letter, and so is what it leads to, as far as is looked. */
static void look_at(const struct graph *graph, char letter, void *object, unsigned depth)
{
    shale_mutator *mutator = graph->heap->mutator;
    const char *term = maker(graph, letter);
    if (graph->root[letter - 'a'])
        assert_ptr_equal(object, *local(graph, letter));
    if (term == NULL) {
        assert_ptr_equal(shale_type_of(mutator, object), graph->heap->node);
        if (((struct node *)object)->number != (uint64_t)letter)
            fail_msg("\"%s\": %c was expected and not %c", graph->row->graph, letter,
                     (char)((struct node *)object)->number);
        return;
    }
    assert_string_equal(shale_type_name(shale_type_of(mutator, object)),
                        term[1] == '?' ? "weak reference" : "ephemeron");
    if (depth == 0)
        return;
    bool is_null = strchr(graph->row->live, term[2]) == NULL;
    if (term[1] == '?') {
        check_referent(graph, letter, is_null, term[2], shale_weak_get(mutator, object), depth - 1);
        return;
    }
    check_referent(graph, letter, is_null, term[2], shale_ephemeron_key(mutator, object), depth - 1);
    check_referent(graph, letter, is_null, term[4], shale_ephemeron_value(mutator, object), depth - 1);
}

static void check(const struct graph *graph)
{
    for (int number = 0; number < LETTERS; number++) {
        char letter = (char)('a' + number);
        if (!graph->root[number])
            continue;
        const char *term = maker(graph, letter);
        bool is_null = term != NULL && strchr(graph->row->live, term[2]) == NULL;
        if (is_null != (strchr(graph->row->null, letter) != NULL) && maker(graph, letter) != NULL)
            fail_msg("\"%s\": the table contradicts itself about %c", graph->row->graph, letter);
        look_at(graph, letter, *local(graph, letter), 3);
    }
}

static void check_marked(const struct graph *graph, shale_collect_kind kind)
{
    uint64_t marked = small_heap_marked(graph->heap, kind);
    if (marked != strlen(graph->row->live))
        fail_msg("\"%s\": %u objects are live instead of %zu", graph->row->graph, (unsigned)marked,
                 strlen(graph->row->live));
    check(graph);
}

static void run_row(struct small_heap *heap, const struct row *row, enum making making)
{
    struct graph graph;
    parse(&graph, heap, row);
    make(&graph, making);
    if (making == BACKWARDS) /* they move in the very cycle in which their referents die */
        small_heap_leave_region(heap);
    check_marked(&graph, making == IN_ORDER ? SHALE_COLLECT_NORMAL : SHALE_COLLECT_MOVE_ALL);
    check_marked(&graph, SHALE_COLLECT_NORMAL);
    if (making == IN_ORDER)
        small_heap_leave_region(heap);
    check_marked(&graph, SHALE_COLLECT_MOVE_ALL);
    memset(heap->locals, 0, sizeof heap->locals);
}

static void run_table(const struct row *rows, size_t count)
{
    for (unsigned kind = 0; kind < SMALL_HEAP_KINDS; kind++) {
        struct small_heap heap;
        small_heap_open(&heap, kind, NULL, NULL);
        for (size_t i = 0; i < count; i++) {
            for (enum making making = IN_ORDER; making < MAKINGS; making++)
                run_row(&heap, &rows[i], making);
        }
        small_heap_close(&heap);
    }
}

static void test_weak_references(void **state)
{
    (void)state;
    run_table(weak_rows, sizeof weak_rows / sizeof weak_rows[0]);
}

static void test_ephemerons(void **state)
{
    (void)state;
    run_table(ephemeron_rows, sizeof ephemeron_rows / sizeof ephemeron_rows[0]);
}

/* ---- what lies outside, and nothing ---------------------------------------------------------------- */

static void outside_the_heap(struct small_heap *heap)
{
    static uint64_t outside[4];
    shale_mutator *mutator = heap->mutator;
    enum { TO_OUTSIDE, TO_NOTHING, KEY_OUTSIDE, VALUE_OUTSIDE, KEY_NOTHING, VALUE_NOTHING, NODE };
    void **at = heap->locals;
    at[NODE] = small_heap_node(heap, 7);
    at[TO_OUTSIDE] = shale_weak_create(mutator, &outside[0]);
    at[TO_NOTHING] = shale_weak_create(mutator, NULL);
    at[KEY_OUTSIDE] = shale_ephemeron_create(mutator, &outside[1], small_heap_node(heap, 8));
    at[VALUE_OUTSIDE] = shale_ephemeron_create(mutator, at[NODE], &outside[2]);
    at[KEY_NOTHING] = shale_ephemeron_create(mutator, NULL, at[NODE]);
    at[VALUE_NOTHING] = shale_ephemeron_create(mutator, at[NODE], NULL);
    for (int round = 0; round < 3; round++) {
        assert_ptr_equal(shale_weak_get(mutator, at[TO_OUTSIDE]), &outside[0]);
        assert_null(shale_weak_get(mutator, at[TO_NOTHING]));
        assert_ptr_equal(shale_ephemeron_key(mutator, at[KEY_OUTSIDE]), &outside[1]);
        assert_int_equal(((struct node *)shale_ephemeron_value(mutator, at[KEY_OUTSIDE]))->number, 8);
        assert_ptr_equal(shale_ephemeron_key(mutator, at[VALUE_OUTSIDE]), at[NODE]);
        assert_ptr_equal(shale_ephemeron_value(mutator, at[VALUE_OUTSIDE]), &outside[2]);
        assert_null(shale_ephemeron_key(mutator, at[KEY_NOTHING]));
        assert_null(shale_ephemeron_value(mutator, at[KEY_NOTHING]));
        assert_ptr_equal(shale_ephemeron_key(mutator, at[VALUE_NOTHING]), at[NODE]);
        assert_null(shale_ephemeron_value(mutator, at[VALUE_NOTHING]));
        small_heap_move_around(heap);
    }
    /* A key that is nothing is dead, whatever value is given later. */
    shale_ephemeron_set_value(mutator, at[KEY_NOTHING], small_heap_node(heap, 9));
    assert_null(shale_ephemeron_value(mutator, at[KEY_NOTHING]));
    assert_int_equal(small_heap_marked(heap, SHALE_COLLECT_NORMAL), 8);
    at[NODE] = NULL;
    assert_int_equal(small_heap_marked(heap, SHALE_COLLECT_NORMAL), 7);
    assert_null(shale_ephemeron_key(mutator, at[VALUE_OUTSIDE]));
    assert_null(shale_ephemeron_value(mutator, at[VALUE_OUTSIDE]));
    assert_null(shale_weak_get(mutator, NULL));
    assert_null(shale_ephemeron_key(mutator, NULL));
    assert_null(shale_ephemeron_value(mutator, NULL));
    shale_ephemeron_set_value(mutator, NULL, at[NODE]);
}

/* ---- values that change ---------------------------------------------------------------------------- */

static void changing_values(struct small_heap *heap)
{
    shale_mutator *mutator = heap->mutator;
    enum { KEY, EPHEMERON, WEAK };
    void **at = heap->locals;
    at[KEY] = small_heap_node(heap, 1);
    at[EPHEMERON] = shale_ephemeron_create(mutator, at[KEY], small_heap_node(heap, 2));
    at[WEAK] = shale_weak_create(mutator, shale_ephemeron_value(mutator, at[EPHEMERON]));
    assert_int_equal(small_heap_marked(heap, SHALE_COLLECT_NORMAL), 4);
    /* The key is live: the new value is kept, the old one is not. */
    shale_ephemeron_set_value(mutator, at[EPHEMERON], small_heap_node(heap, 3));
    assert_int_equal(small_heap_marked(heap, SHALE_COLLECT_MOVE_ALL), 4);
    assert_null(shale_weak_get(mutator, at[WEAK]));
    assert_int_equal(((struct node *)shale_ephemeron_value(mutator, at[EPHEMERON]))->number, 3);
    shale_ephemeron_set_value(mutator, at[EPHEMERON], NULL);
    assert_int_equal(small_heap_marked(heap, SHALE_COLLECT_NORMAL), 3);
    assert_null(shale_ephemeron_value(mutator, at[EPHEMERON]));
    assert_ptr_equal(shale_ephemeron_key(mutator, at[EPHEMERON]), at[KEY]);
    /* A value that refers to the key, given later. */
    struct node *value = small_heap_node(heap, 4);
    value->first = at[KEY];
    shale_ephemeron_set_value(mutator, at[EPHEMERON], value);
    at[KEY] = NULL;
    assert_int_equal(small_heap_marked(heap, SHALE_COLLECT_MOVE_ALL), 2);
    assert_null(shale_ephemeron_key(mutator, at[EPHEMERON]));
    /* The key is dead: a value is neither read nor kept. */
    for (int round = 0; round < 3; round++) {
        at[KEY] = small_heap_node(heap, 5);
        shale_ephemeron_set_value(mutator, at[EPHEMERON], at[KEY]);
        assert_null(shale_ephemeron_value(mutator, at[EPHEMERON]));
        assert_null(shale_ephemeron_key(mutator, at[EPHEMERON]));
        at[KEY] = NULL;
        assert_int_equal(small_heap_marked(heap, SHALE_COLLECT_NORMAL), 2);
        assert_null(shale_ephemeron_value(mutator, at[EPHEMERON]));
    }
}

/* ---- many ------------------------------------------------------------------------------------------ */

enum { BLOCK = 1000 };

/* An array of arrays, for more objects than one array has room for: locals[0] is the outer one. */
static void *get_many(const struct small_heap *heap, unsigned index)
{
    void **const *blocks = heap->locals[0];
    return blocks[index / BLOCK][index % BLOCK];
}

static void set_many(struct small_heap *heap, unsigned index, void *object)
{
    void **const *blocks = heap->locals[0];
    void **block = blocks[index / BLOCK];
    shale_store(heap->mutator, block, &block[index % BLOCK], object);
}

static void make_many(struct small_heap *heap, unsigned count)
{
    unsigned blocks = (count + BLOCK - 1) / BLOCK;
    heap->locals[0] = shale_allocate_array(heap->mutator, heap->pointers, blocks);
    for (unsigned i = 0; i < blocks; i++) {
        void **block = shale_allocate_array(heap->mutator, heap->pointers, BLOCK);
        void **outer = heap->locals[0];
        shale_store(heap->mutator, outer, &outer[i], block);
    }
}

/* Thousands of weak references to one object, and one to each of thousands. */
static void many_weak_references(struct small_heap *heap)
{
    enum { COUNT = 4000 };
    shale_mutator *mutator = heap->mutator;
    make_many(heap, COUNT);
    heap->locals[1] = small_heap_node(heap, 1);
    for (unsigned i = 0; i < COUNT; i++)
        set_many(heap, i, shale_weak_create(mutator, heap->locals[1]));
    small_heap_move_around(heap);
    for (unsigned i = 0; i < COUNT; i++)
        assert_ptr_equal(shale_weak_get(mutator, get_many(heap, i)), heap->locals[1]);
    heap->locals[1] = NULL;
    small_heap_collect(heap, SHALE_COLLECT_NORMAL);
    for (unsigned i = 0; i < COUNT; i++)
        assert_null(shale_weak_get(mutator, get_many(heap, i)));
    for (unsigned i = 0; i < COUNT; i++) { /* every third in a list that lives */
        struct node *node = small_heap_node(heap, i);
        node->first = heap->locals[1];
        heap->locals[2] = node;
        if (i % 3 == 0)
            heap->locals[1] = node;
        set_many(heap, i, shale_weak_create(mutator, heap->locals[2]));
    }
    heap->locals[2] = NULL;
    for (int round = 0; round < 3; round++) {
        small_heap_collect(heap, SHALE_COLLECT_MOVE_ALL);
        for (unsigned i = 0; i < COUNT; i++) {
            const struct node *node = shale_weak_get(mutator, get_many(heap, i));
            assert_int_equal(node != NULL, i % 3 == 0);
            assert_true(node == NULL || node->number == i);
        }
    }
}

enum order { FORWARD, BACKWARD, SHUFFLED, ORDERS };

/* A chain of ephemerons: the value of each is the key of the next. locals[1] is the first key; the ephemerons are
 * made, and listed, in an order. */
static void make_chain(struct small_heap *heap, unsigned length, enum order order)
{
    struct stress_random random = stress_random_make(stress_seed());
    uint32_t *numbers = malloc(length * sizeof *numbers);
    assert_non_null(numbers);
    for (unsigned i = 0; i < length; i++)
        numbers[i] = order == BACKWARD ? length - 1 - i : i;
    for (unsigned i = length; order == SHUFFLED && i > 1; i--) {
        unsigned j = stress_random_below(&random, i);
        uint32_t number = numbers[i - 1];
        numbers[i - 1] = numbers[j];
        numbers[j] = number;
    }
    make_many(heap, 2 * length + 1);
    for (unsigned i = 0; i <= length; i++)
        set_many(heap, length + i, small_heap_node(heap, i));
    for (unsigned i = 0; i < length; i++) {
        void *key = get_many(heap, length + numbers[i]);
        void *value = get_many(heap, length + numbers[i] + 1);
        set_many(heap, i, shale_ephemeron_create(heap->mutator, key, value));
    }
    heap->locals[1] = get_many(heap, length);
    for (unsigned i = 0; i <= length; i++)
        set_many(heap, length + i, NULL);
    free(numbers);
}

static void check_chain(const struct small_heap *heap, unsigned length, bool live)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < length; i++) {
        const struct node *key = shale_ephemeron_key(heap->mutator, get_many(heap, i));
        const struct node *value = shale_ephemeron_value(heap->mutator, get_many(heap, i));
        assert_int_equal(key != NULL, live);
        assert_int_equal(value != NULL, live);
        if (key == NULL || value == NULL)
            continue;
        assert_int_equal(key->number + 1, value->number);
        sum += key->number;
    }
    assert_int_equal(sum, live ? (uint64_t)length * (length - 1) / 2 : 0);
}

static uint64_t mark_time(const struct small_heap *heap)
{
    shale_statistics statistics;
    shale_heap_statistics(heap->heap, &statistics);
    return statistics.mark_time.total;
}

/* The time of the quickest of several markings of a chain. */
static uint64_t time_chain(struct small_heap *heap, unsigned length, enum order order)
{
    make_chain(heap, length, order);
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = mark_time(heap);
        small_heap_collect(heap, i % 2 == 0 ? SHALE_COLLECT_NORMAL : SHALE_COLLECT_MOVE_ALL);
        uint64_t time = mark_time(heap) - before;
        best = time < best ? time : best;
    }
    check_chain(heap, length, true);
    heap->locals[1] = NULL;
    small_heap_collect(heap, SHALE_COLLECT_NORMAL);
    check_chain(heap, length, false);
    return best;
}

/* Ten times the length takes about ten times as long, not a hundred times. Other programs may get in between, so it is
 * enough that it does once. */
static void long_chains(struct small_heap *heap)
{
    enum { TRIES = 6, TIMES_AT_MOST = 40 };
    for (enum order order = FORWARD; order < ORDERS; order++) {
        uint64_t few = 1;
        uint64_t many = TIMES_AT_MOST + 1;
        for (int tries = 0; tries < TRIES && many > TIMES_AT_MOST * few; tries++) {
            few = time_chain(heap, 1000, order);
            many = time_chain(heap, 10000, order);
        }
        if (many > TIMES_AT_MOST * few)
            fail_msg("order %d: a chain of 1,000 is marked in %llu ns, one of 10,000 in %llu", (int)order,
                     (unsigned long long)few, (unsigned long long)many);
    }
}

static void for_all_kinds(void (*run)(struct small_heap *heap))
{
    for (unsigned kind = 0; kind < SMALL_HEAP_KINDS; kind++) {
        struct small_heap heap;
        small_heap_open(&heap, kind, NULL, NULL);
        run(&heap);
        small_heap_close(&heap);
    }
}

static void test_outside_the_heap(void **state)
{
    (void)state;
    for_all_kinds(outside_the_heap);
}

static void test_changing_values(void **state)
{
    (void)state;
    for_all_kinds(changing_values);
}

static void test_many_weak_references(void **state)
{
    (void)state;
    for_all_kinds(many_weak_references);
}

static void test_long_chains(void **state)
{
    (void)state;
    for_all_kinds(long_chains);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weak_references),      cmocka_unit_test(test_ephemerons),
        cmocka_unit_test(test_outside_the_heap),     cmocka_unit_test(test_changing_values),
        cmocka_unit_test(test_many_weak_references), cmocka_unit_test(test_long_chains),
    };
    return cmocka_run_group_tests_name("unit.weak", tests, NULL, NULL);
}
