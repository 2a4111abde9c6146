#include "lines.h"

#include "history.h"
#include "thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef LOX_HAVE_LIBEDIT
#include <editline/readline.h>
#endif

void lines_start(struct lines *lines)
{
    *lines = (struct lines){.edited = false};
#ifdef LOX_HAVE_LIBEDIT
    lines->edited = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    if (lines->edited)
        history_load();
#endif
}

void lines_end(struct lines *lines)
{
    if (lines->edited)
        history_save();
    free(lines->text);
}

/* Neither touches the heap: the collector does not wait for who types. */
static bool read_edited(struct lines *lines, const char *prompt, size_t *length)
{
#ifdef LOX_HAVE_LIBEDIT
    free(lines->text);
    lines->text = readline(prompt);
    if (lines->text == NULL)
        return false;
    *length = strlen(lines->text);
    if (*length > 0)
        add_history(lines->text);
    return true;
#else
    (void)lines;
    (void)prompt;
    (void)length;
    return false;
#endif
}

static bool read_plain(struct lines *lines, size_t *length)
{
    ssize_t got = getline(&lines->text, &lines->room, stdin);
    *length = got < 0 ? 0 : (size_t)got;
    return got >= 0;
}

bool lines_next(struct lines *lines, struct thread *thread, const char *prompt, size_t *length)
{
    if (!lines->edited)
        output_text(&thread->world->output, thread->mutator, prompt, strlen(prompt));
    output_flush(&thread->world->output, thread->mutator);
    shale_enter_native(thread->mutator);
    bool got = lines->edited ? read_edited(lines, prompt, length) : read_plain(lines, length);
    shale_leave_native(thread->mutator);
    return got;
}
