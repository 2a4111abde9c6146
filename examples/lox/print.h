/* How values look. */
#ifndef LOX_PRINT_H
#define LOX_PRINT_H

#include "value.h"

struct thread;

/* Puts the value into the program's output. May collect. */
void print_value(struct thread *thread, value word);

/* The same of *word, which is a root, and ends the line; other threads' lines come before or behind. May collect. */
void print_line(struct thread *thread, const value *word);

#endif
