#include "lower_operations.h"

/* ---- operators ------------------------------------------------------------------------------------------- */

static bool is_number_constant(const struct lowering *l, size_t depth)
{
    return l->stack[depth].place == IN_CONSTANT &&
           l->writer.constants[l->stack[depth].index].kind == CONSTANT_VALUE &&
           is_number(l->function->roots.constants->slots[l->writer.constants[l->stack[depth].index].index]);
}

void lower_arithmetic(struct lowering *l, enum operation operation, enum operation with_constant)
{
    size_t left = l->depth - 2, right = l->depth - 1;
    uint32_t a = stack_operand(l, left);
    if (is_number_constant(l, right))
        write_abc(&l->writer, with_constant, (uint32_t)left, a, l->stack[right].index);
    else
        write_abc(&l->writer, operation, (uint32_t)left, a, stack_operand(l, right));
    stack_pop(l, 2);
    stack_push_result(l, 1);
}

void lower_unary(struct lowering *l, enum operation operation)
{
    size_t top = l->depth - 1;
    write_abc(&l->writer, operation, (uint32_t)top, stack_operand(l, top), 0);
    stack_pop(l, 1);
    stack_push_result(l, 1);
}

/* A comparison that is to be made: `negated` is whether its result is. */
struct comparison {
    enum intermediate_kind kind; /* INTER_EQUAL, INTER_LESS or INTER_GREATER */
    bool negated;
};

/* The jump for a comparison, with registers, and with the right operand constant. */
struct jump_operations {
    enum operation jump, opposite;
};

static struct jump_operations jump_operations(enum intermediate_kind kind, bool constant)
{
    if (kind == INTER_EQUAL)
        return constant ? (struct jump_operations){OP_JUMP_IF_EQUAL_CONSTANT, OP_JUMP_IF_NOT_EQUAL_CONSTANT}
                        : (struct jump_operations){OP_JUMP_IF_EQUAL, OP_JUMP_IF_NOT_EQUAL};
    if (!constant)
        return (struct jump_operations){OP_JUMP_IF_LESS, OP_JUMP_IF_NOT_LESS};
    return kind == INTER_LESS
               ? (struct jump_operations){OP_JUMP_IF_LESS_CONSTANT, OP_JUMP_IF_NOT_LESS_CONSTANT}
               : (struct jump_operations){OP_JUMP_IF_GREATER_CONSTANT, OP_JUMP_IF_NOT_GREATER_CONSTANT};
}

/* The element of K that the right operand of a comparison is, or NONE. */
static size_t constant_operand(struct lowering *l, enum intermediate_kind kind, size_t depth)
{
    const struct element *element = &l->stack[depth];
    if (kind != INTER_EQUAL)
        return is_number_constant(l, depth) ? element->index : NONE;
    if (element->place == IN_CONSTANT)
        return element->index;
    if (element->place == IN_IMMEDIATE)
        return writer_constant(&l->writer, CONSTANT_IMMEDIATE, element->index);
    return NONE;
}

/* Compares and jumps to a label if the result is `expected`. */
static void lower_compare_and_branch(struct lowering *l, struct comparison comparison, uint32_t label,
                                     bool expected)
{
    stack_settle_below(l, 2);
    size_t left = l->depth - 2, right = l->depth - 1;
    size_t constant = constant_operand(l, comparison.kind, right);
    struct jump_operations operations = jump_operations(comparison.kind, constant != NONE);
    uint32_t a = stack_operand(l, left);
    uint32_t b = constant != NONE ? (uint32_t)constant : stack_operand(l, right);
    if (comparison.kind == INTER_GREATER && constant == NONE) {
        uint32_t swapped = a;
        a = b;
        b = swapped;
    }
    if (comparison.negated == expected)
        operations = (struct jump_operations){operations.opposite, operations.jump};
    write_compared_jump(&l->writer, operations.jump, operations.opposite, a, b, label);
    stack_pop(l, 2);
    l->patchable = NONE;
}

static void lower_compare(struct lowering *l, struct comparison comparison)
{
    size_t left = l->depth - 2, right = l->depth - 1;
    uint32_t a = stack_operand(l, left), b = stack_operand(l, right);
    if (comparison.kind == INTER_EQUAL)
        write_abc(&l->writer, comparison.negated ? OP_NOT_EQUAL : OP_EQUAL, (uint32_t)left, a, b);
    else
        write_abc(&l->writer, comparison.negated ? OP_NOT_LESS : OP_LESS, (uint32_t)left,
                  comparison.kind == INTER_LESS ? a : b, comparison.kind == INTER_LESS ? b : a);
    stack_pop(l, 2);
    stack_push_result(l, 1);
}

/* A comparison, with negations and a branch that follow it. */
void lower_comparison(struct lowering *l, const struct intermediate *operation)
{
    struct comparison comparison = {operation->kind, false};
    const struct intermediate *next = operation + 1; /* a function ends with INTER_RETURN */
    for (; next->kind == INTER_NOT; next++, l->next++)
        comparison.negated = !comparison.negated;
    if (next->kind == INTER_BRANCH_IF_FALSE || next->kind == INTER_BRANCH_IF_TRUE) {
        l->next++;
        lower_compare_and_branch(l, comparison, next->a, next->kind == INTER_BRANCH_IF_TRUE);
    } else {
        lower_compare(l, comparison);
    }
}

/* ---- jumps ---------------------------------------------------------------------------------------------- */

void lower_jump(struct lowering *l, enum operation operation, uint32_t label)
{
    stack_settle_from(l, 0);
    write_jump(&l->writer, operation, (uint32_t)l->depth - 1, label);
    l->patchable = NONE;
}

void lower_branch(struct lowering *l, enum operation operation, uint32_t label)
{
    stack_settle_below(l, 1);
    write_jump(&l->writer, operation, stack_operand(l, l->depth - 1), label);
    stack_pop(l, 1);
    l->patchable = NONE;
}

void lower_label(struct lowering *l, uint32_t label)
{
    stack_settle_from(l, 0);
    write_label(&l->writer, label);
    l->patchable = NONE;
}
