/*
 * Size classes: the sizes that cells for objects that never move come in. Pure.
 *
 * [size-class] Every object has one class, the smallest whose cells it fits; a larger object's is never smaller. Cells
 * are whole granules. Up to 128 bytes, header included, nothing is lost to rounding; beyond that there are four classes to each
 * doubling, so a cell is less than a quarter larger than what is in it.
 *
 * A block is cut into cells from its second granule on, as a region is [layout]: cell i starts at granule
 * 1 + i * granules. Which granules of a bitmap's word are starts follows from the word's *phase*, the granules from
 * the word's first to the first start at or behind it, and the class's pattern: the starts of a word of phase 0.
 */
#ifndef SHALE_HEAP_SIZE_CLASS_H
#define SHALE_HEAP_SIZE_CLASS_H

#include "heap/layout.h"

#include <shale/shale.h>

/* Blocks of cells come in sizes that double. */
#define SMALL_BLOCK_SHIFT 15
#define SMALL_BLOCK_SIZE ((size_t)1 << SMALL_BLOCK_SHIFT)
enum { SMALL_BLOCK_WORDS = SMALL_BLOCK_SIZE >> CHUNK_SHIFT, LARGE_BLOCK_WORDS = REGION_CHUNKS };

/* A block is the smallest that a cell is no more than this part of, as nearly so much may be left over at its end. */
enum { BLOCK_CELLS_LEAST = 16 };

/* Classes of a granule each; then so many to a doubling. */
enum { SIZE_CLASS_EXACT = 8, SIZE_CLASS_STEPS = 4, SIZE_CLASS_COUNT = 41 };

struct size_class {
    uint32_t granules; /* of a cell */
    uint32_t words;    /* of a bitmap for a block's granules */
    uint32_t count;    /* of cells in a block */
    uint32_t end;      /* the granule behind them */
    uint32_t carry;    /* from a word's phase to the next one's, modulo `granules` */
    uint64_t pattern;
};

/* The class of objects of `size` bytes, header and rounding included, OBJECT_SIZE_MAX at most. */
static inline unsigned size_class_of(size_t size)
{
    size_t last = (size >> GRANULE_SHIFT) - 1;
    if (last < SIZE_CLASS_EXACT)
        return (unsigned)last;
    unsigned top = 63 - (unsigned)__builtin_clzll(last);
    return SIZE_CLASS_EXACT + (top - 3) * SIZE_CLASS_STEPS + ((last >> (top - 2)) & (SIZE_CLASS_STEPS - 1));
}

/* Granules of its cells. */
static inline uint32_t size_class_granules(unsigned class)
{
    if (class < SIZE_CLASS_EXACT)
        return class + 1;
    unsigned doubling = (class - SIZE_CLASS_EXACT) / SIZE_CLASS_STEPS;
    unsigned step = (class - SIZE_CLASS_EXACT) % SIZE_CLASS_STEPS;
    return (SIZE_CLASS_STEPS + step + 1) << (doubling + 1);
}

/* All that is known of a class. */
struct size_class size_class_describe(unsigned class);

/* The phase of a block's word. */
uint32_t size_class_phase(const struct size_class *class, unsigned word);

/* The phase of the word behind one of that phase. */
static inline uint32_t size_class_next_phase(const struct size_class *class, uint32_t phase)
{
    uint32_t next = phase + class->carry;
    return next >= class->granules ? next - class->granules : next;
}

/* The starts of cells in a block's word. */
static inline uint64_t size_class_starts(const struct size_class *class, unsigned word, uint32_t phase)
{
    uint64_t starts = phase < 64 ? class->pattern << phase : 0;
    /* What is left at the block's end is no cell. */
    uint32_t first = word << 6;
    if (__builtin_expect(class->end < first + 64, 0))
        starts &= class->end > first ? (UINT64_C(1) << (class->end - first)) - 1 : 0;
    return starts;
}

#endif
