#include "lower.h"

#include "lower_code.h"
#include "thread.h"

#include <stdlib.h>

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

enum { SEARCHED_MAX = 64 }; /* elements; rather than search more, all are put into their registers */

/* ---- the stack ------------------------------------------------------------------------------------------ */

static void push(struct lowering *l, enum place place, uint32_t index)
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

static void pop(struct lowering *l, size_t count)
{
    l->depth -= count;
    if (l->settled > l->depth)
        l->settled = l->depth;
}

/* An instruction of so many words has computed what is on top now, into the register of that depth. */
static void push_result(struct lowering *l, size_t words)
{
    l->patchable = l->writer.count - words;
    l->patch_limit = l->writer.count;
    push(l, IN_REGISTER, 0);
}

static void write_copy(struct lowering *l, uint32_t to, struct element from)
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

/* Puts the element into its register. */
static void settle(struct lowering *l, size_t depth)
{
    if (l->stack[depth].place == IN_REGISTER)
        return;
    write_copy(l, (uint32_t)depth, l->stack[depth]);
    l->stack[depth].place = IN_REGISTER;
    l->patchable = NONE;
}

static void settle_from(struct lowering *l, size_t depth)
{
    for (size_t i = depth > l->settled ? depth : l->settled; i < l->depth; i++)
        settle(l, i);
    if (l->settled >= depth)
        l->settled = l->depth;
}

/* All but the `count` newest. */
static void settle_below(struct lowering *l, size_t count)
{
    size_t end = l->depth - count;
    for (; l->settled < end; l->settled++)
        settle(l, l->settled);
}

/* The register that has the element. */
static uint32_t operand(struct lowering *l, size_t depth)
{
    if (l->stack[depth].place == IN_LOCAL)
        return l->stack[depth].index;
    settle(l, depth);
    return (uint32_t)depth;
}

/* The variable is about to change: what stands for its value gets it. Returns whether anything did. */
static bool settle_uses(struct lowering *l, uint32_t variable_register)
{
    bool any = false;
    if (l->depth - l->settled > SEARCHED_MAX) {
        settle_below(l, 1);
        return true;
    }
    for (size_t depth = l->settled; depth + 1 < l->depth; depth++) {
        if (l->stack[depth].place == IN_LOCAL && l->stack[depth].index == variable_register) {
            settle(l, depth);
            any = true;
        }
    }
    return any;
}

/* ---- variables ------------------------------------------------------------------------------------------- */

static const struct variable *variable_of(const struct lowering *l, const struct intermediate *operation)
{
    return &l->code->variables[operation->a];
}

static void lower_declare(struct lowering *l, const struct intermediate *operation)
{
    const struct variable *variable = variable_of(l, operation);
    settle(l, l->depth - 1);
    if (variable->captured && !variable->forward)
        write_abc(&l->writer, OP_NEW_CELL, variable->slot, 0, 0);
    l->patchable = NONE;
}

static void lower_get_local(struct lowering *l, const struct intermediate *operation)
{
    const struct variable *variable = variable_of(l, operation);
    if (variable->captured) {
        write_abc(&l->writer, OP_GET_CELL, (uint32_t)l->depth, variable->slot, 0);
        push_result(l, 1);
    } else {
        push(l, IN_LOCAL, variable->slot);
    }
}

static void lower_set_local(struct lowering *l, const struct intermediate *operation)
{
    const struct variable *variable = variable_of(l, operation);
    size_t top = l->depth - 1;
    if (variable->captured) {
        write_abc(&l->writer, OP_SET_CELL, operand(l, top), variable->slot, 0);
        l->patchable = NONE;
        return;
    }
    bool settled = settle_uses(l, variable->slot);
    if (l->stack[top].place == IN_LOCAL && l->stack[top].index == variable->slot)
        return;
    if (l->stack[top].place == IN_REGISTER) {
        if (!settled && l->patchable != NONE && l->patch_limit == l->writer.count && !l->writer.failed)
            l->writer.words[l->patchable].instruction.a = (uint16_t)variable->slot;
        else
            write_abc(&l->writer, OP_MOVE, variable->slot, (uint32_t)top, 0);
    } else {
        write_copy(l, variable->slot, l->stack[top]);
    }
    l->stack[top] = (struct element){IN_LOCAL, variable->slot};
    if (l->settled > top)
        l->settled = top;
    l->patchable = NONE;
}

