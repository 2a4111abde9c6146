/* Weak handles: a handle to a weak reference, under a type of its own so that the two are not confused. */
#include "runtime/mutator.h"

static shale_handle *handle_of(const shale_weak_handle *handle)
{
    return (shale_handle *)(uintptr_t)handle; // NOLINT(performance-no-int-to-ptr)
}

shale_weak_handle *shale_weak_handle_create(shale_mutator *mutator, void *object)
{
    INSIDE();
    if (mutator_check(mutator_of(mutator), "shale_weak_handle_create") != SHALE_OK)
        return NULL;
    shale_weak *weak = shale_weak_create(mutator, object);
    /* No safepoint lies between the two. */
    return weak != NULL ? (shale_weak_handle *)shale_handle_create(mutator, weak) : NULL;
}

void *shale_weak_handle_get(shale_mutator *mutator, const shale_weak_handle *handle)
{
    INSIDE();
    return handle != NULL ? shale_weak_get(mutator, shale_handle_get(handle_of(handle))) : NULL;
}

shale_status shale_weak_handle_drop(shale_mutator *mutator, shale_weak_handle *handle)
{
    INSIDE();
    return shale_handle_drop(mutator, handle_of(handle));
}
