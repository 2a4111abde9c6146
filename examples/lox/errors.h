/*
 * Runtime errors: a message and where it happened, on standard error.
 */
#ifndef LOX_ERRORS_H
#define LOX_ERRORS_H

#include "objects.h"

/* Reports one, with the calls that led to it. Always false. The newest call's `ip` must be behind the instruction at fault.
 * May collect. */
__attribute__((format(printf, 2, 3))) bool runtime_error(struct thread *thread, const char *format, ...);

/* The same for messages that quote a name. */
bool runtime_error_name(struct thread *thread, const char *before, struct string *name, const char *after);

/* The heap is full. */
bool out_of_memory(struct thread *thread);

#endif
