#include "table.h"

#include "objects.h"
#include "thread.h"

enum { FEWEST_ENTRIES = 4 };

struct table *table_create(struct thread *thread)
{
    return shale_allocate(thread->mutator, thread->world->types.table);
}

/* The entry that has the key, or that it would be put into. */
static struct table_entry *look_up(struct table_entries *entries, const struct string *key)
{
    size_t mask = shale_length_of(entries) - 1;
    size_t i = key->hash & mask;
    while (entries->entry[i].key != key && entries->entry[i].key != NULL)
        i = (i + 1) & mask;
    return &entries->entry[i];
}

value *table_find(const struct table *table, const struct string *key)
{
    if (table->entries == NULL)
        return NULL;
    struct table_entry *entry = look_up(table->entries, key);
    return entry->key == key ? &entry->content : NULL;
}

/* Makes room for `more` new keys. The table may move. */
static bool grow(struct thread *thread, struct table **place, size_t more)
{
    struct table *table = *place;
    size_t old_size = table->entries == NULL ? 0 : shale_length_of(table->entries);
    size_t size = old_size == 0 ? FEWEST_ENTRIES : old_size;
    while (table->count + more > size - size / 4)
        size *= 2;
    if (size == old_size)
        return true;
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, place, 1);
    struct table_entries *fresh = shale_allocate_array(thread->mutator, thread->world->types.entries, size);
    shale_frame_pop(thread->mutator, &frame);
    if (fresh == NULL)
        return false;
    table = *place;
    for (size_t i = 0; i < old_size; i++) {
        const struct table_entry *from = &table->entries->entry[i];
        if (from->key != NULL)
            *look_up(fresh, from->key) = *from;
    }
    shale_store(thread->mutator, table, &table->entries, fresh);
    return true;
}

/* There is room. Does not collect. */
static void put(struct thread *thread, struct table *table, struct string *key, value content)
{
    struct table_entry *entry = look_up(table->entries, key);
    shale_store_value(thread->mutator, table->entries, &entry->content, content);
    if (entry->key == NULL) {
        shale_store(thread->mutator, table->entries, &entry->key, key);
        table->count++;
    }
}

bool table_set(struct thread *thread, struct table *table, struct string *key, value content)
{
    value *there = table_find(table, key);
    if (there != NULL) {
        shale_store_value(thread->mutator, table->entries, there, content);
        return true;
    }
    struct {
        struct table *table;
        struct string *key;
    } local = {table, key};
    shale_frame frame, value_frame;
    shale_frame_push(thread->mutator, &frame, &local, 2);
    shale_frame_push_values(thread->mutator, &value_frame, &content, 1);
    bool grown = grow(thread, &local.table, 1);
    shale_frame_pop(thread->mutator, &value_frame);
    shale_frame_pop(thread->mutator, &frame);
    if (grown)
        put(thread, local.table, local.key, content);
    return grown;
}

bool table_add_all(struct thread *thread, struct table *to, struct table *from)
{
    if (from->count == 0)
        return true;
    struct {
        struct table *to, *from;
    } local = {to, from};
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &local, 2);
    bool grown = grow(thread, &local.to, from->count);
    shale_frame_pop(thread->mutator, &frame);
    if (!grown)
        return false;
    const struct table_entries *entries = local.from->entries;
    for (size_t i = 0; i < shale_length_of(entries); i++)
        if (entries->entry[i].key != NULL)
            put(thread, local.to, entries->entry[i].key, entries->entry[i].content);
    return true;
}
