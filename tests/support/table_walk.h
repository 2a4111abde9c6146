/*
 * A look at a table with weak entries from inside: that it is put together as it must be, and how full it is.
 */
#ifndef SHALE_TESTS_TABLE_WALK_H
#define SHALE_TESTS_TABLE_WALK_H

#include <shale/shale.h>

struct table_walk {
    const char *wrong; /* NULL: nothing */
    size_t buckets;
    size_t entries;
    size_t dead; /* of them; known to be so */
    size_t longest_chain;
    size_t segments; /* that the directory has */
};

/* On the thread of an attached mutator that may look at the table. */
struct table_walk table_walk(const void *table);

#endif
