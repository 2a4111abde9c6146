/*
 * Reports on standard error: of runtime errors, a message and where it happened. Each comes whole, behind all that the program has
 * printed before. Standard error may be a pipe that nobody reads, so reporting may collect.
 */
#ifndef LOX_ERRORS_H
#define LOX_ERRORS_H

#include "objects.h"

/* Reports one, with the calls that led to it. Always false. The newest call's `ip` must be behind the instruction at fault.
 * May collect. */
__attribute__((format(printf, 2, 3))) bool runtime_error(struct thread *thread, const char *format, ...);

/* The same for messages that quote a name. */
bool runtime_error_name(struct thread *thread, const char *before, struct string *name, const char *after);

/* Reports of others, text that is not in the heap: all between begin and end are one. A formatted text is cut off at
 * REPORT_MAX. May collect. */
enum { REPORT_MAX = 512 };
void report_begin(struct thread *thread);
void report_text(struct thread *thread, const char *text, size_t length);
__attribute__((format(printf, 2, 3))) void report_formatted(struct thread *thread, const char *format, ...);
void report_end(struct thread *thread);

/* The heap is full. */
bool out_of_memory(struct thread *thread);

#endif
