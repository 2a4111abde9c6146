/*
 * Weak references and ephemerons: the calls.
 *
 * [weak-phase] None of the reading calls has a safepoint.
 */
#include "runtime/barrier.h"

/* Allocates an object of a built-in type. `kept` are addresses that must survive it. */
static void *allocate(struct mutator *mutator, const struct type *type, void **kept, size_t count)
{
    shale_frame frame;
    shale_frame_push(&mutator->local.bump.api, &frame, kept, count);
    void *object = shale_allocate(&mutator->local.bump.api, &type->api);
    shale_frame_pop(&mutator->local.bump.api, &frame);
    return object;
}

static uint64_t word_of(const void *address)
{
    return (uint64_t)(uintptr_t)address;
}

static void *address_of(uint64_t word)
{
    return (void *)(uintptr_t)word; // NOLINT(performance-no-int-to-ptr)
}

shale_weak *shale_weak_create(shale_mutator *api, void *object)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_weak_create") != SHALE_OK)
        return NULL;
    void *kept[] = {object};
    struct weak_object *weak = allocate(mutator, mutator->heap->memory.weak_type, kept, 1);
    if (weak != NULL)
        atomic_u64_store(&weak->referent, word_of(kept[0])); /* it is new: no barrier */
    return (shale_weak *)weak;
}

void *shale_weak_get(shale_mutator *api, const shale_weak *weak)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (weak == NULL)
        return NULL;
    struct mark *mark = &mutator->heap->collector.mark;
    return address_of(
        weak_read(&mark->weak, &mark->work, &mutator->local, &((const struct weak_object *)weak)->referent));
}

shale_ephemeron *shale_ephemeron_create(shale_mutator *api, void *key, void *value)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_ephemeron_create") != SHALE_OK)
        return NULL;
    void *kept[] = {key, value};
    struct ephemeron_object *ephemeron = allocate(mutator, mutator->heap->memory.ephemeron_type, kept, 2);
    if (ephemeron != NULL) {
        atomic_u64_store(&ephemeron->key, word_of(kept[0]));
        atomic_u64_store(&ephemeron->value, word_of(kept[0] != NULL ? kept[1] : NULL));
    }
    return (shale_ephemeron *)ephemeron;
}

void *shale_ephemeron_key(shale_mutator *api, const shale_ephemeron *ephemeron)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (ephemeron == NULL)
        return NULL;
    struct mark *mark = &mutator->heap->collector.mark;
    return address_of(weak_read(&mark->weak, &mark->work, &mutator->local,
                                &((const struct ephemeron_object *)ephemeron)->key));
}

void *shale_ephemeron_value(shale_mutator *api, const shale_ephemeron *ephemeron)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (ephemeron == NULL)
        return NULL;
    struct mark *mark = &mutator->heap->collector.mark;
    return address_of(weak_read_value(&mark->weak, &mark->work, &mutator->local,
                                      (const struct ephemeron_object *)ephemeron));
}

void shale_ephemeron_set_value(shale_mutator *api, shale_ephemeron *ephemeron, void *value)
{
    INSIDE();
    /* What a dead key's value leads to is dead as well, and must not be shaded as what is overwritten when marking is
     * complete: so the key is kept alive from here on, or nothing is stored. */
    if (shale_ephemeron_key(api, ephemeron) != NULL)
        shale_store(api, ephemeron, (void *)&((struct ephemeron_object *)ephemeron)->value, value);
}

/* ---- finalizers ------------------------------------------------------------------------------------ */

shale_status shale_finalizer_add(shale_mutator *api, void *object, uintptr_t data)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_finalizer_add");
    if (status != SHALE_OK)
        return status;
    if (views_offset(&mutator->heap->memory.views, (uintptr_t)object) >= mutator->heap->memory.views.size)
        return mutator_fail(mutator, SHALE_ERROR_ARGUMENT,
                            "shale_finalizer_add: only an object of this heap can be finalized");
    if (!finalizers_add(&mutator->heap->finalizers, object, data))
        return mutator_fail(mutator, SHALE_ERROR_MEMORY,
                            "shale_finalizer_add: there is no memory for another finalizer");
    return SHALE_OK;
}

void *shale_finalizer_take(shale_mutator *api, uintptr_t *data)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    struct finalizer entry;
    if (mutator_check(mutator, "shale_finalizer_take") != SHALE_OK ||
        !finalizers_take(&mutator->heap->finalizers, &entry))
        return NULL;
    if (data != NULL)
        *data = entry.data;
    void *object = address_of(entry.object);
    barrier_shade(mutator, object, NULL); /* it left a root of the heap */
    return object;
}
