/*
 * Object types of all shapes, and a naive account of which words of an object are slots. It follows the
 * description that a type is registered with, not what the library makes of it.
 */
#ifndef SHALE_TESTS_MODEL_TYPES_H
#define SHALE_TESTS_MODEL_TYPES_H

#include "heap/type.h"
#include "tests/support/test_random.h"

enum model_type {
    MODEL_BYTES,    /* an array of bytes */
    MODEL_BLOB,     /* pointer-free, fixed */
    MODEL_PAIR,     /* two pointers and a word of data */
    MODEL_MIXED,    /* pointers and values */
    MODEL_POINTERS, /* an array of pointers */
    MODEL_VALUES,   /* an array of values */
    MODEL_RECORDS,  /* a fixed part with a slot, then elements with a pointer, data and a value each */
    MODEL_CUSTOM,   /* slots where a pattern in the object says so */
    MODEL_WIDE,     /* fixed, several pages, with slots on each */
    MODEL_EMPTY,    /* no payload at all */
    MODEL_TYPES
};

enum model_encoding { MODEL_PLAIN, MODEL_TAGGED, MODEL_NAN_BOXED, MODEL_ENCODINGS };

enum { MODEL_SLOTS_MAX = 40000, MODEL_WIDE_SIZE = 9000, MODEL_WIDE_STEP = 504 };

struct model_slot {
    size_t offset; /* bytes from the object's address */
    bool value;
};

const shale_type_spec *model_spec(enum model_type type);
shale_encoding model_encoding_of(enum model_encoding kind);

/* Registers all types in a table. */
void model_types_register(struct type_table *table, struct type *types[MODEL_TYPES]);

/* A number of elements, mostly small, now and then as large as an object can be. */
size_t model_random_length(struct test_random *random, enum model_type type);

/* The same of a large object, of a type with an array. */
size_t model_random_large_length(struct test_random *random, enum model_type type);

/* Whether an object has whole pages of its own. */
bool model_is_large(enum model_type type, size_t length);

/* Bytes of an object, header included; of a large one without what is not a whole word. */
size_t model_size(enum model_type type, size_t length);

/* The same with a stored identity hash. */
size_t model_stored_size(enum model_type type, size_t length);

/* All slots of an object. `payload` is where it can be read. Returns their number. */
size_t model_slots(enum model_type type, size_t length, const void *payload,
                   struct model_slot slots[MODEL_SLOTS_MAX]);

/* Whether a value is a reference, and which address it holds. */
bool model_value_is_reference(enum model_encoding kind, uint64_t word);
uint64_t model_value_address(enum model_encoding kind, uint64_t word);
/* A value that refers to an address; one that refers to nothing. */
uint64_t model_value_make(enum model_encoding kind, struct test_random *random, uint64_t address);
uint64_t model_value_immediate(enum model_encoding kind, struct test_random *random);

#endif
