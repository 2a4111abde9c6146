#include "lower.h"

#include "lower_operations.h"
#include "thread.h"

#include <stdlib.h>

/* ---- variables ------------------------------------------------------------------------------------------- */

static const struct variable *variable_of(const struct lowering *l, const struct intermediate *operation)
{
    return &l->code->variables[operation->a];
}

static void lower_declare(struct lowering *l, const struct intermediate *operation)
{
    const struct variable *variable = variable_of(l, operation);
    stack_settle(l, l->depth - 1);
    if (variable->captured && !variable->forward)
        write_abc(&l->writer, OP_NEW_CELL, variable->slot, 0, 0);
    l->patchable = NONE;
}

static void lower_get_local(struct lowering *l, const struct intermediate *operation)
{
    const struct variable *variable = variable_of(l, operation);
    if (variable->captured) {
        write_abc(&l->writer, OP_GET_CELL, (uint32_t)l->depth, variable->slot, 0);
        stack_push_result(l, 1);
    } else {
        stack_push(l, IN_LOCAL, variable->slot);
    }
}

static void lower_set_local(struct lowering *l, const struct intermediate *operation)
{
    const struct variable *variable = variable_of(l, operation);
    size_t top = l->depth - 1;
    if (variable->captured) {
        write_abc(&l->writer, OP_SET_CELL, stack_operand(l, top), variable->slot, 0);
        l->patchable = NONE;
        return;
    }
    bool settled = stack_settle_uses(l, variable->slot);
    if (l->stack[top].place == IN_LOCAL && l->stack[top].index == variable->slot)
        return;
    if (l->stack[top].place == IN_REGISTER) {
        if (!settled && l->patchable != NONE && l->patch_limit == l->writer.count && !l->writer.failed)
            l->writer.words[l->patchable].instruction.a = (uint16_t)variable->slot;
        else
            write_abc(&l->writer, OP_MOVE, variable->slot, (uint32_t)top, 0);
    } else {
        stack_copy(l, variable->slot, l->stack[top]);
    }
    l->stack[top] = (struct element){IN_LOCAL, variable->slot};
    if (l->settled > top)
        l->settled = top;
    l->patchable = NONE;
}

static void lower_set_other(struct lowering *l, enum operation operation, uint32_t index)
{
    write_abc(&l->writer, operation, stack_operand(l, l->depth - 1), index, 0);
    l->patchable = NONE;
}

static void lower_define_global(struct lowering *l, const struct intermediate *operation)
{
    lower_set_other(l, OP_DEFINE_GLOBAL, writer_constant(&l->writer, CONSTANT_GLOBAL, operation->a));
    stack_pop(l, 1);
}

/* The receiver and the arguments are there when a function begins. Its code begins with their declarations. */
static void lower_parameters(struct lowering *l)
{
    stack_push(l, IN_REGISTER, 0);
    l->writer.line = l->code->operations[0].line;
    if (l->code->variables[0].captured)
        write_abc(&l->writer, OP_NEW_CELL, 0, 0, 0);
    for (; l->next < l->function->arity; l->next++) {
        stack_push(l, IN_REGISTER, 0);
        lower_declare(l, &l->code->operations[l->next]);
    }
}

/* ---- all operations --------------------------------------------------------------------------------------- */

static void lower_get(struct lowering *l, enum operation operation, uint32_t index)
{
    write_abc(&l->writer, operation, (uint32_t)l->depth, index, 0);
    stack_push_result(l, 1);
}

