/* Runs code. */
#ifndef LOX_VM_H
#define LOX_VM_H

#include "objects.h"

/* Calls a closure without arguments, on top of the calls that the thread is in, and returns when it has returned. False when a runtime
 * error was reported. May collect. */
bool vm_run(struct thread *thread, struct closure *closure);

/* Calls a function or a bound method without arguments, when the thread is in no call. *result is a plain value. The same else. */
bool vm_call(struct thread *thread, value callee, value *result);

#endif
