#include "property.h"

#include "errors.h"
#include "extension.h"
#include "shape.h"
#include "table.h"
#include "thread.h"

enum { CACHE_LENGTH_MAX = 4 }; /* of a list; with more than that the tables are as quick */

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

/* What a field holds. */
static value field_at(struct instance *instance, size_t slot)
{
    void *object;
    const value *place = instance_slot(instance, slot, &object);
    return load_word(place);
}

/* ---- methods -------------------------------------------------------------------------------------- */

static struct closure *find_method(const struct class *class, const struct string *name)
{
    value *method = table_find(class->methods, name);
    return method == NULL ? NULL : load_pointer(method);
}

/* Puts the method, bound to *receiver, into *to. */
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

/* The constant behind an instruction's name, where its cache is. */
static value *cache_of(const struct thread *thread, const struct instruction *instruction)
{
    return &thread->call->constants[instruction->c + 1];
}

static struct closure *recall_method(const struct thread *thread, const struct instruction *instruction,
                                     uint32_t id)
{
    const struct method_cache *cache = load_pointer(cache_of(thread, instruction));
    for (; cache != NULL && cache->id != NO_SHAPE; cache = cache->rest)
        if (cache->id == id)
            return cache->method;
    return NULL;
}

/* Notes what the method of a shape is, unless there are many notes. Without memory for it there is no note either. Returns the
 * method, which may have moved. */
static struct closure *remember_method(struct thread *thread, const struct instruction *instruction,
                                       uint32_t id, struct closure *method)
{
    struct method_cache *rest = load_pointer(cache_of(thread, instruction));
    if (id == 0 || rest->length == CACHE_LENGTH_MAX)
        return method;
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &method, 1);
    struct method_cache *cache = shale_allocate(thread->mutator, thread->world->types.method_cache);
    shale_frame_pop(thread->mutator, &frame);
    if (cache == NULL)
        return method;
    rest = load_pointer(cache_of(thread, instruction));
    cache->id = id;
    cache->length = rest->length + 1;
    cache->method = method;
    cache->rest = rest;
    shale_store_value(thread->mutator, thread->call->constants, cache_of(thread, instruction),
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
    const struct shape *shape = shape_of(instance);
    struct closure *method = shape->id == 0 ? NULL : recall_method(thread, instruction, shape->id);
    if (method != NULL)
        return method;
    long slot = shape_find(shape, name);
    if (slot != NO_SLOT) {
        *window = field_at(instance, (size_t)slot);
        return NULL;
    }
    method = find_method(shape->class, name);
    if (method == NULL) {
        *failed = !undefined(thread, name);
        return NULL;
    }
    return remember_method(thread, instruction, shape->id, method);
}

struct closure *property_find_super_method(struct thread *thread, const struct instruction *instruction,
                                           const value *super, bool *failed)
{
    const struct class *class = to_pointer(*super);
    uint32_t id = load_half(&class->root_id); /* before looking, see renew_root */
    *failed = false;
    struct closure *method = id == 0 ? NULL : recall_method(thread, instruction, id);
    if (method != NULL)
        return method;
    method = find_method(class, name_of(thread, instruction));
    if (method == NULL) {
        *failed = !undefined(thread, name_of(thread, instruction));
        return NULL;
    }
    return remember_method(thread, instruction, id, method);
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
    const struct shape *shape = shape_of(instance);
    long slot = shape_find(shape, name);
    if (slot != NO_SLOT) {
        remember_slot(cache, shape, (size_t)slot);
        registers[instruction->a] = field_at(instance, (size_t)slot);
        return true;
    }
    struct closure *method = find_method(shape->class, name);
    if (method == NULL)
        return undefined(thread, name);
    return bind(thread, &registers[instruction->a], &registers[instruction->b], method);
}

/* Adds a field as was noted before. False: there is no note for this shape, or no room in the instance. */
static bool repeat_step(struct thread *thread, const struct instruction *instruction,
                        struct instance *instance, value content)
{
    uint32_t id = load_half(&instance->id);
    const struct field_cache *cache = load_pointer(cache_of(thread, instruction));
    while (cache != NULL && cache->id != NO_SHAPE && cache->id != id)
        cache = cache->rest;
    if (id == 0 || cache == NULL || cache->id == NO_SHAPE || cache->slot >= instance->limit ||
        (!thread->alone && !instance_claim(instance, id)))
        return false;
    shale_store_value(thread->mutator, instance, &instance->slots[cache->slot], content);
    shale_store(thread->mutator, instance, &instance->shape, cache->shape);
    __atomic_store_n(&instance->id, cache->next_id, __ATOMIC_RELEASE);
    return true;
}

/* Notes what gaining the field makes of a shape. All that is noted is of the two shapes, which do not change, and nothing of the
 * instance, which another thread may have changed since. */
static void remember_step(struct thread *thread, const struct instruction *instruction,
                          const struct shape_step *step)
{
    const struct field_cache *noted = load_pointer(cache_of(thread, instruction));
    if (step->from->id == 0 || step->to->id == 0 || noted->length == CACHE_LENGTH_MAX)
        return;
    struct field_cache *cache = shale_allocate(thread->mutator, thread->world->types.field_cache);
    if (cache == NULL)
        return;
    struct field_cache *rest = load_pointer(cache_of(thread, instruction));
    cache->id = step->from->id;
    cache->length = rest->length + 1;
    cache->slot = step->from->count;
    cache->next_id = step->to->id;
    cache->shape = step->to;
    cache->rest = rest;
    shale_store_value(thread->mutator, thread->call->constants, cache_of(thread, instruction),
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
    if (repeat_step(thread, instruction, instance, registers[instruction->b]))
        return true;
    const struct shape *shape = shape_of(instance);
    long slot = shape_find(shape, name);
    if (slot != NO_SLOT) {
        void *object;
        remember_slot(cache, shape, (size_t)slot);
        value *place = instance_slot(instance, (size_t)slot, &object);
        shale_store_value(thread->mutator, object, place, registers[instruction->b]);
        return true;
    }
    struct shape_step step = {NULL, NULL};
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &step, 2);
    bool added = instance_add_field(thread, instance, name, registers[instruction->b], &step);
    if (added && step.from != step.to)
        remember_step(thread, instruction, &step);
    shale_frame_pop(thread->mutator, &frame);
    return added || out_of_memory(thread);
}
