/*
 * JSON values (RFC 8259): a tree of nodes, each in a list of its siblings.
 */
#ifndef PLAINC_VALUE_H
#define PLAINC_VALUE_H

#include <stdbool.h>
#include <stddef.h>

enum kind { KIND_NULL, KIND_FALSE, KIND_TRUE, KIND_NUMBER, KIND_STRING, KIND_ARRAY, KIND_OBJECT };

/* Bytes of UTF-8; there may be zeros among them. */
struct text {
    size_t length;
    char bytes[];
};

struct value {
    enum kind kind;
    struct text *text;   /* of a string; of a number, as it was written: nothing is lost */
    struct text *name;   /* of a member of an object */
    struct value *first; /* of an array's or object's children; NULL: there is none */
    struct value *last;
    struct value *next; /* sibling */
};

/* NULL when memory is out. */
struct value *value_new(enum kind kind);
struct text *text_new(const char *bytes, size_t length);

/* "a string", "an object" and so on. */
const char *value_kind_name(const struct value *value);

bool text_is(const struct text *text, const char *bytes, size_t length);

void value_append(struct value *parent, struct value *child);
/* The child that follows `previous`, or the first when that is NULL, leaves. */
void value_remove_after(struct value *parent, struct value *previous);
/* Puts `with`, which is in no list, where `child` is; the name goes with the place. */
void value_replace(struct value *parent, struct value *child, struct value *with);

/* The last member of that name (a file may have several); NULL: there is none. */
struct value *value_member(const struct value *object, const char *name, size_t length);
/* NULL: there are not so many. */
struct value *value_element(const struct value *array, size_t index);

#endif
