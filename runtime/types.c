#include "runtime/error.h"
#include "runtime/mutator.h"

const shale_type *shale_type_register(shale_heap *heap, const shale_type_spec *spec, shale_error *error)
{
    INSIDE();
    error_clear(error);
    if (heap_check(heap, "shale_type_register", error) != SHALE_OK)
        return NULL;
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    struct type *type = type_register(&heap->memory.types, spec, &status, message, sizeof message);
    if (type == NULL) {
        error_set(error, status, "%s", message);
        return NULL;
    }
    return &type->api;
}

const shale_type *shale_type_of(shale_mutator *mutator, const void *object)
{
    uint64_t header = atomic_u64_load((const atomic_u64 *)object - 1);
    return &type_of_header(&mutator_of(mutator)->heap->memory.types, header)->api;
}

size_t shale_size_of(shale_mutator *mutator, const void *object)
{
    uint64_t header = atomic_u64_load((const atomic_u64 *)object - 1);
    return object_payload(type_of_header(&mutator_of(mutator)->heap->memory.types, header), header, object);
}

const char *shale_type_name(const shale_type *type)
{
    return ((const struct type *)type)->name;
}
