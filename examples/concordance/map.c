/* The map: types, lookup, insertion, iteration. */
#include "map.h"
#include "map_objects.h"
#include "shard_lock.h"

#include <string.h>

/* ---- creation ---------------------------------------------------------------------------------- */

static const shale_type *register_type(shale_heap *heap, const shale_type_spec *spec, bool *ok,
                                       shale_error *error)
{
    if (!*ok)
        return NULL; /* the first failure is the one to report */
    const shale_type *type = shale_type_register(heap, spec, error);
    *ok = type != NULL;
    return type;
}

static bool register_types(struct map *map, shale_heap *heap, shale_error *error)
{
    static const uint32_t entry_pointers[] = {offsetof(struct entry, next), offsetof(struct entry, letters),
                                              offsetof(struct entry, postings)};
    static const uint32_t element_is_pointer[] = {0};
    bool ok = true;
    map->letters_type =
        register_type(heap, &(shale_type_spec){.name = "letters", .element_size = sizeof(char)}, &ok, error);
    map->postings_type = register_type(
        heap, &(shale_type_spec){.name = "postings", .element_size = sizeof(uint64_t)}, &ok, error);
    map->entry_type = register_type(
        heap,
        &(shale_type_spec){
            .name = "entry", .size = sizeof(struct entry), .pointers = entry_pointers, .pointer_count = 3},
        &ok, error);
    map->segment_type = register_type(heap,
                                      &(shale_type_spec){.name = "segment",
                                                         .element_size = sizeof(struct entry *),
                                                         .element_pointers = element_is_pointer,
                                                         .element_pointer_count = 1},
                                      &ok, error);
    map->table_type = register_type(heap,
                                    &(shale_type_spec){.name = "table",
                                                       .size = sizeof(struct table),
                                                       .element_size = sizeof(struct entry **),
                                                       .element_pointers = element_is_pointer,
                                                       .element_pointer_count = 1},
                                    &ok, error);
    return ok;
}

bool map_create(struct map *map, shale_heap *heap, shale_mutator *mutator, shale_error *error)
{
    memset(map, 0, sizeof *map);
    if (!register_types(map, heap, error))
        return false;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &map->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        struct table *table = table_create(map, mutator, SEGMENT_BUCKETS);
        shard->table = table != NULL ? shale_handle_create(mutator, table) : NULL;
        if (shard->table == NULL) {
            *error = *shale_last_error(mutator);
            return false;
        }
    }
    return true;
}

void map_destroy(struct map *map, shale_mutator *mutator)
{
    for (size_t i = 0; i < SHARDS && map->shards[i].table != NULL; i++) {
        shale_handle_drop(mutator, map->shards[i].table);
        pthread_mutex_destroy(&map->shards[i].lock);
    }
}

/* ---- one word ---------------------------------------------------------------------------------- */

static struct entry *find(struct table *table, const struct word *word)
{
    uint32_t hash = (uint32_t)word->hash;
    struct entry *entry = table_segment(table, hash)[hash % SEGMENT_BUCKETS];
    for (; entry != NULL; entry = entry->next) {
        if (entry->hash == hash && shale_length_of(entry->letters) == word->length &&
            memcmp(entry->letters, word->letters, word->length) == 0)
            break;
    }
    return entry;
}

/* Gives the entry a posting array with room for one more: larger, or of the largest size with the newer half
 * of the old postings in it. Returns the entry, which may have moved, or NULL when memory is out. */
static struct entry *make_room(struct map *map, shale_mutator *mutator, struct entry *entry)
{
    struct {
        struct entry *entry;
    } local = {entry};
    shale_frame frame;
    size_t capacity = shale_length_of(entry->postings);
    capacity = capacity * 2 + 1 < POSTINGS_MAX ? capacity * 2 + 1 : POSTINGS_MAX;

