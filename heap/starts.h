/*
 * Object starts: which words are the addresses of objects, for who has nothing but a word (gc/conservative.h).
 *
 * [starts] From mark_prepare on, until the next one, an object is *valid* if the last marking found it live, or it was born
 * then, or was placed or allocated since. Only valid objects may be marked: one that the last marking found dead still has
 * its header, but what it refers to may be gone or have moved.
 *
 * What is known of a region when a cycle begins: up to `from` the valid objects are those with a live bit, which is kept in
 * `words`, as the cycle is about to clear it. From there on all are valid, and they lie back to back, but for gaps of
 * zeros:
 *
 *   - a region that the last marking looked at: `from` is its born_from, where births begin;
 *   - one in which nothing is marked was taken since, or was filled by the compaction: `from` is its start;
 *   - one that the compaction filled, with gaps that hold anything, as something was held back [hold-back]: the words were
 *     set when it was over, and nothing is behind `from`;
 *   - one that is taken after the cycle began: likewise; its generation tells.
 *
 * So it takes one copy of the live bits of each region, of marked regions only, and only in heaps that need it; and a look
 * at headers only where a word points at young objects.
 *
 * The collector's only. Regions' `top` and `scanned_to` are read where their owners have been scanned in the running cycle.
 */
#ifndef SHALE_HEAP_STARTS_H
#define SHALE_HEAP_STARTS_H

#include "heap/memory.h"

struct starts_region {
    uint32_t from; /* bytes from the region's start */
    uint32_t generation;
    bool walked; /* what lies behind `from` is in `words` too */
    bool placed; /* `words` are right for the next cycle */
};

struct starts {
    struct memory *memory;
    uint64_t *words;
    struct starts_region *regions;
};

/* Bytes of zeroed memory that starts_init wants. */
size_t starts_size(const struct memory *memory);
void starts_init(struct starts *starts, struct memory *memory, void *zeroed);

/* The cycle begins, and the region's live bits and born_from are still the last one's. */
void starts_keep(struct starts *starts, region_number number);
/* The same, for a cycle that does not ask for objects. */
void starts_forget(struct starts *starts, region_number number);

/* The compaction is over: its words will be set, for the next cycle, by the caller. */
void starts_begin_placed(struct starts *starts, region_number number);

/* When all mutators were scanned: the valid object that a granule is part of, and that was not born since;
 * GRANULE_NONE if there is none. */
granule_number starts_find(struct starts *starts, granule_number granule);

#endif
