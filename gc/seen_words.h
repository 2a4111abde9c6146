/*
 * Seen words: for verification, where the words of conservative mutators pointed when they were looked at [verify].
 *
 * A granule is noted if a word pointed at it. From when the first mutator of a cycle is scanned until the flip these are all that
 * were looked at in marking; from the flip's stop on, those that were looked at there.
 *
 * Who writes what: whoever scans notes, several at once in a handshake, by atomic or; the collector reads and clears while nobody
 * scans, after a handshake or in a stop that all of them took part in.
 */
#ifndef SHALE_GC_SEEN_WORDS_H
#define SHALE_GC_SEEN_WORDS_H

#include "heap/memory.h"

struct seen_words {
    const struct memory *memory;
    uint64_t *granules; /* a bit for each of all spaces */
    atomic_u8 *regions; /* per region, and so many bytes of the other spaces: it has one that is noted */
    region_number count;
    struct memory_table table;
};

/* Returns 0 or a negative errno value. */
int seen_words_create(struct seen_words *seen, const struct memory *memory);
void seen_words_destroy(struct seen_words *seen);

void seen_words_clear(struct seen_words *seen);

/* The first granule that is noted, from `offset` on, as an offset; OFFSET_NONE: there is none. */
size_t seen_words_next(const struct seen_words *seen, size_t offset);

static inline void seen_words_note(struct seen_words *seen, size_t offset)
{
    atomic_u64_or_release((atomic_u64 *)&seen->granules[offset >> CHUNK_SHIFT],
                          UINT64_C(1) << (offset >> GRANULE_SHIFT & 63));
    atomic_u8_store(&seen->regions[region_of(offset)], 1);
}

#endif
