/*
 * Tokens in order, and errors about them.
 *
 * After an error nothing more is reported until parser_synchronise has found where a statement may begin. A parser that has
 * stopped, since memory is out or the text is nested too deeply, sees the end of the text from then on.
 */
#ifndef LOX_PARSER_H
#define LOX_PARSER_H

#include "scanner.h"
#include "value.h"

struct function_state;
struct class_state;
struct thread;

enum { NESTING_MAX = 1000 };

struct parser {
    struct scanner scanner;
    struct token current, previous;
    struct thread *thread;
    struct function_state *function; /* the innermost that is being compiled */
    struct class_state *class;       /* likewise; NULL: none */
    unsigned nesting;
    bool failed;    /* there was an error */
    bool panicking; /* and it is not over */
    bool stopped;
    bool out_of_memory;
};

void parser_advance(struct parser *parser);
bool parser_at(const struct parser *parser, enum token_kind kind);
bool parser_match(struct parser *parser, enum token_kind kind);
void parser_consume(struct parser *parser, enum token_kind kind, const char *message);
void parser_synchronise(struct parser *parser);

/* Reports an error at the token before, or at the one that comes. */
void parser_error(struct parser *parser, const char *message);
void parser_error_at_current(struct parser *parser, const char *message);

void parser_out_of_memory(struct parser *parser);

/* Brackets whatever calls itself for what is inside of it. False: it is too deep, and the parser has stopped. */
bool parser_enter(struct parser *parser);
void parser_leave(struct parser *parser);

#endif
