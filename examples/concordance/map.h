/*
 * The concordance: an in-heap hash map from word to count and postings, shared by all threads.
 *
 * All of it but this header's structs lies in the Shale heap. The map is split into shards by the word's
 * hash; a shard is a handle to its table and the lock that guards everything reachable from there. So that a
 * table may be larger than the largest object it is a directory of bucket segments:
 *
 *     handle -> table -> segment -> entry -> entry -> ...
 *                                     |-> letters    (pointer-free bytes)
 *                                     '-> postings   (pointer-free 64-bit words)
 *
 * How it makes work for the collector: posting arrays grow by copying, and each outgrown one is garbage.
 * A word's array that is full at POSTINGS_MAX is replaced by one with the newer half of its postings.
 * map_rebuild copies a shard's entries and postings into fresh objects but keeps the letters, so that the
 * regions which the shard leaves are not empty but sparse. Counts are kept in the entries and never
 * trimmed: they stay exact, whatever is dropped.
 *
 * Functions that return bool return false when an allocation failed; shale_last_error says why. The map is
 * then still whole, without the word that was being added.
 */
#ifndef CONCORDANCE_MAP_H
#define CONCORDANCE_MAP_H

#include "word.h"

#include <pthread.h>
#include <stdatomic.h>

/* Postings kept per word: at most this many, after a rebuild at most POSTINGS_KEPT. With its header word an
 * array of 2^n - 1 postings fills whole granules. */
#define POSTINGS_MAX 63
#define POSTINGS_KEPT 31

/* Many more shards than threads, so that two threads rarely want the same one. */
#define SHARD_BITS 6
#define SHARDS (1 << SHARD_BITS)

struct shard {
    _Alignas(64) pthread_mutex_t lock; /* one cache line each: threads work on neighbouring shards */
    shale_handle *table;
};

struct map {
    const shale_type *letters_type;
    const shale_type *postings_type;
    const shale_type *entry_type;
    const shale_type *segment_type;
    const shale_type *table_type;
    struct shard shards[SHARDS];
    atomic_uint_fast64_t distinct;         /* words in the map */
    atomic_uint_fast64_t trimmed_postings; /* dropped because a word had too many */
    atomic_uint_fast64_t rebuilt_shards;
};

/* Registers the types and makes an empty map. The calling thread is the mutator's; may collect. */
bool map_create(struct map *map, shale_heap *heap, shale_mutator *mutator, shale_error *error);

/* Drops the map; its objects are garbage then. No other thread uses it any more. */
void map_destroy(struct map *map, shale_mutator *mutator);

/* Counts one occurrence of a word. Any attached thread; may collect. */
bool map_add(struct map *map, shale_mutator *mutator, const struct word *word, uint64_t posting);

/* Copies the shard's table into fresh objects and drops the old ones. Any attached thread; may collect. */
bool map_rebuild(struct map *map, shale_mutator *mutator, size_t shard);

/* What map_each shows. The addresses are inside the heap: good during the call only, and not to be handed
 * to a system call, nor to stdio, which may pass them on. */
struct map_item {
    const char *letters;
    size_t length;
    uint64_t count;
    const uint64_t *postings; /* oldest first */
    size_t posting_count;
};
typedef bool (*map_item_function)(void *context, const struct map_item *item);

/* Calls `show` for each word, shard by shard, until it returns false; returns what it returned last. `show`
 * must not call into Shale. Any attached thread; may collect between shards. */
bool map_each(struct map *map, shale_mutator *mutator, map_item_function show, void *context);

#endif
