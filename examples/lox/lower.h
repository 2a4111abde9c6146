/*
 * Lowering: from the intermediate code of a stack machine to instructions for registers.
 *
 * The element at depth n of the operand stack is register n. Most operations that only move things to the top of the stack need no
 * instruction: what they would push is noted, and operations that take it from the stack take it from where it is. It is
 * put into its register when the stack must be what it says: where control flow joins or parts, in calls, and before the
 * variable that it stands for is changed.
 */
#ifndef LOX_LOWER_H
#define LOX_LOWER_H

#include "compile.h"

enum lower_result { LOWER_DONE, LOWER_TOO_MANY_REGISTERS, LOWER_OUT_OF_MEMORY };

/* Makes function->roots.function of function->code. May collect. */
enum lower_result lower(struct thread *thread, struct function_state *function);

#endif
