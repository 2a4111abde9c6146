#include "call.h"

#include "errors.h"
#include "extension.h"
#include "shape.h"
#include "table.h"
#include "thread.h"

bool call_wrong_count(struct thread *thread, unsigned expected, unsigned count)
{
    return runtime_error(thread, "Expected %u arguments but got %u.", expected, count);
}

bool call_check(struct thread *thread, const struct function *function, value *window, unsigned count)
{
    if (function->arity != count)
        return call_wrong_count(thread, function->arity, count);
    if (thread->call == &thread->calls[CALLS_MAX])
        return runtime_error(thread, "Stack overflow.");
    if (thread->touched < window + function->registers)
        thread->touched = window + function->registers + TOUCHED_STEP;
    return true;
}

/* From its first instances the class learns how many slots others are going to need: shape.c raises it where that was
 * not enough. Threads may count at the same time, and lose some; any number of slots will do. */
static void learn_capacity(struct class *class)
{
    uint32_t most = load_half(&class->most_fields);
    uint32_t young = load_half(&class->young);
    if (young > 0)
        __atomic_store_n(&class->young, young - 1, __ATOMIC_RELAXED);
    if (young == 1)
        __atomic_store_n(&class->capacity, most > 0 ? most : 1, __ATOMIC_RELAXED);
}

/* The interpreter's loop does the same for classes that have learnt, if there is memory. */
static struct closure *instantiate(struct thread *thread, value *window, unsigned count, bool *failed)
{
    struct class *class = to_pointer(window[0]);
    size_t capacity = load_half(&class->capacity);
    struct instance *instance =
        shale_allocate_array(thread->mutator, thread->world->types.instance, capacity);
    if (instance == NULL) {
        *failed = true;
        out_of_memory(thread);
        return NULL;
    }
    class = to_pointer(window[0]);
    instance->shape = load_pointer(&class->root);
    instance->id = load_half(&class->root_id);
    instance->limit = (uint32_t)capacity;
    learn_capacity(class);
    window[0] = from_pointer(TAG_INSTANCE, instance);
    value initializer = load_word(&class->initializer);
    if (initializer != VALUE_NIL)
        return to_pointer(initializer);
    *failed = count != 0 && !call_wrong_count(thread, 0, count);
    return NULL;
}

static void call_native(struct thread *thread, value *window, unsigned count, bool *failed)
{
    const struct native *native = to_pointer(window[0]);
    struct call *call = thread->call;
    value *top = call->top;
    value result = VALUE_NIL;
    call->top = window + 1 + count; /* what is above is of no use to anyone */
    *failed = !native->function(thread, window + 1, count, &result);
    call->top = top;
    window[0] = result;
}

struct closure *call_prepare(struct thread *thread, value *window, unsigned count, bool *failed)
{
    value callee = window[0];
    *failed = false;
    if (is_closure(callee))
        return to_pointer(callee);
    if (has_tag(callee, TAG_OBJECT)) {
        switch (kind_of(callee)) {
        case KIND_CLASS:
            return instantiate(thread, window, count, failed);
        case KIND_BOUND_METHOD: {
            const struct bound_method *bound = to_pointer(callee);
            window[0] = bound->receiver;
            return bound->method;
        }
        case KIND_NATIVE:
            call_native(thread, window, count, failed);
            return NULL;
        case KIND_BOUND_NATIVE: {
            const struct bound_native *bound = to_pointer(callee);
            window[0] = bound->receiver;
            *failed = !extension_call(thread, bound->method, window, count);
            return NULL;
        }
        case KIND_LIST:
        case KIND_THREAD:
        case KIND_WEAK: {
            const struct native_method *method = thread->native_method;
            thread->native_method = NULL;
            if (method == NULL)
                break;
            *failed = !extension_call(thread, method, window, count);
            return NULL;
        }
        case KIND_FUNCTION:
            break;
        }
    }
    runtime_error(thread, "Can only call functions and classes.");
    *failed = true;
    return NULL;
}

