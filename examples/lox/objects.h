/*
 * The objects that a program makes, all in the Shale heap.
 *
 * Objects move: a C pointer to one is good until the next call that may collect. Code and constants of functions do not,
 * so that the interpreter may keep addresses inside them while the function runs.
 *
 * References in objects are written by shale_store and shale_store_value, except the first ones into a new object.
 */
#ifndef LOX_OBJECTS_H
#define LOX_OBJECTS_H

#include "code.h"
#include "value.h"

struct thread;

/* What an object that TAG_OBJECT refers to begins with. */
enum object_kind {
    KIND_CLASS = 1,
    KIND_BOUND_METHOD,
    KIND_NATIVE,
    KIND_FUNCTION,
    /* extension.h */
    KIND_BOUND_NATIVE,
    KIND_LIST,
    KIND_THREAD,
    KIND_WEAK
};

/* Immutable and interned. As many bytes as shale_length_of says, without an end mark. */
struct string {
    uint32_t hash;
    char text[];
};

/* A number of values. */
struct values {
    value slots[1]; /* as many as shale_length_of says */
};

/* A local variable that a closure captured. */
struct cell {
    value content;
};

/* A global variable, defined or not. */
struct global {
    struct string *name;
    value content;
};

struct function {
    uint32_t kind;
    uint32_t arity;
    uint32_t registers;
    uint32_t captures;
    union word *code;    /* pinned */
    value *constants;    /* pinned; code.h says what else is there */
    struct string *name; /* NULL: the script */
    uint32_t *lines;     /* for each word of code */
};

struct closure {
    struct function *function;
    struct cell *cells[];
};

/* Which fields an instance has, and where. Instances of one class that were given the same fields in the same order share one.
 * Immutable but for `transitions`, unless it is a dictionary: then it belongs to one instance and grows with it. */
struct shape {
    uint32_t id;    /* told apart by it in inline caches; 0: not to be cached. Never used again. */
    uint32_t count; /* fields */
    struct class *class;
    struct shape *parent;      /* without the newest field; NULL when there are none */
    struct string *newest;     /* the field in slot count - 1 */
    struct table *transitions; /* field to shape with it as well; NULL: none yet */
    struct table *dictionary;  /* field to slot; NULL: not a dictionary */
};

struct class
{
    uint32_t kind;
    uint32_t root_id;
    struct shape *root; /* of instances without fields */
    struct string *name;
    struct table *methods; /* with those inherited */
    value initializer;     /* a closure or nil */
    uint32_t capacity;     /* slots of a new instance */
    uint32_t most_fields;  /* that an instance had yet */
    uint32_t young;        /* instances until capacity is taken from most_fields */
    uint32_t unused;
};

/* Those fields that there is room for are in `slots`, the others in an extension. `id` is written last: who has read it finds
 * all fields of that shape. */
struct instance {
    struct shape *shape; /* or the extension: shape.h knows which */
    uint32_t id;         /* the shape's */
    uint32_t limit;      /* number of slots */
    value slots[];
};

/* The fields of one instance from the one with number `limit` on. */
struct extension {
    uint32_t no_shape; /* NO_SHAPE, where a shape has its id */
    uint32_t unused;
    struct shape *shape;
    value slots[];
};

struct bound_method {
    uint32_t kind;
    uint32_t unused;
    value receiver;
    struct closure *method;
};

/* Puts the result into `result`; false: it has reported a runtime error. May collect. */
typedef bool native_function(struct thread *thread, const value *arguments, unsigned count, value *result);

struct native {
    uint32_t kind;
    uint32_t unused;
    native_function *function;
};

/* What a call site found, the newest first. Immutable, so that threads that share the site see whole ones. */
struct method_cache {
    uint32_t id;     /* of the shape whose instances' method this is */
    uint32_t length; /* of the list from here on */
    struct closure *method;
    struct method_cache *rest; /* NULL: no more */
};

/* What an assignment that added a field did; the rest as above. */
struct field_cache {
    uint32_t id; /* of the shape before */
    uint32_t length;
    uint32_t slot;
    uint32_t next_id;    /* of the shape after */
    struct shape *shape; /* after */
    struct field_cache *rest;
};

/* The types of all these, registered with one heap. */
struct types {
    const shale_type *string, *values, *cell, *global, *code, *lines, *function, *closure, *shape, *class,
        *instance, *extension, *bound_method, *native, *method_cache, *field_cache, *table, *entries;
    const shale_type *bound_native, *list, *thread_object, *weak_object;
};

bool types_register(struct types *types, shale_heap *heap, shale_error *error);

static inline enum object_kind kind_of(value word)
{
    return *(const enum object_kind *)to_pointer(word);
}

static inline bool is_kind(value word, enum object_kind kind)
{
    return has_tag(word, TAG_OBJECT) && kind_of(word) == kind;
}

#endif
