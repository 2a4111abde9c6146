/*
 * Object types of every shape that Shale knows, and for each word of an object what it holds: data, a pointer
 * or a value. Data words are a function of the object's serial number, its version and their place, so that
 * neither need be kept to be checked, and a word that strayed is noticed.
 */
#ifndef SHALE_TESTS_SHADOW_TYPES_H
#define SHALE_TESTS_SHADOW_TYPES_H

#include "tests/support/stress_random.h"

#include <shale/shale.h>

enum shadow_kind {
    SHADOW_EMPTY,      /* no payload at all */
    SHADOW_CELL,       /* pointers in the fixed part */
    SHADOW_RECORD,     /* pointers, values and data in the fixed part */
    SHADOW_BIG_RECORD, /* a fixed part of the largest size, with slots far apart */
    SHADOW_POINTERS,   /* array of pointers */
    SHADOW_VALUES,     /* array of values */
    SHADOW_STRUCTS,    /* array of structs that hold some of each */
    SHADOW_BYTES,      /* no slots, any number of bytes */
    SHADOW_CUSTOM,     /* slots that only a visitor finds: word 0 tells how far apart they are */
    SHADOW_KINDS
};

enum shadow_encoding { SHADOW_PLAIN, SHADOW_TAGGED, SHADOW_NAN_BOXED, SHADOW_ENCODINGS };
extern const char *const shadow_encoding_names[SHADOW_ENCODINGS];

struct shadow_types {
    const shale_type *types[SHADOW_KINDS];
    enum shadow_encoding encoding;
};

enum shadow_role { SHADOW_DATA, SHADOW_POINTER, SHADOW_VALUE };

/* What the heap's options need for value slots of this encoding. */
shale_encoding shadow_encoding_options(enum shadow_encoding encoding);

/* Registers all types with a heap. */
void shadow_types_register(struct shadow_types *types, shale_heap *heap, enum shadow_encoding encoding);

/* A random length, mostly short, now and then the longest there is; 0 for kinds without an array. */
uint32_t shadow_draw_length(enum shadow_kind kind, struct stress_random *random);

/* One that makes a large object; 0 for kinds without an array. */
uint32_t shadow_draw_large_length(enum shadow_kind kind, struct stress_random *random);

/* Payload bytes of an object. */
uint32_t shadow_payload(enum shadow_kind kind, uint32_t length);

/* What word `word` of an object holds. `stride` matters to SHADOW_CUSTOM only. */
enum shadow_role shadow_role_of(enum shadow_kind kind, uint32_t stride, uint32_t word);

/* Whether any word is a slot. */
bool shadow_has_slots(enum shadow_kind kind);

/* The value word for a reference to `address` with the bits outside the address from `bits`, and back:
 * shadow_address_in returns 0 for a word that is none, which is what an immediate must be. */
shale_value shadow_reference(enum shadow_encoding encoding, const void *address, uint64_t bits);
void *shadow_address_in(enum shadow_encoding encoding, shale_value word);
/* The bits of a reference that moving must keep. */
uint64_t shadow_bits_of(enum shadow_encoding encoding, shale_value word);
/* A random word that is no reference. */
shale_value shadow_immediate(enum shadow_encoding encoding, struct stress_random *random);

/* The contents of a data word. */
static inline uint64_t shadow_data(uint64_t serial, uint32_t version, uint32_t word)
{
    return stress_mix(serial * UINT64_C(0x100000001b3) + ((uint64_t)version << 32 | word));
}

#endif
