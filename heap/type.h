/*
 * Registered object types, and the one place that knows how an object's header leads to its slots.
 *
 * [type] A type is immutable once registered, and a type number is never reused; so any thread, the fault
 * server and signal handlers included, may read the table without a lock.
 *
 * Header word: bits 0-15 type number (0 is no type), bits 16-18 where the identity hash is [hash], bits 19-31
 * zero, bits 32-63 number of array elements; if that is LENGTH_ELSEWHERE or more, LENGTH_ELSEWHERE,
 * and the number is in the word in front of the header, as only large objects have [fixed]. Type, length and HEADER_STORED, and with them the object's size,
 * never change while an object is where it is, so they may be read while its page is being built. Mutators set
 * the two other bits at any time, by CAS through the mutator view; nobody clears them, but in the copy that is
 * made of an object that moves.
 */
#ifndef SHALE_HEAP_TYPE_H
#define SHALE_HEAP_TYPE_H

#include "heap/atomic.h"
#include "heap/layout.h"

#include <pthread.h>
#include <shale/shale.h>

enum { TYPE_NUMBER_MAX = 65535 };

/* Bytes of an object's fixed part, or of an element. */
#define TYPE_SIZE_MAX ((size_t)1 << 30)

/* The bits of a header that tell where the object's identity hash is: see identity_hash.h. */
#define HEADER_STORED_SHIFT 18
#define HEADER_ASKED (UINT64_C(1) << 16)
#define HEADER_SETTLED (UINT64_C(1) << 17)
#define HEADER_STORED (UINT64_C(1) << HEADER_STORED_SHIFT)
#define HEADER_HASH_BITS (HEADER_ASKED | HEADER_SETTLED | HEADER_STORED)

/* Bytes of a stored identity hash. */
#define HASH_SIZE_SHIFT 3
#define HASH_SIZE ((size_t)1 << HASH_SIZE_SHIFT)

/* In a header: see above. */
#define LENGTH_ELSEWHERE UINT64_C(0xffffffff)

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

#define SLOTS_NOT_PLAIN UINT32_MAX

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
    /* How many slots an object has, if all are pointers in the fixed part and keep alive what they refer to; else SLOTS_NOT_PLAIN. */
    uint32_t plain_slots;
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

/* Of objects in regions. */
static inline size_t header_length(uint64_t header)
{
    return (size_t)(header >> 32);
}

/* Of any object, which can be read at `object`. */
static inline size_t object_length(uint64_t header, const void *object)
{
    size_t length = header_length(header);
    return __builtin_expect(length != LENGTH_ELSEWHERE, 1) ? length : ((const uint64_t *)object)[-2];
}

/* The type of a header that is known to be one. */
static inline const struct type *type_of_header(const struct type_table *table, uint64_t header)
{
    return table->types[header_type_number(header)];
}

/* Of objects in regions: bytes from the object to the next, header included, and a stored identity hash: HEADER_STORED, shifted, is its
 * size. */
static inline size_t object_size(const struct type *type, uint64_t header)
{
    size_t hash = header >> (HEADER_STORED_SHIFT - HASH_SIZE_SHIFT) & HASH_SIZE;
    return (type->api.array_base + header_length(header) * type->api.element_size + hash) &
           ~(GRANULE_SIZE - 1);
}

/* Bytes of any object, which can be read at `object`, that are the program's. */
static inline size_t object_payload(const struct type *type, uint64_t header, const void *object)
{
    return type->fixed_size + object_length(header, object) * type->api.element_size;
}

#endif
