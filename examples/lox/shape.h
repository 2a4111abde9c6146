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

/* What giving an instance a field made of its shape: nothing if both are the same. */
struct shape_step {
    struct shape *from, *to;
};

/* Gives the instance a field, which another thread may have given it meanwhile. False when the heap is full.
 * `made` is two roots, or NULL. May collect. */
bool instance_add_field(struct thread *thread, struct instance *instance, struct string *name, value content,
                        struct shape_step *made);

/* Keeps others from giving the instance fields, if its id is this one. False: it is not. Who has done so gives it a new id, or the
 * old one, by __ATOMIC_RELEASE, and does not collect before. Not needed by a thread that is alone. */
static inline bool instance_claim(struct instance *instance, uint32_t id)
{
    return __atomic_compare_exchange_n(&instance->id, &id, CHANGING_SHAPE, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* The shape of an instance. Does not collect. */
static inline struct shape *shape_of(const struct instance *instance)
{
    struct shape *shape = load_pointer(&instance->shape);
    return SHALE_LIKELY(shape->id != NO_SHAPE) ? shape
                                               : load_pointer(&((struct extension *)(void *)shape)->shape);
}

/* Its shape's id, before anything else is read of it. */
static inline uint32_t shape_id_of(const struct instance *instance)
{
    return __atomic_load_n(&instance->id, __ATOMIC_ACQUIRE);
}

/* The place of a field. `object` is set to what it is in, for the store. Does not collect. */
value *instance_slot(struct instance *instance, size_t slot, void **object);

#endif
