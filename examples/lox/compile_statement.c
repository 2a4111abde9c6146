#include "compile.h"

#include "thread.h"

#include <stdlib.h>

enum { CONDITION_COPIED_MAX = 12 }; /* operations of a loop's condition that are worth a second copy */

static void compile_statement(struct parser *parser);

static void compile_expression_statement(struct parser *parser)
{
    compile_expression(parser);
    parser_consume(parser, TOKEN_SEMICOLON, "Expect ';' after expression.");
    emit(parser, INTER_POP, 0, 0);
}

static void compile_print(struct parser *parser)
{
    compile_expression(parser);
    parser_consume(parser, TOKEN_SEMICOLON, "Expect ';' after value.");
    emit(parser, INTER_PRINT, 0, 0);
}

static void compile_return(struct parser *parser)
{
    if (parser->function->role == ROLE_SCRIPT)
        parser_error(parser, "Can't return from top-level code.");
    if (parser_match(parser, TOKEN_SEMICOLON)) {
        emit_return(parser);
        return;
    }
    if (parser->function->role == ROLE_INITIALIZER)
        parser_error(parser, "Can't return a value from an initializer.");
    compile_expression(parser);
    parser_consume(parser, TOKEN_SEMICOLON, "Expect ';' after return value.");
    emit(parser, INTER_RETURN, 0, 0);
}

void compile_block(struct parser *parser)
{
    while (!parser_at(parser, TOKEN_RIGHT_BRACE) && !parser_at(parser, TOKEN_END))
        compile_declaration(parser);
    parser_consume(parser, TOKEN_RIGHT_BRACE, "Expect '}' after block.");
}

/* Takes a chain of else if as one statement, so that it may be long without being nested. */
static void compile_if(struct parser *parser)
{
    struct pending_jump *ends = NULL;
    size_t count = 0, room = 0;
    bool more = true;
    while (more) {
        parser_consume(parser, TOKEN_LEFT_PAREN, "Expect '(' after 'if'.");
        compile_expression(parser);
        parser_consume(parser, TOKEN_RIGHT_PAREN, "Expect ')' after condition.");
        struct pending_jump otherwise = emit_jump(parser, INTER_BRANCH_IF_FALSE);
        emit_nothing(parser, 1);
        compile_statement(parser);
        struct pending_jump *end = append((void **)&ends, count, &room, sizeof *ends);
        if (end == NULL) {
            parser_out_of_memory(parser);
            break;
        }
        *end = emit_jump(parser, INTER_JUMP);
        count++;
        emit_target(parser, otherwise);
        emit_nothing(parser, 1);
        more = false;
        if (parser_match(parser, TOKEN_ELSE)) {
            more = parser_match(parser, TOKEN_IF);
            if (!more)
                compile_statement(parser);
        }
    }
    while (count > 0)
        emit_target(parser, ends[--count]);
    free(ends);
}

/* ---- loops ---------------------------------------------------------------------------------------- */

/* A loop. Where it is tested at the top, the test is repeated at the bottom, so that a round takes one jump. */
struct loop {
    uint32_t start; /* label */
    size_t start_byte;
    size_t test_from, test_to; /* operations */
    bool tested;
    struct pending_jump exit;
    uint32_t body; /* label behind the test */
};

static void loop_begin(struct parser *parser, struct loop *loop)
{
    *loop = (struct loop){.start = emit_label(parser), .start_byte = parser->function->bytes};
    loop->test_from = parser->function->code.count;
}

/* The test has just been compiled. */
static void loop_test(struct parser *parser, struct loop *loop)
{
    loop->tested = true;
    loop->test_to = parser->function->code.count;
    loop->exit = emit_jump(parser, INTER_BRANCH_IF_FALSE);
    emit_nothing(parser, 1);
    loop->body = emit_label(parser);
}

/* The jump back. */
static void loop_repeat(struct parser *parser, struct loop *loop)
{
    size_t length = loop->test_to - loop->test_from;
    if (!loop->tested || length > CONDITION_COPIED_MAX) {
        emit(parser, INTER_LOOP, loop->start, 0);
        return;
    }
    if (!parser->failed && !intermediate_copy_to_end(&parser->function->code, loop->test_from, loop->test_to))
        parser_out_of_memory(parser);
    emit(parser, INTER_BRANCH_IF_TRUE, loop->body, 0);
}

static void loop_end(struct parser *parser, const struct loop *loop)
{
    if (!loop->tested)
        return;
    emit_target(parser, loop->exit);
    emit_nothing(parser, 1);
}

static void compile_while(struct parser *parser)
{
    struct loop loop;
    loop_begin(parser, &loop);
    parser_consume(parser, TOKEN_LEFT_PAREN, "Expect '(' after 'while'.");
    compile_expression(parser);
    parser_consume(parser, TOKEN_RIGHT_PAREN, "Expect ')' after condition.");
    loop_test(parser, &loop);
    compile_statement(parser);
    check_loop(parser, loop.start_byte);
    loop_repeat(parser, &loop);
    loop_end(parser, &loop);
}

static void compile_var(struct parser *parser);

static void compile_for_initializer(struct parser *parser)
{
    parser_consume(parser, TOKEN_LEFT_PAREN, "Expect '(' after 'for'.");
    if (parser_match(parser, TOKEN_SEMICOLON))
        return;
    if (parser_match(parser, TOKEN_VAR))
        compile_var(parser);
    else
        compile_expression_statement(parser);
}

/* The step is written before the body and runs after it. The reference implementation jumps there and back; here its code is
 * moved behind the body's. */
