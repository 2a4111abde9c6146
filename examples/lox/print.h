/* How values look. */
#ifndef LOX_PRINT_H
#define LOX_PRINT_H

#include "value.h"

struct thread;

/* Puts the value into the program's output. May collect. */
void print_value(struct thread *thread, value word);

#endif