static void lower_set_other(struct lowering *l, enum operation operation, uint32_t index)
{
    write_abc(&l->writer, operation, operand(l, l->depth - 1), index, 0);
    l->patchable = NONE;
}

static void lower_define_global(struct lowering *l, const struct intermediate *operation)
{
    lower_set_other(l, OP_DEFINE_GLOBAL, writer_constant(&l->writer, CONSTANT_GLOBAL, operation->a));
    pop(l, 1);
}

/* The receiver and the arguments are there when a function begins. Its code begins with their declarations. */
static void lower_parameters(struct lowering *l)
{
    push(l, IN_REGISTER, 0);
    l->writer.line = l->code->operations[0].line;
    if (l->code->variables[0].captured)
        write_abc(&l->writer, OP_NEW_CELL, 0, 0, 0);
    for (; l->next < l->function->arity; l->next++) {
        push(l, IN_REGISTER, 0);
        lower_declare(l, &l->code->operations[l->next]);
    }
}

/* ---- operators ------------------------------------------------------------------------------------------- */

static bool is_number_constant(const struct lowering *l, size_t depth)
{
    return l->stack[depth].place == IN_CONSTANT &&
           l->writer.constants[l->stack[depth].index].kind == CONSTANT_VALUE &&
           is_number(l->function->roots.constants->slots[l->writer.constants[l->stack[depth].index].index]);
}

static void lower_arithmetic(struct lowering *l, enum operation operation, enum operation with_constant)
{
    size_t left = l->depth - 2, right = l->depth - 1;
    uint32_t a = operand(l, left);
    if (is_number_constant(l, right))
        write_abc(&l->writer, with_constant, (uint32_t)left, a, l->stack[right].index);
    else
        write_abc(&l->writer, operation, (uint32_t)left, a, operand(l, right));
    pop(l, 2);
    push_result(l, 1);
}

static void lower_unary(struct lowering *l, enum operation operation)
{
    size_t top = l->depth - 1;
    write_abc(&l->writer, operation, (uint32_t)top, operand(l, top), 0);
    pop(l, 1);
    push_result(l, 1);
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
    settle_below(l, 2);
    size_t left = l->depth - 2, right = l->depth - 1;
    size_t constant = constant_operand(l, comparison.kind, right);
    struct jump_operations operations = jump_operations(comparison.kind, constant != NONE);
    uint32_t a = operand(l, left);
    uint32_t b = constant != NONE ? (uint32_t)constant : operand(l, right);
    if (comparison.kind == INTER_GREATER && constant == NONE) {
        uint32_t swapped = a;
        a = b;
        b = swapped;
    }
    if (comparison.negated == expected)
        operations = (struct jump_operations){operations.opposite, operations.jump};
    write_compared_jump(&l->writer, operations.jump, operations.opposite, a, b, label);
    pop(l, 2);
    l->patchable = NONE;
}

static void lower_compare(struct lowering *l, struct comparison comparison)
{
    size_t left = l->depth - 2, right = l->depth - 1;
    uint32_t a = operand(l, left), b = operand(l, right);
    if (comparison.kind == INTER_EQUAL)
        write_abc(&l->writer, comparison.negated ? OP_NOT_EQUAL : OP_EQUAL, (uint32_t)left, a, b);
    else
        write_abc(&l->writer, comparison.negated ? OP_NOT_LESS : OP_LESS, (uint32_t)left,
                  comparison.kind == INTER_LESS ? a : b, comparison.kind == INTER_LESS ? b : a);
    pop(l, 2);
    push_result(l, 1);
}

