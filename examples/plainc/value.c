#include "value.h"

#include "memory.h"

#include <string.h>

struct value *value_new(enum kind kind)
{
    struct value *value = memory_new_value();
    if (value != NULL)
        value->kind = kind;
    return value;
}

struct text *text_new(const char *bytes, size_t length)
{
    struct text *text = memory_new_text(length);
    if (text != NULL) {
        text->length = length;
        memcpy(text->bytes, bytes, length);
    }
    return text;
}

const char *value_kind_name(const struct value *value)
{
    static const char *const names[] = {"null",     "false",    "true",     "a number",
                                        "a string", "an array", "an object"};
    return names[value->kind];
}

bool text_is(const struct text *text, const char *bytes, size_t length)
{
    return text->length == length && memcmp(text->bytes, bytes, length) == 0;
}

void value_append(struct value *parent, struct value *child)
{
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

void value_remove_after(struct value *parent, struct value *previous)
{
    struct value *removed = previous != NULL ? previous->next : parent->first;
    if (previous != NULL)
        previous->next = removed->next;
    else
        parent->first = removed->next;
    if (parent->last == removed)
        parent->last = previous;
    removed->next = NULL;
}

void value_replace(struct value *parent, struct value *child, struct value *with)
{
    with->name = child->name;
    with->next = child->next;
    if (parent->first == child) {
        parent->first = with;
    } else {
        struct value *previous = parent->first;
        while (previous->next != child)
            previous = previous->next;
        previous->next = with;
    }
    if (parent->last == child)
        parent->last = with;
}

struct value *value_member(const struct value *object, const char *name, size_t length)
{
    struct value *found = NULL;
    for (struct value *member = object->first; member != NULL; member = member->next) {
        if (text_is(member->name, name, length))
            found = member;
    }
    return found;
}

struct value *value_element(const struct value *array, size_t index)
{
    struct value *element = array->first;
    while (element != NULL && index-- != 0)
        element = element->next;
    return element;
}
