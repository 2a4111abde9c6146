/*
 * Getting, setting and calling properties where the inline cache does not have the answer: the answer, and a cache that
 * has it next time. What fails has reported its error.
 */
#ifndef LOX_PROPERTY_H
#define LOX_PROPERTY_H

#include "objects.h"

/* R[a] = R[b].K[c]. May collect. */
bool property_get(struct thread *thread, value *registers, const struct instruction *instruction,
                  union word *cache);

/* R[a].K[c] = R[b]. May collect. */
bool property_set(struct thread *thread, value *registers, const struct instruction *instruction,
                  union word *cache);

/* R[a] = method K[c] of class R[b], bound to R[a]. May collect. */
bool property_get_super(struct thread *thread, value *registers, const struct instruction *instruction);

/* What R[a].K[c] is called with R[a + 1] ...: the closure, with the receiver in R[a]; or NULL, with the callable value in R[a], unless it
 * failed. May collect before it returns. */
struct closure *property_find_method(struct thread *thread, value *registers,
                                     const struct instruction *instruction, bool *failed);

/* The same for method K[c] of the class in *super. */
struct closure *property_find_super_method(struct thread *thread, const struct instruction *instruction,
                                           const value *super, bool *failed);

#endif
