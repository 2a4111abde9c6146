#include "table.h"

#include "objects.h"
#include "thread.h"

enum { FEWEST_ENTRIES = 4 };

struct table *table_create(struct thread *thread)
{
    return shale_allocate(thread->mutator, thread->world->types.table);
}

/* Threads look into tables while another adds to them: an entry's content is there before its key [sharing]. */
static struct string *key_of(const struct table_entry *entry)
{
    return to_pointer(load_word((const value *)&entry->key));
}

static struct table_entries *entries_of(const struct table *table)
{
    return to_pointer(load_word((const value *)&table->entries));
}

/* The entry that has the key, or that it would be put into. */
static struct table_entry *look_up(struct table_entries *entries, const struct string *key)
{
    size_t mask = shale_length_of(entries) - 1;
    size_t i = key->hash & mask;
    for (;; i = (i + 1) & mask) {
        const struct string *there = key_of(&entries->entry[i]);
        if (there == key || there == NULL)
            return &entries->entry[i];
    }
}

value *table_find(const struct table *table, const struct string *key)
{
    struct table_entries *entries = entries_of(table);
    if (entries == NULL)
        return NULL;
    struct table_entry *entry = look_up(entries, key);
    return key_of(entry) == key ? &entry->content : NULL;
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
    /* Another thread may be adding to it: these are the entries that count. */
    struct {
        struct table *to;
        struct table_entries *entries;
    } local = {to, entries_of(from)};
    shale_frame frame;
    bool done = true;
    shale_frame_push(thread->mutator, &frame, &local, 2);
    for (size_t i = 0; done && i < shale_length_of(local.entries); i++) {
        struct table_entry *entry = &local.entries->entry[i];
        struct string *key = key_of(entry);
        done = key == NULL || table_set(thread, local.to, key, load_word(&entry->content));
    }
    shale_frame_pop(thread->mutator, &frame);
    return done;
}
