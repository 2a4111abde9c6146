#include "world.h"

#include "strings.h"
#include "table.h"
#include "thread.h"

#include <unistd.h>

void world_start(struct world *world)
{
    sharing_init(&world->sharing);
    output_start(&world->output, STDOUT_FILENO);
    output_start(&world->errors, STDERR_FILENO);
}

bool world_fill(struct world *world, struct thread *thread)
{
    shale_mutator *mutator = thread->mutator;
    world->strings = shale_handle_create(mutator, NULL);
    world->globals = shale_handle_create(mutator, NULL);
    world->init_name = shale_handle_create(mutator, NULL);
    world->no_cache = shale_handle_create(mutator, NULL);
    if (!world->strings || !world->globals || !world->init_name || !world->no_cache)
        return false;
    shale_handle_set(mutator, world->strings, shale_intern_create(mutator));
    if (shale_handle_get(world->strings) == NULL)
        return false;
    shale_handle_set(mutator, world->globals, table_create(thread));
    shale_handle_set(mutator, world->init_name, string_make(thread, "init", 4));
    struct field_cache *cache = shale_allocate(mutator, world->types.field_cache);
    if (cache == NULL)
        return false;
    cache->id = NO_SHAPE;
    shale_handle_set(mutator, world->no_cache, cache);
    return shale_handle_get(world->globals) != NULL && shale_handle_get(world->init_name) != NULL;
}

void world_end(struct world *world)
{
    sharing_destroy(&world->sharing);
}

/* With the lock. */
static struct global *find_or_make_global(struct thread *thread, struct string *name)
{
    struct world *world = thread->world;
    value *there = table_find(shale_handle_get(world->globals), name);
    if (there != NULL)
        return to_pointer(*there);
    struct {
        struct string *name;
        struct global *global;
    } local = {name, NULL};
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &local, 2);
    local.global = shale_allocate(thread->mutator, world->types.global);
    if (local.global != NULL) {
        local.global->name = local.name;
        local.global->content = VALUE_UNDEFINED;
        if (!table_set(thread, shale_handle_get(world->globals), local.name,
                       from_pointer(TAG_OBJECT, local.global)))
            local.global = NULL;
    }
    shale_frame_pop(thread->mutator, &frame);
    return local.global;
}

struct global *world_global(struct thread *thread, struct string *name)
{
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &name, 1);
    world_lock(thread, LOCK_GLOBALS);
    shale_frame_pop(thread->mutator, &frame);
    struct global *global = find_or_make_global(thread, name);
    world_unlock(thread, LOCK_GLOBALS);
    return global;
}

bool world_define_native(struct thread *thread, const char *name, native_function *function)
{
    struct {
        struct native *native;
    } local;
    shale_frame frame;
    local.native = shale_allocate(thread->mutator, thread->world->types.native);
    if (local.native == NULL)
        return false;
    local.native->kind = KIND_NATIVE;
    local.native->function = function;
    shale_frame_push(thread->mutator, &frame, &local, 1);
    struct string *string = string_make(thread, name, strlen(name));
    struct global *global = string == NULL ? NULL : world_global(thread, string);
    shale_frame_pop(thread->mutator, &frame);
    if (global == NULL)
        return false;
    shale_store_value(thread->mutator, global, &global->content, from_pointer(TAG_OBJECT, local.native));
    return true;
}
