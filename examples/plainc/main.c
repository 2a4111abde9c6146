/*
 * plainc: an editor for JSON files, and an ordinary C program: it keeps its tree in local variables and structs, and stores
 * pointers by assignment. That its memory is collected, and moves, only memory.c knows.
 */
#include "commands.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
    "usage: plainc [--memory] FILE [COMMAND [ARGUMENTS]]\n"
    "\n"
    "Edits a JSON file. With a command it is run, and the file saved if that has changed it.\n"
    "Otherwise commands are read from standard input, a line each, until its end; then \"save\"\n"
    "is up to you. The exit status is 1 when a command could not be run.\n"
    "\n"
    "  --memory   at the end, a line on standard error about the memory that was used\n"
    "\n";

/* Cuts the first word, which may have a part in quotes, off a line. NULL: there is none. */
static char *next_word(char **line)
{
    char *start = *line + strspn(*line, " \t");
    if (*start == '\0')
        return NULL;
    char *end = start;
    for (bool quoted = false; *end != '\0' && (quoted || (*end != ' ' && *end != '\t')); end++) {
        if (quoted && *end == '\\' && end[1] != '\0')
            end++;
        else if (*end == '"')
            quoted = !quoted;
    }
    *line = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return start;
}

static bool run_lines(struct editor *editor)
{
    bool all = true;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, stdin)) >= 0) {
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        char *rest = line;
        char *command = next_word(&rest);
        if (command == NULL || command[0] == '#')
            continue;
        char *path = next_word(&rest);
        rest += strspn(rest, " \t");
        all = editor_run(editor, command, path, *rest != '\0' ? rest : NULL) && all;
    }
    free(line);
    return all;
}

static bool run_arguments(struct editor *editor, int count, char **arguments)
{
    if (count > 3) {
        fprintf(stderr, "plainc: a command takes two arguments at most; put a value into quotes\n");
        return false;
    }
    return editor_run(editor, arguments[0], count > 1 ? arguments[1] : NULL,
                      count > 2 ? arguments[2] : NULL) &&
           (!editor->changed || editor_run(editor, "save", NULL, NULL));
}

int main(int argc, char **argv)
{
    bool report = false;
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--help") == 0) {
            fputs(usage_text, stdout);
            fputs(commands_help, stdout);
            return 0;
        }
        if (strcmp(argv[at], "--memory") != 0) {
            fprintf(stderr, "plainc: \"%s\" is no option; --help lists them\n", argv[at]);
            return 2;
        }
        report = true;
    }
    if (at == argc) {
        fputs(usage_text, stderr);
        return 2;
    }
    struct editor editor = {.file = argv[at++]};
    const char *wrong = memory_start();
    if (wrong != NULL) {
        fprintf(stderr, "plainc: %s\n", wrong);
        return 2;
    }
    bool done = editor_load(&editor) &&
                (at < argc ? run_arguments(&editor, argc - at, argv + at) : run_lines(&editor));
    if (report)
        memory_report(stderr);
    memory_end();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("plainc: standard output");
        return 1;
    }
    return done ? 0 : 1;
}
