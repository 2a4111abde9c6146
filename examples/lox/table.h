/*
 * Hash tables in the heap, from strings to values. Keys are compared by identity, as equal strings are one object.
 *
 * Nothing is ever taken out. A free entry has no key. At least a quarter of the entries is free.
 */
#ifndef LOX_TABLE_H
#define LOX_TABLE_H

#include "value.h"

struct string;
struct thread;

struct table_entry {
    struct string *key;
    value content;
};

struct table_entries {
    struct table_entry entry[1]; /* a power of two of them, as many as shale_length_of says */
};

struct table {
    size_t count;
    struct table_entries *entries; /* NULL: empty */
};

/* NULL when the heap is full. May collect. */
struct table *table_create(struct thread *thread);

/* Where the value of a key is, or NULL. Good until the next call that may collect; write by shale_store_value into
 * table->entries. Does not collect. */
value *table_find(const struct table *table, const struct string *key);

/* Gives a key its value. False when the heap is full. May collect. */
bool table_set(struct thread *thread, struct table *table, struct string *key, value content);

/* Gives `to` all that `from` has. False when the heap is full. May collect. */
bool table_add_all(struct thread *thread, struct table *to, struct table *from);

#endif
