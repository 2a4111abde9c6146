/*
 * Lines that somebody types, or that come from a pipe. On a terminal they can be edited and called up again, also those of former
 * sessions, where libedit was there when this was built.
 */
#ifndef LOX_LINES_H
#define LOX_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct thread;

struct lines {
    bool edited;
    char *text; /* the newest line, with its end if it had one; until the next is read */
    size_t room;
};

void lines_start(struct lines *lines);
void lines_end(struct lines *lines);

/* Reads the next line, after a prompt. False: there is none. May collect. */
bool lines_next(struct lines *lines, struct thread *thread, const char *prompt, size_t *length);

#endif
