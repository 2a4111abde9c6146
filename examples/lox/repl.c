#include "repl.h"

#include "history.h"
#include "interpret.h"
#include "options.h"
#include "thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef LOX_LIBEDIT
#include <editline/readline.h>
#endif

static const char prompt[] = "> ", more_prompt[] = "| ";

/* Lines that have been read, and not run yet. */
struct piece {
    char *text;
    size_t length, room;
};

bool repl_is_open(const char *text, size_t length)
{
    long depth = 0;
    bool string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (string) {
            string = c != '"';
        } else if (c == '/' && i + 1 < length && text[i + 1] == '/') {
            while (i + 1 < length && text[i + 1] != '\n')
                i++;
        } else {
            string = c == '"';
            depth += (c == '{' || c == '(') - (c == '}' || c == ')');
        }
    }
    return string || depth > 0;
}

/* With a NUL behind it. False: no memory. */
static bool append(struct piece *piece, const char *line, size_t length)
{
    if (piece->length + length + 1 > piece->room) {
        size_t room = 2 * (piece->length + length + 1);
        char *more = realloc(piece->text, room);
        if (more == NULL)
            return false;
        piece->text = more;
        piece->room = room;
    }
    memcpy(piece->text + piece->length, line, length);
    piece->length += length;
    piece->text[piece->length] = '\0';
    return true;
}

/* ---- reading a line ----------------------------------------------------------------------------------- */

/* Malloc's, with the end of the line. NULL: the input has ended. */
static char *read_plain(struct thread *thread, const char *shown)
{
    char *line = NULL;
    size_t room = 0;
    output_text(&thread->world->output, thread->mutator, shown, strlen(shown));
    output_flush(&thread->world->output, thread->mutator);
    shale_enter_native(thread->mutator);
    ssize_t length = getline(&line, &room, stdin);
    shale_leave_native(thread->mutator);
    if (length >= 0)
        return line;
    free(line);
    return NULL;
}

#ifdef LOX_LIBEDIT
static char *read_edited(struct thread *thread, const char *shown)
{
    output_flush(&thread->world->output, thread->mutator);
    shale_enter_native(thread->mutator);
    char *line = readline(shown);
    shale_leave_native(thread->mutator);
    if (line == NULL)
        return NULL;
    if (*line != '\0')
        add_history(line);
    size_t length = strlen(line);
    char *whole = realloc(line, length + 2);
    if (whole == NULL) {
        free(line);
        return NULL;
    }
    memcpy(whole + length, "\n", 2);
    return whole;
}
#endif

static char *read_line(struct thread *thread, bool edited, const char *shown)
{
#ifdef LOX_LIBEDIT
    if (edited)
        return read_edited(thread, shown);
#else
    (void)edited;
#endif
    return read_plain(thread, shown);
}

/* ---- all ------------------------------------------------------------------------------------------------ */

/* Reads a piece; false: there is none any more. */
static bool read_piece(struct thread *thread, bool edited, struct piece *piece)
{
    bool any = false;
    piece->length = 0;
    do {
        char *line = read_line(thread, edited, any ? more_prompt : prompt);
        if (line == NULL)
            break;
        any = true;
        bool added = append(piece, line, strlen(line));
        free(line);
        if (!added)
            return false;
    } while (repl_is_open(piece->text, piece->length));
    return any;
}

int repl_run(struct thread *thread)
{
    struct piece piece = {NULL, 0, 0};
    bool edited = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    if (edited)
        history_load();
    while (read_piece(thread, edited, &piece))
        interpret(thread, piece.text, piece.length);
    free(piece.text);
    if (edited)
        history_save();
    output_line_end(&thread->world->output, thread->mutator);
    return EXIT_CODE_DONE;
}
