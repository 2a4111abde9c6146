/*
 * Threads: spawn(function), and join() of what it returns.
 *
 * A thread is a mutator of its own on the same heap. It finds what it is to call in its thread object, which it knows by a handle
 * that it drops when it ends. The object holds no memory outside the heap: who joins waits for `ended` to
 * change, and looks again whether the thread is done. So a thread need not be joined, and can be by many.
 */
#include "errors.h"
#include "extension.h"
#include "gc_report.h"
#include "thread.h"
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>

/* What a new thread is told, and tells. It is on the stack of who spawns it, who waits for `answered`. */
struct start {
    struct world *world;
    shale_handle *object;
    bool answered; /* under the sharing's lock, as is the following */
    bool started;
    shale_error error;
};

static void answer(struct start *start, bool started)
{
    struct sharing *sharing = &start->world->sharing;
    pthread_mutex_lock(&sharing->lock);
    start->answered = true;
    start->started = started;
    sharing->running += started;
    pthread_cond_broadcast(&sharing->changed);
    pthread_mutex_unlock(&sharing->lock);
}

static void finish(struct world *world)
{
    struct sharing *sharing = &world->sharing;
    pthread_mutex_lock(&sharing->lock);
    sharing->running--;
    sharing->ended++;
    pthread_cond_broadcast(&sharing->changed);
    pthread_mutex_unlock(&sharing->lock);
}

/* Calls what the object says, and leaves the result there. */
static void run_object(struct thread *thread, shale_handle *handle)
{
    struct thread_object *object = shale_handle_get(handle);
    value result;
    if (!vm_call(thread, object->callee, &result))
        result = VALUE_NIL;
    object = shale_handle_get(handle);
    shale_store_value(thread->mutator, object, &object->callee, result);
    __atomic_store_n(&object->done, 1, __ATOMIC_RELEASE);
    shale_handle_drop(thread->mutator, handle);
}

static void *run_thread(void *argument)
{
    struct start *start = argument;
    struct world *world = start->world;
    shale_handle *object = start->object;
    struct thread *thread = calloc(1, sizeof *thread);
    bool started = thread != NULL && thread_start(thread, world, &start->error);
    if (started)
        thread->alone = false;
    answer(start, started); /* then `start` is gone */
    if (started) {
        uint64_t began = gc_report_clock();
        run_object(thread, object);
        gc_report_thread(world->report, thread->mutator, began);
        thread_end(thread);
        finish(world);
    }
    free(thread);
    return NULL;
}

/* Functions and methods without parameters. */
static bool is_callable(value word)
{
    if (is_kind(word, KIND_BOUND_METHOD))
        return ((struct bound_method *)to_pointer(word))->method->function->arity == 0;
    return is_closure(word) && ((struct closure *)to_pointer(word))->function->arity == 0;
}

/* Returns when the thread runs, or has said why not. */
static void await_answer(struct thread *thread, struct start *start)
{
    struct sharing *sharing = &start->world->sharing;
    shale_enter_native(thread->mutator);
    pthread_mutex_lock(&sharing->lock);
    while (!start->answered)
        pthread_cond_wait(&sharing->changed, &sharing->lock);
    pthread_mutex_unlock(&sharing->lock);
    shale_leave_native(thread->mutator);
}

static bool start_thread(struct thread *thread, shale_handle *object, shale_error *error)
{
    struct start start = {
        .world = thread->world, .object = object, .error = {.message = "there is no memory for another one"}};
    thread->alone = false;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_t created;
    int status = pthread_create(&created, &detached, run_thread, &start);
    pthread_attr_destroy(&detached);
    if (status != 0)
        snprintf(start.error.message, sizeof start.error.message, "%s", strerror(status));
    else
        await_answer(thread, &start);
    *error = start.error;
    return start.started;
}

static bool spawn(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    if (count != 1)
        return runtime_error(thread, "Expected 1 arguments but got %u.", count);
    if (!is_callable(arguments[0]))
        return runtime_error(thread, "Can only spawn a function without parameters.");
    struct thread_object *object = shale_allocate(thread->mutator, thread->world->types.thread_object);
    if (object == NULL)
        return out_of_memory(thread);
    object->kind = KIND_THREAD;
    object->callee = arguments[0];
    shale_handle *handle = shale_handle_create(thread->mutator, object);
    if (handle == NULL)
        return out_of_memory(thread);
    value *place = (value *)arguments - 1; /* the function itself, which is not needed any more */
    *place = from_pointer(TAG_OBJECT, object);
    shale_error error;
    if (!start_thread(thread, handle, &error)) {
        shale_handle_drop(thread->mutator, handle);
        return runtime_error(thread, "Could not start a thread: %s.", error.message);
    }
    *result = *place;
    return true;
}

static bool is_done(const value *arguments)
{
    const struct thread_object *object = to_pointer(arguments[-1]);
    return __atomic_load_n(&object->done, __ATOMIC_ACQUIRE) != 0;
}

/* Threads that ended before the call, or with `than` other than -1, waits until there are others. */
static uint64_t count_ended(struct thread *thread, uint64_t than)
{
    struct sharing *sharing = &thread->world->sharing;
    shale_enter_native(thread->mutator);
    pthread_mutex_lock(&sharing->lock);
    while (sharing->ended == than)
        pthread_cond_wait(&sharing->changed, &sharing->lock);
    uint64_t ended = sharing->ended;
    pthread_mutex_unlock(&sharing->lock);
    shale_leave_native(thread->mutator);
    return ended;
}

static bool join(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    (void)count;
    uint64_t ended = UINT64_MAX;
    while (!is_done(arguments))
        ended = count_ended(thread, ended);
    *result = load_word(&((struct thread_object *)to_pointer(arguments[-1]))->callee);
    return true;
}

static bool thread_is_done(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    (void)thread;
    (void)count;
    *result = from_boolean(is_done(arguments));
    return true;
}

const struct native_method thread_methods[] = {
    {"join", 0, join}, {"done", 0, thread_is_done}, {NULL, 0, NULL}};

bool extension_define_threads(struct thread *thread)
{
    return world_define_native(thread, "spawn", spawn);
}

void extension_await_threads(struct thread *thread)
{
    struct sharing *sharing = &thread->world->sharing;
    shale_enter_native(thread->mutator);
    pthread_mutex_lock(&sharing->lock);
    while (sharing->running != 0)
        pthread_cond_wait(&sharing->changed, &sharing->lock);
    pthread_mutex_unlock(&sharing->lock);
    shale_leave_native(thread->mutator);
}
