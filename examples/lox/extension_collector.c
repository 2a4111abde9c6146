#include "call.h"
#include "errors.h"
#include "extension.h"
#include "shape.h"
#include "strings.h"
#include "thread.h"

/* ---- gc() ------------------------------------------------------------------------------------------- */

static bool no_arguments(struct thread *thread, unsigned count)
{
    return count == 0 || runtime_error(thread, "Expected 0 arguments but got %u.", count);
}

static bool collect(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    (void)arguments;
    (void)result;
    if (!no_arguments(thread, count))
        return false;
    shale_collect(thread->mutator, SHALE_COLLECT_COMPACT);
    return true;
}

/* ---- gcStats() -------------------------------------------------------------------------------------- */

struct field {
    const char *name;
    double number;
};

static double milliseconds(uint64_t nanoseconds)
{
    return (double)nanoseconds / 1e6;
}

/* The fields of *place, a class, become those of an instance of it that is put there. */
static bool make_instance(struct thread *thread, value *place, const struct field *fields, size_t count)
{
    bool failed;
    call_prepare(thread, place, 0, &failed);
    for (size_t i = 0; !failed && i < count; i++) {
        struct string *name = string_make(thread, fields[i].name, strlen(fields[i].name));
        if (name == NULL ||
            !instance_add_field(thread, to_pointer(*place), name, from_number(fields[i].number), NULL))
            failed = !out_of_memory(thread);
    }
    return !failed;
}

static bool statistics(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    if (!no_arguments(thread, count))
        return false;
    shale_statistics now;
    shale_heap_statistics(thread->world->heap, &now);
    const struct field fields[] = {
        {"cycles", (double)now.cycles},
        {"compactions", (double)now.flips},
        {"liveBytes", (double)now.live_bytes},
        {"usedBytes", (double)now.used_bytes},
        {"committedBytes", (double)now.committed_bytes},
        {"allocatedBytes", (double)now.bytes_allocated},
        {"movedBytes", (double)now.bytes_moved},
        {"faults", (double)now.faults},
        {"stalls", (double)now.allocation_stalls},
        {"pauseMedian", milliseconds(now.flip_pause.p50)},
        {"pauseMaximum", milliseconds(now.flip_pause.maximum)},
    };
    value *place = (value *)arguments - 1; /* the function itself, which is not needed any more */
    *place = from_pointer(TAG_OBJECT, shale_handle_get(thread->world->statistics_class));
    if (!make_instance(thread, place, fields, sizeof fields / sizeof fields[0]))
        return false;
    *result = *place;
    return true;
}

static bool make_statistics_class(struct thread *thread)
{
    struct world *world = thread->world;
    struct string *name = string_make(thread, "GcStats", 7);
    value class;
    world->statistics_class = shale_handle_create(thread->mutator, NULL);
    if (name == NULL || world->statistics_class == NULL ||
        !make_class(thread, &class, from_pointer(TAG_STRING, name)))
        return false;
    shale_handle_set(thread->mutator, world->statistics_class, to_pointer(class));
    return true;
}

/* ---- weak(object) ----------------------------------------------------------------------------------- */

static bool make_weak(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    if (count != 1)
        return runtime_error(thread, "Expected 1 arguments but got %u.", count);
    if (!is_reference(arguments[0]))
        return runtime_error(thread, "Only objects and strings can be referred to weakly.");
    struct weak_object *weak = shale_allocate(thread->mutator, thread->world->types.weak_object);
    if (weak == NULL)
        return out_of_memory(thread);
    weak->kind = KIND_WEAK;
    weak->tag = (uint32_t)(arguments[0] >> 48);
    value *place = (value *)arguments - 1; /* the function itself, which is not needed any more */
    *place = from_pointer(TAG_OBJECT, weak);
    shale_weak *reference = shale_weak_create(thread->mutator, to_pointer(arguments[0]));
    if (reference == NULL)
        return out_of_memory(thread);
    weak = to_pointer(*place);
    shale_store(thread->mutator, weak, &weak->reference, reference);
    *result = *place;
    return true;
}

static bool weak_get(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    const struct weak_object *weak = to_pointer(arguments[-1]);
    (void)count;
    void *object = shale_weak_get(thread->mutator, weak->reference);
    *result = object == NULL ? VALUE_NIL : from_pointer((enum value_tag)weak->tag, object);
    return true;
}

const struct native_method weak_methods[] = {{"get", 0, weak_get}, {NULL, 0, NULL}};

bool extension_define_collector(struct thread *thread)
{
    return make_statistics_class(thread) && world_define_native(thread, "gc", collect) &&
           world_define_native(thread, "gcStats", statistics) &&
           world_define_native(thread, "weak", make_weak);
}
