#include "shape.h"

#include "table.h"
#include "thread.h"

static uint32_t new_id(struct world *world)
{
    /* When all are used up, what is made from then on is not cached. */
    uint32_t id = __atomic_load_n(&world->newest_shape, __ATOMIC_RELAXED);
    do {
        if (id >= NO_SHAPE - 1)
            return 0;
    } while (!__atomic_compare_exchange_n(&world->newest_shape, &id, id + 1, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return id + 1;
}

struct shape *shape_create_root(struct thread *thread, struct class *class)
{
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &class, 1);
    struct shape *shape = shale_allocate(thread->mutator, thread->world->types.shape);
    shale_frame_pop(thread->mutator, &frame);
    if (shape == NULL)
        return NULL;
    shape->id = new_id(thread->world);
    shape->class = class;
    return shape;
}

long shape_find(const struct shape *shape, const struct string *name)
{
    if (shape->dictionary != NULL) {
        const value *slot = table_find(shape->dictionary, name);
        return slot == NULL ? NO_SLOT : (long)to_number(*slot);
    }
    for (; shape->newest != NULL; shape = shape->parent)
        if (shape->newest == name)
            return (long)shape->count - 1;
    return NO_SLOT;
}

value *instance_slot(struct instance *instance, size_t slot, void **object)
{
    if (slot < instance->limit) {
        *object = instance;
        return &instance->slots[slot];
    }
    struct values *more = to_pointer(instance->slots[instance->limit]);
    *object = more;
    return &more->slots[slot - instance->limit];
}

/* ---- the next shape ------------------------------------------------------------------------------- */

struct step {
    struct instance *instance;
    struct shape *shape; /* that it has, then that it gets */
    struct string *name;
};

/* The shape with one field more, from the tree or new in it. */
static bool find_successor(struct thread *thread, struct step *step)
{
    struct shape *from = step->shape;
    if (from->transitions != NULL) {
        value *there = table_find(from->transitions, step->name);
        if (there != NULL) {
            step->shape = to_pointer(*there);
            return true;
        }
    } else {
        struct table *table = table_create(thread);
        if (table == NULL)
            return false;
        shale_store(thread->mutator, step->shape, &step->shape->transitions, table);
    }
    struct shape *next = shale_allocate(thread->mutator, thread->world->types.shape);
    if (next == NULL)
        return false;
    from = step->shape;
    next->id = new_id(thread->world);
    next->count = from->count + 1;
    next->class = from->class;
    next->parent = from;
    next->newest = step->name;
    step->shape = next;
    return table_set(thread, from->transitions, step->name, from_pointer(TAG_OBJECT, next));
}

/* A dictionary with what the shape has. */
static bool make_dictionary(struct thread *thread, struct step *step)
{
    struct {
        struct shape *dictionary, *from;
    } local = {NULL, step->shape};
    shale_frame frame;
    bool made = false;
    shale_frame_push(thread->mutator, &frame, &local, 2);
    local.dictionary = shale_allocate(thread->mutator, thread->world->types.shape);
    if (local.dictionary != NULL) {
        local.dictionary->class = step->shape->class;
        local.dictionary->count = step->shape->count;
        struct table *table = table_create(thread);
        made = table != NULL;
        shale_store(thread->mutator, local.dictionary, &local.dictionary->dictionary, table);
    }
    for (; made && local.from->newest != NULL; local.from = local.from->parent)
        made = table_set(thread, local.dictionary->dictionary, local.from->newest,
                         from_number((double)local.from->count - 1));
    shale_frame_pop(thread->mutator, &frame);
    step->shape = local.dictionary;
    return made;
}

static bool extend_dictionary(struct thread *thread, struct step *step)
{
    if (step->shape->dictionary == NULL && !make_dictionary(thread, step))
        return false;
    if (!table_set(thread, step->shape->dictionary, step->name, from_number((double)step->shape->count)))
        return false;
    step->shape->count++;
    return true;
}

/* ---- room for the field ------------------------------------------------------------------------------ */

/* Moves the last slot, and what is beyond it, into a new overflow array with room for slot `slot`. */
static bool grow_overflow(struct thread *thread, struct step *step, size_t slot)
{
    size_t inline_slots = shale_length_of(step->instance);
    bool first = step->instance->limit == inline_slots;
    size_t limit = inline_slots - 1;
    size_t size = (slot - limit) * 2 + 2;
    struct values *more = shale_allocate_array(thread->mutator, thread->world->types.values, size);
    if (more == NULL)
        return false;
    struct instance *instance = step->instance;
    if (first) {
        more->slots[0] = instance->slots[limit];
    } else {
        const struct values *old = to_pointer(instance->slots[limit]);
        memcpy(more->slots, old->slots, (slot - limit) * sizeof(value));
    }
    shale_store_value(thread->mutator, instance, &instance->slots[limit], from_pointer(TAG_OBJECT, more));
    instance->limit = (uint32_t)limit;
    return true;
}

static bool make_room(struct thread *thread, struct step *step, size_t slot)
{
    const struct instance *instance = step->instance;
    size_t inline_slots = shale_length_of(instance);
    if (slot < instance->limit)
        return true;
    if (instance->limit < inline_slots) {
        const struct values *more = to_pointer(instance->slots[instance->limit]);
        if (slot - instance->limit < shale_length_of(more))
            return true;
    }
    return grow_overflow(thread, step, slot);
}

bool instance_add_field(struct thread *thread, struct instance *instance, struct string *name, value content)
{
    struct step step = {instance, instance->shape, name};
    shale_frame frame, value_frame;
    shale_frame_push(thread->mutator, &frame, &step, 3);
    shale_frame_push_values(thread->mutator, &value_frame, &content, 1);
    size_t slot = instance->shape->count;
    bool done = make_room(thread, &step, slot) &&
                (slot < SHAPE_FIELDS_MAX ? find_successor(thread, &step) : extend_dictionary(thread, &step));
    shale_frame_pop(thread->mutator, &value_frame);
    shale_frame_pop(thread->mutator, &frame);
    if (!done)
        return false;
    void *object;
    value *place = instance_slot(step.instance, slot, &object);
    shale_store_value(thread->mutator, object, place, content);
    shale_store(thread->mutator, step.instance, &step.instance->shape, step.shape);
    step.instance->id = step.shape->id;
    struct class *class = step.shape->class;
    if (class->most_fields < step.shape->count && step.shape->count <= SHAPE_FIELDS_MAX) {
        class->most_fields = step.shape->count;
        if (class->young == 0 && class->capacity < class->most_fields)
            class->capacity = class->most_fields;
    }
    return true;
}
