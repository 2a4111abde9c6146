/*
 * Visiting an object's slots: the one loop that marking, page building and verification share.
 *
 * [slots] object_visit_slots shows each slot of an object exactly once, and only slots whose byte offset
 * from the object's address lies in [from, to): an object that crosses pages is visited page by page. It
 * reads the header it is given and nothing else of the object, except through a custom visitor, whose
 * contract is in <shale/shale.h>.
 *
 * The visiting function is a constant at every call, so that the compiler makes one loop of both.
 */
#ifndef SHALE_HEAP_OBJECT_H
#define SHALE_HEAP_OBJECT_H

#include "heap/type.h"

/* Visits `count` neighbouring slots; `value` tells their kind. */
typedef void (*slots_visitor)(void *context, uint64_t *slots, size_t count, bool value);

/* What <shale/shale.h> calls a visitor: a slots_visitor with its context and a window. */
struct shale_visitor {
    slots_visitor visit;
    void *context;
    /* Only slots in [window_start, window_end) are passed on, `shift` bytes further: a custom visitor reads
     * the old copy of a moved object while the slots to rewrite are in the new one. */
    uintptr_t window_start;
    uintptr_t window_end;
    ptrdiff_t shift;
};

/* A visitor that passes everything on. */
static inline struct shale_visitor visitor_make(slots_visitor visit, void *context)
{
    return (struct shale_visitor){.visit = visit, .context = context, .window_end = UINTPTR_MAX};
}

static inline __attribute__((always_inline)) void object_visit_list(const struct slot_list *list, char *part,
                                                                    size_t part_offset, bool value,
                                                                    size_t from, size_t to,
                                                                    slots_visitor visit, void *context)
{
    for (uint32_t i = 0; i < list->count; i++) {
        size_t offset = part_offset + list->offsets[i];
        if (offset >= from && offset < to)
            visit(context, (uint64_t *)(part + list->offsets[i]), 1, value);
    }
}

/* The elements of an array of slots whose offsets lie in [from, to). */
static inline __attribute__((always_inline)) void object_visit_dense(char *object, size_t start,
                                                                     size_t length, bool value, size_t from,
                                                                     size_t to, slots_visitor visit,
                                                                     void *context)
{
    size_t end = start + length * sizeof(uint64_t);
    if (start < from)
        start = from;
    if (end > to)
        end = to;
    if (start < end)
        visit(context, (uint64_t *)(object + start), (end - start) / sizeof(uint64_t), value);
}

/* Objects whose type lists its slots, and that have `length` elements. `object` is where they are to be visited, in
 * whatever copy. */
static inline __attribute__((always_inline)) void object_visit_listed(const struct type *type, size_t length,
                                                                      char *object, size_t from, size_t to,
                                                                      slots_visitor visit, void *context)
{
    object_visit_list(&type->pointers, object, 0, false, from, to, visit, context);
    if (type->shape == SHAPE_POINTERS)
        return;
    object_visit_list(&type->values, object, 0, true, from, to, visit, context);
    if (type->shape == SHAPE_SLOTS)
        return;
    size_t start = type->fixed_size;
    if (type->shape != SHAPE_STRUCT_ARRAY) {
        object_visit_dense(object, start, length, type->shape == SHAPE_VALUE_ARRAY, from, to, visit, context);
        return;
    }
    size_t first = from > start ? (from - start) / type->api.element_size : 0;
    for (size_t i = first; i < length; i++) {
        size_t element = start + i * type->api.element_size;
        if (element >= to)
            break;
        object_visit_list(&type->element_pointers, object + element, element, false, from, to, visit,
                          context);
        object_visit_list(&type->element_values, object + element, element, true, from, to, visit, context);
    }
}

/* Objects whose type has a visitor, which may read the copy at `readable`. */
static inline void object_visit_custom(const struct type *type, uint64_t header, char *object, char *readable,
                                       size_t from, size_t to, slots_visitor visit, void *context)
{
    struct shale_visitor visitor = {
        .visit = visit,
        .context = context,
        .window_start = (uintptr_t)readable + from,
        .window_end = to == SIZE_MAX ? UINTPTR_MAX : (uintptr_t)readable + to,
        .shift = (ptrdiff_t)((uintptr_t)object - (uintptr_t)readable),
    };
    type->visit(readable, object_length(header, readable), &visitor);
}

/* Any object. */
static inline __attribute__((always_inline)) void object_visit_slots(const struct type *type, uint64_t header,
                                                                     char *object, char *readable,
                                                                     size_t from, size_t to,
                                                                     slots_visitor visit, void *context)
{
    if (type->shape == SHAPE_POINTER_FREE)
        return;
    if (type->shape == SHAPE_CUSTOM)
        object_visit_custom(type, header, object, readable, from, to, visit, context);
    else
        object_visit_listed(type, object_length(header, readable), object, from, to, visit, context);
}

/* The words of kind value: where their address is. Immutable per heap. */
static inline bool value_is_reference(const shale_encoding *encoding, shale_value value)
{
    return (value & encoding->mask) == encoding->tag && ((encoding->low_tags >> (value & 15)) & 1) != 0;
}

static inline uint64_t value_address(const shale_encoding *encoding, shale_value value)
{
    return value & encoding->address;
}

static inline shale_value value_with_address(const shale_encoding *encoding, shale_value value,
                                             uint64_t address)
{
    return (value & ~encoding->address) | address;
}

#endif
