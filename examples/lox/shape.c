#include "shape.h"

#include "table.h"
#include "thread.h"

#include <sched.h>

static uint32_t new_id(struct world *world)
{
    /* When all are used up, what is made from then on is not cached. */
    uint32_t id = __atomic_load_n(&world->newest_shape, __ATOMIC_RELAXED);
    do {
        if (id >= CHANGING_SHAPE - 1)
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
    struct extension *more = load_pointer(&instance->shape);
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

/* The same shape with one field more, or a dictionary that is new. */
static bool extend(struct thread *thread, struct step *step)
{
    if (step->shape->dictionary == NULL && !make_dictionary(thread, step))
        return false;
    if (!table_set(thread, step->shape->dictionary, step->name, from_number((double)step->shape->count)))
        return false;
    step->shape->count++;
    return true;
}

/* ---- room for the field ------------------------------------------------------------------------------ */

static struct extension *extension_of(const struct instance *instance)
{
    return instance->shape->id == NO_SHAPE ? (struct extension *)(void *)instance->shape : NULL;
}

/* Makes sure that there is a place for field number `slot`, the next one. */
static bool make_room(struct thread *thread, struct step *step, size_t slot)
{
    size_t limit = step->instance->limit;
    if (slot < limit)
        return true;
    const struct extension *old = extension_of(step->instance);
    if (old != NULL && slot - limit < shale_length_of(old))
        return true;
    struct extension *more =
        shale_allocate_array(thread->mutator, thread->world->types.extension, (slot - limit) * 2 + 2);
    if (more == NULL)
        return false;
    old = extension_of(step->instance);
    more->no_shape = NO_SHAPE;
    more->shape = shape_of(step->instance);
    for (size_t i = 0; old != NULL && i < slot - limit; i++)
        more->slots[i] =
            load_word(&old->slots[i]); /* another thread that stores there meanwhile loses what it stores */
    shale_store(thread->mutator, step->instance, &step->instance->shape, more);
    return true;
}

/* The field has got its place: it becomes one of the instance's. */
static void set_shape(struct thread *thread, struct instance *instance, struct shape *shape)
{
    struct extension *extension = extension_of(instance);
    if (extension != NULL)
        shale_store(thread->mutator, extension, &extension->shape, shape);
    else
        shale_store(thread->mutator, instance, &instance->shape, shape);
    __atomic_store_n(&instance->id, shape->id, __ATOMIC_RELEASE);
    struct class *class = shape->class;
    uint32_t count = shape->count;
    if (load_half(&class->most_fields) < count && count <= SHAPE_FIELDS_MAX) {
        __atomic_store_n(&class->most_fields, count, __ATOMIC_RELAXED);
        if (load_half(&class->young) == 0 && load_half(&class->capacity) < count)
            __atomic_store_n(&class->capacity, count, __ATOMIC_RELAXED);
    }
}

/* Waits for a thread that is giving the instance a field without the lock, which takes it a few instructions. Returns the id. */
static uint32_t claim(const struct thread *thread, struct instance *instance)
{
    for (;;) {
        uint32_t id = load_half(&instance->id);
        if (thread->alone || (id != CHANGING_SHAPE && instance_claim(instance, id)))
            return id;
        sched_yield();
    }
}

/* The next shape, and a place. The instance is claimed. */
static bool add_new_field(struct thread *thread, struct step *step, const value *content)
{
    size_t slot = step->shape->count;
    if (!make_room(thread, step, slot) ||
        !(slot < SHAPE_FIELDS_MAX ? find_successor(thread, step) : extend(thread, step)))
        return false;
    void *object;
    value *place = instance_slot(step->instance, slot, &object);
    shale_store_value(thread->mutator, object, place, *content);
    set_shape(thread, step->instance, step->shape);
    return true;
}

/* Under the lock. All of `step` and `made` are roots. */
static bool add_field(struct thread *thread, struct step *step, const value *content, struct shape_step *made)
{
    uint32_t id = claim(thread, step->instance);
    step->shape = shape_of(step->instance);
    if (made != NULL)
        made->from = step->shape;
    long known = shape_find(step->shape, step->name);
    bool done = true;
    if (known != NO_SLOT) {
        void *object;
        value *place = instance_slot(step->instance, (size_t)known, &object);
        shale_store_value(thread->mutator, object, place, *content);
    } else {
        done = add_new_field(thread, step, content);
    }
    if (known != NO_SLOT || !done)
        __atomic_store_n(&step->instance->id, id, __ATOMIC_RELEASE);
    if (made != NULL)
        made->to = step->shape;
    return done;
}

bool instance_add_field(struct thread *thread, struct instance *instance, struct string *name, value content,
                        struct shape_step *made)
{
    struct step step = {instance, NULL, name};
    shale_frame frame, value_frame;
    shale_frame_push(thread->mutator, &frame, &step, 3);
    shale_frame_push_values(thread->mutator, &value_frame, &content, 1);
    world_lock(thread, LOCK_SHAPES);
    bool done = add_field(thread, &step, &content, made);
    world_unlock(thread, LOCK_SHAPES);
    shale_frame_pop(thread->mutator, &value_frame);
    shale_frame_pop(thread->mutator, &frame);
    return done;
}
