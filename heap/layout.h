/*
 * The units in which the heap is measured, and conversions between them.
 *
 * [layout] An object's address is its first payload byte, a multiple of 16. Its header is the 8 bytes in
 * front of it, so an object of `size` bytes (header included, a multiple of 16) at offset p covers the
 * bytes [p - 8, p - 8 + size) and is counted as the granules [p / 16, (p + size) / 16). Every region leaves
 * its granule 0 unused: the first object of the region at offset r has the address r + 16. An object lies in
 * one region from its first to its last byte.
 *
 * A view consists of three spaces, by offset (struct views has the numbers):
 *
 *   [0, regions)        the region space: objects that move, in regions
 *   [regions, flipped)  the large space: objects with references that are too big for a region, each in a run of
 *                       pages of its own; its address is the run's first page + 16
 *   [data, size)        the data space: pointer-free memory that does not move, in runs of pages
 *
 * A flip takes the pages of the first two away from mutators, [0, span), and leaves those of the data space alone [io].
 *
 * All positions inside the collector are byte offsets from the start of the heap, or granule, page, region
 * and chunk numbers, which are the same in both views; only views.h turns them into pointers.
 */
#ifndef SHALE_HEAP_LAYOUT_H
#define SHALE_HEAP_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define GRANULE_SHIFT 4
#define GRANULE_SIZE ((size_t)1 << GRANULE_SHIFT)

/* A chunk is what one 64-bit word of a side bitmap covers: 64 granules. */
#define CHUNK_SHIFT (GRANULE_SHIFT + 6)
#define CHUNK_SIZE ((size_t)1 << CHUNK_SHIFT)

#define REGION_SHIFT 18
#define REGION_SIZE ((size_t)1 << REGION_SHIFT)
#define REGION_CHUNKS (REGION_SIZE >> CHUNK_SHIFT)
#define REGION_GRANULES (REGION_SIZE >> GRANULE_SHIFT)
#define REGION_FIRST_OBJECT GRANULE_SIZE
/* What objects can fill of a region: all but the 8 bytes before the first header and the 8 at the end. */
#define REGION_CAPACITY (REGION_SIZE - GRANULE_SIZE)

#define HEADER_SIZE ((size_t)8)

/* The largest object in bytes, header and rounding included. */
#define OBJECT_SIZE_MAX ((SHALE_OBJECT_MAX + HEADER_SIZE + GRANULE_SIZE - 1) & ~(GRANULE_SIZE - 1))

/* No object. */
#define OFFSET_NONE SIZE_MAX

/* The heap's size is a multiple of this, so that the kernel can move whole page tables. */
#define HEAP_UNIT ((size_t)2 << 20)
#define HEAP_SIZE_MIN ((size_t)4 << 20)
/* With the reserve for evacuation it must not exceed what the region space may have. */
#define HEAP_SIZE_MAX ((size_t)62 << 30)
#define REGION_SPACE_MAX ((size_t)64 << 30)
#define VIEW_ALIGNMENT ((size_t)1 << 30)

/* Addresses for objects that do not move, as a multiple of the region space, which all of them together cannot fill: what
 * lies between them is lost for a large object, but not for its memory. */
enum { LARGE_SPACE_FACTOR = 4, DATA_SPACE_FACTOR = 4 };

/* Granule, chunk and region numbers are of the region space; they fit 32 bits up to REGION_SPACE_MAX. Page numbers go
 * on through the large space. */
typedef uint32_t granule_number;
typedef uint32_t chunk_number;
typedef uint32_t page_number;
typedef uint32_t region_number;

#define REGION_NONE UINT32_MAX

static inline size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

static inline region_number region_of(size_t offset)
{
    return (region_number)(offset >> REGION_SHIFT);
}

static inline size_t region_start(region_number region)
{
    return (size_t)region << REGION_SHIFT;
}

static inline granule_number granule_of(size_t offset)
{
    return (granule_number)(offset >> GRANULE_SHIFT);
}

static inline size_t granule_start(granule_number granule)
{
    return (size_t)granule << GRANULE_SHIFT;
}

#endif
