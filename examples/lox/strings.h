/*
 * Making strings. There is one of each content: all are in the world's intern table, which does not keep them alive.
 */
#ifndef LOX_STRINGS_H
#define LOX_STRINGS_H

#include "objects.h"

/* The string with this text, which is not in the heap. NULL when the heap is full. May collect. */
struct string *string_make(struct thread *thread, const char *text, size_t length);

/* The string that is `left` with `right` behind it; both stay alive meanwhile, wherever the caller has them. NULL when
 * the heap is full. May collect. */
struct string *string_join(struct thread *thread, struct string *left, struct string *right);

#endif
