#include "compile.h"

#include <stdlib.h>

enum precedence {
    PRECEDENCE_NONE,
    PRECEDENCE_ASSIGNMENT,
    PRECEDENCE_OR,
    PRECEDENCE_AND,
    PRECEDENCE_EQUALITY,
    PRECEDENCE_COMPARISON,
    PRECEDENCE_TERM,
    PRECEDENCE_FACTOR,
    PRECEDENCE_UNARY,
    PRECEDENCE_CALL
};

typedef void parse_function(struct parser *parser, bool can_assign);

/* What a token does at the beginning of an expression, and behind one. */
struct rule {
    parse_function *prefix, *infix;
    enum precedence precedence; /* of infix */
};

static const struct rule *rule_of(enum token_kind kind);

static void parse_from(struct parser *parser, enum precedence precedence)
{
    if (!parser_enter(parser))
        return;
    parser_advance(parser);
    parse_function *prefix = rule_of(parser->previous.kind)->prefix;
    if (prefix == NULL) {
        parser_error(parser, "Expect expression.");
        parser_leave(parser);
        return;
    }
    bool can_assign = precedence <= PRECEDENCE_ASSIGNMENT;
    prefix(parser, can_assign);
    while (precedence <= rule_of(parser->current.kind)->precedence) {
        parser_advance(parser);
        rule_of(parser->previous.kind)->infix(parser, can_assign);
    }
    if (can_assign && parser_match(parser, TOKEN_EQUAL))
        parser_error(parser, "Invalid assignment target.");
    parser_leave(parser);
}

void compile_expression(struct parser *parser)
{
    parse_from(parser, PRECEDENCE_ASSIGNMENT);
}

/* ---- values ----------------------------------------------------------------------------------------- */

static void parse_number(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    double number = strtod(parser->previous.text, NULL);
    emit(parser, INTER_CONSTANT, add_constant(parser, from_number(number)), 0);
}

static void parse_string(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    struct string *string = token_string(parser, parser->previous.text + 1, parser->previous.length - 2);
    value constant = string == NULL ? VALUE_NIL : from_pointer(TAG_STRING, string);
    emit(parser, INTER_CONSTANT, add_constant(parser, constant), 0);
}

static void parse_literal(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    emit(parser,
         parser->previous.kind == TOKEN_NIL    ? INTER_NIL
         : parser->previous.kind == TOKEN_TRUE ? INTER_TRUE
                                               : INTER_FALSE,
         0, 0);
}

static void parse_variable(struct parser *parser, bool can_assign)
{
    variable_use(parser, parser->previous, can_assign);
}

static void parse_grouping(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    compile_expression(parser);
    parser_consume(parser, TOKEN_RIGHT_PAREN, "Expect ')' after expression.");
}

/* ---- operators ------------------------------------------------------------------------------------ */

static void parse_unary(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    enum token_kind operator= parser->previous.kind;
    parse_from(parser, PRECEDENCE_UNARY);
    emit(parser, operator== TOKEN_BANG ? INTER_NOT : INTER_NEGATE, 0, 0);
}

static enum intermediate_kind operation_of(enum token_kind operator)
{
    switch (operator) {
    case TOKEN_BANG_EQUAL:
    case TOKEN_EQUAL_EQUAL:
        return INTER_EQUAL;
    case TOKEN_GREATER:
    case TOKEN_LESS_EQUAL: /* not greater: true for what is not comparable */
        return INTER_GREATER;
    case TOKEN_LESS:
    case TOKEN_GREATER_EQUAL:
        return INTER_LESS;
    case TOKEN_PLUS:
        return INTER_ADD;
    case TOKEN_MINUS:
        return INTER_SUBTRACT;
    case TOKEN_STAR:
        return INTER_MULTIPLY;
    default:
        return INTER_DIVIDE;
    }
}

static void parse_binary(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    enum token_kind operator= parser->previous.kind;
    parse_from(parser, rule_of(operator)->precedence + 1);
    emit(parser, operation_of(operator), 0, 0);
    if (operator== TOKEN_BANG_EQUAL || operator== TOKEN_LESS_EQUAL || operator== TOKEN_GREATER_EQUAL)
        emit(parser, INTER_NOT, 0, 0);
}

static void parse_logical(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    bool and = parser->previous.kind == TOKEN_AND;
    struct pending_jump end = emit_jump(parser, and? INTER_JUMP_IF_FALSE : INTER_JUMP_IF_TRUE);
    emit(parser, INTER_POP, 0, 0);
    parse_from(parser, and? PRECEDENCE_AND : PRECEDENCE_OR);
    emit_target(parser, end);
}

/* ---- calls and properties --------------------------------------------------------------------------- */