bool make_cell(struct thread *thread, value *to, const value *content)
{
    struct cell *cell = shale_allocate(thread->mutator, thread->world->types.cell);
    if (cell == NULL)
        return out_of_memory(thread);
    cell->content = *content;
    *to = from_pointer(TAG_OBJECT, cell);
    return true;
}

bool make_closure(struct thread *thread, value *registers, const struct instruction *instruction,
                  const union word *captures)
{
    struct closure *closure =
        shale_allocate_array(thread->mutator, thread->world->types.closure, instruction->c);
    if (closure == NULL)
        return out_of_memory(thread);
    closure->function = to_pointer(thread->call->constants[instruction->b]);
    for (unsigned i = 0; i < instruction->c; i++) {
        uint32_t index = captures[i].capture.index;
        closure->cells[i] = captures[i].capture.from_local ? to_pointer(registers[index])
                                                           : thread->call->closure->cells[index];
    }
    registers[instruction->a] = from_pointer(TAG_CLOSURE, closure);
    return true;
}

static struct class *new_class(struct thread *thread, value name)
{
    struct {
        struct string *name;
        struct class *class;
    } local = {to_pointer(name), NULL};
    shale_frame frame;
    bool made = false;
    shale_frame_push(thread->mutator, &frame, &local, 2);
    local.class = shale_allocate(thread->mutator, thread->world->types.class);
    if (local.class != NULL) {
        local.class->kind = KIND_CLASS;
        local.class->name = local.name;
        local.class->initializer = VALUE_NIL;
        local.class->capacity = NEW_CLASS_CAPACITY;
        local.class->young = NEW_CLASS_INSTANCES;
        struct table *methods = table_create(thread);
        shale_store(thread->mutator, local.class, &local.class->methods, methods);
        struct shape *root = methods == NULL ? NULL : shape_create_root(thread, local.class);
        made = root != NULL;
        shale_store(thread->mutator, local.class, &local.class->root, root);
        if (made)
            local.class->root_id = root->id;
    }
    shale_frame_pop(thread->mutator, &frame);
    return made ? local.class : NULL;
}

bool make_class(struct thread *thread, value *to, value name)
{
    struct class *class = new_class(thread, name);
    if (class == NULL)
        return out_of_memory(thread);
    *to = from_pointer(TAG_OBJECT, class);
    return true;
}

bool class_inherit(struct thread *thread, const value *from, const value *to)
{
    if (!is_kind(*from, KIND_CLASS))
        return runtime_error(thread, "Superclass must be a class.");
    const struct class *super = to_pointer(*from);
    struct class *class = to_pointer(*to);
    shale_store_value(thread->mutator, class, &class->initializer, load_word(&super->initializer));
    return table_add_all(thread, class->methods, super->methods) || out_of_memory(thread);
}

/* Another thread may have met the class when it only had what it inherited, and noted that method for its instances. Those that are
 * made from now on are not meant by such notes. */
static bool renew_root(struct thread *thread, const value *class_value)
{
    struct shape *root = shape_create_root(thread, to_pointer(*class_value));
    if (root == NULL)
        return false;
    struct class *class = to_pointer(*class_value);
    shale_store(thread->mutator, class, &class->root, root);
    __atomic_store_n(&class->root_id, root->id, __ATOMIC_RELAXED);
    return true;
}

bool class_add_method(struct thread *thread, const value *class_value, value name, value method)
{
    struct class *class = to_pointer(*class_value);
    bool overrides = table_find(class->methods, to_pointer(name)) != NULL;
    if (to_pointer(name) == shale_handle_get(thread->world->init_name))
        shale_store_value(thread->mutator, class, &class->initializer, method);
    if (!table_set(thread, class->methods, to_pointer(name), method))
        return out_of_memory(thread);
    if (!overrides || thread->alone)
        return true;
    return renew_root(thread, class_value) || out_of_memory(thread);
}
