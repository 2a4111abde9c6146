#include "interpret.h"

#include "compile.h"
#include "options.h"
#include "thread.h"
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>

int interpret(struct thread *thread, const char *text, size_t length)
{
    struct closure *closure;
    switch (compile(thread, text, length, &closure)) {
    case COMPILE_DONE:
        break;
    case COMPILE_ERRORS:
        return EXIT_CODE_COMPILE_ERROR;
    case COMPILE_OUT_OF_MEMORY:
        return EXIT_CODE_RUNTIME_ERROR;
    }
    return vm_run(thread, closure) ? EXIT_CODE_DONE : EXIT_CODE_RUNTIME_ERROR;
}

/* The whole file with a NUL behind it; or NULL, and in *failed at what. */
static char *read_file(const char *path, size_t *length, const char **failed)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t room = 0;
    *length = 0;
    *failed = "open";
    if (file == NULL)
        return NULL;
    *failed = "read";
    for (;;) {
        if (*length + 1 >= room) {
            room = room == 0 ? 4096 : room * 2;
            char *fresh = realloc(text, room);
            if (fresh == NULL)
                break;
            text = fresh;
        }
        size_t got = fread(text + *length, 1, room - 1 - *length, file);
        *length += got;
        if (got == 0)
            break;
    }
    bool whole = feof(file) && !ferror(file);
    fclose(file);
    if (!whole) {
        free(text);
        return NULL;
    }
    text[*length] = '\0';
    return text;
}

int interpret_file(struct thread *thread, const char *path)
{
    size_t length;
    const char *failed;
    shale_enter_native(thread->mutator);
    char *text = read_file(path, &length, &failed);
    shale_leave_native(thread->mutator);
    if (text == NULL) {
        fprintf(stderr, "Could not %s file \"%s\".\n", failed, path);
        return EXIT_CODE_UNREADABLE;
    }
    int code = interpret(thread, text, length);
    free(text);
    return code;
}
