#include "parser.h"

#include "errors.h"

static void report(struct parser *parser, const struct token *token, const char *message)
{
    if (parser->panicking || parser->stopped)
        return;
    parser->panicking = true;
    parser->failed = true;
    report_begin(parser->thread);
    report_formatted(parser->thread, "[line %u] Error", token->line);
    if (token->kind == TOKEN_END) {
        report_formatted(parser->thread, " at end");
    } else if (token->kind != TOKEN_ERROR) {
        report_formatted(parser->thread, " at '");
        report_text(parser->thread, token->text, token->length);
        report_formatted(parser->thread, "'");
    }
    report_formatted(parser->thread, ": %s\n", message);
    report_end(parser->thread);
}

void parser_error(struct parser *parser, const char *message)
{
    report(parser, &parser->previous, message);
}

void parser_error_at_current(struct parser *parser, const char *message)
{
    report(parser, &parser->current, message);
}

static void stop(struct parser *parser)
{
    parser->failed = true;
    parser->stopped = true;
    parser->current.kind = TOKEN_END;
}

void parser_out_of_memory(struct parser *parser)
{
    parser->out_of_memory = true;
    stop(parser);
}

void parser_advance(struct parser *parser)
{
    parser->previous = parser->current;
    if (parser->stopped)
        return;
    for (;;) {
        parser->current = scanner_next(&parser->scanner);
        if (parser->current.kind != TOKEN_ERROR)
            return;
        parser_error_at_current(parser, parser->current.text);
    }
}

bool parser_at(const struct parser *parser, enum token_kind kind)
{
    return parser->current.kind == kind;
}

bool parser_match(struct parser *parser, enum token_kind kind)
{
    if (!parser_at(parser, kind))
        return false;
    parser_advance(parser);
    return true;
}

void parser_consume(struct parser *parser, enum token_kind kind, const char *message)
{
    if (!parser_match(parser, kind))
        parser_error_at_current(parser, message);
}

void parser_synchronise(struct parser *parser)
{
    parser->panicking = false;
    for (; !parser_at(parser, TOKEN_END); parser_advance(parser)) {
        if (parser->previous.kind == TOKEN_SEMICOLON)
            return;
        switch (parser->current.kind) {
        case TOKEN_CLASS:
        case TOKEN_FUN:
        case TOKEN_VAR:
        case TOKEN_FOR:
        case TOKEN_IF:
        case TOKEN_WHILE:
        case TOKEN_PRINT:
        case TOKEN_RETURN:
            return;
        default:
            break;
        }
    }
}

bool parser_enter(struct parser *parser)
{
    if (parser->nesting == NESTING_MAX) {
        parser_error(parser, "Nesting too deep.");
        stop(parser);
        return false;
    }
    parser->nesting++;
    return true;
}

void parser_leave(struct parser *parser)
{
    parser->nesting--;
}
