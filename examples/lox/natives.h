/* Functions of the standard language that are part of the interpreter. */
#ifndef LOX_NATIVES_H
#define LOX_NATIVES_H

#include <stdbool.h>

struct thread;

/* Defines them. False when the heap is full. May collect. */
bool natives_define(struct thread *thread);

#endif
