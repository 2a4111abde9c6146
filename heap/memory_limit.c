#include "heap/memory_limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 1024, TEXT_SIZE = 32 << 10 };

/* The two versions: how a line of /proc/self/cgroup and a mount show that they are about memory. */
struct version {
    const char *file_system;
    const char *controller; /* NULL: one tree for all of them */
    const char *limit_file;
    const char *usual_mounts[2];
};

static const struct version versions[] = {
    {"cgroup2", NULL, "memory.max", {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}},
    {"cgroup", "memory", "memory.limit_in_bytes", {"/sys/fs/cgroup/memory", NULL}},
};

struct search {
    const struct version *version;
    memory_limit_read read;
    void *context;
    char text[TEXT_SIZE];
    char group[PATH_SIZE]; /* as /proc/self/cgroup names it */
    char mount[PATH_SIZE];
    char root[PATH_SIZE]; /* the group that is shown at the mount point */
    uint64_t limit;
};

/* Whether a list with commas has the word. */
static bool list_has(const char *list, size_t length, const char *word)
{
    size_t word_length = strlen(word);
    for (size_t at = 0; at + word_length <= length; at++) {
        bool begins = at == 0 || list[at - 1] == ',';
        bool ends = at + word_length == length || list[at + word_length] == ',';
        if (begins && ends && memcmp(list + at, word, word_length) == 0)
            return true;
    }
    return false;
}

/* Lines are "number:controllers:group"; those of version 2 have no controllers. */
static bool find_group(struct search *search)
{
    const char *controller = search->version->controller;
    char *rest = NULL;
    for (char *line = strtok_r(search->text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL)
            continue;
        size_t length = (size_t)(group - controllers - 1);
        if (controller == NULL ? length != 0 || strncmp(line, "0:", 2) != 0
                               : !list_has(controllers + 1, length, controller))
            continue;
        return (size_t)snprintf(search->group, PATH_SIZE, "%s", group + 1) < PATH_SIZE;
    }
    return false;
}

/* Blanks and the like in paths are written as a backslash and three octal digits. */
static void decode(char *path)
{
    char *to = path;
    for (const char *from = path; *from != '\0'; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
            from[3] >= '0' && from[3] <= '7') {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* A line is "id parent device root mount options [tags] - type source options". */
static bool parse_mount(struct search *search, char *line)
{
    char *separator = strstr(line, " - ");
    if (separator == NULL)
        return false;
    char type[32];
    char options[256] = "";
    if (sscanf(separator + 3, "%31s %*s %255s", type, options) < 1 ||
        strcmp(type, search->version->file_system) != 0)
        return false;
    const char *controller = search->version->controller;
    if (controller != NULL && !list_has(options, strlen(options), controller))
        return false;
    *separator = '\0';
    char *rest = NULL;
    char *fields[5];
    for (int i = 0; i < 5; i++) {
        fields[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
        if (fields[i] == NULL)
            return false;
    }
    decode(fields[3]);
    decode(fields[4]);
    return (size_t)snprintf(search->root, PATH_SIZE, "%s", fields[3]) < PATH_SIZE &&
           (size_t)snprintf(search->mount, PATH_SIZE, "%s", fields[4]) < PATH_SIZE;
}

static bool find_mount(struct search *search)
{
    char *rest = NULL;
    for (char *line = strtok_r(search->text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (parse_mount(search, line))
            return true;
    }
    return false;
}

/* The group seen from the mount point: "" for the mount point itself. A group that is not below the one that is
 * mounted, as in a container that does not see where it is, is taken for that one. */
static const char *group_below_mount(const struct search *search)
{
    const char *group = search->group;
    size_t root = strcmp(search->root, "/") == 0 ? 0 : strlen(search->root);
    if (strncmp(group, search->root, root) != 0 || (group[root] != '/' && group[root] != '\0') ||
        strstr(group, "..") != NULL || strcmp(group + root, "/") == 0)
        return "";
    return group + root;
}

static void apply_limit(struct search *search, const char *folder)
{
    char path[2 * PATH_SIZE + 32];
    char text[64];
    snprintf(path, sizeof path, "%s/%s", folder, search->version->limit_file);
    if (!search->read(search->context, path, text, sizeof text))
        return;
    char *end;
    unsigned long long limit = strtoull(text, &end, 10); /* "max": no limit */
    if (end != text && limit < search->limit)
        search->limit = limit;
}

/* The group's limit and those of all above it, up to the mount point. */
static void apply_limits(struct search *search)
{
    char folder[2 * PATH_SIZE];
    size_t top = strlen(search->mount);
    snprintf(folder, sizeof folder, "%s%s", search->mount, group_below_mount(search));
    for (;;) {
        apply_limit(search, folder);
        char *last = strrchr(folder, '/');
        if (last == NULL || (size_t)(last - folder) < top)
            return;
        *last = '\0';
    }
}

static void search_version(struct search *search)
{
    if (!search->read(search->context, "/proc/self/cgroup", search->text, sizeof search->text) ||
        !find_group(search))
        return;
    if (search->read(search->context, "/proc/self/mountinfo", search->text, sizeof search->text) &&
        find_mount(search)) {
        apply_limits(search);
        return;
    }
    snprintf(search->root, PATH_SIZE, "/");
    for (int i = 0; i < 2 && search->version->usual_mounts[i] != NULL; i++) {
        snprintf(search->mount, PATH_SIZE, "%s", search->version->usual_mounts[i]);
        apply_limits(search);
    }
}

uint64_t memory_limit_find(uint64_t physical, memory_limit_read read, void *context)
{
    struct search *search = malloc(sizeof *search);
    if (search == NULL)
        return physical;
    search->read = read;
    search->context = context;
    search->limit = physical;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        search->version = &versions[i];
        search_version(search);
    }
    uint64_t limit = search->limit;
    free(search);
    return limit;
}
