#include "world.h"

#include "strings.h"
#include "table.h"
#include "thread.h"

void world_start(struct world *world)
{
    pthread_mutex_init(&world->lock, NULL);
    output_start(&world->output);
}

void world_lock(struct thread *thread)
{
    pthread_mutex_t *lock = &thread->world->lock;
    if (thread->alone || pthread_mutex_trylock(lock) == 0)
        return;
    shale_enter_native(thread->mutator);
    pthread_mutex_lock(lock);
    shale_leave_native(thread->mutator);
}

void world_unlock(struct thread *thread)
{
    if (!thread->alone)
        pthread_mutex_unlock(&thread->world->lock);
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

/* *name and *global are in a frame. *global stays NULL when the heap is full. */
static void add_global(struct thread *thread, struct string **name, struct global **global)
{
    struct global *fresh = shale_allocate(thread->mutator, thread->world->types.global);
    if (fresh == NULL)
        return;
    fresh->name = *name;
    fresh->content = VALUE_UNDEFINED;
    *global = fresh;
    if (!table_set(thread, shale_handle_get(thread->world->globals), *name, from_pointer(TAG_OBJECT, fresh)))
        *global = NULL;
}

struct global *world_global(struct thread *thread, struct string *name)
{
    struct {
        struct string *name;
        struct global *global;
    } local = {name, NULL};
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &local, 2);
    world_lock(thread);
    const value *there = table_find(shale_handle_get(thread->world->globals), local.name);
    if (there != NULL)
        local.global = to_pointer(*there);
    else
        add_global(thread, &local.name, &local.global);
    world_unlock(thread);
    shale_frame_pop(thread->mutator, &frame);
    return local.global;
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