static unsigned parse_arguments(struct parser *parser)
{
    unsigned count = 0;
    if (!parser_at(parser, TOKEN_RIGHT_PAREN)) {
        do {
            compile_expression(parser);
            if (count == ARGUMENTS_MAX)
                parser_error(parser, "Can't have more than 255 arguments.");
            else
                count++;
        } while (parser_match(parser, TOKEN_COMMA));
    }
    parser_consume(parser, TOKEN_RIGHT_PAREN, "Expect ')' after arguments.");
    return count;
}

static void parse_call(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    unsigned count = parse_arguments(parser);
    emit(parser, INTER_CALL, count, 0);
}

static void parse_dot(struct parser *parser, bool can_assign)
{
    parser_consume(parser, TOKEN_IDENTIFIER, "Expect property name after '.'.");
    uint32_t name = add_name(parser, &parser->previous);
    if (can_assign && parser_match(parser, TOKEN_EQUAL)) {
        compile_expression(parser);
        emit(parser, INTER_SET_PROPERTY, name, 0);
    } else if (parser_match(parser, TOKEN_LEFT_PAREN)) {
        unsigned count = parse_arguments(parser);
        emit(parser, INTER_INVOKE, name, count);
    } else {
        emit(parser, INTER_GET_PROPERTY, name, 0);
    }
}

static void parse_this(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    if (parser->class == NULL)
        parser_error(parser, "Can't use 'this' outside of a class.");
    else
        variable_use(parser, parser->previous, false);
}

static void parse_super(struct parser *parser, bool can_assign)
{
    (void)can_assign;
    if (parser->class == NULL)
        parser_error(parser, "Can't use 'super' outside of a class.");
    else if (!parser->class->has_superclass)
        parser_error(parser, "Can't use 'super' in a class with no superclass.");
    parser_consume(parser, TOKEN_DOT, "Expect '.' after 'super'.");
    parser_consume(parser, TOKEN_IDENTIFIER, "Expect superclass method name.");
    uint32_t name = add_name(parser, &parser->previous);
    variable_use(parser, synthetic_token("this"), false);
    if (parser_match(parser, TOKEN_LEFT_PAREN)) {
        unsigned count = parse_arguments(parser);
        variable_use(parser, synthetic_token("super"), false);
        emit(parser, INTER_INVOKE_SUPER, name, count);
    } else {
        variable_use(parser, synthetic_token("super"), false);
        emit(parser, INTER_GET_SUPER, name, 0);
    }
}

/* ---- the grammar -------------------------------------------------------------------------------------- */

static const struct rule *rule_of(enum token_kind kind)
{
    static const struct rule rules[TOKEN_KINDS] = {
        [TOKEN_LEFT_PAREN] = {parse_grouping, parse_call, PRECEDENCE_CALL},
        [TOKEN_DOT] = {NULL, parse_dot, PRECEDENCE_CALL},
        [TOKEN_MINUS] = {parse_unary, parse_binary, PRECEDENCE_TERM},
        [TOKEN_PLUS] = {NULL, parse_binary, PRECEDENCE_TERM},
        [TOKEN_SLASH] = {NULL, parse_binary, PRECEDENCE_FACTOR},
        [TOKEN_STAR] = {NULL, parse_binary, PRECEDENCE_FACTOR},
        [TOKEN_BANG] = {parse_unary, NULL, PRECEDENCE_NONE},
        [TOKEN_BANG_EQUAL] = {NULL, parse_binary, PRECEDENCE_EQUALITY},
        [TOKEN_EQUAL_EQUAL] = {NULL, parse_binary, PRECEDENCE_EQUALITY},
        [TOKEN_GREATER] = {NULL, parse_binary, PRECEDENCE_COMPARISON},
        [TOKEN_GREATER_EQUAL] = {NULL, parse_binary, PRECEDENCE_COMPARISON},
        [TOKEN_LESS] = {NULL, parse_binary, PRECEDENCE_COMPARISON},
        [TOKEN_LESS_EQUAL] = {NULL, parse_binary, PRECEDENCE_COMPARISON},
        [TOKEN_IDENTIFIER] = {parse_variable, NULL, PRECEDENCE_NONE},
        [TOKEN_STRING] = {parse_string, NULL, PRECEDENCE_NONE},
        [TOKEN_NUMBER] = {parse_number, NULL, PRECEDENCE_NONE},
        [TOKEN_AND] = {NULL, parse_logical, PRECEDENCE_AND},
        [TOKEN_OR] = {NULL, parse_logical, PRECEDENCE_OR},
        [TOKEN_FALSE] = {parse_literal, NULL, PRECEDENCE_NONE},
        [TOKEN_NIL] = {parse_literal, NULL, PRECEDENCE_NONE},
        [TOKEN_TRUE] = {parse_literal, NULL, PRECEDENCE_NONE},
        [TOKEN_SUPER] = {parse_super, NULL, PRECEDENCE_NONE},
        [TOKEN_THIS] = {parse_this, NULL, PRECEDENCE_NONE},
    };
    return &rules[kind];
}
