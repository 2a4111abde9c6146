#include "runtime/handles.h"

#include "runtime/barrier.h"
#include "runtime/mutator.h"

#include <stdlib.h>
#include <string.h>

enum {
    HANDLES_PER_BLOCK =
        (HANDLE_BLOCK_SIZE - sizeof(struct handle_block_head) - sizeof(void *)) / sizeof(struct handle)
};

struct handle_block {
    struct handle_block_head head;
    struct handle_block *next;
    struct handle handles[HANDLES_PER_BLOCK];
};

void *handle_block_allocate(enum handle_kind kind)
{
    void *block;
    if (posix_memalign(&block, HANDLE_BLOCK_ALIGNMENT, HANDLE_BLOCK_SIZE) != 0)
        return NULL;
    memset(block, 0, HANDLE_BLOCK_SIZE);
    ((struct handle_block_head *)block)->kind = kind;
    return block;
}

void handles_init(struct handles *handles)
{
    *handles = (struct handles){.blocks = NULL};
    pthread_mutex_init(&handles->lock, NULL);
}

void handles_destroy(struct handles *handles)
{
    while (handles->blocks != NULL) {
        struct handle_block *block = handles->blocks;
        handles->blocks = block->next;
        free(block);
    }
    pthread_mutex_destroy(&handles->lock);
}

/* The lock is held. */
static bool grow(struct handles *handles)
{
    struct handle_block *block = handle_block_allocate(HANDLE_KEPT);
    if (block == NULL)
        return false;
    block->next = handles->blocks;
    handles->blocks = block;
    for (size_t i = HANDLES_PER_BLOCK; i-- > 0;) {
        block->handles[i].next_free = handles->free;
        handles->free = &block->handles[i];
    }
    return true;
}

struct handle *handles_take(struct handles *handles, void *object)
{
    pthread_mutex_lock(&handles->lock);
    struct handle *handle = handles->free != NULL || grow(handles) ? handles->free : NULL;
    if (handle != NULL) {
        handles->free = handle->next_free;
        atomic_u64_store((atomic_u64 *)&handle->api.object, (uint64_t)(uintptr_t)object);
        handle->used = true;
    }
    pthread_mutex_unlock(&handles->lock);
    return handle;
}

bool handles_give_back(struct handles *handles, struct handle *handle)
{
    pthread_mutex_lock(&handles->lock);
    bool used = handle->used;
    if (used) {
        atomic_u64_store((atomic_u64 *)&handle->api.object, 0);
        handle->used = false;
        handle->next_free = handles->free;
        handles->free = handle;
    }
    pthread_mutex_unlock(&handles->lock);
    return used;
}

void handles_visit(struct handles *handles, struct shale_visitor *visitor)
{
    pthread_mutex_lock(&handles->lock);
    /* Unused handles hold NULL. */
    for (struct handle_block *block = handles->blocks; block != NULL; block = block->next) {
        for (size_t i = 0; i < HANDLES_PER_BLOCK; i++)
            shale_visit_pointers(visitor, &block->handles[i].api.object, 1);
    }
    pthread_mutex_unlock(&handles->lock);
}

/* ---- public ---------------------------------------------------------------------------------------- */

shale_handle *shale_handle_create(shale_mutator *api, void *object)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_handle_create") != SHALE_OK)
        return NULL;
    barrier_shade(mutator, NULL, object);
    struct handle *handle = handles_take(&mutator->heap->handles, object);
    if (handle == NULL)
        mutator_fail(mutator, SHALE_ERROR_MEMORY,
                     "shale_handle_create: there is no memory for another handle");
    return handle != NULL ? &handle->api : NULL;
}

static shale_status check_handle(struct mutator *mutator, const shale_handle *handle, const char *function)
{
    shale_status status = mutator_check(mutator, function);
    if (status == SHALE_OK && handle == NULL)
        status = mutator_fail(mutator, SHALE_ERROR_ARGUMENT, "%s: the handle is NULL", function);
    return status;
}

shale_status shale_handle_set(shale_mutator *api, shale_handle *handle, void *object)
{
    INSIDE();
    shale_status status = check_handle(mutator_of(api), handle, "shale_handle_set");
    if (status != SHALE_OK)
        return status;
    if (handle_is_local(handle)) {
        handle->object = object;
    } else {
        barrier_shade(mutator_of(api), handle->object, object);
        atomic_u64_store_release((atomic_u64 *)&handle->object, (uint64_t)(uintptr_t)object);
    }
    return status;
}

shale_status shale_handle_drop(shale_mutator *api, shale_handle *handle)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = check_handle(mutator, handle, "shale_handle_drop");
    if (status != SHALE_OK)
        return status;
    if (handle_is_local(handle))
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_handle_drop",
                              "the handle is a local one, which goes when its scope is closed");
    barrier_shade(mutator, handle->object, NULL);
    if (handles_give_back(&mutator->heap->handles, (struct handle *)handle))
        return SHALE_OK;
    return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_handle_drop", "the handle was dropped before");
}
