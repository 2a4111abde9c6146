/*
 * Paths into a document: "." is the whole of it; names and [indexes] lead further in, as in
 *
 *     .servers[0].name      servers[0].name      "a name with . in it"[2]
 */
#ifndef PLAINC_PATH_H
#define PLAINC_PATH_H

#include "value.h"

enum { PATH_MESSAGE = 256 };

/* Where a path leads. */
struct place {
    struct value *parent; /* NULL: the value is the document */
    struct value *value;  /* NULL: the parent, an object, has no such member yet */
    struct text *name;    /* of the member */
};

/* Follows a path. Only its last step may be one to a member that is not there. False: `message` says why it leads nowhere. */
bool path_follow(struct value *document, const char *path, struct place *place, char message[PATH_MESSAGE]);

#endif
