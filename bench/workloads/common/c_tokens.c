#include "bench/workloads/common/c_tokens.h"

static bool is_name_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(unsigned char c)
{
    return is_name_start(c) || is_digit(c);
}

/* Behind a comment of either kind. */
static const unsigned char *skip_comment(const unsigned char *at)
{
    if (at[1] == '/') {
        while (*at != '\0' && *at != '\n')
            at++;
        return at;
    }
    at += 2;
    while (*at != '\0' && !(at[0] == '*' && at[1] == '/'))
        at++;
    return *at == '\0' ? at : at + 2;
}

static void skip_space(struct c_tokens *tokens)
{
    const unsigned char *at = tokens->next;
    for (;;) {
        if (*at == '\n')
            tokens->line_start = true;
        if (*at == ' ' || (*at >= '\t' && *at <= '\r'))
            at++;
        else if (at[0] == '/' && (at[1] == '/' || at[1] == '*'))
            at = skip_comment(at);
        else
            break;
    }
    tokens->next = at;
}

/* To the newline that is not behind a backslash. */
static const unsigned char *directive_end(const unsigned char *at)
{
    while (*at != '\0' && *at != '\n') {
        if (at[0] == '\\' && at[1] != '\0')
            at++;
        at++;
    }
    return at;
}

/* Behind the quote that ends it, or where the line ends. */
static const unsigned char *string_end(const unsigned char *at)
{
    unsigned char quote = *at++;
    while (*at != '\0' && *at != '\n' && *at != quote) {
        if (at[0] == '\\' && at[1] != '\0')
            at++;
        at++;
    }
    return *at == quote ? at + 1 : at;
}

static bool is_one_of(unsigned char c, const char *characters)
{
    for (; *characters != '\0'; characters++) {
        if (c == (unsigned char)*characters)
            return true;
    }
    return false;
}

/* Of two characters: doubled, with =, and the arrow. */
static const unsigned char *operator_end(const unsigned char *at)
{
    bool two = (at[1] == at[0] && is_one_of(at[0], "+-<>&|=")) ||
               (at[1] == '=' && is_one_of(at[0], "+-*/%&|^<>!")) || (at[0] == '-' && at[1] == '>');
    return at + (two ? 2 : 1);
}

static const unsigned char *token_end(const unsigned char *at, bool line_start, enum c_token_kind *kind)
{
    const unsigned char *start = at;
    if (*at == '\0') {
        *kind = TOKEN_END;
        return at;
    }
    if (is_name_start(*at)) {
        *kind = TOKEN_NAME;
        while (is_name(*at))
            at++;
        return at;
    }
    if (is_digit(*at) || (*at == '.' && is_digit(at[1]))) {
        *kind = TOKEN_NUMBER;
        while (is_name(*at) || *at == '.')
            at++;
        return at;
    }
    if (*at == '"' || *at == '\'') {
        *kind = TOKEN_STRING;
        return string_end(at);
    }
    if (*at == '#' && line_start) {
        *kind = TOKEN_DIRECTIVE;
        return directive_end(at);
    }
    *kind = is_one_of(*start, "([{")   ? TOKEN_OPEN
            : is_one_of(*start, ")]}") ? TOKEN_CLOSE
            : is_one_of(*start, ",;")  ? TOKEN_SEPARATOR
                                       : TOKEN_OPERATOR;
    return *kind == TOKEN_OPERATOR ? operator_end(at) : at + 1;
}

void c_tokens_begin(struct c_tokens *tokens, const unsigned char *text)
{
    *tokens = (struct c_tokens){.next = text, .line_start = true};
}

void c_tokens_next(struct c_tokens *tokens, struct c_token *token)
{
    skip_space(tokens);
    const unsigned char *end = token_end(tokens->next, tokens->line_start, &token->kind);
    token->text = tokens->next;
    token->length = (uint32_t)(end - tokens->next);
    token->code = token->length == 0 ? 0 : token->text[0] + (token->length == 2 ? token->text[1] * 256u : 0);
    tokens->next = end;
    tokens->line_start = false;
}
