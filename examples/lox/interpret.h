/*
 * Running programs: a text, a file, or what is typed.
 */
#ifndef LOX_INTERPRET_H
#define LOX_INTERPRET_H

#include <stddef.h>

struct thread;

/* Compiles and runs a text, behind which there is a NUL. Returns an exit code; errors have been reported. May collect. */
int interpret(struct thread *thread, const char *text, size_t length);

int interpret_file(struct thread *thread, const char *path);

#endif
