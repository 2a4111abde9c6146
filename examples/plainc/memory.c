#include "memory.h"

#ifdef PLAINC_MALLOC

#include <stdlib.h>

const size_t memory_text_max = (size_t)1 << 30;

const char *memory_start(struct value **document)
{
    (void)document;
    return NULL;
}

void memory_end(void)
{
}

struct value *memory_new_value(void)
{
    return calloc(1, sizeof(struct value));
}

struct text *memory_new_text(size_t length)
{
    return calloc(1, sizeof(struct text) + length);
}

void memory_rest(void)
{
}

void memory_report(FILE *to)
{
    fprintf(to, "plainc: memory of malloc, nothing was collected\n");
}

#else

#include <inttypes.h>
#include <shale/shale.h>

const size_t memory_text_max = SHALE_OBJECT_MAX - sizeof(struct text);

static shale_heap *heap;
static shale_mutator *mutator;
static const shale_type *value_type;
static const shale_type *text_type;
static shale_error error;

/* A cycle between two commands each time so much was allocated: then only the document is in use. */
enum { ALLOCATIONS_BETWEEN_CYCLES = 100000 };
static unsigned allocations;

static void show_document(void *document, shale_visitor *visitor)
{
    shale_visit_pointers(visitor, document, 1);
}

static bool register_types(void)
{
    static const uint32_t pointers[] = {offsetof(struct value, text), offsetof(struct value, name),
                                        offsetof(struct value, first), offsetof(struct value, last),
                                        offsetof(struct value, next)};
    const shale_type_spec value = {
        .name = "value", .size = sizeof(struct value), .pointers = pointers, .pointer_count = 5};
    const shale_type_spec text = {.name = "text", .size = sizeof(struct text), .element_size = 1};
    value_type = shale_type_register(heap, &value, &error);
    text_type = value_type != NULL ? shale_type_register(heap, &text, &error) : NULL;
    return text_type != NULL;
}

const char *memory_start(struct value **document)
{
    shale_options options;
    shale_options_init(&options);
    options.barrier = SHALE_BARRIER_PAGES; /* stores are plain */
    options.target = 0;
    heap = shale_heap_create(&options, &error);
    if (heap == NULL)
        return error.message;
    mutator = shale_attach(heap, &error);
    if (mutator == NULL || !register_types())
        return error.message;
    return shale_root_visitor_add(mutator, show_document, document) != NULL ? NULL : "there is no memory";
}

void memory_end(void)
{
    shale_detach(mutator);
    shale_heap_destroy(heap, NULL);
}

struct value *memory_new_value(void)
{
    allocations++;
    return shale_allocate(mutator, value_type);
}

struct text *memory_new_text(size_t length)
{
    allocations++;
    return shale_allocate_array(mutator, text_type, length);
}

void memory_rest(void)
{
    if (allocations < ALLOCATIONS_BETWEEN_CYCLES)
        return;
    allocations = 0;
    shale_collect(mutator, SHALE_COLLECT_NORMAL);
}

void memory_report(FILE *to)
{
    shale_statistics statistics;
    shale_heap_statistics(heap, &statistics);
    fprintf(to,
            "plainc: %" PRIu64 " KiB allocated, %" PRIu64 " cycles, %" PRIu64
            " of which moved objects; longest stop %" PRIu64 " us; %" PRIu64 " KiB live\n",
            statistics.bytes_allocated >> 10, statistics.cycles, statistics.flips,
            (statistics.remark_pause.maximum > statistics.flip_pause.maximum
                 ? statistics.remark_pause.maximum
                 : statistics.flip_pause.maximum) /
                1000,
            statistics.live_bytes >> 10);
}

#endif
