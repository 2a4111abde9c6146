/*
 * Extensions of the language, which --ext turns on: functions that scripts find as globals, and objects of kinds of their own that
 * have methods in C. README.md says what they do.
 *
 *   extension.c          methods of such objects: finding, binding, calling
 *   extension_list.c     lists
 *   extension_thread.c   spawn and what it returns
 *   extension_collector.c  gc, gcStats, weak
 */
#ifndef LOX_EXTENSION_H
#define LOX_EXTENSION_H

#include "objects.h"

/* A method: called with the receiver in arguments[-1]. */
struct native_method {
    const char *name;
    unsigned arity;
    native_function *function;
};

/* A method of such an object that was read as a property. */
struct bound_native {
    uint32_t kind;
    uint32_t unused;
    const struct native_method *method;
    value receiver;
};

struct list {
    uint32_t kind;
    uint32_t lock; /* of LIST_LOCKS */
    size_t count;  /* with the lock; read by anyone, who checks by the length of the items as well */
    struct values *items;
};

/* What spawn returns. */
struct thread_object {
    uint32_t kind;
    uint32_t done; /* atomic; written last */
    value callee;  /* then the result */
};

struct weak_object {
    uint32_t kind;
    uint32_t tag; /* of the references to it */
    shale_weak *reference;
};

/* Registers the types. `*ok` becomes false if that fails. */
void extension_types_register(struct types *types, shale_heap *heap, bool *ok, shale_error *error);

/* Defines the functions. False when the heap is full. May collect. */
bool extension_define(struct thread *thread);
bool extension_define_lists(struct thread *thread);
bool extension_define_threads(struct thread *thread);
bool extension_define_collector(struct thread *thread);

/* Returns when all threads have ended. */
void extension_await_threads(struct thread *thread);

/* The method of an object of one of the kinds above; NULL: it is none, or has none of this name. Does not collect. */
const struct native_method *extension_find(value receiver, const struct string *name);

/* Puts the method, bound to what is in *receiver, into *to. False when memory is out. May collect. */
bool extension_bind(struct thread *thread, value *to, const value *receiver,
                    const struct native_method *method);

/* Calls a method of what is in window[0], with `count` arguments behind it. False: it has reported an error. May collect. */
bool extension_call(struct thread *thread, const struct native_method *method, value *window, unsigned count);

/* The methods of each kind; the last has no name. */
extern const struct native_method list_methods[], thread_methods[], weak_methods[];

/* Puts a list into the output. May collect. */
void list_print(struct thread *thread, value word, unsigned depth);

/* Whether a number is a whole one below a limit. */
static inline bool is_index(value word, size_t limit, size_t *index)
{
    double number = to_number(word);
    if (!is_number(word) || !(number >= 0 && number < (double)limit))
        return false;
    *index = (size_t)number;
    return (double)*index == number;
}

#endif
