#include "lower_operations.h"

/* ---- calls and properties ------------------------------------------------------------------------------- */

/* What is at depth `window` and above becomes one element, the result. */
static void call_result(struct lowering *l, size_t window)
{
    stack_pop(l, l->depth - window);
    stack_push(l, IN_REGISTER, 0);
    l->patchable = NONE;
}

void lower_call(struct lowering *l, const struct intermediate *operation)
{
    size_t window = l->depth - operation->a - 1;
    stack_settle_from(l, window);
    write_abc(&l->writer, OP_CALL, (uint32_t)window, operation->a, 0);
    call_result(l, window);
}

void lower_invoke(struct lowering *l, const struct intermediate *operation)
{
    size_t window = l->depth - operation->b - 1;
    stack_settle_from(l, window);
    write_abc(&l->writer, OP_INVOKE, (uint32_t)window, operation->b,
              writer_cached_name(&l->writer, operation->a));
    call_result(l, window);
}

void lower_invoke_super(struct lowering *l, const struct intermediate *operation)
{
    uint32_t super = stack_operand(l, l->depth - 1);
    size_t window = l->depth - operation->b - 2;
    stack_settle_from(l, window);
    write_abc(&l->writer, OP_INVOKE_SUPER, (uint32_t)window, operation->b,
              writer_cached_name(&l->writer, operation->a));
    write_word(&l->writer, (union word){.extra = super});
    call_result(l, window);
}

void lower_get_super(struct lowering *l, const struct intermediate *operation)
{
    size_t window = l->depth - 2;
    stack_settle_from(l, window);
    write_abc(&l->writer, OP_GET_SUPER, (uint32_t)window, (uint32_t)window + 1,
              writer_constant(&l->writer, CONSTANT_VALUE, operation->a));
    call_result(l, window);
}

static void write_cache(struct lowering *l)
{
    write_word(&l->writer, (union word){.cache = {NO_SHAPE, 0}});
}

void lower_get_property(struct lowering *l, const struct intermediate *operation)
{
    size_t top = l->depth - 1;
    write_abc(&l->writer, OP_GET_FIELD, (uint32_t)top, stack_operand(l, top),
              writer_cached_name(&l->writer, operation->a));
    write_cache(l);
    stack_pop(l, 1);
    stack_push_result(l, 2);
}

void lower_set_property(struct lowering *l, const struct intermediate *operation)
{
    size_t object = l->depth - 2, content = l->depth - 1;
    uint32_t a = stack_operand(l, object), b = stack_operand(l, content);
    write_abc(&l->writer, OP_SET_FIELD, a, b, writer_cached_name(&l->writer, operation->a));
    write_cache(l);
    l->patchable = NONE;
    stack_pop(l, 2);
    if (operation[1].kind == INTER_POP) {
        l->next++;
        return;
    }
    if (b == content)
        write_abc(&l->writer, OP_MOVE, (uint32_t)object, b, 0);
    stack_push(l, b == content ? IN_REGISTER : IN_LOCAL, b);
}

/* ---- functions and classes ------------------------------------------------------------------------------ */

/* How many variables the closures of a function capture. Its constant is the compiled function. */
static uint32_t captures_of(const struct lowering *l, const struct intermediate *operation)
{
    const struct function *function = to_pointer(l->function->roots.constants->slots[operation->a]);
    return function->captures;
}

void lower_closure(struct lowering *l, const struct intermediate *operation)
{
    uint32_t count = captures_of(l, operation), at = (uint32_t)l->depth;
    const struct variable *own = NULL;
    if (operation > l->code->operations && operation[-1].kind == INTER_FORWARD)
        own = &l->code->variables[operation[-1].a];
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
    stack_push(l, IN_REGISTER, 0);
    l->patchable = NONE;
}

void lower_class(struct lowering *l, const struct intermediate *operation)
{
    write_abc(&l->writer, OP_CLASS, (uint32_t)l->depth,
              writer_constant(&l->writer, CONSTANT_VALUE, operation->a), 0);
    stack_push(l, IN_REGISTER, 0);
    l->patchable = NONE;
}

/* The superclass is in variable a. */
void lower_inherit(struct lowering *l, const struct intermediate *operation)
{
    const struct variable *super = &l->code->variables[operation->a];
    uint32_t from = super->slot, class = stack_operand(l, l->depth - 1);
    if (super->captured) {
        from = (uint32_t)l->depth;
        write_abc(&l->writer, OP_GET_CELL, from, super->slot, 0);
    }
    write_abc(&l->writer, OP_INHERIT, from, class, 0);
    stack_pop(l, 1);
    l->patchable = NONE;
}

void lower_method(struct lowering *l, const struct intermediate *operation)
{
    uint32_t class = stack_operand(l, l->depth - 2), method = stack_operand(l, l->depth - 1);
    write_abc(&l->writer, OP_METHOD, class, method,
              writer_constant(&l->writer, CONSTANT_VALUE, operation->a));
    stack_pop(l, 1);
    l->patchable = NONE;
}

void lower_print(struct lowering *l)
{
    write_abc(&l->writer, OP_PRINT, stack_operand(l, l->depth - 1), 0, 0);
    stack_pop(l, 1);
    l->patchable = NONE;
}

void lower_return(struct lowering *l)
{
    const struct element *top = &l->stack[l->depth - 1];
    if (top->place == IN_IMMEDIATE && top->index == (uint32_t)VALUE_NIL)
        write_abc(&l->writer, OP_RETURN_NIL, 0, 0, 0);
    else
        write_abc(&l->writer, OP_RETURN, stack_operand(l, l->depth - 1), 0, 0);
    stack_pop(l, 1);
    l->patchable = NONE;
}
