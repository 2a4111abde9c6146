#include "tokenise.h"

/* FNV-1a, one step a letter. Its low bits are good and its high bits are not, hence finish_hash. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_FACTOR UINT64_C(0x100000001b3)

/* Lowercase of an ASCII letter, 0 for any other byte. No locale has a say in this. */
static inline unsigned char letter_of(unsigned char byte)
{
    unsigned char lower = byte | 0x20;
    return lower >= 'a' && lower <= 'z' ? lower : 0;
}

static uint64_t finish_hash(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 32;
}

/* Hands out the letters collected so far, if there are any, and starts over. */
static bool complete(struct tokeniser *tokeniser, struct word *word)
{
    size_t length = tokeniser->length;
    uint64_t hash = tokeniser->hash;
    tokeniser->length = 0;
    tokeniser->hash = HASH_START;
    if (length == 0)
        return false;
    if (length > WORD_MAX) {
        tokeniser->too_long++;
        return false;
    }
    tokeniser->start = tokeniser->offset - length;
    *word = (struct word){.letters = tokeniser->letters, .length = length, .hash = finish_hash(hash)};
    return true;
}

void tokeniser_begin(struct tokeniser *tokeniser)
{
    tokeniser->offset = 0;
    tokeniser->start = 0;
    tokeniser->length = 0;
    tokeniser->hash = HASH_START;
}

bool tokeniser_next(struct tokeniser *tokeniser, const unsigned char **cursor, const unsigned char *end,
                    struct word *word)
{
    const unsigned char *byte = *cursor;
    bool found = false;
    while (!found && byte < end) {
        unsigned char letter = letter_of(*byte++);
        if (letter != 0) {
            if (tokeniser->length < WORD_MAX)
                tokeniser->letters[tokeniser->length] = (char)letter;
            tokeniser->length++;
            tokeniser->hash = (tokeniser->hash ^ letter) * HASH_FACTOR;
        } else {
            found = complete(tokeniser, word);
        }
        tokeniser->offset++;
    }
    *cursor = byte;
    return found;
}

bool tokeniser_end(struct tokeniser *tokeniser, struct word *word)
{
    return complete(tokeniser, word);
}
