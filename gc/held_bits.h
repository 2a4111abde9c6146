/*
 * Held bits: live bits that a tracer has set for itself, and not yet among the live bits.
 *
 * [held] Others set bits of the same words, so setting one takes a locked instruction, which holds back the loads behind it
 * until those before it are done. A tracer gathers the bits of many objects, which often are in a few words, and writes
 * them together, a word at a time: when it needs the place of a word for another one, and when it has nothing else to
 * do, hence before it is idle. So when all tracers are out of work [work] nobody holds any.
 *
 * A bit that is held counts as set for its tracer, and as not set for everybody else. What the others do then is done
 * twice, and no harm: another tracer looks at the object as well, a mutator shades it. Who is first is known when the
 * bit is written [trace]. Nothing is lost by the delay:
 *
 *  - An object whose bit is held is on its tracer's stack or was looked at, or is in a packet, or its region is noted; so it is looked
 *    at before tracing is over, as if the bit were set.
 *  - Who looks at marked objects of a region or page does so when nobody traces, or [remark] for writes that came before this
 *    tracing began. An object that is held then is looked at by its tracer after that, since none was held when it began.
 *  - Where marking is decided by bits - by mutators for weak references, at the end of marking - nobody traces, so none is held; before,
 *    it is as if the tracer had come by a little later.
 *
 * A tracer's own, so nobody else reads or writes it.
 */
#ifndef SHALE_GC_HELD_BITS_H
#define SHALE_GC_HELD_BITS_H

#include "heap/live_bits.h"

enum { HELD_PLACES_SHIFT = 7, HELD_PLACES = 1 << HELD_PLACES_SHIFT };

struct held_bits {
    unsigned count;
    uint8_t used[HELD_PLACES]; /* places that hold bits, in no order */
    uint32_t words[HELD_PLACES];
    uint64_t bits[HELD_PLACES]; /* of the word; 0: none */
};

/* Fibonacci hashing: structures are often powers of two apart. */
static inline unsigned held_place(size_t word)
{
    return (uint32_t)word * UINT32_C(0x9e3779b9) >> (32 - HELD_PLACES_SHIFT);
}

static inline bool held_test(const struct held_bits *held, granule_number granule)
{
    size_t word = granule >> 6;
    unsigned place = held_place(word);
    return held->words[place] == word && (held->bits[place] >> (granule & 63) & 1) != 0;
}

enum held_outcome { HELD_TAKEN, HELD_ALREADY, HELD_FULL };

/* Takes a bit, unless it is held already, or there is no room for its word. */
static inline enum held_outcome held_take(struct held_bits *held, granule_number granule)
{
    uint32_t word = granule >> 6;
    uint64_t bit = UINT64_C(1) << (granule & 63);
    unsigned place = held_place(word);
    uint64_t before = held->bits[place];
    if (before == 0) {
        held->words[place] = word;
        held->used[held->count++] = (uint8_t)place;
    } else if (held->words[place] != word) {
        return HELD_FULL;
    } else if ((before & bit) != 0) {
        return HELD_ALREADY;
    }
    held->bits[place] = before | bit;
    return HELD_TAKEN;
}

#endif
