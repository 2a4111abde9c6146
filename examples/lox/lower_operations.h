/*
 * Lowering single operations: each takes its operands from the stack, writes its instruction, and leaves its result there.
 */
#ifndef LOX_LOWER_OPERATIONS_H
#define LOX_LOWER_OPERATIONS_H

#include "lower_stack.h"

/* lower_operators.c */
void lower_arithmetic(struct lowering *l, enum operation operation, enum operation with_constant);
void lower_unary(struct lowering *l, enum operation operation);
void lower_comparison(struct lowering *l, const struct intermediate *operation); /* and a branch behind it */
void lower_jump(struct lowering *l, enum operation operation, uint32_t label);
void lower_branch(struct lowering *l, enum operation operation, uint32_t label);
void lower_label(struct lowering *l, uint32_t label);

/* lower_objects.c */
void lower_call(struct lowering *l, const struct intermediate *operation);
void lower_invoke(struct lowering *l, const struct intermediate *operation);
void lower_invoke_super(struct lowering *l, const struct intermediate *operation);
void lower_get_super(struct lowering *l, const struct intermediate *operation);
void lower_get_property(struct lowering *l, const struct intermediate *operation);
void lower_set_property(struct lowering *l, const struct intermediate *operation);
void lower_closure(struct lowering *l, const struct intermediate *operation);
void lower_class(struct lowering *l, const struct intermediate *operation);
void lower_inherit(struct lowering *l, const struct intermediate *operation);
void lower_method(struct lowering *l, const struct intermediate *operation);
void lower_print(struct lowering *l);
void lower_return(struct lowering *l);

#endif
