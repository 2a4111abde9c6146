/*
 * Registered object types, and the one place that knows how an object's header leads to its slots.
 *
 * [type] A type is immutable once registered, and a type number is never reused; so any thread, the fault
 * server and signal handlers included, may read the table without a lock.
 *
 * Header word: bits 0-15 type number (0 is no type), bits 16-31 zero, bits 32-63 number of array elements.
 * A header never changes after allocation, so it may be read while the object's page is being built.
 */
#ifndef SHALE_HEAP_TYPE_H
#define SHALE_HEAP_TYPE_H

#include "heap/atomic.h"
#include "heap/layout.h"

#include <pthread.h>
#include <shale/shale.h>

enum { TYPE_NUMBER_MAX = 65535 };

/* How to find an object's slots. */
enum type_shape {
    SHAPE_POINTER_FREE,
    SHAPE_POINTERS,      /* pointers in the fixed part only */
    SHAPE_SLOTS,         /* slots in the fixed part only */
    SHAPE_POINTER_ARRAY, /* slots in the fixed part, then an array of pointers */
    SHAPE_VALUE_ARRAY,   /* slots in the fixed part, then an array of values */
    SHAPE_STRUCT_ARRAY,  /* slots in the fixed part, then elements that hold some */
    SHAPE_CUSTOM         /* a visitor of the embedder's */
};

/* What an object's first slots keep alive; see weak_object.h. */
enum type_strength {
    STRENGTH_STRONG, /* all that they refer to */
    STRENGTH_WEAK,
    STRENGTH_EPHEMERON
};

struct slot_list {
    uint32_t count;
    const uint32_t *offsets;
};

struct type {
    struct shale_type api; /* first: a shale_type is a type */
    enum type_shape shape;
    enum type_strength strength;
    uint32_t fixed_size; /* bytes */
    struct slot_list pointers;
    struct slot_list values;
    struct slot_list element_pointers;
    struct slot_list element_values;
    shale_object_visitor visit;
    const void *owner; /* the table it was registered in */
    const char *name;
};

struct type_table {
    pthread_mutex_t lock; /* registration */
    atomic_u32 count;     /* numbers below are readable (release after the entry is written) */
    struct type **types;  /* [TYPE_NUMBER_MAX + 1], grown by the os as it is touched */
};

/* `types` is zeroed memory for TYPE_NUMBER_MAX + 1 pointers. */
void type_table_init(struct type_table *table, struct type **types);
void type_table_destroy(struct type_table *table);

/* Returns NULL with `message` (of `message_size` bytes) and `status` filled in. */
struct type *type_register(struct type_table *table, const shale_type_spec *spec, shale_status *status,
                           char *message, size_t message_size);

static inline uint32_t header_type_number(uint64_t header)
{
    return (uint32_t)(header & 0xffff);
}

static inline size_t header_length(uint64_t header)
{
    return (size_t)(header >> 32);
}

/* The type of a header that is known to be one. */
static inline const struct type *type_of_header(const struct type_table *table, uint64_t header)
{
    return table->types[header_type_number(header)];
}

/* Bytes from the object to the next, header included. */
static inline size_t object_size(const struct type *type, uint64_t header)
{
    return (type->api.array_base + header_length(header) * type->api.element_size) & ~(GRANULE_SIZE - 1);
}

#endif
