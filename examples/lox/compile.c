#include "compile.h"

#include "errors.h"
#include "lower.h"
#include "thread.h"

#include <stdlib.h>

/* Slot 0 is the receiver's, or the function's own. A function in a method captures the method's `this`, so there it has no name. */
static void reserve_first_slot(struct parser *parser)
{
    struct function_state *function = parser->function;
    local_add(parser, synthetic_token(function->role == ROLE_FUNCTION ? "" : "this"));
    if (function->local_count > 0)
        function->locals[0].depth = 0;
}

static void begin_function(struct parser *parser, struct function_state *function, enum function_role role)
{
    shale_mutator *mutator = parser->thread->mutator;
    *function = (struct function_state){.enclosing = parser->function, .role = role};
    shale_frame_push(mutator, &function->frame, &function->roots, 3);
    parser->function = function;
    if (!parser->stopped) {
        function->roots.constants =
            shale_allocate_array(mutator, parser->thread->world->types.values, CONSTANTS_MAX);
        if (function->roots.constants == NULL)
            parser_out_of_memory(parser);
    }
    if (role != ROLE_SCRIPT)
        function->roots.name = token_string(parser, parser->previous.text, parser->previous.length);
    reserve_first_slot(parser);
}

static void lower_function(struct parser *parser)
{
    emit_return(parser);
    if (parser->failed)
        return;
    switch (lower(parser->thread, parser->function)) {
    case LOWER_DONE:
        break;
    case LOWER_TOO_MANY_REGISTERS:
        parser_error(parser, "Too many operands at once in function.");
        break;
    case LOWER_OUT_OF_MEMORY:
        parser_out_of_memory(parser);
        break;
    }
}

/* Ends the innermost function. What it has compiled is in its roots, which are not shown any more: until memory is allocated. */
static void end_function(struct parser *parser)
{
    struct function_state *function = parser->function;
    intermediate_free(&function->code);
    free(function->locals);
    shale_frame_pop(parser->thread->mutator, &function->frame);
    parser->function = function->enclosing;
}

static void compile_parameters(struct parser *parser)
{
    do {
        if (parser->function->arity == ARGUMENTS_MAX)
            parser_error_at_current(parser, "Can't have more than 255 parameters.");
        else
            parser->function->arity++;
        uint32_t name = variable_parse(parser, "Expect parameter name.");
        variable_define(parser, name);
    } while (parser_match(parser, TOKEN_COMMA));
}

/* The operation that makes the closure, in the function around it. */
static void emit_closure(struct parser *parser, const struct function_state *function)
{
    struct intermediate_code *code = &parser->function->code;
    uint32_t first = (uint32_t)code->capture_count;
    value constant =
        function->roots.function == NULL ? VALUE_NIL : from_pointer(TAG_OBJECT, function->roots.function);
    if (!parser->failed && !intermediate_add_captures(code, function->captures, function->capture_count))
        parser_out_of_memory(parser);
    emit(parser, INTER_CLOSURE, add_constant(parser, constant), first);
    emit_nothing(parser, 2 * (unsigned)function->capture_count);
}

void compile_function(struct parser *parser, enum function_role role)
{
    struct function_state function;
    if (!parser_enter(parser))
        return;
    begin_function(parser, &function, role);
    scope_begin(parser);
    parser_consume(parser, TOKEN_LEFT_PAREN, "Expect '(' after function name.");
    if (!parser_at(parser, TOKEN_RIGHT_PAREN))
        compile_parameters(parser);
    parser_consume(parser, TOKEN_RIGHT_PAREN, "Expect ')' after parameters.");
    parser_consume(parser, TOKEN_LEFT_BRACE, "Expect '{' before function body.");
    compile_block(parser);
    lower_function(parser);
    end_function(parser);
    emit_closure(parser, &function);
    free(function.captures);
    parser_leave(parser);
}

static enum compile_result out_of_memory_at(const struct parser *parser)
{
    report_begin(parser->thread);
    report_formatted(parser->thread, "Out of memory.\n[line %u] in script\n", parser->previous.line);
    report_end(parser->thread);
    return COMPILE_OUT_OF_MEMORY;
}

static enum compile_result finish(struct parser *parser, struct function *function, struct closure **closure)
{
    if (parser->out_of_memory)
        return out_of_memory_at(parser);
    if (parser->failed)
        return COMPILE_ERRORS;
    shale_frame frame;
    shale_frame_push(parser->thread->mutator, &frame, &function, 1);
    *closure = shale_allocate_array(parser->thread->mutator, parser->thread->world->types.closure, 0);
    shale_frame_pop(parser->thread->mutator, &frame);
    if (*closure == NULL)
        return out_of_memory_at(parser);
    (*closure)->function = function;
    return COMPILE_DONE;
}

enum compile_result compile(struct thread *thread, const char *text, size_t length, struct closure **closure)
{
    struct parser parser = {.thread = thread};
    struct function_state script;
    scanner_start(&parser.scanner, text, length);
    begin_function(&parser, &script, ROLE_SCRIPT);
    parser_advance(&parser);
    while (!parser_match(&parser, TOKEN_END))
        compile_declaration(&parser);
    lower_function(&parser);
    end_function(&parser);
    free(script.captures);
    return finish(&parser, script.roots.function, closure);
}
