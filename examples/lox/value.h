/*
 * Values: 64-bit words, NaN-boxed.
 *
 * A word below VALUE_TAGS << 48 is a double. All other words are quiet NaNs that no arithmetic yields: the processor's own are
 * 0x7ff8 << 48 and 0xfff8 << 48. So a word that is no number makes any sum or product that it gets into a NaN, by which the
 * interpreter notices it without having looked before.
 *
 * A reference has an address in its low 48 bits and what it refers to in the two bits above them, so that calling and
 * getting at fields need not look into the object to know what it is. Shale keeps all bits but the address when the object moves.
 */
#ifndef LOX_VALUE_H
#define LOX_VALUE_H

#include <shale/shale.h>
#include <string.h>

typedef shale_value value;

#define VALUE_TAGS UINT64_C(0xfff9)
#define VALUE_IMMEDIATE (VALUE_TAGS << 48)

#define VALUE_NIL (VALUE_IMMEDIATE | 2)
#define VALUE_FALSE (VALUE_IMMEDIATE | 3)
#define VALUE_TRUE (VALUE_IMMEDIATE | 4)
#define VALUE_UNDEFINED \
    (VALUE_IMMEDIATE | 6) /* what a global holds that was not defined; never in a register */

#define VALUE_REFERENCE_MASK UINT64_C(0xfffc000000000000)
#define VALUE_ADDRESS_MASK UINT64_C(0x0000ffffffffffff)

/* The upper 16 bits of references. An object begins with its enum object_kind if its references are TAG_OBJECT. */
enum value_tag { TAG_OBJECT = 0xfffc, TAG_STRING = 0xfffd, TAG_INSTANCE = 0xfffe, TAG_CLOSURE = 0xffff };

static inline bool is_number(value word)
{
    return word < VALUE_IMMEDIATE;
}

static inline bool is_reference(value word)
{
    return word >= VALUE_REFERENCE_MASK;
}

static inline bool has_tag(value word, enum value_tag tag)
{
    return word >> 48 == (uint64_t)tag;
}

static inline bool is_string(value word)
{
    return has_tag(word, TAG_STRING);
}

static inline bool is_instance(value word)
{
    return has_tag(word, TAG_INSTANCE);
}

static inline bool is_closure(value word)
{
    return has_tag(word, TAG_CLOSURE);
}

static inline bool is_falsey(value word)
{
    return (word | 1) == VALUE_FALSE; /* false or nil */
}

static inline double to_number(value word)
{
    double number;
    memcpy(&number, &word, sizeof number);
    return number;
}

static inline value from_number(double number)
{
    value word;
    memcpy(&word, &number, sizeof word);
    return word;
}

static inline value from_boolean(bool boolean)
{
    return VALUE_FALSE + boolean;
}

static inline void *to_pointer(value word)
{
    return (void *)(uintptr_t)(word & VALUE_ADDRESS_MASK);
}

static inline value from_pointer(enum value_tag tag, const void *object)
{
    return (uint64_t)tag << 48 | (uint64_t)(uintptr_t)object;
}

/* A word that other threads may write meanwhile [sharing]: the value is one that was written. The processors that matter order
 * what is read through it after this; only a checking tool has to be told. */
static inline value load_word(const value *place)
{
#if defined(__SANITIZE_THREAD__)
    return __atomic_load_n(place, __ATOMIC_ACQUIRE);
#else
    return __atomic_load_n(place, __ATOMIC_RELAXED);
#endif
}

/* The same of a pointer. */
static inline void *load_pointer(const void *place)
{
    return to_pointer(load_word(place));
}

static inline uint32_t load_half(const uint32_t *place)
{
    return __atomic_load_n(place, __ATOMIC_RELAXED);
}

/* Equal strings are one object, so only numbers are not compared bit by bit: 0 is -0, and NaN is not itself. */
static inline bool values_equal(value a, value b)
{
    if (is_number(a) && is_number(b))
        return to_number(a) == to_number(b);
    return a == b;
}

#endif
