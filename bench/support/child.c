#include "bench/support/child.h"

#include "bench/support/samples.h"
#include "gc/durations.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

bool child_find(const char *name, char path[CHILD_PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, CHILD_PATH_MAX - 1);
    bench_require(length > 0, "/proc/self/exe cannot be read");
    path[length] = '\0';
    char *base = strrchr(path, '/') + 1;
    size_t room = CHILD_PATH_MAX - (size_t)(base - path);
    bench_require(strlen(name) < room, "the path of the programs is too long");
    strcpy(base, name);
    return access(path, X_OK) == 0;
}

/* The environment without what would change a memory manager; the strings are the environment's. */
static char **clean_environment(void)
{
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **clean = malloc((count + 1) * sizeof *clean);
    bench_require(clean != NULL, "there is no memory for an environment");
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "SHALE_", 6) != 0 && strncmp(environ[i], "GC_", 3) != 0)
            clean[kept++] = environ[i];
    }
    clean[kept] = NULL;
    return clean;
}

static void read_line(struct child *child, int pipe)
{
    FILE *output = fdopen(pipe, "r");
    bench_require(output != NULL, "a pipe cannot be read");
    if (fgets(child->line, sizeof child->line, output) == NULL)
        child->line[0] = '\0';
    child->line[strcspn(child->line, "\n")] = '\0';
    char rest[CHILD_LINE_MAX];
    while (fgets(rest, sizeof rest, output) != NULL)
        continue;
    fclose(output);
}

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

void child_run(struct child *child, char *const arguments[])
{
    char path[CHILD_PATH_MAX];
    bench_require(child_find(arguments[0], path), "a program to compare with was not built");
    int ends[2];
    bench_require(pipe2(ends, O_CLOEXEC) == 0, "there are no more pipes");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    char **environment = clean_environment();
    uint64_t started = clock_nanoseconds();
    pid_t process;
    bench_require(posix_spawn(&process, path, &actions, NULL, arguments, environment) == 0,
                  "a child could not be started");
    close(ends[1]);
    read_line(child, ends[0]);
    int status;
    struct rusage usage;
    pid_t ended;
    do {
        ended = wait4(process, &status, 0, &usage);
    } while (ended < 0 && errno == EINTR);
    child->elapsed = clock_nanoseconds() - started;
    bench_require(ended == process && WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "a child failed; what it said stands above");
    child->cpu = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
}

void child_field(const struct child *child, const char *name, char value[CHILD_FIELD_MAX])
{
    char key[CHILD_FIELD_MAX];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = strstr(child->line, key);
    bench_require(found != NULL, "a child's result lacks a field");
    found += strlen(key);
    bool string = *found == '"';
    size_t length = string ? strcspn(++found, "\"") : strcspn(found, ",}");
    snprintf(value, CHILD_FIELD_MAX, "%.*s", (int)length, found);
}
