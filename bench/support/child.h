/*
 * Running a program as a child, so that its memory manager starts with a clean process: how long it took, what
 * CPU time it used, what it printed.
 *
 * Programs are looked for where the running one is. Children see no SHALE_ and no GC_ variables, so that a number
 * always means the same.
 */
#ifndef BENCH_SUPPORT_CHILD_H
#define BENCH_SUPPORT_CHILD_H

#include <stdbool.h>
#include <stdint.h>

enum { CHILD_LINE_MAX = 8192, CHILD_FIELD_MAX = 256, CHILD_PATH_MAX = 4096 };

struct child {
    uint64_t elapsed;          /* nanoseconds, from before it was started until it had ended */
    uint64_t cpu;              /* nanoseconds, all its threads, user and system */
    char line[CHILD_LINE_MAX]; /* the first that it printed, without the newline */
};

/* Where the program `name` would be; whether it is there. */
bool child_find(const char *name, char path[CHILD_PATH_MAX]);

/* Runs it to its end. `arguments` ends with NULL and begins with the program's name. Ends this program with a
 * sentence when the child does not exit with status 0. */
void child_run(struct child *child, char *const arguments[]);

/* The value of a field of the JSON object that it printed, as it stands there but for a string's quotes. Ends this program with
 * a sentence when there is none. The object may be nested, but not strings with quotes in them. */
void child_field(const struct child *child, const char *name, char value[CHILD_FIELD_MAX]);

#endif
