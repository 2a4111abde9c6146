#include "lower_stack.h"

enum { SEARCHED_MAX = 64 }; /* elements; rather than search more, all are put into their registers */

void stack_push(struct lowering *l, enum place place, uint32_t index)
{
    struct element *element = append((void **)&l->stack, l->depth, &l->room, sizeof *element);
    if (element == NULL) {
        l->writer.failed = true;
        return;
    }
    *element = (struct element){place, index};
    l->depth++;
    if (l->most < l->depth + 1) /* and one more, for what has no depth of its own */
        l->most = l->depth + 1;
}

void stack_pop(struct lowering *l, size_t count)
{
    l->depth -= count;
    if (l->settled > l->depth)
        l->settled = l->depth;
}

void stack_push_result(struct lowering *l, size_t words)
{
    l->patchable = l->writer.count - words;
    l->patch_limit = l->writer.count;
    stack_push(l, IN_REGISTER, 0);
}

void stack_copy(struct lowering *l, uint32_t to, struct element from)
{
    switch (from.place) {
    case IN_REGISTER:
        break;
    case IN_LOCAL:
        write_abc(&l->writer, OP_MOVE, to, from.index, 0);
        break;
    case IN_CONSTANT:
        write_abc(&l->writer, OP_CONSTANT, to, from.index, 0);
        break;
    case IN_IMMEDIATE:
        write_offset(&l->writer, OP_IMMEDIATE, to, (int32_t)from.index);
        break;
    }
}

void stack_settle(struct lowering *l, size_t depth)
{
    if (l->stack[depth].place == IN_REGISTER)
        return;
    stack_copy(l, (uint32_t)depth, l->stack[depth]);
    l->stack[depth].place = IN_REGISTER;
    l->patchable = NONE;
}

void stack_settle_from(struct lowering *l, size_t depth)
{
    for (size_t i = depth > l->settled ? depth : l->settled; i < l->depth; i++)
        stack_settle(l, i);
    if (l->settled >= depth)
        l->settled = l->depth;
}

void stack_settle_below(struct lowering *l, size_t count)
{
    size_t end = l->depth - count;
    for (; l->settled < end; l->settled++)
        stack_settle(l, l->settled);
}

uint32_t stack_operand(struct lowering *l, size_t depth)
{
    if (l->stack[depth].place == IN_LOCAL)
        return l->stack[depth].index;
    stack_settle(l, depth);
    return (uint32_t)depth;
}

bool stack_settle_uses(struct lowering *l, uint32_t variable_register)
{
    bool any = false;
    if (l->depth - l->settled > SEARCHED_MAX) {
        stack_settle_below(l, 1);
        return true;
    }
    for (size_t depth = l->settled; depth + 1 < l->depth; depth++) {
        if (l->stack[depth].place == IN_LOCAL && l->stack[depth].index == variable_register) {
            stack_settle(l, depth);
            any = true;
        }
    }
    return any;
}
