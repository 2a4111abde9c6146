/* A word as the tokeniser hands it to the map, and where in the text it stood. */
#ifndef CONCORDANCE_WORD_H
#define CONCORDANCE_WORD_H

#include <shale/shale.h>

/* The longest word that is counted, in letters: a word is one object. */
#define WORD_MAX SHALE_OBJECT_MAX

struct word {
    const char *letters; /* lowercase, outside the heap, not ended by a NUL */
    size_t length;
    uint64_t hash;
};

/* A posting says where a word occurred: 24 bits of file number, 40 bits of byte offset. */
#define POSTING_OFFSET_BITS 40
#define POSTING_FILES_MAX ((size_t)1 << 24)
#define POSTING_OFFSET_MAX (((uint64_t)1 << POSTING_OFFSET_BITS) - 1)

/* Offsets past the first TiB of a file are recorded as the last one that fits. */
static inline uint64_t posting_pack(size_t file, uint64_t offset)
{
    if (offset > POSTING_OFFSET_MAX)
        offset = POSTING_OFFSET_MAX;
    return (uint64_t)file << POSTING_OFFSET_BITS | offset;
}

static inline size_t posting_file(uint64_t posting)
{
    return (size_t)(posting >> POSTING_OFFSET_BITS);
}

static inline uint64_t posting_offset(uint64_t posting)
{
    return posting & POSTING_OFFSET_MAX;
}

#endif
