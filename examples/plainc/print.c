#include "print.h"

/* Byte by byte: what is written to a stream in one go may be handed to the kernel from where it is, which memory that moves
 * is not for. */
static void put_bytes(const struct text *text, FILE *to)
{
    for (size_t i = 0; i < text->length; i++)
        putc(text->bytes[i], to);
}

static void put_character(unsigned char c, FILE *to)
{
    switch (c) {
    case '"':
    case '\\':
        putc('\\', to);
        putc(c, to);
        break;
    case '\n':
        fputs("\\n", to);
        break;
    case '\t':
        fputs("\\t", to);
        break;
    case '\r':
        fputs("\\r", to);
        break;
    default:
        if (c < 0x20)
            fprintf(to, "\\u%04x", c);
        else
            putc(c, to);
    }
}

void print_text(const struct text *text, FILE *to)
{
    putc('"', to);
    for (size_t i = 0; i < text->length; i++)
        put_character((unsigned char)text->bytes[i], to);
    putc('"', to);
}

static void new_line(unsigned depth, FILE *to)
{
    putc('\n', to);
    for (unsigned i = 0; i < depth; i++)
        fputs("  ", to);
}

static void print_at(const struct value *value, unsigned depth, FILE *to);

static void print_children(const struct value *value, unsigned depth, FILE *to)
{
    for (const struct value *child = value->first; child != NULL; child = child->next) {
        new_line(depth + 1, to);
        if (value->kind == KIND_OBJECT) {
            print_text(child->name, to);
            fputs(": ", to);
        }
        print_at(child, depth + 1, to);
        if (child->next != NULL)
            putc(',', to);
    }
    if (value->first != NULL)
        new_line(depth, to);
}

static void print_at(const struct value *value, unsigned depth, FILE *to)
{
    switch (value->kind) {
    case KIND_NUMBER:
        put_bytes(value->text, to);
        break;
    case KIND_STRING:
        print_text(value->text, to);
        break;
    case KIND_ARRAY:
    case KIND_OBJECT:
        putc(value->kind == KIND_ARRAY ? '[' : '{', to);
        print_children(value, depth, to);
        putc(value->kind == KIND_ARRAY ? ']' : '}', to);
        break;
    default:
        fputs(value_kind_name(value), to); /* null, false, true */
    }
}

void print(const struct value *value, FILE *to)
{
    print_at(value, 0, to);
    putc('\n', to);
}
