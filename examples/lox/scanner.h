/*
 * From bytes to tokens. Any bytes: what cannot be part of a program becomes a token of kind TOKEN_ERROR.
 */
#ifndef LOX_SCANNER_H
#define LOX_SCANNER_H

#include <stddef.h>

enum token_kind {
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACE,
    TOKEN_RIGHT_BRACE,
    TOKEN_COMMA,
    TOKEN_DOT,
    TOKEN_MINUS,
    TOKEN_PLUS,
    TOKEN_SEMICOLON,
    TOKEN_SLASH,
    TOKEN_STAR,
    TOKEN_BANG,
    TOKEN_BANG_EQUAL,
    TOKEN_EQUAL,
    TOKEN_EQUAL_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_EQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_IDENTIFIER,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_AND,
    TOKEN_CLASS,
    TOKEN_ELSE,
    TOKEN_FALSE,
    TOKEN_FOR,
    TOKEN_FUN,
    TOKEN_IF,
    TOKEN_NIL,
    TOKEN_OR,
    TOKEN_PRINT,
    TOKEN_RETURN,
    TOKEN_SUPER,
    TOKEN_THIS,
    TOKEN_TRUE,
    TOKEN_VAR,
    TOKEN_WHILE,
    TOKEN_ERROR,
    TOKEN_END,
    TOKEN_KINDS
};

struct token {
    enum token_kind kind;
    unsigned line;    /* where it ends */
    const char *text; /* in the source; of TOKEN_ERROR, what is wrong */
    size_t length;
};

struct scanner {
    const char *next;
    const char *end; /* the first NUL, as in the reference implementation, or what is behind the text */
    unsigned line;
};

void scanner_start(struct scanner *scanner, const char *source, size_t length);
struct token scanner_next(struct scanner *scanner);

#endif
