#include "property.h"

#include "errors.h"
#include "extension.h"
#include "shape.h"
#include "table.h"
#include "thread.h"

static struct string *name_of(const struct thread *thread, const struct instruction *instruction)
{
    return to_pointer(thread->call->constants[instruction->c]);
}

static bool undefined(struct thread *thread, struct string *name)
{
    return runtime_error_name(thread, "Undefined property '", name, "'.");
}

static void remember_slot(union word *cache, const struct shape *shape, size_t slot)
{
    union word fresh = {.cache = {shape->id, (uint32_t)slot}};
    if (shape->id != 0)
        __atomic_store_n(&cache->bits, fresh.bits, __ATOMIC_RELAXED);
}

/* What a field holds; nil if another thread's race has lost it. */
static value field_at(struct instance *instance, size_t slot)
{
    void *object;
    const value *place = instance_slot(instance, slot, &object);
    return place == NULL ? VALUE_NIL : load_word(place);
}

/* ---- methods -------------------------------------------------------------------------------------- */

static struct closure *find_method(const struct class *class, const struct string *name)
{
    value *method = table_find(class->methods, name);
    return method == NULL ? NULL : to_pointer(*method);
}

/* Replaces *method by itself bound to *receiver. */
static bool bind(struct thread *thread, value *to, const value *receiver, struct closure *method)
{
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &method, 1);
    struct bound_method *bound = shale_allocate(thread->mutator, thread->world->types.bound_method);
    shale_frame_pop(thread->mutator, &frame);
    if (bound == NULL)
        return out_of_memory(thread);
    bound->kind = KIND_BOUND_METHOD;
    bound->receiver = *receiver;
    bound->method = method;
    *to = from_pointer(TAG_OBJECT, bound);
    return true;
}

/* Notes in the constant behind the name what the method of a shape is. Without memory for it there is no note. Returns the
 * method, which may have moved. */
static struct closure *remember_method(struct thread *thread, const struct instruction *instruction,
                                       uint32_t id, struct closure *method)
{
    if (id == 0)
        return method;
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &method, 1);
    struct method_cache *cache = shale_allocate(thread->mutator, thread->world->types.method_cache);
    shale_frame_pop(thread->mutator, &frame);
    if (cache == NULL)
        return method;
    cache->id = id;
    cache->method = method;
    value *constants = thread->call->constants;
    shale_store_value(thread->mutator, constants, &constants[instruction->c + 1],
                      from_pointer(TAG_OBJECT, cache));
    return method;
}

struct closure *property_find_method(struct thread *thread, value *registers,
                                     const struct instruction *instruction, bool *failed)
{
    value *window = &registers[instruction->a];
    struct string *name = name_of(thread, instruction);
    *failed = false;
    if (!is_instance(*window)) {
        thread->native_method = extension_find(*window, name);
        *failed = thread->native_method == NULL && !runtime_error(thread, "Only instances have methods.");
        return NULL;
    }
    struct instance *instance = to_pointer(*window);
    long slot = shape_find(instance->shape, name);
    if (slot != NO_SLOT) {
        *window = field_at(instance, (size_t)slot);
        return NULL;
    }
    struct closure *method = find_method(instance->shape->class, name);
    if (method == NULL) {
        *failed = !undefined(thread, name);
        return NULL;
    }
    return remember_method(thread, instruction, instance->id, method);
}

struct closure *property_find_super_method(struct thread *thread, const struct instruction *instruction,
                                           const value *super, bool *failed)
{
    const struct class *class = to_pointer(*super);
    struct closure *method = find_method(class, name_of(thread, instruction));
    *failed = false;
    if (method == NULL) {
        *failed = !undefined(thread, name_of(thread, instruction));
        return NULL;
    }
    return remember_method(thread, instruction, class->root_id, method);
}

bool property_get_super(struct thread *thread, value *registers, const struct instruction *instruction)
{
    const struct class *class = to_pointer(registers[instruction->b]);
    struct closure *method = find_method(class, name_of(thread, instruction));
    if (method == NULL)
        return undefined(thread, name_of(thread, instruction));
    return bind(thread, &registers[instruction->a], &registers[instruction->a], method);
}

/* ---- fields ----------------------------------------------------------------------------------------- */

bool property_get(struct thread *thread, value *registers, const struct instruction *instruction,
                  union word *cache)
{
    value receiver = registers[instruction->b];
    struct string *name = name_of(thread, instruction);
    if (!is_instance(receiver)) {
        const struct native_method *native = extension_find(receiver, name);
        if (native != NULL)
            return extension_bind(thread, &registers[instruction->a], &registers[instruction->b], native);
        return runtime_error(thread, "Only instances have properties.");
    }
    struct instance *instance = to_pointer(receiver);
    long slot = shape_find(instance->shape, name);
    if (slot != NO_SLOT) {
        remember_slot(cache, instance->shape, (size_t)slot);
        registers[instruction->a] = field_at(instance, (size_t)slot);
        return true;
    }
    struct closure *method = find_method(instance->shape->class, name);
    if (method == NULL)
        return undefined(thread, name);
    return bind(thread, &registers[instruction->a], &registers[instruction->b], method);
}

/* Notes in the constant behind the name that instances of shape `id` got a field in `slot` and became `shape`. */
static void remember_step(struct thread *thread, const struct instruction *instruction, uint32_t id,
                          const value *receiver)
{
    struct field_cache *cache = shale_allocate(thread->mutator, thread->world->types.field_cache);
    const struct instance *instance = to_pointer(*receiver);
    if (cache == NULL)
        return;
    cache->id = id;
    cache->slot = instance->shape->count - 1;
    cache->next_id = instance->id;
    cache->shape = instance->shape;
    value *constants = thread->call->constants;
    shale_store_value(thread->mutator, constants, &constants[instruction->c + 1],
                      from_pointer(TAG_OBJECT, cache));
}

bool property_set(struct thread *thread, value *registers, const struct instruction *instruction,
                  union word *cache)
{
    value receiver = registers[instruction->a];
    struct string *name = name_of(thread, instruction);
    if (!is_instance(receiver))
        return runtime_error(thread, "Only instances have fields.");
    struct instance *instance = to_pointer(receiver);
    uint32_t id = instance->id;
    long slot = shape_find(instance->shape, name);
    if (slot != NO_SLOT) {
        void *object;
        remember_slot(cache, instance->shape, (size_t)slot);
        value *place = instance_slot(instance, (size_t)slot, &object);
        if (place != NULL)
            shale_store_value(thread->mutator, object, place, registers[instruction->b]);
        return true;
    }
    if (!instance_add_field(thread, instance, name, registers[instruction->b]))
        return out_of_memory(thread);
    if (id != 0 && ((struct instance *)to_pointer(registers[instruction->a]))->id != 0)
        remember_step(thread, instruction, id, &registers[instruction->a]);
    return true;
}
