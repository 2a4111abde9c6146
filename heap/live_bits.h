/*
 * Side bitmaps of one bit per granule; a word is a chunk.
 *
 * [live] Between a cycle's mark and its end, bit g of the live bits is set exactly when granule g is the
 * address of an object that was reachable when marking stopped the world, or that was allocated between
 * then and the flip (*born*). Marking sets the former; of the latter each mutator sets its own, chunk of its
 * buffer by chunk, at the latest in the flip (bump.h). Bits of one region are written by one thread at a
 * time, and regions share no words, so plain accesses do; readers come after a stop.
 */
#ifndef SHALE_HEAP_LIVE_BITS_H
#define SHALE_HEAP_LIVE_BITS_H

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

/* The first set bit in [from, to); `to` when there is none. */
static inline granule_number bits_next(const uint64_t *words, granule_number from, granule_number to)
{
    if (from >= to)
        return to;
    size_t word = from >> 6;
    size_t last = (size_t)(to - 1) >> 6;
    uint64_t bits = words[word] & (~UINT64_C(0) << (from & 63));
    while (bits == 0) {
        if (word == last)
            return to;
        bits = words[++word];
    }
    size_t found = (word << 6) + (unsigned)__builtin_ctzl(bits);
    return found < to ? (granule_number)found : to;
}

/* The last set bit in [from, to], GRANULE_NONE when there is none. */
static inline granule_number bits_previous(const uint64_t *words, granule_number from, granule_number to)
{
    size_t word = to >> 6;
    size_t first = from >> 6;
    uint64_t bits = words[word] & (~UINT64_C(0) >> (63 - (to & 63)));
    while (bits == 0) {
        if (word == first)
            return GRANULE_NONE;
        bits = words[--word];
    }
    size_t found = (word << 6) + 63 - (unsigned)__builtin_clzl(bits);
    return found >= from ? (granule_number)found : GRANULE_NONE;
}

#endif