/* A comparison, with negations and a branch that follow it. */
static void lower_comparison(struct lowering *l, const struct intermediate *operation)
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

static void lower_jump(struct lowering *l, enum operation operation, uint32_t label)
{
    settle_from(l, 0);
    write_jump(&l->writer, operation, (uint32_t)l->depth - 1, label);
    l->patchable = NONE;
}

static void lower_branch(struct lowering *l, enum operation operation, uint32_t label)
{
    settle_below(l, 1);
    write_jump(&l->writer, operation, operand(l, l->depth - 1), label);
    pop(l, 1);
    l->patchable = NONE;
}

static void lower_label(struct lowering *l, uint32_t label)
{
    settle_from(l, 0);
    write_label(&l->writer, label);
    l->patchable = NONE;
}

/* ---- calls and properties ------------------------------------------------------------------------------- */

/* What is at depth `window` and above becomes one element, the result. */
static void call_result(struct lowering *l, size_t window)
{
    pop(l, l->depth - window);
    push(l, IN_REGISTER, 0);
    l->patchable = NONE;
}

static void lower_call(struct lowering *l, const struct intermediate *operation)
{
    size_t window = l->depth - operation->a - 1;
    settle_from(l, window);
    write_abc(&l->writer, OP_CALL, (uint32_t)window, operation->a, 0);
    call_result(l, window);
}

static void lower_invoke(struct lowering *l, const struct intermediate *operation)
{
    size_t window = l->depth - operation->b - 1;
    settle_from(l, window);
    write_abc(&l->writer, OP_INVOKE, (uint32_t)window, operation->b,
              writer_cached_name(&l->writer, operation->a));
    call_result(l, window);
}

static void lower_invoke_super(struct lowering *l, const struct intermediate *operation)
{
    uint32_t super = operand(l, l->depth - 1);
    size_t window = l->depth - operation->b - 2;
    settle_from(l, window);
    write_abc(&l->writer, OP_INVOKE_SUPER, (uint32_t)window, operation->b,
              writer_cached_name(&l->writer, operation->a));
    write_word(&l->writer, (union word){.extra = super});
    call_result(l, window);
}

static void lower_get_super(struct lowering *l, const struct intermediate *operation)
{
    size_t window = l->depth - 2;
    settle_from(l, window);
    write_abc(&l->writer, OP_GET_SUPER, (uint32_t)window, (uint32_t)window + 1,
              writer_constant(&l->writer, CONSTANT_VALUE, operation->a));
    call_result(l, window);
}

static void write_cache(struct lowering *l)
{
    write_word(&l->writer, (union word){.cache = {NO_SHAPE, 0}});
}

static void lower_get_property(struct lowering *l, const struct intermediate *operation)
{
    size_t top = l->depth - 1;
    write_abc(&l->writer, OP_GET_FIELD, (uint32_t)top, operand(l, top),
              writer_cached_name(&l->writer, operation->a));
    write_cache(l);
    pop(l, 1);
    push_result(l, 2);
}

static void lower_set_property(struct lowering *l, const struct intermediate *operation)
{
    size_t object = l->depth - 2, content = l->depth - 1;
    uint32_t a = operand(l, object), b = operand(l, content);
    write_abc(&l->writer, OP_SET_FIELD, a, b, writer_cached_name(&l->writer, operation->a));
    write_cache(l);
    l->patchable = NONE;
    pop(l, 2);
    if (operation[1].kind == INTER_POP) {
        l->next++;
        return;
    }
    if (b == content)
        write_abc(&l->writer, OP_MOVE, (uint32_t)object, b, 0);
    push(l, b == content ? IN_REGISTER : IN_LOCAL, b);
}

/* ---- functions and classes ------------------------------------------------------------------------------ */

/* How many variables the closures of a function capture. Its constant is the compiled function. */
static uint32_t captures_of(const struct lowering *l, const struct intermediate *operation)
{
    const struct function *function = to_pointer(l->function->roots.constants->slots[operation->a]);
    return function->captures;
}

