/*
 * Identity hashes: a number that an object keeps wherever it moves.
 *
 * [hash] An object's hash never changes once somebody has been told it. It is a function of the place where the
 * object was when it was asked for, so until then it takes no room; when the object moves, it is stored in
 * the object's last 8 bytes. For these the object grows by a granule, unless rounding its size up had left
 * them over. Three bits of the header say where the hash is:
 *
 *   none               nobody has asked
 *   ASKED              identity_hash_at its place; but while a plan is made, see hash_window.h. It has to grow
 *   ASKED, SETTLED     identity_hash_at its place, for certain
 *   STORED             in the last 8 bytes
 *
 *   none  -- a mutator -->                   ASKED and SETTLED at once, if the object need not grow
 *   none  -- a mutator -->                   ASKED, if it must
 *   ASKED -- a mutator -->                   SETTLED as well
 *   ASKED -- page building, in the copy -->  STORED, and neither of the others
 *   ASKED -- page building, in the copy -->  ASKED, of which the plan knew nothing: hash_window.h
 *
 * A place is an address and the number of times that its region was taken, its generation: addresses are
 * used again and again, mostly the same ones, and the hashes that survivors take along would pile up on
 * those. The two are mixed by a bijection; so no hash is 0, different places have different hashes for a million
 * generations, and verification can tell from a stored hash which place it stands for.
 *
 * An object that was asked by way of its new place, and whose region was then held back [hold-back], keeps the hash that it was
 * promised: those are in a table, in which entries of regions with `promised` count. A mutator writes the entry, then the
 * region's flag, before the flip; both are read after it. They are forgotten when the region is freed.
 *
 * `asked` of a region is set before ASKED is, in any object that has to grow for its hash. So a region without it
 * holds none, and the plan need not look; hash_window.h says why that is certain.
 */
#ifndef SHALE_HEAP_IDENTITY_HASH_H
#define SHALE_HEAP_IDENTITY_HASH_H

#include "heap/memory.h"

/* Bits of a place that are its address. */
#define HASH_ADDRESS_BITS 44

/* Bijections, and inverse to each other. */
static inline uint64_t identity_hash_mix(uint64_t place)
{
    place = (place ^ place >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    place = (place ^ place >> 27) * UINT64_C(0x94d049bb133111eb);
    return place ^ place >> 31;
}

static inline uint64_t identity_hash_unmix(uint64_t hash)
{
    hash = (hash ^ hash >> 31 ^ hash >> 62) * UINT64_C(0x319642b2d24d8ec3);
    hash = (hash ^ hash >> 27 ^ hash >> 54) * UINT64_C(0x96de1b173f119089);
    return hash ^ hash >> 30 ^ hash >> 60;
}

/* The hash that a place stands for. (signal) */
static inline uint64_t identity_hash_of_place(const struct memory *memory, size_t offset)
{
    uint64_t generation = atomic_u32_load(&memory->regions.regions[region_of(offset)].generation);
    uint64_t granule = ((uint64_t)(uintptr_t)memory->views.mutator + offset) >> GRANULE_SHIFT;
    return identity_hash_mix(granule ^ generation << HASH_ADDRESS_BITS);
}

/* The hash that an object has when it is asked for where the object is now. (signal) */
static inline uint64_t identity_hash_at(const struct memory *memory, size_t offset)
{
    if (__builtin_expect(atomic_u8_load(&memory->regions.regions[region_of(offset)].promised) != 0, 0)) {
        uint64_t promise = atomic_u64_load(&memory->promises[granule_of(offset)]);
        if (promise != 0)
            return promise;
    }
    return identity_hash_of_place(memory, offset);
}

/* Of a fixed object: its address is nobody else's while it lives, and no object takes the hash along. */
static inline uint64_t identity_hash_fixed(const struct memory *memory, size_t offset)
{
    return identity_hash_mix(((uint64_t)(uintptr_t)memory->views.mutator + offset) >> GRANULE_SHIFT);
}

/* Whether a stored hash can be one of this heap's. */
static inline bool identity_hash_is_plausible(const struct memory *memory, uint64_t hash)
{
    uint64_t granule = identity_hash_unmix(hash) & ((UINT64_C(1) << HASH_ADDRESS_BITS) - 1);
    size_t offset = views_offset(&memory->views, (uintptr_t)granule << GRANULE_SHIFT);
    return offset < memory->views.regions && offset % REGION_SIZE >= REGION_FIRST_OBJECT;
}

/* The header of the copy that stores the hash. */
static inline uint64_t identity_hash_stored_header(uint64_t header)
{
    return (header & ~HEADER_HASH_BITS) | HEADER_STORED;
}

/* Whether an object whose hash is not stored must grow to store it. */
static inline bool identity_hash_grows(const struct type *type, uint64_t header)
{
    return object_size(type, identity_hash_stored_header(header)) != object_size(type, header);
}

/* Where the stored hash of an object of `size` bytes, header included, is: bytes from its address. */
static inline size_t identity_hash_offset(size_t size)
{
    return size - HEADER_SIZE - HASH_SIZE;
}

#endif
