/*
 * What tables with weak entries share: a hash table that is an object of the heap, and grows and shrinks a bucket at a
 * time (linear hashing: Larson, "Dynamic hash tables", CACM 1988).
 *
 * [table] A table is a few objects of the heap, which only the functions here and in weak_table.c change:
 *
 *   weak_table -> directory -> segments of chain heads -> entry -> entry -> ...
 *
 * Directory and segments are arrays of references. Entries are weak references or ephemerons (weak_object.h), strongly
 * linked; the collector needs to know nothing else of tables. With n buckets, and 2^k the first power of two that is not
 * below n, an entry is in the bucket that the low k bits of its hash say if that is below n, else the low k-1 bits. So
 * bucket n is made by splitting one chain, and taken away by joining two.
 *
 * An entry whose object died holds NULL, for good. [sweep] When a cycle has ended since the table was last gone through, each
 * addition looks at a few buckets and unlinks such entries, until all have been looked at. So who adds n / WEAK_TABLE_SWEEP
 * entries has got rid of all that was dead before. Looking up changes nothing; removing nothing but the entry.
 *
 * Who writes what: all of it mutators, which the program orders among themselves; slots by stores with a barrier; the words
 * that entries refer to weakly also the collector.
 */
#ifndef SHALE_RUNTIME_WEAK_TABLE_H
#define SHALE_RUNTIME_WEAK_TABLE_H

#include "heap/weak_object.h"
#include "runtime/mutator.h"

enum {
    WEAK_TABLE_SEGMENT_MAX = SHALE_OBJECT_MAX / sizeof(uint64_t), /* buckets */
    WEAK_TABLE_SEGMENT_FIRST = 8,                                 /* and the least number of buckets */
    WEAK_TABLE_DIRECTORY_FIRST = 4,                               /* segments */
    WEAK_TABLE_DIRECTORY_MAX = SHALE_OBJECT_MAX / sizeof(uint64_t),
    WEAK_TABLE_SWEEP = 4 /* buckets that an addition looks at */
};

/* Where the link and, in front of it, the hash of an entry are. */
enum weak_table_link {
    WEAK_TABLE_OF_WEAK = offsetof(struct weak_object, next),
    WEAK_TABLE_OF_EPHEMERONS = offsetof(struct ephemeron_object, next)
};

struct weak_table {
    atomic_u64 directory; /* the only slot */
    uint32_t link;        /* enum weak_table_link; never changes */
    uint32_t bucket_count;
    uint64_t entry_count;  /* dead ones included */
    uint64_t swept;        /* what died in cycles up to this one was unlinked */
    uint64_t sweeping;     /* the same for the buckets below `sweep_bucket` */
    uint32_t sweep_bucket; /* 0: nothing is under way */
    uint64_t
        grow_above; /* not 0: entries below which growing is not tried, since there was no memory for it */
};

struct weak_table_entry; /* a weak_object or an ephemeron_object */

/* A new table of one of these types; NULL when the heap is full. May collect. */
struct weak_table *weak_table_create(struct mutator *mutator, const struct type *type,
                                     enum weak_table_link link);

/* The table that a user passed, or NULL, and misuse is noted, if it is not of the type. */
struct weak_table *weak_table_check(struct mutator *mutator, const void *table, const struct type *type,
                                    const char *function);

/* Puts in a new entry, whose other fields are filled in. Does not collect. */
void weak_table_add(struct mutator *mutator, struct weak_table *table, struct weak_table_entry *entry,
                    uint32_t hash);

/* Takes an entry out of the chain that begins in `*place`. */
struct weak_table_place {
    void *holder; /* the object that the slot is in: a segment or the entry before */
    atomic_u64 *slot;
};
void weak_table_unlink(struct mutator *mutator, struct weak_table *table,
                       const struct weak_table_place *place);

/* After an addition: sweeps some, grows or shrinks by some. May collect: `*root` is where a frame has the table. Cannot
 * fail: a table that is denied memory is slower. */
void weak_table_tend(struct mutator *mutator, struct weak_table **root);

/* ---- walking --------------------------------------------------------------------------------------- */

static inline uint32_t weak_table_bucket(const struct weak_table *table, uint32_t hash)
{
    uint32_t mask = UINT32_MAX >> __builtin_clz(table->bucket_count - 1);
    uint32_t bucket = hash & mask;
    return bucket < table->bucket_count ? bucket : bucket & mask >> 1;
}

/* Segment 0 has the first 8 buckets, each of the following as many as all before it, up to the largest; these are
 * followed by others of the same size. */
enum { WEAK_TABLE_DOUBLING_SEGMENTS = 10 };
_Static_assert(WEAK_TABLE_SEGMENT_MAX == 8 << (WEAK_TABLE_DOUBLING_SEGMENTS - 1),
               "the segments before are of one largest");

static inline uint32_t weak_table_segment(uint32_t bucket)
{
    if (bucket >= WEAK_TABLE_SEGMENT_MAX)
        return WEAK_TABLE_DOUBLING_SEGMENTS - 1 + bucket / WEAK_TABLE_SEGMENT_MAX;
    return bucket < WEAK_TABLE_SEGMENT_FIRST ? 0 : 29 - (uint32_t)__builtin_clz(bucket);
}

static inline uint32_t weak_table_segment_start(uint32_t segment)
{
    if (segment >= WEAK_TABLE_DOUBLING_SEGMENTS)
        return (segment - WEAK_TABLE_DOUBLING_SEGMENTS + 1) * WEAK_TABLE_SEGMENT_MAX;
    return segment == 0 ? 0 : UINT32_C(4) << segment;
}

static inline void *weak_table_load(const atomic_u64 *slot)
{
    return (void *)(uintptr_t)atomic_u64_load_dependent(slot); // NOLINT(performance-no-int-to-ptr)
}

/* Where a bucket's chain begins. */
static inline struct weak_table_place weak_table_place_of(const struct weak_table *table, uint32_t bucket)
{
    uint32_t number = weak_table_segment(bucket);
    const atomic_u64 *directory = weak_table_load(&table->directory);
    atomic_u64 *segment = weak_table_load(&directory[number]);
    return (struct weak_table_place){segment, &segment[bucket - weak_table_segment_start(number)]};
}

static inline struct weak_table_entry *weak_table_at(const struct weak_table_place *place)
{
    return weak_table_load(place->slot);
}

static inline atomic_u64 *weak_table_next(const struct weak_table *table, struct weak_table_entry *entry)
{
    return (atomic_u64 *)((char *)entry + table->link);
}

static inline uint32_t *weak_table_hash(const struct weak_table *table, struct weak_table_entry *entry)
{
    return (uint32_t *)((char *)entry + table->link - sizeof(uint32_t));
}

static inline struct weak_table_place weak_table_place_after(const struct weak_table *table,
                                                             struct weak_table_entry *entry)
{
    return (struct weak_table_place){entry, weak_table_next(table, entry)};
}

/* An entry for good without an object. */
static inline bool weak_table_is_dead(const struct weak_table_entry *entry)
{
    return atomic_u64_load((const atomic_u64 *)entry) == 0;
}

#endif
