#include "tests/support/table_walk.h"

#include "runtime/weak_table.h"

static void walk_chain(const struct weak_table *table, uint32_t bucket, struct table_walk *walk)
{
    size_t length = 0;
    struct weak_table_place place = weak_table_place_of(table, bucket);
    struct weak_table_entry *entry;
    while ((entry = weak_table_at(&place)) != NULL) {
        length++;
        walk->dead += weak_table_is_dead(entry);
        if (weak_table_bucket(table, *weak_table_hash(table, entry)) != bucket)
            walk->wrong = "an entry is in the wrong bucket";
        if (length > table->entry_count) {
            walk->wrong = "a chain is longer than there are entries";
            break;
        }
        place = weak_table_place_after(table, entry);
    }
    walk->entries += length;
    if (length > walk->longest_chain)
        walk->longest_chain = length;
}

struct table_walk table_walk(const void *address)
{
    const struct weak_table *table = address;
    struct table_walk walk = {.buckets = table->bucket_count};
    for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++)
        walk_chain(table, bucket, &walk);
    const atomic_u64 *directory = weak_table_load(&table->directory);
    for (size_t i = 0; i < shale_length_of(directory); i++) {
        const atomic_u64 *segment = weak_table_load(&directory[i]);
        if (segment == NULL)
            continue;
        walk.segments++;
        uint32_t start = weak_table_segment_start((uint32_t)i);
        if (shale_length_of(segment) != weak_table_segment_start((uint32_t)i + 1) - start)
            walk.wrong = "a segment does not have its length";
        for (uint32_t b = start; b < start + shale_length_of(segment); b++) {
            if (b >= table->bucket_count && weak_table_load(&segment[b - start]) != NULL)
                walk.wrong = "there are entries past the last bucket";
        }
    }
    if (walk.entries != table->entry_count)
        walk.wrong = "the entries were not counted right";
    if (walk.segments > (size_t)weak_table_segment(table->bucket_count - 1) + 2)
        walk.wrong = "there are more segments than buckets need";
    return walk;
}
