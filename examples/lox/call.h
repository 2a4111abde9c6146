/*
 * Calls of what is not a closure, and making classes and closures. What fails has reported its error.
 */
#ifndef LOX_CALL_H
#define LOX_CALL_H

#include "objects.h"

/* Calls what is in window[0] with `count` arguments behind it. Returns the closure that is to be entered for it, with
 * the receiver in window[0]; or NULL: then the result is there, or the call has failed. May collect before it returns. */
struct closure *call_prepare(struct thread *thread, value *window, unsigned count, bool *failed);

/* Reports that a closure was given the wrong number of arguments, or that there are too many calls; or makes room for the
 * registers of a call and returns true. Does not collect if it returns true. */
bool call_check(struct thread *thread, const struct function *function, value *window, unsigned count);

/* Reports that something that wants `expected` arguments was given `count`. Always false. */
bool call_wrong_count(struct thread *thread, unsigned expected, unsigned count);

/* Puts new objects into registers. False when memory is out. May collect. */
bool make_class(struct thread *thread, value *to, value name);
bool make_closure(struct thread *thread, value *registers, const struct instruction *instruction,
                  const union word *captures);
bool make_cell(struct thread *thread, value *to, const value *content);

/* Gives the class in `to` the methods of what is in `from`, if that is a class. */
bool class_inherit(struct thread *thread, const value *from, const value *to);
bool class_add_method(struct thread *thread, const value *class_value, value name, value method);

#endif
