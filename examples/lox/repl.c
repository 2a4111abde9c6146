#include "repl.h"

#include "interpret.h"
#include "lines.h"
#include "options.h"
#include "thread.h"

#include <stdlib.h>

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
    if (piece->text == NULL || piece->length + length + 1 > piece->room) {
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

/* Reads a piece; false: there is none any more. */
static bool read_piece(struct thread *thread, struct lines *lines, struct piece *piece)
{
    bool any = false;
    size_t length;
    piece->length = 0;
    do {
        if (!lines_next(lines, thread, any ? more_prompt : prompt, &length))
            break;
        any = true;
        if (!append(piece, lines->text, length) || (lines->edited && !append(piece, "\n", 1)))
            return false;
    } while (repl_is_open(piece->text, piece->length));
    return any;
}

int repl_run(struct thread *thread)
{
    struct piece piece = {NULL, 0, 0};
    struct lines lines;
    lines_start(&lines);
    while (read_piece(thread, &lines, &piece))
        interpret(thread, piece.text, piece.length);
    lines_end(&lines);
    free(piece.text);
    output_line_end(&thread->world->output, thread->mutator);
    return EXIT_CODE_DONE;
}
