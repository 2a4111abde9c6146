#include "compile.h"

#include <string.h>

bool same_name(const struct token *a, const struct token *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

struct token synthetic_token(const char *text)
{
    return (struct token){TOKEN_IDENTIFIER, 0, text, strlen(text)};
}

/* ---- scopes and local variables ------------------------------------------------------------------ */

void scope_begin(struct parser *parser)
{
    parser->function->scope_depth++;
}

void scope_end(struct parser *parser)
{
    struct function_state *function = parser->function;
    function->scope_depth--;
    while (function->local_count > 0 &&
           function->locals[function->local_count - 1].depth > function->scope_depth) {
        emit(parser, INTER_POP, 0, 0);
        function->local_count--;
    }
}

void local_add(struct parser *parser, struct token name)
{
    struct function_state *function = parser->function;
    if (function->local_count == LOCALS_MAX) {
        parser_error(parser, "Too many local variables in function.");
        return;
    }
    struct local *local =
        append((void **)&function->locals, function->local_count, &function->local_room, sizeof *local);
    struct variable variable = {.slot = (uint32_t)function->local_count};
    if (local == NULL || !intermediate_add_variable(&function->code, variable)) {
        parser_out_of_memory(parser);
        return;
    }
    *local = (struct local){name, DEPTH_UNINITIALISED, (uint32_t)function->code.variable_count - 1};
    function->local_count++;
}

/* The newest local variable may be used from here on. */
void local_initialise(struct parser *parser)
{
    struct function_state *function = parser->function;
    if (function->scope_depth > 0 && function->local_count > 0)
        function->locals[function->local_count - 1].depth = function->scope_depth;
}

void variable_declare(struct parser *parser)
{
    const struct function_state *function = parser->function;
    const struct token *name = &parser->previous;
    if (function->scope_depth == 0)
        return;
    for (size_t i = function->local_count; i > 0; i--) {
        const struct local *local = &function->locals[i - 1];
        if (local->depth != DEPTH_UNINITIALISED && local->depth < function->scope_depth)
            break;
        if (same_name(name, &local->name))
            parser_error(parser, "Already a variable with this name in this scope.");
    }
    local_add(parser, *name);
}

uint32_t variable_parse(struct parser *parser, const char *message)
{
    parser_consume(parser, TOKEN_IDENTIFIER, message);
    variable_declare(parser);
    return parser->function->scope_depth > 0 ? 0 : add_name(parser, &parser->previous);
}

void variable_define(struct parser *parser, uint32_t global)
{
    const struct function_state *function = parser->function;
    if (function->scope_depth == 0) {
        emit(parser, INTER_DEFINE_GLOBAL, global, 0);
        return;
    }
    local_initialise(parser);
    if (function->local_count > 0)
        emit(parser, INTER_DECLARE, function->locals[function->local_count - 1].variable, 0);
}

/* ---- using variables -------------------------------------------------------------------------------- */

enum { NOT_FOUND = -1 };

/* The number of the local variable of this name, or NOT_FOUND. */
static long find_local(struct parser *parser, const struct function_state *function, const struct token *name)
{
    for (size_t i = function->local_count; i > 0; i--) {
        const struct local *local = &function->locals[i - 1];
        if (!same_name(name, &local->name))
            continue;
        if (local->depth == DEPTH_UNINITIALISED)
            parser_error(parser, "Can't read local variable in its own initializer.");
        return (long)local->variable;
    }
    return NOT_FOUND;
}

static long add_capture(struct parser *parser, struct function_state *function, struct capture capture)
{
    for (size_t i = 0; i < function->capture_count; i++)
        if (function->captures[i].from_local == capture.from_local &&
            function->captures[i].index == capture.index)
            return (long)i;
    if (function->capture_count == CAPTURES_MAX) {
        parser_error(parser, "Too many closure variables in function.");
        return 0;
    }
    struct capture *place =
        append((void **)&function->captures, function->capture_count, &function->capture_room, sizeof *place);
    if (place == NULL) {
        parser_out_of_memory(parser);
        return 0;
    }
    *place = capture;
    return (long)function->capture_count++;
}

/* The number of the captured variable of this name, which the functions in between capture as well; or NOT_FOUND. */
static long find_captured(struct parser *parser, struct function_state *function, const struct token *name)
{
    struct function_state *enclosing = function->enclosing;
    if (enclosing == NULL)
        return NOT_FOUND;
    long local = find_local(parser, enclosing, name);
    if (local != NOT_FOUND) {
        enclosing->code.variables[local].captured = true;
        return add_capture(parser, function, (struct capture){true, (uint32_t)local});
    }
    long captured = find_captured(parser, enclosing, name);
    if (captured == NOT_FOUND)
        return NOT_FOUND;
    return add_capture(parser, function, (struct capture){false, (uint32_t)captured});
}

void variable_use(struct parser *parser, struct token name, bool can_assign)
{
    enum intermediate_kind get = INTER_GET_LOCAL, set = INTER_SET_LOCAL;
    long number = find_local(parser, parser->function, &name);
    if (number == NOT_FOUND) {
        get = INTER_GET_CAPTURED, set = INTER_SET_CAPTURED;
        number = find_captured(parser, parser->function, &name);
    }
    if (number == NOT_FOUND) {
        get = INTER_GET_GLOBAL, set = INTER_SET_GLOBAL;
        number = add_name(parser, &name);
    }
    if (can_assign && parser_match(parser, TOKEN_EQUAL)) {
        compile_expression(parser);
        emit(parser, set, (uint32_t)number, 0);
    } else {
        emit(parser, get, (uint32_t)number, 0);
    }
}
