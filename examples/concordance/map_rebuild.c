/* Rebuilding a shard: the program's way of fragmenting the heap. */
#include "map_objects.h"
#include "shard_lock.h"

#include <string.h>

/* Everything that must survive the allocations of a rebuild. A chain of the old table is followed by its
 * entry, which is in the frame too: the old table may be moved at each allocation. */
struct rebuild {
    struct table *old;
    struct table *fresh;
    struct entry *entry;
    uint64_t *postings;
};

/* Copies local->entry, with the newest of its postings, into local->fresh. */
static bool copy_entry(struct map *map, shale_mutator *mutator, struct rebuild *local)
{
    uint32_t keep = local->entry->stored;
    if (keep > POSTINGS_KEPT)
        keep = POSTINGS_KEPT;
    local->postings = shale_allocate_array(mutator, map->postings_type, keep);
    if (local->postings == NULL)
        return false;
    uint32_t dropped = local->entry->stored - keep;
    memcpy(local->postings, local->entry->postings + dropped, keep * sizeof *local->postings);

    struct entry *copy = shale_allocate(mutator, map->entry_type);
    if (copy == NULL)
        return false;
    copy->letters = local->entry->letters;
    copy->postings = local->postings;
    copy->count = local->entry->count;
    copy->hash = local->entry->hash;
    copy->stored = keep;
    table_link(mutator, local->fresh, copy);
    if (dropped != 0)
        atomic_fetch_add_explicit(&map->trimmed_postings, dropped, memory_order_relaxed);
    return true;
}

static bool copy_table(struct map *map, shale_mutator *mutator, struct rebuild *local)
{
    for (size_t i = 0; i < local->old->buckets; i++) {
        local->entry = local->old->segments[i / SEGMENT_BUCKETS][i % SEGMENT_BUCKETS];
        for (; local->entry != NULL; local->entry = local->entry->next) {
            if (!copy_entry(map, mutator, local))
                return false;
        }
    }
    return true;
}

bool map_rebuild(struct map *map, shale_mutator *mutator, size_t index)
{
    struct shard *shard = &map->shards[index];
    struct rebuild local = {NULL, NULL, NULL, NULL};
    shale_frame frame;

    lock_shard(mutator, &shard->lock);
    shale_frame_push(mutator, &frame, &local, sizeof local / sizeof(void *));
    local.old = shale_handle_get(shard->table);
    local.fresh = table_create(map, mutator, local.old->buckets);
    bool done = local.fresh != NULL && copy_table(map, mutator, &local);
    if (done) /* otherwise the old table, which was only read, stays */
        shale_handle_set(mutator, shard->table, local.fresh);
    shale_frame_pop(mutator, &frame);
    unlock_shard(&shard->lock);
    if (done)
        atomic_fetch_add_explicit(&map->rebuilt_shards, 1, memory_order_relaxed);
    return done;
}
