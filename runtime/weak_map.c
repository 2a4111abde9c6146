/*
 * Weak maps: from keys, by identity, to values. The entries are ephemerons.
 *
 * A key that a caller has in hand is alive, so the slots that refer to it are intact whatever the cycle is at: the word in an
 * entry can be compared with it as it is. [weak-phase] No look-up has a safepoint.
 */
#include "runtime/weak_table.h"

static struct weak_table *check(struct mutator *mutator, const shale_weak_map *map, const char *function)
{
    return weak_table_check(mutator, map, mutator->heap->weak_table_types.weak_map, function);
}

shale_weak_map *shale_weak_map_create(shale_mutator *api)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_weak_map_create") != SHALE_OK)
        return NULL;
    return (shale_weak_map *)weak_table_create(mutator, mutator->heap->weak_table_types.weak_map,
                                               WEAK_TABLE_OF_EPHEMERONS);
}

static bool is_key(const struct mutator *mutator, const void *key)
{
    return views_offset(&mutator->heap->memory.views, (uintptr_t)key) < mutator->heap->memory.views.size;
}

static uint32_t hash_of(struct mutator *mutator, const void *key)
{
    return (uint32_t)shale_identity_hash(&mutator->local.bump.api, key);
}

static struct ephemeron_object *ephemeron_of(struct weak_table_entry *entry)
{
    return (struct ephemeron_object *)entry;
}

/* Where the key's entry hangs; where the chain ends, if it has none. */
static struct weak_table_place find(const struct weak_table *table, const void *key, uint32_t hash)
{
    struct weak_table_place place = weak_table_place_of(table, weak_table_bucket(table, hash));
    struct weak_table_entry *entry;
    while ((entry = weak_table_at(&place)) != NULL && weak_table_load(&ephemeron_of(entry)->key) != key)
        place = weak_table_place_after(table, entry);
    return place;
}

bool shale_weak_map_get(shale_mutator *api, const shale_weak_map *map, const void *key, void **value)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    const struct weak_table *table = check(mutator, map, "shale_weak_map_get");
    if (table == NULL || !is_key(mutator, key))
        return false;
    struct weak_table_place place = find(table, key, hash_of(mutator, key));
    struct weak_table_entry *entry = weak_table_at(&place);
    if (entry != NULL && value != NULL)
        *value = shale_ephemeron_value(api, (const shale_ephemeron *)entry);
    return entry != NULL;
}

static shale_status add(struct mutator *mutator, struct weak_table *table, void *key, void *value)
{
    shale_mutator *api = &mutator->local.bump.api;
    uint32_t hash = hash_of(mutator, key);
    shale_frame frame;
    shale_frame_push(api, &frame, &table, 1);
    shale_ephemeron *entry = shale_ephemeron_create(api, key, value);
    if (entry != NULL) {
        weak_table_add(mutator, table, (struct weak_table_entry *)entry, hash);
        weak_table_tend(mutator, &table);
    }
    shale_frame_pop(api, &frame);
    return entry != NULL ? SHALE_OK : mutator->error.status;
}

shale_status shale_weak_map_set(shale_mutator *api, shale_weak_map *map, void *key, void *value)
{
    INSIDE();
    static const char function[] = "shale_weak_map_set";
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, function);
    if (status != SHALE_OK)
        return status;
    struct weak_table *table = check(mutator, map, function);
    if (table == NULL)
        return SHALE_ERROR_MISUSE;
    if (!is_key(mutator, key))
        return mutator_fail(mutator, SHALE_ERROR_ARGUMENT, "%s: the key is no object of this heap", function);
    struct weak_table_place place = find(table, key, hash_of(mutator, key));
    struct weak_table_entry *entry = weak_table_at(&place);
    if (entry == NULL)
        return add(mutator, table, key, value);
    shale_ephemeron_set_value(api, (shale_ephemeron *)entry, value);
    return SHALE_OK;
}

bool shale_weak_map_remove(shale_mutator *api, shale_weak_map *map, const void *key)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    struct weak_table *table = check(mutator, map, "shale_weak_map_remove");
    if (table == NULL || !is_key(mutator, key))
        return false;
    struct weak_table_place place = find(table, key, hash_of(mutator, key));
    if (weak_table_at(&place) == NULL)
        return false;
    weak_table_unlink(mutator, table, &place);
    return true;
}

size_t shale_weak_map_count(shale_mutator *api, const shale_weak_map *map)
{
    INSIDE();
    const struct weak_table *table = check(mutator_of(api), map, "shale_weak_map_count");
    return table != NULL ? table->entry_count : 0;
}

/* ---- iteration ------------------------------------------------------------------------------------- */

static uint32_t length_of(const struct weak_table *table, struct weak_table_place place)
{
    uint32_t length = 0;
    struct weak_table_entry *entry;
    while ((entry = weak_table_at(&place)) != NULL) {
        length++;
        place = weak_table_place_after(table, entry);
    }
    return length;
}

/* The cursor says how many entries of its bucket's chain, which are its last, are still to come: so one that is taken out or
 * put in before those does not matter. */
bool shale_weak_map_next(shale_mutator *api, const shale_weak_map *map, shale_weak_map_cursor *cursor,
                         void **key, void **value)
{
    INSIDE();
    const struct weak_table *table = check(mutator_of(api), map, "shale_weak_map_next");
    for (; table != NULL && cursor->bucket < table->bucket_count; cursor->bucket++, cursor->begun = false) {
        struct weak_table_place place = weak_table_place_of(table, cursor->bucket);
        uint32_t length = length_of(table, place);
        if (!cursor->begun)
            cursor->left = length;
        cursor->begun = true;
        struct weak_table_entry *entry;
        for (; (entry = weak_table_at(&place)) != NULL; length--) {
            place = weak_table_place_after(table, entry);
            if (length > cursor->left)
                continue;
            cursor->left = length - 1;
            *key = shale_ephemeron_key(api, (const shale_ephemeron *)entry);
            if (*key == NULL)
                continue;
            if (value != NULL)
                *value = shale_ephemeron_value(api, (const shale_ephemeron *)entry);
            return true;
        }
    }
    return false;
}
