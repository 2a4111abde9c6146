#include "parse.h"

#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *start;
    const char *at;
    const char *end;
    unsigned depth;
    char *message;
};

/* Says what is wrong where the parser is. Returns NULL. */
static void *wrong(struct parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void *wrong(struct parser *parser, const char *format, ...)
{
    size_t line = 1;
    const char *begin = parser->start;
    for (const char *c = parser->start; c < parser->at; c++) {
        if (*c == '\n') {
            line++;
            begin = c + 1;
        }
    }
    int used = snprintf(parser->message, PARSE_MESSAGE, "line %zu, column %zu: ", line,
                        (size_t)(parser->at - begin) + 1);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parser->message + used, PARSE_MESSAGE - (size_t)used, format, arguments);
    va_end(arguments);
    return NULL;
}

static void *no_memory(struct parser *parser)
{
    return wrong(parser, "there is no memory for more");
}

/* The byte that the parser is at; -1 at the end. */
static int peek(const struct parser *parser)
{
    return parser->at < parser->end ? (unsigned char)*parser->at : -1;
}

static bool take(struct parser *parser, char c)
{
    if (peek(parser) != c)
        return false;
    parser->at++;
    return true;
}

static void skip_space(struct parser *parser)
{
    while (peek(parser) == ' ' || peek(parser) == '\t' || peek(parser) == '\n' || peek(parser) == '\r')
        parser->at++;
}

/* ---- strings --------------------------------------------------------------------------------------- */

/* Bytes that grow as they come. */
struct bytes {
    char *start;
    size_t length;
    size_t capacity;
};

static bool add_byte(struct bytes *bytes, unsigned byte)
{
    if (bytes->length == bytes->capacity) {
        size_t capacity = bytes->capacity != 0 ? 2 * bytes->capacity : 64;
        char *start = realloc(bytes->start, capacity);
        if (start == NULL)
            return false;
        bytes->start = start;
        bytes->capacity = capacity;
    }
    bytes->start[bytes->length++] = (char)byte;
    return true;
}

static bool add_character(struct bytes *bytes, uint32_t character)
{
    if (character < 0x80)
        return add_byte(bytes, character);
    if (character < 0x800)
        return add_byte(bytes, 0xc0 | character >> 6) && add_byte(bytes, 0x80 | (character & 63));
    if (character < 0x10000)
        return add_byte(bytes, 0xe0 | character >> 12) && add_byte(bytes, 0x80 | (character >> 6 & 63)) &&
               add_byte(bytes, 0x80 | (character & 63));
    return add_byte(bytes, 0xf0 | character >> 18) && add_byte(bytes, 0x80 | (character >> 12 & 63)) &&
           add_byte(bytes, 0x80 | (character >> 6 & 63)) && add_byte(bytes, 0x80 | (character & 63));
}

static bool parse_four_digits(struct parser *parser, uint32_t *number)
{
    *number = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek(parser);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return wrong(parser, "four hexadecimal digits must follow \\u") != NULL;
        *number = *number * 16 + (uint32_t)digit;
        parser->at++;
    }
    return true;
}

/* What follows \u, and a second one when the first is half of a pair. */
static bool parse_unicode(struct parser *parser, struct bytes *bytes)
{
    uint32_t character;
    if (!parse_four_digits(parser, &character))
        return false;
    if (character >= 0xdc00 && character < 0xe000)
        return wrong(parser, "the second half of a surrogate pair without the first") != NULL;
    if (character >= 0xd800 && character < 0xdc00) {
        uint32_t low;
        if (!take(parser, '\\') || !take(parser, 'u'))
            return wrong(parser, "the first half of a surrogate pair without the second") != NULL;
        if (!parse_four_digits(parser, &low))
            return false;
        if (low < 0xdc00 || low >= 0xe000)
            return wrong(parser, "the first half of a surrogate pair without the second") != NULL;
        character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
    }
    return add_character(bytes, character) || no_memory(parser) != NULL;
}

static bool parse_escape(struct parser *parser, struct bytes *bytes)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    int c = peek(parser);
    if (c == 'u') {
        parser->at++;
        return parse_unicode(parser, bytes);
    }
    const char *letter = c > 0 ? strchr(letters, c) : NULL;
    if (letter == NULL)
        return wrong(parser, "a backslash must be followed by one of \" \\ / b f n r t u") != NULL;
    parser->at++;
    return add_byte(bytes, (unsigned char)meanings[letter - letters]) || no_memory(parser) != NULL;
}

