/*
 * What all threads of a program share: the heap, the types of its objects, and the objects that everything begins with.
 */
#ifndef LOX_WORLD_H
#define LOX_WORLD_H

#include "objects.h"
#include "output.h"
#include "sharing.h"

struct thread;

struct world {
    shale_heap *heap;
    struct types types;
    shale_handle *strings;   /* a shale_intern_table of all strings */
    shale_handle *globals;   /* a table from names to globals */
    shale_handle *init_name; /* the string "init" */
    shale_handle
        *no_cache;         /* a struct field_cache that never matches; nor does it as a struct method_cache */
    uint32_t newest_shape; /* id; written atomically */
    shale_handle *statistics_class; /* of what gcStats returns; NULL without extensions */
    struct gc_report *report;       /* NULL: none */
    struct output output;
    struct output errors; /* nothing is left in it when an error has been reported */
    struct sharing sharing;
};

/* Prepares what is not in the heap. */
void world_start(struct world *world);

/* Makes the shared objects. False when there is no memory for them. May collect. */
bool world_fill(struct world *world, struct thread *thread);

/* No other thread is left. Nothing may be run afterwards. */
void world_end(struct world *world);

/* The global variable of this name, which it becomes now if there was none. NULL when the heap is full. May collect. */
struct global *world_global(struct thread *thread, struct string *name);

/* Defines a global variable that holds a function of the interpreter's. May collect. */
bool world_define_native(struct thread *thread, const char *name, native_function *function);

#endif
