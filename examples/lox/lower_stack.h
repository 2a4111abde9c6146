/*
 * The operand stack while a function is lowered: where the value of each of its elements is.
 *
 * The element at depth n is in register n, or noted to be elsewhere and put there when it must be. A local variable's own element is
 * always in its register.
 */
#ifndef LOX_LOWER_STACK_H
#define LOX_LOWER_STACK_H

#include "lower_code.h"

/* Where the value is that the stack machine would have at some depth. */
enum place { IN_REGISTER /* of that number */, IN_LOCAL, IN_CONSTANT, IN_IMMEDIATE };

struct element {
    enum place place;
    uint32_t index; /* another register, of K, or an immediate value's low bits */
};

struct lowering {
    struct code_writer writer;
    const struct intermediate_code *code;
    const struct function_state *function;
    struct element *stack;
    size_t depth, room;
    size_t settled; /* all below this depth are in their registers */
    size_t most;    /* registers */
    size_t next;    /* operation */
    size_t
        patchable; /* an instruction that computes what is on top, if it is the newest and no label is behind it; or NONE */
    size_t patch_limit; /* the word behind it */
};

#define NONE SIZE_MAX

void stack_push(struct lowering *l, enum place place, uint32_t index);
void stack_pop(struct lowering *l, size_t count);

/* An instruction of so many words has computed what is on top now, into the register of that depth. */
void stack_push_result(struct lowering *l, size_t words);

/* Writes what brings a value from where it is into a register. */
void stack_copy(struct lowering *l, uint32_t to, struct element from);

/* Put elements into their registers: one, those from a depth on, all but the `count` newest. */
void stack_settle(struct lowering *l, size_t depth);
void stack_settle_from(struct lowering *l, size_t depth);
void stack_settle_below(struct lowering *l, size_t count);

/* A variable is about to change, to what is on top: elements below that stand for its value get it. Returns whether there were any. */
bool stack_settle_uses(struct lowering *l, uint32_t variable_register);

/* The register that has the element. */
uint32_t stack_operand(struct lowering *l, size_t depth);

#endif
