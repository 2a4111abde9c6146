/*
 * The types of the objects that tables are made of (weak_table.h). Every heap has them; they never change.
 */
#ifndef SHALE_RUNTIME_WEAK_TABLE_TYPES_H
#define SHALE_RUNTIME_WEAK_TABLE_TYPES_H

#include "heap/type.h"

struct weak_table_types {
    const struct type *intern_table;
    const struct type *weak_map;
    const struct type *array; /* of references */
};

/* Registers them. False: memory is out. */
bool weak_table_types_register(struct weak_table_types *types, struct type_table *table);

#endif
