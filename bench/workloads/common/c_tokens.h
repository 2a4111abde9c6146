/*
 * C source text as tokens, tolerantly: whatever the text, it comes to its end. Comments and white space are left out; a line of
 * the preprocessor, with those that continue it, is one token.
 */
#ifndef BENCH_WORKLOADS_COMMON_C_TOKENS_H
#define BENCH_WORKLOADS_COMMON_C_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum c_token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_NUMBER,
    TOKEN_STRING, /* or character */
    TOKEN_DIRECTIVE,
    TOKEN_OPERATOR,
    TOKEN_OPEN,     /* ( [ { */
    TOKEN_CLOSE,    /* ) ] } */
    TOKEN_SEPARATOR /* , ; */
};

struct c_token {
    enum c_token_kind kind;
    const unsigned char *text;
    uint32_t length;
    uint32_t code; /* of a token of one or two characters: first + second * 256 */
};

struct c_tokens {
    const unsigned char *next; /* the text ends with a 0; zeros in it end it as well */
    bool line_start;           /* only white space since the last newline */
};

void c_tokens_begin(struct c_tokens *tokens, const unsigned char *text);
void c_tokens_next(struct c_tokens *tokens, struct c_token *token);

/* FNV-1a of 64 bits, folded to 32. */
static inline uint32_t text_hash(const unsigned char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ text[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash ^ hash >> 32);
}

#endif