static void lower_operation(struct lowering *l, const struct intermediate *operation)
{
    switch (operation->kind) {
    case INTER_CONSTANT:
        stack_push(l, IN_CONSTANT, writer_constant(&l->writer, CONSTANT_VALUE, operation->a));
        break;
    case INTER_NIL:
        stack_push(l, IN_IMMEDIATE, (uint32_t)VALUE_NIL);
        break;
    case INTER_TRUE:
        stack_push(l, IN_IMMEDIATE, (uint32_t)VALUE_TRUE);
        break;
    case INTER_FALSE:
        stack_push(l, IN_IMMEDIATE, (uint32_t)VALUE_FALSE);
        break;
    case INTER_POP:
        stack_pop(l, 1);
        l->patchable = NONE;
        break;
    case INTER_DECLARE:
        lower_declare(l, operation);
        break;
    case INTER_FORWARD:
        break;
    case INTER_GET_LOCAL:
        lower_get_local(l, operation);
        break;
    case INTER_SET_LOCAL:
        lower_set_local(l, operation);
        break;
    case INTER_GET_GLOBAL:
        lower_get(l, OP_GET_GLOBAL, writer_constant(&l->writer, CONSTANT_GLOBAL, operation->a));
        break;
    case INTER_SET_GLOBAL:
        lower_set_other(l, OP_SET_GLOBAL, writer_constant(&l->writer, CONSTANT_GLOBAL, operation->a));
        break;
    case INTER_DEFINE_GLOBAL:
        lower_define_global(l, operation);
        break;
    case INTER_GET_CAPTURED:
        lower_get(l, OP_GET_CAPTURED, operation->a);
        break;
    case INTER_SET_CAPTURED:
        lower_set_other(l, OP_SET_CAPTURED, operation->a);
        break;
    case INTER_GET_PROPERTY:
        lower_get_property(l, operation);
        break;
    case INTER_SET_PROPERTY:
        lower_set_property(l, operation);
        break;
    case INTER_GET_SUPER:
        lower_get_super(l, operation);
        break;
    case INTER_EQUAL:
    case INTER_LESS:
    case INTER_GREATER:
        lower_comparison(l, operation);
        break;
    case INTER_ADD:
        lower_arithmetic(l, OP_ADD, OP_ADD_CONSTANT);
        break;
    case INTER_SUBTRACT:
        lower_arithmetic(l, OP_SUBTRACT, OP_SUBTRACT_CONSTANT);
        break;
    case INTER_MULTIPLY:
        lower_arithmetic(l, OP_MULTIPLY, OP_MULTIPLY_CONSTANT);
        break;
    case INTER_DIVIDE:
        lower_arithmetic(l, OP_DIVIDE, OP_DIVIDE_CONSTANT);
        break;
    case INTER_NOT:
        lower_unary(l, OP_NOT);
        break;
    case INTER_NEGATE:
        lower_unary(l, OP_NEGATE);
        break;
    case INTER_PRINT:
        lower_print(l);
        break;
    case INTER_JUMP:
        lower_jump(l, OP_JUMP, operation->a);
        break;
    case INTER_LOOP:
        lower_jump(l, OP_LOOP, operation->a);
        break;
    case INTER_JUMP_IF_FALSE:
        lower_jump(l, OP_JUMP_IF_FALSE, operation->a);
        break;
    case INTER_JUMP_IF_TRUE:
        lower_jump(l, OP_JUMP_IF_TRUE, operation->a);
        break;
    case INTER_BRANCH_IF_FALSE:
        lower_branch(l, OP_JUMP_IF_FALSE, operation->a);
        break;
    case INTER_BRANCH_IF_TRUE:
        lower_branch(l, OP_JUMP_IF_TRUE, operation->a);
        break;
    case INTER_LABEL:
        lower_label(l, operation->a);
        break;
    case INTER_CALL:
        lower_call(l, operation);
        break;
    case INTER_INVOKE:
        lower_invoke(l, operation);
        break;
    case INTER_INVOKE_SUPER:
        lower_invoke_super(l, operation);
        break;
    case INTER_CLOSURE:
        lower_closure(l, operation);
        break;
    case INTER_RETURN:
        lower_return(l);
        break;
    case INTER_CLASS:
        lower_class(l, operation);
        break;
    case INTER_INHERIT:
        lower_inherit(l, operation);
        break;
    case INTER_METHOD:
        lower_method(l, operation);
        break;
    }
}

static void lower_all(struct lowering *l)
{
    lower_parameters(l);
    while (l->next < l->code->count && !l->writer.failed && l->most < REGISTERS_MAX) {
        const struct intermediate *operation = &l->code->operations[l->next++];
        l->writer.line = operation->line;
        lower_operation(l, operation);
    }
}

/* Lowers with jumps of one kind. *too_far: it takes the other. */
static enum lower_result try_lower(struct thread *thread, struct function_state *function, bool far,
                                   bool *too_far)
{
    struct lowering l = {.code = &function->code, .function = function, .patchable = NONE};
    enum lower_result result = LOWER_OUT_OF_MEMORY;
    if (writer_start(&l.writer, function->code.label_count, far))
        lower_all(&l);
    else
        l.writer.failed = true;
    *too_far = !l.writer.failed && !writer_link(&l.writer);
    if (l.most >= REGISTERS_MAX)
        result = LOWER_TOO_MANY_REGISTERS;
    else if (!l.writer.failed && !*too_far && writer_finish(&l.writer, thread, function, (uint32_t)l.most))
        result = LOWER_DONE;
    writer_free(&l.writer);
    free(l.stack);
    return result;
}

enum lower_result lower(struct thread *thread, struct function_state *function)
{
    bool too_far;
    enum lower_result result = try_lower(thread, function, false, &too_far);
    return too_far ? try_lower(thread, function, true, &too_far) : result;
}