static void compile_for(struct parser *parser)
{
    struct intermediate_code *code = &parser->function->code;
    struct loop loop;
    size_t step_from = 0, step_to = 0, start_byte;
    scope_begin(parser);
    compile_for_initializer(parser);
    loop_begin(parser, &loop);
    start_byte = loop.start_byte;
    if (!parser_match(parser, TOKEN_SEMICOLON)) {
        compile_expression(parser);
        parser_consume(parser, TOKEN_SEMICOLON, "Expect ';' after loop condition.");
        loop_test(parser, &loop);
    }
    if (!parser_match(parser, TOKEN_RIGHT_PAREN)) {
        emit_nothing(parser, 3); /* the jump to the body */
        start_byte = parser->function->bytes;
        step_from = code->count;
        compile_expression(parser);
        emit(parser, INTER_POP, 0, 0);
        step_to = code->count;
        parser_consume(parser, TOKEN_RIGHT_PAREN, "Expect ')' after for clauses.");
        check_loop(parser, loop.start_byte);
        emit_nothing(parser, 3); /* the jump to the test */
        if (parser->function->bytes - start_byte > JUMP_MAX)
            parser_error(parser, "Too much code to jump over.");
    }
    compile_statement(parser);
    check_loop(parser, start_byte);
    if (!parser->failed && !intermediate_move_to_end(code, step_from, step_to))
        parser_out_of_memory(parser);
    loop_repeat(parser, &loop);
    loop_end(parser, &loop);
    scope_end(parser);
}

/* ---- declarations ------------------------------------------------------------------------------------- */

static void compile_statement(struct parser *parser)
{
    if (!parser_enter(parser))
        return;
    if (parser_match(parser, TOKEN_PRINT)) {
        compile_print(parser);
    } else if (parser_match(parser, TOKEN_FOR)) {
        compile_for(parser);
    } else if (parser_match(parser, TOKEN_IF)) {
        compile_if(parser);
    } else if (parser_match(parser, TOKEN_RETURN)) {
        compile_return(parser);
    } else if (parser_match(parser, TOKEN_WHILE)) {
        compile_while(parser);
    } else if (parser_match(parser, TOKEN_LEFT_BRACE)) {
        scope_begin(parser);
        compile_block(parser);
        scope_end(parser);
    } else {
        compile_expression_statement(parser);
    }
    parser_leave(parser);
}

static void compile_var(struct parser *parser)
{
    uint32_t global = variable_parse(parser, "Expect variable name.");
    if (parser_match(parser, TOKEN_EQUAL))
        compile_expression(parser);
    else
        emit(parser, INTER_NIL, 0, 0);
    parser_consume(parser, TOKEN_SEMICOLON, "Expect ';' after variable declaration.");
    variable_define(parser, global);
}

static void compile_fun(struct parser *parser)
{
    struct function_state *function = parser->function;
    uint32_t global = variable_parse(parser, "Expect function name.");
    local_initialise(parser);
    /* The function may capture its own variable, before there is a value in it. */
    if (function->scope_depth > 0 && function->local_count > 0) {
        uint32_t variable = function->locals[function->local_count - 1].variable;
        function->code.variables[variable].forward = true;
        emit(parser, INTER_FORWARD, variable, 0);
    }
    compile_function(parser, ROLE_FUNCTION);
    variable_define(parser, global);
}

static void compile_method(struct parser *parser)
{
    parser_consume(parser, TOKEN_IDENTIFIER, "Expect method name.");
    uint32_t name = add_name(parser, &parser->previous);
    struct token init = synthetic_token("init");
    compile_function(parser, same_name(&parser->previous, &init) ? ROLE_INITIALIZER : ROLE_METHOD);
    emit(parser, INTER_METHOD, name, 0);
}

static void compile_superclass(struct parser *parser, struct token class_name)
{
    parser_consume(parser, TOKEN_IDENTIFIER, "Expect superclass name.");
    variable_use(parser, parser->previous, false);
    if (same_name(&class_name, &parser->previous))
        parser_error(parser, "A class can't inherit from itself.");
    scope_begin(parser);
    local_add(parser, synthetic_token("super"));
    variable_define(parser, 0);
    variable_use(parser, class_name, false);
    const struct function_state *function = parser->function;
    emit(parser, INTER_INHERIT, function->locals[function->local_count - 1].variable, 0);
    parser->class->has_superclass = true;
}

static void compile_class(struct parser *parser)
{
    struct class_state class = {.enclosing = parser->class};
    parser_consume(parser, TOKEN_IDENTIFIER, "Expect class name.");
    struct token name = parser->previous;
    /* As variable_parse, but that a local class has a constant for its name as well. */
    uint32_t constant = add_name(parser, &name);
    variable_declare(parser);
    emit(parser, INTER_CLASS, constant, 0);
    variable_define(parser, constant);
    parser->class = &class;
    if (parser_match(parser, TOKEN_LESS))
        compile_superclass(parser, name);
    variable_use(parser, name, false);
    parser_consume(parser, TOKEN_LEFT_BRACE, "Expect '{' before class body.");
    while (!parser_at(parser, TOKEN_RIGHT_BRACE) && !parser_at(parser, TOKEN_END))
        compile_method(parser);
    parser_consume(parser, TOKEN_RIGHT_BRACE, "Expect '}' after class body.");
    emit(parser, INTER_POP, 0, 0);
    if (class.has_superclass)
        scope_end(parser);
    parser->class = class.enclosing;
}

void compile_declaration(struct parser *parser)
{
    shale_poll(parser->thread->mutator);
    if (parser_match(parser, TOKEN_CLASS))
        compile_class(parser);
    else if (parser_match(parser, TOKEN_FUN))
        compile_fun(parser);
    else if (parser_match(parser, TOKEN_VAR))
        compile_var(parser);
    else
        compile_statement(parser);
    if (parser->panicking)
        parser_synchronise(parser);
}
