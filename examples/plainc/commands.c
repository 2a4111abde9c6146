#include "commands.h"

#include "parse.h"
#include "path.h"
#include "print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char commands_help[] =
    "  get PATH           prints what is there\n"
    "  set PATH VALUE     puts a value there; a member that is not there is added\n"
    "  append PATH VALUE  adds a value to the array there\n"
    "  delete PATH        takes a member or an element away\n"
    "  count PATH         how many members or elements there are\n"
    "  names PATH         the names of the members\n"
    "  save [FILE]        writes the document, by default to where it was read from\n"
    "  help\n"
    "\n"
    "A path is names and indexes, as in servers[0].name; \".\" is the whole document. A name\n"
    "with . or [ in it is put into quotes. A value is JSON.\n";

static bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("plainc: ", stderr);
    vfprintf(stderr, format, arguments);
    putc('\n', stderr);
    va_end(arguments);
    return false;
}

/* ---- files ----------------------------------------------------------------------------------------- */

/* All of a stream, in memory of malloc. NULL: errno says why. */
static char *read_all(FILE *file, size_t *length)
{
    size_t capacity = 65536;
    char *text = malloc(capacity);
    *length = 0;
    while (text != NULL) {
        *length += fread(text + *length, 1, capacity - *length, file);
        if (*length < capacity)
            break;
        char *larger = realloc(text, capacity * 2);
        if (larger == NULL)
            free(text);
        text = larger;
        capacity *= 2;
    }
    if (text != NULL && ferror(file)) {
        free(text);
        return NULL;
    }
    return text;
}

bool editor_load(struct editor *editor)
{
    char message[PARSE_MESSAGE];
    FILE *file = fopen(editor->file, "rb");
    if (file == NULL && errno == ENOENT) {
        editor->document = value_new(KIND_NULL);
        return editor->document != NULL || complain("there is no memory");
    }
    if (file == NULL)
        return complain("%s: %s", editor->file, strerror(errno));
    size_t length;
    char *text = read_all(file, &length);
    int error = errno;
    fclose(file);
    if (text == NULL)
        return complain("%s: %s", editor->file, strerror(error));
    editor->document = parse(text, length, message);
    free(text);
    return editor->document != NULL || complain("%s: %s", editor->file, message);
}

/* The old file stays as it is until the new one is complete. */
static bool save(struct editor *editor, const char *name)
{
    char temporary[4096];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", name) >= sizeof temporary)
        return complain("the file's name is too long");
    FILE *file = fopen(temporary, "wb");
    if (file == NULL)
        return complain("%s: %s", temporary, strerror(errno));
    print(editor->document, file);
    bool written = !ferror(file);
    if (fclose(file) != 0 || !written || rename(temporary, name) != 0) {
        int error = errno;
        remove(temporary);
        return complain("%s: %s", name, strerror(error));
    }
    if (strcmp(name, editor->file) == 0)
        editor->changed = false;
    return true;
}

/* ---- commands -------------------------------------------------------------------------------------- */

static bool follow(struct editor *editor, const char *path, struct place *place, bool must_exist)
{
    char message[PATH_MESSAGE];
    if (!path_follow(editor->document, path, place, message))
        return complain("%s", message);
    if (must_exist && place->value == NULL)
        return complain("there is no \"%.80s\"", path);
    return true;
}

static struct value *parse_argument(const char *text)
{
    char message[PARSE_MESSAGE];
    struct value *value = parse(text, strlen(text), message);
    if (value == NULL)
        complain("the value is no JSON: %s", message);
    return value;
}

static bool set(struct editor *editor, const char *path, const char *text)
{
    struct place place;
    struct value *value = parse_argument(text);
    if (value == NULL || !follow(editor, path, &place, false))
        return false;
    if (place.parent == NULL) {
        editor->document = value;
    } else if (place.value != NULL) {
        value_replace(place.parent, place.value, value);
    } else {
        value->name = place.name;
        value_append(place.parent, value);
    }
    editor->changed = true;
    return true;
}

static bool append(struct editor *editor, const char *path, const char *text)
{
    struct place place;
    struct value *value = parse_argument(text);
    if (value == NULL || !follow(editor, path, &place, true))
        return false;
    if (place.value->kind != KIND_ARRAY)
        return complain("\"%.80s\" is %s, not an array", path, value_kind_name(place.value));
    value_append(place.value, value);
    editor->changed = true;
    return true;
}

static bool delete (struct editor *editor, const char *path)
{
    struct place place;
    if (!follow(editor, path, &place, true))
        return false;
    if (place.parent == NULL)
        return complain("the whole document cannot be deleted; set it to something else");
    struct value *previous = NULL;
    for (struct value *child = place.parent->first; child != place.value; child = child->next)
        previous = child;
    value_remove_after(place.parent, previous);
    editor->changed = true;
    return true;
}

static bool count_or_names(struct editor *editor, const char *path, bool names)
{
    struct place place;
    if (!follow(editor, path, &place, true))
        return false;
    enum kind kind = place.value->kind;
    if (kind != KIND_OBJECT && (names || kind != KIND_ARRAY))
        return complain("\"%.80s\" is %s", path, value_kind_name(place.value));
    size_t count = 0;
    for (const struct value *child = place.value->first; child != NULL; child = child->next, count++) {
        if (names) {
            print_text(child->name, stdout);
            putchar('\n');
        }
    }
    if (!names)
        printf("%zu\n", count);
    return true;
}

static bool get(struct editor *editor, const char *path)
{
    struct place place;
    if (!follow(editor, path, &place, true))
        return false;
    print(place.value, stdout);
    return true;
}

bool editor_run(struct editor *editor, const char *command, const char *path, const char *rest)
{
    bool known = true;
    if (strcmp(command, "help") == 0) {
        fputs(commands_help, stdout);
        return true;
    }
    if (strcmp(command, "save") == 0)
        return save(editor, path != NULL ? path : editor->file);
    bool takes_value = strcmp(command, "set") == 0 || strcmp(command, "append") == 0;
    bool takes_path = takes_value || strcmp(command, "get") == 0 || strcmp(command, "delete") == 0 ||
                      strcmp(command, "count") == 0 || strcmp(command, "names") == 0;
    known = takes_path;
    if (!known)
        return complain("\"%.40s\" is no command; \"help\" lists them", command);
    if (path == NULL || (rest != NULL) != takes_value)
        return complain("%s takes a path%s; \"help\" says more", command,
                        takes_value ? " and a value" : " and nothing else");
    if (takes_value)
        return command[0] == 's' ? set(editor, path, rest) : append(editor, path, rest);
    switch (command[0]) {
    case 'g':
        return get(editor, path);
    case 'd':
        return delete (editor, path);
    default:
        return count_or_names(editor, path, command[0] == 'n');
    }
}
