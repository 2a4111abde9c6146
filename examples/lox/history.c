#include "history.h"

#ifdef LOX_HAVE_LIBEDIT

#include <editline/readline.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { LINES_KEPT = 1000 };

/* False: there is no place for it. */
static bool file_name(char *name, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int length;
    if (state != NULL && state[0] == '/') {
        char folder[PATH_MAX];
        mkdir(state, 0700);
        length = snprintf(folder, sizeof folder, "%s/shale-lox", state);
        if (length < 0 || (size_t)length >= sizeof folder)
            return false;
        mkdir(folder, 0700); /* if it is not there, the file cannot be written, and is not */
        length = snprintf(name, size, "%s/history", folder);
    } else {
        length = home == NULL ? -1 : snprintf(name, size, "%s/.shale_lox_history", home);
    }
    return length > 0 && (size_t)length < size;
}

void history_load(void)
{
    char name[PATH_MAX];
    using_history();
    stifle_history(LINES_KEPT);
    if (file_name(name, sizeof name))
        read_history(name);
}

void history_save(void)
{
    char name[PATH_MAX];
    if (file_name(name, sizeof name))
        write_history(name);
}

#else

void history_load(void)
{
}

void history_save(void)
{
}

#endif
