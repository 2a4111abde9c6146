#include "heap/type.h"

#include "heap/cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a header of zeros stands for: cells in reserve [cells], which marking and page building come by. They find an object of
 * one granule without slots. */
static struct type no_object = {.api = {.array_base = GRANULE_SIZE}, .shape = SHAPE_POINTER_FREE};

void type_table_init(struct type_table *table, struct type **types)
{
    pthread_mutex_init(&table->lock, NULL);
    table->types = types;
    types[0] = &no_object;
    atomic_u32_store(&table->count, 1); /* 0 is no type */
}

void type_table_destroy(struct type_table *table)
{
    uint32_t count = atomic_u32_load(&table->count);
    for (uint32_t number = 1; number < count; number++)
        free(table->types[number]);
    pthread_mutex_destroy(&table->lock);
}

/* Every slot lies inside its part, aligned, and is named once. */
static const char *check_slots(const uint32_t *offsets, size_t count, size_t part_size, const char *none)
{
    if (count != 0 && offsets == NULL)
        return none;
    for (size_t i = 0; i < count; i++) {
        if (offsets[i] % sizeof(uint64_t) != 0)
            return "a slot's offset is not a multiple of 8";
        if (offsets[i] + sizeof(uint64_t) > part_size)
            return "a slot lies outside its part of the object";
        for (size_t j = 0; j < i; j++) {
            if (offsets[i] == offsets[j])
                return "a slot is listed twice";
        }
    }
    return NULL;
}

static bool overlap(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    for (size_t i = 0; i < a_count; i++) {
        for (size_t j = 0; j < b_count; j++) {
            if (a[i] == b[j])
                return true;
        }
    }
    return false;
}

static const char *check_spec(const shale_type_spec *spec)
{
    if (spec->name == NULL || spec->name[0] == '\0')
        return "it has no name";
    if (spec->size > TYPE_SIZE_MAX || spec->element_size > TYPE_SIZE_MAX)
        return "its size or element_size is more than 1 GiB";
    size_t element_slots = spec->element_pointer_count + spec->element_value_count;
    size_t slots = spec->pointer_count + spec->value_count + element_slots;
    if (slots != 0 && spec->visit != NULL)
        return "it has both slot offsets and a visitor; give one of them";
    if (element_slots != 0 && spec->element_size == 0)
        return "it lists slots of elements but has no element_size";
    if (element_slots != 0 && (spec->size % 8 != 0 || spec->element_size % 8 != 0))
        return "an array that holds slots needs size and element_size to be multiples of 8";
    const char *why = check_slots(spec->pointers, spec->pointer_count, spec->size,
                                  "pointer_count is set but pointers is NULL");
    if (why == NULL)
        why =
            check_slots(spec->values, spec->value_count, spec->size, "value_count is set but values is NULL");
    if (why == NULL)
        why = check_slots(spec->element_pointers, spec->element_pointer_count, spec->element_size,
                          "element_pointer_count is set but element_pointers is NULL");
    if (why == NULL)
        why = check_slots(spec->element_values, spec->element_value_count, spec->element_size,
                          "element_value_count is set but element_values is NULL");
    if (why == NULL && (overlap(spec->pointers, spec->pointer_count, spec->values, spec->value_count) ||
                        overlap(spec->element_pointers, spec->element_pointer_count, spec->element_values,
                                spec->element_value_count)))
        why = "a slot is listed both as a pointer and as a value";
    return why;
}

static enum type_shape shape_of(const shale_type_spec *spec)
{
    if (spec->visit != NULL)
        return SHAPE_CUSTOM;
    size_t element_slots = spec->element_pointer_count + spec->element_value_count;
    if (element_slots == 0 && spec->value_count == 0)
        return spec->pointer_count == 0 ? SHAPE_POINTER_FREE : SHAPE_POINTERS;
    if (element_slots == 0)
        return SHAPE_SLOTS;
    if (element_slots == 1 && spec->element_size == sizeof(uint64_t))
        return spec->element_pointer_count == 1 ? SHAPE_POINTER_ARRAY : SHAPE_VALUE_ARRAY;
    return SHAPE_STRUCT_ARRAY;
}