static void lower_closure(struct lowering *l, const struct intermediate *operation)
{
    uint32_t count = captures_of(l, operation), at = (uint32_t)l->depth;
    const struct variable *own = NULL;
    if (operation > l->code->operations && operation[-1].kind == INTER_FORWARD)
        own = variable_of(l, &operation[-1]);
    bool forwarded = own != NULL && own->captured;
    if (forwarded)
        write_abc(&l->writer, OP_NEW_EMPTY_CELL, at, 0, 0);
    write_abc(&l->writer, OP_CLOSURE, at + forwarded,
              writer_constant(&l->writer, CONSTANT_VALUE, operation->a), count);
    for (uint32_t i = 0; i < count; i++) {
        const struct capture *capture = &l->code->captures[operation->b + i];
        uint32_t index = capture->from_local ? l->code->variables[capture->index].slot : capture->index;
        write_word(&l->writer, (union word){.capture = {capture->from_local, index}});
    }
    if (forwarded)
        write_abc(&l->writer, OP_SET_CELL, at + 1, at, 0);
    push(l, IN_REGISTER, 0);
    l->patchable = NONE;
}

static void lower_class(struct lowering *l, const struct intermediate *operation)
{
    write_abc(&l->writer, OP_CLASS, (uint32_t)l->depth,
              writer_constant(&l->writer, CONSTANT_VALUE, operation->a), 0);
    push(l, IN_REGISTER, 0);
    l->patchable = NONE;
}

/* The superclass is in variable a. */
static void lower_inherit(struct lowering *l, const struct intermediate *operation)
{
    const struct variable *super = variable_of(l, operation);
    uint32_t from = super->slot, class = operand(l, l->depth - 1);
    if (super->captured) {
        from = (uint32_t)l->depth;
        write_abc(&l->writer, OP_GET_CELL, from, super->slot, 0);
    }
    write_abc(&l->writer, OP_INHERIT, from, class, 0);
    pop(l, 1);
    l->patchable = NONE;
}

static void lower_method(struct lowering *l, const struct intermediate *operation)
{
    uint32_t class = operand(l, l->depth - 2), method = operand(l, l->depth - 1);
    write_abc(&l->writer, OP_METHOD, class, method,
              writer_constant(&l->writer, CONSTANT_VALUE, operation->a));
    pop(l, 1);
    l->patchable = NONE;
}

static void lower_print(struct lowering *l)
{
    write_abc(&l->writer, OP_PRINT, operand(l, l->depth - 1), 0, 0);
    pop(l, 1);
    l->patchable = NONE;
}

static void lower_return(struct lowering *l)
{
    const struct element *top = &l->stack[l->depth - 1];
    if (top->place == IN_IMMEDIATE && top->index == (uint32_t)VALUE_NIL)
        write_abc(&l->writer, OP_RETURN_NIL, 0, 0, 0);
    else
        write_abc(&l->writer, OP_RETURN, operand(l, l->depth - 1), 0, 0);
    pop(l, 1);
    l->patchable = NONE;
}

/* ---- all operations --------------------------------------------------------------------------------------- */

static void lower_get(struct lowering *l, enum operation operation, uint32_t index)
{
    write_abc(&l->writer, operation, (uint32_t)l->depth, index, 0);
    push_result(l, 1);
}

static void lower_operation(struct lowering *l, const struct intermediate *operation)
{
    switch (operation->kind) {
    case INTER_CONSTANT:
        push(l, IN_CONSTANT, writer_constant(&l->writer, CONSTANT_VALUE, operation->a));
        break;
    case INTER_NIL:
        push(l, IN_IMMEDIATE, (uint32_t)VALUE_NIL);
        break;
    case INTER_TRUE:
        push(l, IN_IMMEDIATE, (uint32_t)VALUE_TRUE);
        break;
    case INTER_FALSE:
        push(l, IN_IMMEDIATE, (uint32_t)VALUE_FALSE);
        break;
    case INTER_POP:
        pop(l, 1);
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