/* How many bytes the UTF-8 character that the parser is at has; 0: it is none. */
static size_t utf8_length(const struct parser *parser)
{
    const unsigned char *at = (const unsigned char *)parser->at;
    size_t left = (size_t)(parser->end - parser->at);
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xc2 ? 0
                    : at[0] < 0xe0 ? 2
                    : at[0] < 0xf0 ? 3
                    : at[0] < 0xf5 ? 4
                                   : 0;
    if (length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Longer than need be, halves of pairs, beyond the last character. */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

static bool parse_characters(struct parser *parser, struct bytes *bytes)
{
    while (!take(parser, '"')) {
        int c = peek(parser);
        if (c < 0)
            return wrong(parser, "the string does not end") != NULL;
        if (c < 0x20)
            return wrong(parser, "a control character (%d) in a string: write \\u%04x", c, (unsigned)c) !=
                   NULL;
        if (c == '\\') {
            parser->at++;
            if (!parse_escape(parser, bytes))
                return false;
            continue;
        }
        size_t length = utf8_length(parser);
        if (length == 0)
            return wrong(parser, "this is not UTF-8") != NULL;
        for (; length != 0; length--) {
            if (!add_byte(bytes, (unsigned char)*parser->at++))
                return no_memory(parser) != NULL;
        }
    }
    return true;
}

static struct text *parse_string(struct parser *parser)
{
    struct bytes bytes = {NULL, 0, 0};
    struct text *text = NULL;
    parser->at++; /* the quote */
    if (parse_characters(parser, &bytes)) {
        if (bytes.length > memory_text_max)
            wrong(parser, "the string has %zu bytes; %zu is the most", bytes.length, memory_text_max);
        else if ((text = text_new(bytes.length != 0 ? bytes.start : "", bytes.length)) == NULL)
            no_memory(parser);
    }
    free(bytes.start);
    return text;
}

/* ---- numbers --------------------------------------------------------------------------------------- */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool skip_digits(struct parser *parser)
{
    if (!is_digit(peek(parser)))
        return wrong(parser, "a digit is missing in a number") != NULL;
    while (is_digit(peek(parser)))
        parser->at++;
    return true;
}

static struct value *parse_number(struct parser *parser)
{
    const char *start = parser->at;
    take(parser, '-');
    bool zero = peek(parser) == '0';
    if (!skip_digits(parser))
        return NULL;
    if (zero && parser->at - start > (*start == '-') + 1)
        return wrong(parser, "a number does not begin with 0");
    if (take(parser, '.') && !skip_digits(parser))
        return NULL;
    if (take(parser, 'e') || take(parser, 'E')) {
        if (!take(parser, '+'))
            take(parser, '-');
        if (!skip_digits(parser))
            return NULL;
    }
    size_t length = (size_t)(parser->at - start);
    if (length > memory_text_max)
        return wrong(parser, "the number has %zu characters; %zu is the most", length, memory_text_max);
    struct value *value = value_new(KIND_NUMBER);
    struct text *text = value != NULL ? text_new(start, length) : NULL;
    if (text == NULL)
        return no_memory(parser);
    value->text = text;
    return value;
}

/* ---- values ---------------------------------------------------------------------------------------- */

static struct value *parse_value(struct parser *parser);

static struct value *parse_word(struct parser *parser)
{
    static const struct {
        const char *word;
        enum kind kind;
    } words[] = {{"null", KIND_NULL}, {"false", KIND_FALSE}, {"true", KIND_TRUE}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i].word);
        if ((size_t)(parser->end - parser->at) < length || memcmp(parser->at, words[i].word, length) != 0)
            continue;
        parser->at += length;
        struct value *value = value_new(words[i].kind);
        return value != NULL ? value : no_memory(parser);
    }
    if (peek(parser) < 0)
        return wrong(parser, "a value is missing");
    return wrong(parser, "no value begins with this");
}

/* A value with its name in front. */
static struct value *parse_member(struct parser *parser)
{
    if (peek(parser) != '"')
        return wrong(parser, "a member's name, in quotes, is missing");
    struct text *name = parse_string(parser);
    if (name == NULL)
        return NULL;
    skip_space(parser);
    if (!take(parser, ':'))
        return wrong(parser, "a colon is missing after a member's name");
    struct value *value = parse_value(parser);
    if (value != NULL)
        value->name = name;
    return value;
}

static struct value *parse_children(struct parser *parser, enum kind kind)
{
    char close = kind == KIND_ARRAY ? ']' : '}';
    if (parser->depth == PARSE_DEPTH)
        return wrong(parser, "more than %d values are in each other", PARSE_DEPTH);
    struct value *parent = value_new(kind);
    if (parent == NULL)
        return no_memory(parser);
    parser->at++;
    parser->depth++;
    skip_space(parser);
    bool more = !take(parser, close);
    while (more) {
        skip_space(parser);
        struct value *child = kind == KIND_ARRAY ? parse_value(parser) : parse_member(parser);
        if (child == NULL)
            return NULL;
        value_append(parent, child);
        skip_space(parser);
        more = take(parser, ',');
        if (!more && !take(parser, close))
            return wrong(parser, "a comma or %c is missing", close);
    }
    parser->depth--;
    return parent;
}

static struct value *parse_value(struct parser *parser)
{
    skip_space(parser);
    int c = peek(parser);
    if (c == '{')
        return parse_children(parser, KIND_OBJECT);
    if (c == '[')
        return parse_children(parser, KIND_ARRAY);
    if (c == '-' || is_digit(c))
        return parse_number(parser);
    if (c != '"')
        return parse_word(parser);
    struct value *value = value_new(KIND_STRING);
    if (value == NULL)
        return no_memory(parser);
    value->text = parse_string(parser);
    return value->text != NULL ? value : NULL;
}

struct value *parse(const char *text, size_t length, char message[PARSE_MESSAGE])
{
    struct parser parser = {.start = text, .at = text, .end = text + length, .message = message};
    struct value *value = parse_value(&parser);
    if (value == NULL)
        return NULL;
    skip_space(&parser);
    return parser.at == parser.end ? value : wrong(&parser, "something follows the value");
}

struct text *parse_string_at(const char *text, size_t length, size_t *used, char message[PARSE_MESSAGE])
{
    struct parser parser = {.start = text, .at = text, .end = text + length, .message = message};
    struct text *string = parse_string(&parser);
    *used = (size_t)(parser.at - text);
    return string;
}
