#include "scanner.h"

#include <stdbool.h>
#include <string.h>

void scanner_start(struct scanner *scanner, const char *source, size_t length)
{
    const char *end = memchr(source, '\0', length);
    *scanner = (struct scanner){.next = source, .end = end != NULL ? end : source + length, .line = 1};
}

/* The byte `ahead` of the next one; NUL at the end. */
static char peek(const struct scanner *scanner, size_t ahead)
{
    return ahead < (size_t)(scanner->end - scanner->next) ? scanner->next[ahead] : '\0';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static void skip_comment(struct scanner *scanner)
{
    const char *line_end = memchr(scanner->next, '\n', (size_t)(scanner->end - scanner->next));
    scanner->next = line_end != NULL ? line_end : scanner->end;
}

static void skip_blanks(struct scanner *scanner)
{
    for (;; scanner->next++) {
        while (peek(scanner, 0) == '/' && peek(scanner, 1) == '/')
            skip_comment(scanner);
        switch (peek(scanner, 0)) {
        case '\n':
            scanner->line++;
            break;
        case ' ':
        case '\r':
        case '\t':
            break;
        default:
            return;
        }
    }
}

static struct token token_from(const struct scanner *scanner, enum token_kind kind, const char *start)
{
    return (struct token){kind, scanner->line, start, (size_t)(scanner->next - start)};
}

static struct token error_token(const struct scanner *scanner, const char *message)
{
    return (struct token){TOKEN_ERROR, scanner->line, message, strlen(message)};
}

static struct token scan_string(struct scanner *scanner, const char *start)
{
    for (; scanner->next < scanner->end && *scanner->next != '"'; scanner->next++)
        if (*scanner->next == '\n')
            scanner->line++;
    if (scanner->next == scanner->end)
        return error_token(scanner, "Unterminated string.");
    scanner->next++;
    return token_from(scanner, TOKEN_STRING, start);
}

static struct token scan_number(struct scanner *scanner, const char *start)
{
    while (is_digit(peek(scanner, 0)))
        scanner->next++;
    if (peek(scanner, 0) == '.' && is_digit(peek(scanner, 1))) {
        scanner->next++;
        while (is_digit(peek(scanner, 0)))
            scanner->next++;
    }
    return token_from(scanner, TOKEN_NUMBER, start);
}

static enum token_kind word_kind(const char *text, size_t length)
{
    static const struct {
        const char *text;
        enum token_kind kind;
    } keywords[] = {
        {"and", TOKEN_AND},   {"class", TOKEN_CLASS}, {"else", TOKEN_ELSE},     {"false", TOKEN_FALSE},
        {"for", TOKEN_FOR},   {"fun", TOKEN_FUN},     {"if", TOKEN_IF},         {"nil", TOKEN_NIL},
        {"or", TOKEN_OR},     {"print", TOKEN_PRINT}, {"return", TOKEN_RETURN}, {"super", TOKEN_SUPER},
        {"this", TOKEN_THIS}, {"true", TOKEN_TRUE},   {"var", TOKEN_VAR},       {"while", TOKEN_WHILE}};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (keywords[i].text[0] == text[0] && strlen(keywords[i].text) == length &&
            memcmp(keywords[i].text, text, length) == 0)
            return keywords[i].kind;
    return TOKEN_IDENTIFIER;
}

static struct token scan_word(struct scanner *scanner, const char *start)
{
    while (is_letter(peek(scanner, 0)) || is_digit(peek(scanner, 0)))
        scanner->next++;
    return token_from(scanner, word_kind(start, (size_t)(scanner->next - start)), start);
}

/* One of two kinds: with '=' behind it, or without. */
static struct token scan_comparison(struct scanner *scanner, const char *start, enum token_kind with,
                                    enum token_kind without)
{
    bool equal = peek(scanner, 0) == '=';
    scanner->next += equal;
    return token_from(scanner, equal ? with : without, start);
}

struct token scanner_next(struct scanner *scanner)
{
    static const char single[] = "(){},.-+;/*";
    skip_blanks(scanner);
    const char *start = scanner->next;
    if (start == scanner->end)
        return token_from(scanner, TOKEN_END, start);
    scanner->next++;
    if (is_letter(*start))
        return scan_word(scanner, start);
    if (is_digit(*start))
        return scan_number(scanner, start);
    switch (*start) {
    case '!':
        return scan_comparison(scanner, start, TOKEN_BANG_EQUAL, TOKEN_BANG);
    case '=':
        return scan_comparison(scanner, start, TOKEN_EQUAL_EQUAL, TOKEN_EQUAL);
    case '<':
        return scan_comparison(scanner, start, TOKEN_LESS_EQUAL, TOKEN_LESS);
    case '>':
        return scan_comparison(scanner, start, TOKEN_GREATER_EQUAL, TOKEN_GREATER);
    case '"':
        return scan_string(scanner, start);
    default:
        break;
    }
    const char *found = strchr(single, *start);
    if (found != NULL) /* their kinds are in the same order */
        return token_from(scanner, (enum token_kind)(found - single), start);
    return error_token(scanner, "Unexpected character.");
}
