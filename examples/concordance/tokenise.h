/*
 * Cuts bytes into words: maximal runs of ASCII letters, made lowercase. Everything else separates. The bytes
 * may come in pieces; a word that crosses from one piece into the next is put together.
 *
 * Words longer than WORD_MAX are left out and counted in `too_long`.
 */
#ifndef CONCORDANCE_TOKENISE_H
#define CONCORDANCE_TOKENISE_H

#include "word.h"

struct tokeniser {
    uint64_t offset; /* of the next byte in the file */
    uint64_t start;  /* of the word last returned */
    uint64_t hash;   /* of the letters so far */
    size_t length;   /* letters so far; may exceed WORD_MAX, the rest is then not kept */
    uint64_t too_long;
    char letters[WORD_MAX];
};

/* Begins a file. `too_long` goes on counting. */
void tokeniser_begin(struct tokeniser *tokeniser);

/* Takes bytes from *cursor up to `end` until a word is complete. Returns false when the bytes are used up
 * first. The word is good until the next call. */
bool tokeniser_next(struct tokeniser *tokeniser, const unsigned char **cursor, const unsigned char *end,
                    struct word *word);

/* Ends the file: returns the word that its last byte was part of, if any. */
bool tokeniser_end(struct tokeniser *tokeniser, struct word *word);

#endif
