/*
 * What can be done with a document.
 */
#ifndef PLAINC_COMMANDS_H
#define PLAINC_COMMANDS_H

#include "value.h"

struct editor {
    const char *file;       /* that the document was read from */
    struct value *document; /* in the heap */
    bool changed;           /* since it was read or saved */
};

extern const char commands_help[];

/* Reads the file; a document that is null when it does not exist. False: it was said why not. */
bool editor_load(struct editor *editor);

/* One command, its words separated. False: it was said what is wrong; nothing was changed. */
bool editor_run(struct editor *editor, const char *command, const char *path, const char *rest);

#endif
