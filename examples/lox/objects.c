#include "objects.h"

#include "extension.h"
#include "shape.h"
#include "table.h"

static const shale_type *register_type(shale_heap *heap, const shale_type_spec *spec, bool *ok,
                                       shale_error *error)
{
    if (!*ok)
        return NULL; /* the first failure is the one to report */
    const shale_type *type = shale_type_register(heap, spec, error);
    *ok = type != NULL;
    return type;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define FIXED(struct_name, offsets)                                                  \
    .name = #struct_name, .size = sizeof(struct struct_name), .pointers = (offsets), \
    .pointer_count = COUNT(offsets)

static bool register_code_types(struct types *types, shale_heap *heap, shale_error *error)
{
    static const uint32_t first[] = {0};
    static const uint32_t function[] = {offsetof(struct function, code), offsetof(struct function, constants),
                                        offsetof(struct function, name), offsetof(struct function, lines)};
    static const uint32_t closure[] = {offsetof(struct closure, function)};
    static const uint32_t method_cache[] = {offsetof(struct method_cache, method),
                                            offsetof(struct method_cache, rest)};
    static const uint32_t field_cache[] = {offsetof(struct field_cache, shape),
                                           offsetof(struct field_cache, rest)};
    bool ok = true;
    types->code = register_type(heap, &(shale_type_spec){.name = "code", .element_size = sizeof(union word)},
                                &ok, error);
    types->lines = register_type(heap, &(shale_type_spec){.name = "lines", .element_size = sizeof(uint32_t)},
                                 &ok, error);
    types->function = register_type(heap, &(shale_type_spec){FIXED(function, function)}, &ok, error);
    types->closure =
        register_type(heap,
                      &(shale_type_spec){FIXED(closure, closure), .element_size = sizeof(struct cell *),
                                         .element_pointers = first, .element_pointer_count = 1},
                      &ok, error);
    types->method_cache =
        register_type(heap, &(shale_type_spec){FIXED(method_cache, method_cache)}, &ok, error);
    types->field_cache = register_type(heap, &(shale_type_spec){FIXED(field_cache, field_cache)}, &ok, error);
    return ok;
}

static bool register_class_types(struct types *types, shale_heap *heap, shale_error *error)
{
    static const uint32_t first[] = {0};
    static const uint32_t shape[] = {offsetof(struct shape, class), offsetof(struct shape, parent),
                                     offsetof(struct shape, newest), offsetof(struct shape, transitions),
                                     offsetof(struct shape, dictionary)};
    static const uint32_t class[] = {offsetof(struct class, root), offsetof(struct class, name),
                                     offsetof(struct class, methods)};
    static const uint32_t class_values[] = {offsetof(struct class, initializer)};
    static const uint32_t instance[] = {offsetof(struct instance, shape)};
    static const uint32_t extension[] = {offsetof(struct extension, shape)};
    static const uint32_t bound[] = {offsetof(struct bound_method, method)};
    static const uint32_t bound_values[] = {offsetof(struct bound_method, receiver)};
    bool ok = true;
    types->shape = register_type(heap, &(shale_type_spec){FIXED(shape, shape)}, &ok, error);
    types->class = register_type(
        heap, &(shale_type_spec){FIXED(class, class), .values = class_values, .value_count = 1}, &ok, error);
    types->instance =
        register_type(heap,
                      &(shale_type_spec){FIXED(instance, instance), .element_size = sizeof(value),
                                         .element_values = first, .element_value_count = 1},
                      &ok, error);
    types->extension =
        register_type(heap,
                      &(shale_type_spec){FIXED(extension, extension), .element_size = sizeof(value),
                                         .element_values = first, .element_value_count = 1},
                      &ok, error);
    types->bound_method = register_type(
        heap, &(shale_type_spec){FIXED(bound_method, bound), .values = bound_values, .value_count = 1}, &ok,
        error);
    types->native =
        register_type(heap, &(shale_type_spec){.name = "native", .size = sizeof(struct native)}, &ok, error);
    return ok;
}

static bool register_data_types(struct types *types, shale_heap *heap, shale_error *error)
{
    static const uint32_t first[] = {0};
    static const uint32_t global[] = {offsetof(struct global, name)};
    static const uint32_t global_values[] = {offsetof(struct global, content)};
    static const uint32_t table[] = {offsetof(struct table, entries)};
    static const uint32_t key[] = {offsetof(struct table_entry, key)};
    static const uint32_t content[] = {offsetof(struct table_entry, content)};
    bool ok = true;
    types->string = register_type(heap,
                                  &(shale_type_spec){.name = "string",
                                                     .size = offsetof(struct string, text),
                                                     .element_size = sizeof(char)},
                                  &ok, error);
    types->values = register_type(heap,
                                  &(shale_type_spec){.name = "values",
                                                     .element_size = sizeof(value),
                                                     .element_values = first,
                                                     .element_value_count = 1},
                                  &ok, error);
    types->cell = register_type(
        heap,
        &(shale_type_spec){.name = "cell", .size = sizeof(struct cell), .values = first, .value_count = 1},
        &ok, error);
    types->global = register_type(
        heap, &(shale_type_spec){FIXED(global, global), .values = global_values, .value_count = 1}, &ok,
        error);
    types->table = register_type(heap, &(shale_type_spec){FIXED(table, table)}, &ok, error);
    types->entries = register_type(heap,
                                   &(shale_type_spec){.name = "entries",
                                                      .element_size = sizeof(struct table_entry),
                                                      .element_pointers = key,
                                                      .element_pointer_count = 1,
                                                      .element_values = content,
                                                      .element_value_count = 1},
                                   &ok, error);
    return ok;
}

bool types_register(struct types *types, shale_heap *heap, shale_error *error)
{
    bool ok = register_code_types(types, heap, error) && register_class_types(types, heap, error) &&
              register_data_types(types, heap, error);
    extension_types_register(types, heap, &ok, error);
    return ok;
}
