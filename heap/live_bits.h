/*
 * Side bitmaps of one bit per granule; a word is a chunk.
 *
 * [live] From the end of a cycle's marking to the cycle's end, bit g of the live bits is set exactly when granule
 * g is the address of an object that marking reached, or that was allocated since its mutator was scanned
 * (*born*). Markers set the former; of the latter each mutator sets its own, chunk of its buffer by chunk, at the
 * latest in the flip (bump.h). While marking runs, several threads set bits of one word, so that takes the
 * functions called shared (markers gather bits, and set several of a word at once: gc/held_bits.h); later readers come after a handshake or a stop that all of them took part in. Setting a bit
 * releases what its setter knows of the object, its header above all, for those who find objects by their bits.
 */
#ifndef SHALE_HEAP_LIVE_BITS_H
#define SHALE_HEAP_LIVE_BITS_H

#include "heap/atomic.h"
#include "heap/layout.h"

#include <stdbool.h>

#define GRANULE_NONE UINT32_MAX

static inline bool bits_test(const uint64_t *words, granule_number granule)
{
    return (words[granule >> 6] >> (granule & 63) & 1) != 0;
}

static inline void bits_set(uint64_t *words, granule_number granule)
{
    words[granule >> 6] |= UINT64_C(1) << (granule & 63);
}

/* While others set bits. */
static inline bool bits_test_shared(const uint64_t *words, granule_number granule)
{
    return (atomic_u64_load((const atomic_u64 *)&words[granule >> 6]) >> (granule & 63) & 1) != 0;
}

/* While others set bits: whether it was this call that set the bit. Ordered with everything before and after it. */
static inline bool bits_set_shared(uint64_t *words, granule_number granule)
{
    atomic_u64 *word = (atomic_u64 *)&words[granule >> 6];
    uint64_t bit = UINT64_C(1) << (granule & 63);
    for (;;) {
        uint64_t before = atomic_u64_load(word);
        if ((before & bit) != 0)
            return false;
        if (atomic_u64_cas_full(word, before, before | bit))
            return true;
    }
}

/* While others set bits: sets several of a word, and returns those that were set before. Ordered with everything before and after
 * it. */
static inline uint64_t bits_add_shared(uint64_t *words, size_t word, uint64_t bits)
{
    for (;;) {
        uint64_t before = atomic_u64_load((const atomic_u64 *)&words[word]);
        if (atomic_u64_cas_full((atomic_u64 *)&words[word], before, before | bits))
            return before & bits;
    }
}

static inline uint64_t bits_word(const uint64_t *words, size_t word)
{
    return atomic_u64_load((const atomic_u64 *)&words[word]);
}

/* The first set bit in [from, to); `to` when there is none. */
static inline granule_number bits_next(const uint64_t *words, granule_number from, granule_number to)
{
    if (from >= to)
        return to;
    size_t word = from >> 6;
    size_t last = (size_t)(to - 1) >> 6;
    uint64_t bits = bits_word(words, word) & (~UINT64_C(0) << (from & 63));
    while (bits == 0) {
        if (word == last)
            return to;
        bits = bits_word(words, ++word);
    }
    size_t found = (word << 6) + (unsigned)__builtin_ctzl(bits);
    return found < to ? (granule_number)found : to;
}

/* The last set bit in [from, to], GRANULE_NONE when there is none. */
static inline granule_number bits_previous(const uint64_t *words, granule_number from, granule_number to)
{
    size_t word = to >> 6;
    size_t first = from >> 6;
    uint64_t bits = bits_word(words, word) & (~UINT64_C(0) >> (63 - (to & 63)));
    while (bits == 0) {
        if (word == first)
            return GRANULE_NONE;
        bits = bits_word(words, --word);
    }
    size_t found = (word << 6) + 63 - (unsigned)__builtin_clzl(bits);
    return found >= from ? (granule_number)found : GRANULE_NONE;
}

#endif
