/*
 * The prompt: reads what is typed, or comes through a pipe, and runs it piece by piece.
 *
 * A piece is a line, and those behind it as long as braces, parentheses or a string are open. Errors end a piece, not the session.
 */
#ifndef LOX_REPL_H
#define LOX_REPL_H

#include <stdbool.h>
#include <stddef.h>

struct thread;

/* Runs pieces until the input ends. Returns an exit code. */
int repl_run(struct thread *thread);

/* Whether the text leaves something open that more lines could close. */
bool repl_is_open(const char *text, size_t length);

#endif
