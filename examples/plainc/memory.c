#include "memory.h"

#ifdef PLAINC_MALLOC

#include <stdlib.h>

const size_t memory_text_max = (size_t)1 << 30;

const char *memory_start(void)
{
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

const char *memory_start(void)
{
    shale_options options;
    shale_options_init(&options);
    options.barrier = SHALE_BARRIER_PAGES; /* stores are plain */
    heap = shale_heap_create(&options, &error);
    if (heap == NULL)
        return error.message;
    shale_attach_options attach;
    shale_attach_options_init(&attach);
    attach.conservative = true; /* locals are found on the stack */
    mutator = shale_attach_with(heap, &attach, &error);
    return mutator != NULL && register_types() ? NULL : error.message;
}

void memory_end(void)
{
    shale_detach(mutator);
    shale_heap_destroy(heap, NULL);
}

struct value *memory_new_value(void)
{
    return shale_allocate(mutator, value_type);
}

struct text *memory_new_text(size_t length)
{
    return shale_allocate_array(mutator, text_type, length);
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
