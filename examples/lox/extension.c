#include "extension.h"

#include "errors.h"
#include "thread.h"

void extension_types_register(struct types *types, shale_heap *heap, bool *ok, shale_error *error)
{
    static const uint32_t receiver[] = {offsetof(struct bound_native, receiver)};
    static const uint32_t items[] = {offsetof(struct list, items)};
    static const uint32_t callee[] = {offsetof(struct thread_object, callee)};
    static const uint32_t reference[] = {offsetof(struct weak_object, reference)};
    const shale_type_spec specs[] = {
        {.name = "bound_native", .size = sizeof(struct bound_native), .values = receiver, .value_count = 1},
        {.name = "list", .size = sizeof(struct list), .pointers = items, .pointer_count = 1},
        {.name = "thread", .size = sizeof(struct thread_object), .values = callee, .value_count = 1},
        {.name = "weak", .size = sizeof(struct weak_object), .pointers = reference, .pointer_count = 1},
    };
    const shale_type **places[] = {&types->bound_native, &types->list, &types->thread_object,
                                   &types->weak_object};
    for (size_t i = 0; *ok && i < sizeof specs / sizeof specs[0]; i++) {
        *places[i] = shale_type_register(heap, &specs[i], error);
        *ok = *places[i] != NULL;
    }
}

bool extension_define(struct thread *thread)
{
    return extension_define_lists(thread) && extension_define_threads(thread) &&
           extension_define_collector(thread);
}

static const struct native_method *methods_of(value receiver)
{
    if (!has_tag(receiver, TAG_OBJECT))
        return NULL;
    switch (kind_of(receiver)) {
    case KIND_LIST:
        return list_methods;
    case KIND_THREAD:
        return thread_methods;
    case KIND_WEAK:
        return weak_methods;
    default:
        return NULL;
    }
}

const struct native_method *extension_find(value receiver, const struct string *name)
{
    const struct native_method *method = methods_of(receiver);
    size_t length = shale_length_of(name);
    for (; method != NULL && method->name != NULL; method++) {
        if (strlen(method->name) == length && memcmp(method->name, name->text, length) == 0)
            return method;
    }
    return NULL;
}

bool extension_bind(struct thread *thread, value *to, const value *receiver,
                    const struct native_method *method)
{
    struct bound_native *bound = shale_allocate(thread->mutator, thread->world->types.bound_native);
    if (bound == NULL)
        return out_of_memory(thread);
    bound->kind = KIND_BOUND_NATIVE;
    bound->method = method;
    bound->receiver = *receiver;
    *to = from_pointer(TAG_OBJECT, bound);
    return true;
}

bool extension_call(struct thread *thread, const struct native_method *method, value *window, unsigned count)
{
    if (count != method->arity)
        return runtime_error(thread, "Expected %u arguments but got %u.", method->arity, count);
    struct call *call = thread->call;
    value *top = call->top;
    value result = VALUE_NIL;
    call->top = window + 1 + count;
    bool done = method->function(thread, window + 1, count, &result);
    call->top = top;
    window[0] = result;
    return done;
}
