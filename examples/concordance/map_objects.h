/*
 * The layouts of the map's objects, for the map's own files. Every pointer below is a slot that the
 * collector rewrites; the types that say so are registered in map.c.
 */
#ifndef CONCORDANCE_MAP_OBJECTS_H
#define CONCORDANCE_MAP_OBJECTS_H

#include "map.h"

struct entry {
    struct entry *next; /* in the same bucket */
    char *letters;      /* its object's length is the word's */
    uint64_t *postings; /* its object's length is the capacity */
    uint64_t count;     /* occurrences, exact */
    uint32_t hash;      /* the low half, for rehashing and quick comparison */
    uint32_t stored;    /* postings in use */
};

/* A segment is an array of this many buckets: 2 KiB, an ordinary small object. */
#define SEGMENT_BUCKETS 256

struct table {
    size_t buckets; /* a power of two */
    size_t entries;
    struct entry **segments[]; /* buckets / SEGMENT_BUCKETS of them */
};

/* Beyond this the directory would be too large for an object; chains get longer instead. */
#define SEGMENTS_MAX ((SHALE_OBJECT_MAX - sizeof(struct table)) / sizeof(struct entry **))

static inline struct entry **table_segment(struct table *table, uint32_t hash)
{
    return table->segments[(hash & (table->buckets - 1)) / SEGMENT_BUCKETS];
}

/* Makes an empty table. Returns NULL when memory is out; may collect. */
struct table *table_create(const struct map *map, shale_mutator *mutator, size_t buckets);

/* Puts an entry that is in no table, or in one that is about to be dropped, into its bucket. Does not
 * collect. */
void table_link(shale_mutator *mutator, struct table *table, struct entry *entry);

/* Replaces the shard's table by one of twice the size when there are more entries than buckets. The caller
 * holds the shard's lock. Returns false when memory is out; may collect. */
bool table_grow(const struct map *map, shale_mutator *mutator, const struct shard *shard);

#endif