    shale_frame_push(mutator, &frame, &local, 1);
    uint64_t *fresh = shale_allocate_array(mutator, map->postings_type, capacity);
    shale_frame_pop(mutator, &frame);
    if (fresh == NULL)
        return NULL;
    /* From here to the return nothing collects, so plain locals are good again. */
    entry = local.entry;
    uint32_t keep = entry->stored < POSTINGS_MAX ? entry->stored : POSTINGS_KEPT;
    uint32_t dropped = entry->stored - keep;
    memcpy(fresh, entry->postings + dropped, keep * sizeof *fresh);
    shale_store(mutator, entry, &entry->postings, fresh);
    entry->stored = keep;
    if (dropped != 0)
        atomic_fetch_add_explicit(&map->trimmed_postings, dropped, memory_order_relaxed);
    return entry;
}

/* Makes an entry with no occurrence yet and puts it into the shard's table. Returns NULL when memory is
 * out. */
static struct entry *insert(struct map *map, shale_mutator *mutator, const struct shard *shard,
                            const struct word *word)
{
    struct {
        char *letters;
        uint64_t *postings;
    } local = {NULL, NULL};
    shale_frame frame;
    struct entry *entry = NULL;

    if (!table_grow(map, mutator, shard))
        return NULL;
    shale_frame_push(mutator, &frame, &local, 2);
    local.letters = shale_allocate_array(mutator, map->letters_type, word->length);
    if (local.letters != NULL) {
        memcpy(local.letters, word->letters, word->length);
        local.postings = shale_allocate_array(mutator, map->postings_type, 1);
    }
    if (local.postings != NULL)
        entry = shale_allocate(mutator, map->entry_type);
    shale_frame_pop(mutator, &frame);
    if (entry == NULL)
        return NULL;
    /* First writes into the newest object: plain C, no barrier. */
    entry->letters = local.letters;
    entry->postings = local.postings;
    entry->hash = (uint32_t)word->hash;
    table_link(mutator, shale_handle_get(shard->table), entry);
    atomic_fetch_add_explicit(&map->distinct, 1, memory_order_relaxed);
    return entry;
}

bool map_add(struct map *map, shale_mutator *mutator, const struct word *word, uint64_t posting)
{
    /* The high bits choose the shard, the low half the bucket. */
    struct shard *shard = &map->shards[word->hash >> (64 - SHARD_BITS)];
    lock_shard(mutator, &shard->lock);
    struct entry *entry = find(shale_handle_get(shard->table), word);
    if (entry == NULL)
        entry = insert(map, mutator, shard, word);
    else if (entry->stored == shale_length_of(entry->postings))
        entry = make_room(map, mutator, entry);
    if (entry != NULL) {
        entry->count++;
        entry->postings[entry->stored++] = posting;
    }
    unlock_shard(&shard->lock);
    return entry != NULL;
}

/* ---- all words --------------------------------------------------------------------------------- */

static bool show_entry(const struct entry *entry, map_item_function show, void *context)
{
    struct map_item item = {.letters = entry->letters,
                            .length = shale_length_of(entry->letters),
                            .count = entry->count,
                            .postings = entry->postings,
                            .posting_count = entry->stored};
    return show(context, &item);
}

bool map_each(struct map *map, shale_mutator *mutator, map_item_function show, void *context)
{
    bool go_on = true;
    for (size_t i = 0; go_on && i < SHARDS; i++) {
        lock_shard(mutator, &map->shards[i].lock);
        /* No safepoint in a shard: the addresses below stay good. */
        const struct table *table = shale_handle_get(map->shards[i].table);
        for (size_t j = 0; go_on && j < table->buckets; j++) {
            const struct entry *entry = table->segments[j / SEGMENT_BUCKETS][j % SEGMENT_BUCKETS];
            for (; go_on && entry != NULL; entry = entry->next)
                go_on = show_entry(entry, show, context);
        }
        unlock_shard(&map->shards[i].lock);
        shale_poll(mutator);
    }
    return go_on;
}
