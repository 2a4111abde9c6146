/* Bucket tables: making, filling, growing. */
#include "map_objects.h"

struct table *table_create(const struct map *map, shale_mutator *mutator, size_t buckets)
{
    struct {
        struct table *table;
    } local = {NULL};
    shale_frame frame;
    size_t segments = buckets / SEGMENT_BUCKETS;
    local.table = shale_allocate_array(mutator, map->table_type, segments);
    if (local.table == NULL)
        return NULL;
    local.table->buckets = buckets;
    shale_frame_push(mutator, &frame, &local, 1);
    for (size_t i = 0; i < segments; i++) {
        struct entry **segment = shale_allocate_array(mutator, map->segment_type, SEGMENT_BUCKETS);
        if (segment == NULL) {
            local.table = NULL;
            break;
        }
        /* The table is no longer the newest object, so this needs the barrier. */
        shale_store(mutator, local.table, &local.table->segments[i], segment);
    }
    shale_frame_pop(mutator, &frame);
    return local.table;
}

void table_link(shale_mutator *mutator, struct table *table, struct entry *entry)
{
    struct entry **segment = table_segment(table, entry->hash);
    struct entry **bucket = &segment[entry->hash % SEGMENT_BUCKETS];
    shale_store(mutator, entry, &entry->next, *bucket);
    shale_store(mutator, segment, bucket, entry);
    table->entries++;
}

bool table_grow(const struct map *map, shale_mutator *mutator, const struct shard *shard)
{
    const struct table *full = shale_handle_get(shard->table);
    size_t buckets = full->buckets * 2;
    if (full->entries < full->buckets || buckets / SEGMENT_BUCKETS > SEGMENTS_MAX)
        return true;

    struct {
        struct table *old;
        struct table *fresh;
    } local = {NULL, NULL};
    shale_frame frame;
    local.fresh = table_create(map, mutator, buckets);
    if (local.fresh == NULL)
        return false;
    local.old = shale_handle_get(shard->table); /* table_create may have moved it */
    shale_frame_push(mutator, &frame, &local, 2);
    for (size_t i = 0; i < local.old->buckets / SEGMENT_BUCKETS; i++) {
        struct entry **segment = local.old->segments[i];
        for (size_t j = 0; j < SEGMENT_BUCKETS; j++) {
            struct entry *next;
            for (struct entry *entry = segment[j]; entry != NULL; entry = next) {
                next = entry->next;
                table_link(mutator, local.fresh, entry);
            }
        }
        /* A large table takes a while: let the collector stop this thread. Entries already relinked are
         * reachable from the fresh table, the others still from the old one. */
        shale_poll(mutator);
    }
    shale_handle_set(mutator, shard->table, local.fresh);
    shale_frame_pop(mutator, &frame);
    return true;
}