/* Copies one list behind the type; returns the place for the next. */
static uint32_t *copy_slots(struct slot_list *list, uint32_t *place, const uint32_t *offsets, size_t count)
{
    list->count = (uint32_t)count;
    list->offsets = place;
    if (count != 0)
        memcpy(place, offsets, count * sizeof *place);
    return place + count;
}

/* One block holds the type, its slot lists and its name. */
static struct type *type_build(const shale_type_spec *spec)
{
    size_t slots =
        spec->pointer_count + spec->value_count + spec->element_pointer_count + spec->element_value_count;
    size_t name_size = strlen(spec->name) + 1;
    struct type *type = calloc(1, sizeof *type + slots * sizeof(uint32_t) + name_size);
    if (type == NULL)
        return NULL;
    uint32_t *place = (uint32_t *)(type + 1);
    place = copy_slots(&type->pointers, place, spec->pointers, spec->pointer_count);
    place = copy_slots(&type->values, place, spec->values, spec->value_count);
    place = copy_slots(&type->element_pointers, place, spec->element_pointers, spec->element_pointer_count);
    place = copy_slots(&type->element_values, place, spec->element_values, spec->element_value_count);
    type->name = memcpy(place, spec->name, name_size);

    type->shape = shape_of(spec);
    type->plain_slots = type->shape <= SHAPE_POINTERS ? (uint32_t)spec->pointer_count : SLOTS_NOT_PLAIN;
    type->visit = spec->visit;
    type->fixed_size = (uint32_t)spec->size;
    type->api.element_size = (uint32_t)spec->element_size;
    /* Rounding up is part of the base, so that a size is (base + length * element_size) rounded down; the
     * smallest object is one granule. */
    type->api.array_base = (uint32_t)(spec->size + HEADER_SIZE + GRANULE_SIZE - 1);
    type->api.size = type->api.array_base & ~(uint32_t)(GRANULE_SIZE - 1);
    type->api.cells = type->api.size <= OBJECT_SIZE_MAX
                          ? cell_index(type->api.size, type->shape == SHAPE_POINTER_FREE)
                          : CELL_INDEX_NONE;
    if (spec->element_size != 0 && spec->size <= SHALE_OBJECT_MAX)
        type->api.length_max = (uint32_t)((SHALE_OBJECT_MAX - spec->size) / spec->element_size);
    return type;
}

struct type *type_register(struct type_table *table, const shale_type_spec *spec, shale_status *status,
                           char *message, size_t message_size)
{
    *status = SHALE_ERROR_ARGUMENT;
    const char *why = spec == NULL ? "its description is NULL" : check_spec(spec);
    if (why != NULL) {
        snprintf(message, message_size, "the type %s cannot be registered: %s",
                 spec != NULL && spec->name != NULL ? spec->name : "(no name)", why);
        return NULL;
    }
    struct type *type = type_build(spec);
    if (type == NULL) {
        *status = SHALE_ERROR_MEMORY;
        snprintf(message, message_size, "there is no memory for the description of type %s", spec->name);
        return NULL;
    }
    pthread_mutex_lock(&table->lock);
    uint32_t number = atomic_u32_load(&table->count);
    if (number <= TYPE_NUMBER_MAX) {
        type->owner = table;
        type->api.header = number;
        table->types[number] = type;
        atomic_u32_store_release(&table->count, number + 1);
    }
    pthread_mutex_unlock(&table->lock);
    if (number > TYPE_NUMBER_MAX) {
        snprintf(message, message_size, "the type %s cannot be registered: the heap has %d types already",
                 spec->name, TYPE_NUMBER_MAX);
        free(type);
        return NULL;
    }
    *status = SHALE_OK;
    return type;
}
