#include "path.h"

#include "parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    const char *path;
    const char *at;
    struct place *place;
    char *message;
};

/* The part of the path that was followed, for messages. */
static int done(const struct walk *walk)
{
    size_t length = (size_t)(walk->at - walk->path);
    return length < 80 ? (int)length : 80;
}

static bool expect(const struct walk *walk, enum kind kind)
{
    const struct value *value = walk->place->value;
    if (value->kind == kind)
        return true;
    snprintf(walk->message, PATH_MESSAGE, "\"%.*s\" is %s, not %s", done(walk), walk->path,
             value_kind_name(value), kind == KIND_ARRAY ? "an array" : "an object");
    return false;
}

/* A name in the path, plain or in quotes; NULL: it is not right. */
static struct text *take_name(struct walk *walk)
{
    char message[PARSE_MESSAGE];
    size_t length;
    struct text *name;
    if (*walk->at == '"') {
        name = parse_string_at(walk->at, strlen(walk->at), &length, message);
    } else {
        length = strcspn(walk->at, ".[");
        name = length != 0 ? text_new(walk->at, length) : NULL;
        snprintf(message, sizeof message, length != 0 ? "there is no memory" : "a name is missing");
    }
    if (name == NULL)
        snprintf(walk->message, PATH_MESSAGE, "the path is wrong after \"%.*s\": %s", done(walk), walk->path,
                 message);
    else
        walk->at += length;
    return name;
}

static bool step_to_member(struct walk *walk)
{
    struct place *place = walk->place;
    if (!expect(walk, KIND_OBJECT))
        return false;
    walk->at += *walk->at == '.';
    struct text *name = take_name(walk);
    if (name == NULL)
        return false;
    *place = (struct place){place->value, value_member(place->value, name->bytes, name->length), name};
    if (place->value != NULL || *walk->at == '\0')
        return true;
    snprintf(walk->message, PATH_MESSAGE, "there is no \"%.*s\"", done(walk), walk->path);
    return false;
}

static bool step_to_element(struct walk *walk)
{
    struct place *place = walk->place;
    if (!expect(walk, KIND_ARRAY))
        return false;
    char *end;
    bool digit = isdigit((unsigned char)walk->at[1]);
    size_t index = strtoull(walk->at + 1, &end, 10);
    if (!digit || *end != ']') {
        snprintf(walk->message, PATH_MESSAGE,
                 "the path is wrong after \"%.*s\": an index is a number in brackets", done(walk),
                 walk->path);
        return false;
    }
    struct value *element = value_element(place->value, index);
    if (element == NULL) {
        snprintf(walk->message, PATH_MESSAGE, "\"%.*s\" has no element %zu", done(walk), walk->path, index);
        return false;
    }
    *place = (struct place){place->value, element, NULL};
    walk->at = end + 1;
    return true;
}

bool path_follow(struct value *document, const char *path, struct place *place, char message[PATH_MESSAGE])
{
    *place = (struct place){NULL, document, NULL};
    struct walk walk = {path, path, place, message};
    if (strcmp(path, ".") == 0)
        return true;
    while (*walk.at != '\0') {
        if (!(*walk.at == '[' ? step_to_element(&walk) : step_to_member(&walk)))
            return false;
    }
    return true;
}
