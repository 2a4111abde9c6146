/*
 * Intern tables: objects by their content, held weakly. The entries are weak references.
 *
 * [weak-phase] A look-up has no safepoint.
 */
#include "runtime/weak_table.h"

/* The program's hashes may be poor in their low bits, by which buckets are chosen. One to one. */
static uint32_t spread(uint32_t hash)
{
    hash *= UINT32_C(0x9e3779b9);
    return hash ^ hash >> 16;
}

static struct weak_table *check(struct mutator *mutator, const shale_intern_table *table,
                                const char *function)
{
    return weak_table_check(mutator, table, mutator->heap->weak_table_types.intern_table, function);
}

shale_intern_table *shale_intern_create(shale_mutator *api)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_intern_create") != SHALE_OK)
        return NULL;
    return (shale_intern_table *)weak_table_create(mutator, mutator->heap->weak_table_types.intern_table,
                                                   WEAK_TABLE_OF_WEAK);
}

void *shale_intern_find(shale_mutator *api, const shale_intern_table *intern_table, uint32_t hash,
                        bool (*matches)(void *context, const void *object), void *context)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    struct weak_table *table = check(mutator, intern_table, "shale_intern_find");
    if (table == NULL)
        return NULL;
    hash = spread(hash);
    struct weak_table_place place = weak_table_place_of(table, weak_table_bucket(table, hash));
    struct weak_table_entry *entry;
    while ((entry = weak_table_at(&place)) != NULL) {
        if (*weak_table_hash(table, entry) == hash) {
            void *object = shale_weak_get(api, (const shale_weak *)entry);
            if (object != NULL && matches(context, object))
                return object;
        }
        place = weak_table_place_after(table, entry);
    }
    return NULL;
}

shale_status shale_intern_add(shale_mutator *api, shale_intern_table *intern_table, uint32_t hash,
                              void *object)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_intern_add");
    if (status != SHALE_OK)
        return status;
    if (object == NULL)
        return mutator_fail(mutator, SHALE_ERROR_ARGUMENT, "shale_intern_add: the object is NULL");
    struct {
        struct weak_table *table;
        void *object;
    } kept = {check(mutator, intern_table, "shale_intern_add"), object};
    if (kept.table == NULL)
        return SHALE_ERROR_MISUSE;
    shale_frame frame;
    shale_frame_push(api, &frame, &kept, 2);
    shale_weak *entry = shale_weak_create(api, object);
    if (entry != NULL) {
        weak_table_add(mutator, kept.table, (struct weak_table_entry *)entry, spread(hash));
        weak_table_tend(mutator, &kept.table);
    }
    shale_frame_pop(api, &frame);
    return entry != NULL ? SHALE_OK : mutator->error.status;
}

size_t shale_intern_count(shale_mutator *api, const shale_intern_table *intern_table)
{
    INSIDE();
    const struct weak_table *table = check(mutator_of(api), intern_table, "shale_intern_count");
    return table != NULL ? table->entry_count : 0;
}
