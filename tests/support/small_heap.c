#include "tests/support/small_heap.h"

#include <string.h>

enum { FILLER = 12000, MOVES = 3 };

void small_heap_open(struct small_heap *heap, unsigned kind, void (*queued)(void *context), void *context)
{
    static const uint32_t first_two[] = {0, 8};
    shale_error error;
    shale_options options;
    memset(heap, 0, sizeof *heap);
    stress_options(&options, (enum stress_mode)(kind % STRESS_MODES), (size_t)4 << 20, NULL);
    options.verify = 1;
    options.workers = kind < STRESS_MODES ? 1 : 3;
    options.target = 0; /* cycles are the test's own, as far as there is room */
    options.finalizers_queued = queued;
    options.finalizers_queued_context = context;
    heap->heap = stress_heap(&options);
    heap->mutator = stress_attach(heap->heap);
    shale_type_spec node = {
        .name = "node", .size = sizeof(struct node), .pointers = first_two, .pointer_count = 2};
    shale_type_spec pointers = {
        .name = "pointers", .element_size = 8, .element_pointers = first_two, .element_pointer_count = 1};
    heap->node = shale_type_register(heap->heap, &node, &error);
    heap->pointers = shale_type_register(heap->heap, &pointers, &error);
    STRESS_CHECK(heap->node != NULL && heap->pointers != NULL, "no types: %s", error.message);
    shale_frame_push(heap->mutator, &heap->frame, heap->locals, SMALL_HEAP_LOCALS);
}

void small_heap_close(struct small_heap *heap)
{
    shale_frame_pop(heap->mutator, &heap->frame);
    STRESS_CHECK(shale_detach(heap->mutator) == SHALE_OK, "detaching");
    stress_heap_end(heap->heap);
}

struct node *small_heap_node(struct small_heap *heap, uint64_t number)
{
    struct node *node = shale_allocate(heap->mutator, heap->node);
    STRESS_CHECK(node != NULL, "no memory for a node");
    node->number = number;
    return node;
}

void small_heap_collect(struct small_heap *heap, shale_collect_kind kind)
{
    STRESS_CHECK(shale_collect(heap->mutator, kind) == SHALE_OK, "collecting");
}

void small_heap_leave_region(struct small_heap *heap)
{
    for (int i = 0; i < FILLER; i++)
        small_heap_node(heap, 0);
}

void small_heap_move_around(struct small_heap *heap)
{
    small_heap_leave_region(heap);
    for (int i = 0; i < MOVES; i++)
        small_heap_collect(heap, SHALE_COLLECT_MOVE_ALL);
}

uint64_t small_heap_marked(struct small_heap *heap, shale_collect_kind kind)
{
    shale_statistics before;
    shale_statistics after;
    shale_heap_statistics(heap->heap, &before);
    small_heap_collect(heap, kind);
    shale_heap_statistics(heap->heap, &after);
    STRESS_CHECK(after.cycles == before.cycles + 1, "not one cycle but %llu",
                 (unsigned long long)(after.cycles - before.cycles));
    return after.objects_marked - before.objects_marked;
}
