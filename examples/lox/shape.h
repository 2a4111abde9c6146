/*
 * Shapes: which fields instances have, and where.
 *
 * A class has a tree of them. The root has no field; an edge adds one. Instances that have very many fields get a dictionary of
 * their own instead: a shape that only they have, with a table.
 */
#ifndef LOX_SHAPE_H
#define LOX_SHAPE_H

#include "objects.h"

enum {
    NEW_CLASS_CAPACITY = 8, /* slots of the first instances, of which nobody knows what they need */
    NEW_CLASS_INSTANCES = 32,
    SHAPE_FIELDS_MAX = 64, /* with more it is a dictionary */
    NO_SLOT = -1
};

/* The shape without fields. NULL when the heap is full. May collect. */
struct shape *shape_create_root(struct thread *thread, struct class *class);

/* Where instances of the shape have the field, or NO_SLOT. Does not collect. */
long shape_find(const struct shape *shape, const struct string *name);

/* Gives the instance a field that it does not have. False when the heap is full. May collect. */
bool instance_add_field(struct thread *thread, struct instance *instance, struct string *name, value content);

/* The place of a field. `object` is set to what it is in, for the store. Does not collect. */
value *instance_slot(struct instance *instance, size_t slot, void **object);

#endif
