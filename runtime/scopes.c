#include "runtime/scopes.h"

#include "runtime/mutator.h"

#include <stdlib.h>

enum {
    HANDLES_PER_BLOCK =
        (HANDLE_BLOCK_SIZE - sizeof(struct handle_block_head) - sizeof(void *)) / sizeof(struct shale_handle)
};

struct scope_block {
    struct handle_block_head head;
    struct scope_block *previous;
    struct shale_handle handles[HANDLES_PER_BLOCK];
};

void scopes_visit(struct mutator *mutator, struct shale_visitor *visitor)
{
    struct scope_block *block = mutator->scope_blocks.last;
    if (block == NULL)
        return;
    shale_visit_pointers(visitor, block->handles,
                         (size_t)(mutator->local.bump.api.local_next - block->handles));
    while ((block = block->previous) != NULL)
        shale_visit_pointers(visitor, block->handles, HANDLES_PER_BLOCK);
}

void scopes_end(struct mutator *mutator)
{
    struct scope_blocks *blocks = &mutator->scope_blocks;
    free(blocks->spare);
    while (blocks->last != NULL) {
        struct scope_block *block = blocks->last;
        blocks->last = block->previous;
        free(block);
    }
    *blocks = (struct scope_blocks){.last = NULL};
    mutator->local.bump.api.local_next = NULL;
    mutator->local.bump.api.local_limit = NULL;
}

/* Makes sure that there is a block besides the last. */
static bool reserve(struct scope_blocks *blocks)
{
    if (blocks->spare == NULL)
        blocks->spare = handle_block_allocate(HANDLE_LOCAL);
    return blocks->spare != NULL;
}

/* Goes on in `block`, which is empty. */
static void begin_block(struct mutator *mutator, struct scope_block *block)
{
    mutator->local.bump.api.local_next = block->handles;
    mutator->local.bump.api.local_limit = block->handles + HANDLES_PER_BLOCK;
}

static shale_handle *no_memory(struct mutator *mutator, const char *function)
{
    mutator_fail(mutator, SHALE_ERROR_MEMORY, "%s: there is no memory for another handle", function);
    return NULL;
}

shale_handle *shale_local_slow(shale_mutator *api, void *object)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_local") != SHALE_OK)
        return NULL;
    if (api->scopes == NULL) {
        mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_local",
                       "no handle scope is open; open one with shale_scope_open");
        return NULL;
    }
    if (api->local_next == api->local_limit) {
        struct scope_blocks *blocks = &mutator->scope_blocks;
        if (!reserve(blocks))
            return no_memory(mutator, "shale_local");
        struct scope_block *block = blocks->spare;
        blocks->spare = NULL;
        block->previous = blocks->last;
        blocks->last = block;
        begin_block(mutator, block);
    }
    api->local_next->object = object;
    return api->local_next++;
}

/* Back to what it was when the scope was opened. */
static void unwind(struct mutator *mutator, const shale_scope *scope)
{
    struct scope_blocks *blocks = &mutator->scope_blocks;
    shale_mutator *api = &mutator->local.bump.api;
    api->scopes = scope->outer;
    while (api->local_limit != scope->limit) {
        struct scope_block *block = blocks->last;
        if (block->previous == NULL) {
            /* There was no block yet when the scope was opened. */
            begin_block(mutator, block);
            return;
        }
        blocks->last = block->previous;
        begin_block(mutator, blocks->last);
        free(blocks->spare);
        blocks->spare = block;
    }
    api->local_next = scope->next;
}

static shale_status check_innermost(struct mutator *mutator, const shale_scope *scope, const char *function)
{
    shale_status status = mutator_check(mutator, function);
    if (status == SHALE_OK && (scope == NULL || mutator->local.bump.api.scopes != scope))
        status = mutator_misuse(mutator, SHALE_ERROR_MISUSE, function,
                                "this is not the innermost open scope; close scopes in the reverse order");
    return status;
}

shale_status shale_scope_close_slow(shale_mutator *api, shale_scope *scope)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = check_innermost(mutator, scope, "shale_scope_close");
    if (status == SHALE_OK)
        unwind(mutator, scope);
    return status;
}

shale_handle *shale_scope_close_keep(shale_mutator *api, shale_scope *scope, const shale_handle *handle)
{
    INSIDE();
    static const char function[] = "shale_scope_close_keep";
    struct mutator *mutator = mutator_of(api);
    if (check_innermost(mutator, scope, function) != SHALE_OK)
        return NULL;
    if (handle == NULL || scope->outer == NULL) {
        mutator_misuse(mutator, SHALE_ERROR_MISUSE, function,
                       handle == NULL ? "the handle is NULL"
                                      : "there is no outer scope to keep the handle in");
        return NULL;
    }
    /* So that nothing can fail once the scope is closed. */
    if (scope->next == scope->limit && api->local_limit == scope->limit && !reserve(&mutator->scope_blocks))
        return no_memory(mutator, function);
    void *object = handle->object;
    unwind(mutator, scope);
    return shale_local(api, object);
}
