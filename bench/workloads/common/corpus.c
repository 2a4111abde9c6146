#include "bench/workloads/common/corpus.h"

#include "bench/managers/manager.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

struct paths {
    char **at;
    size_t count;
    size_t capacity;
};

static void *require(void *memory)
{
    if (memory == NULL)
        workload_fail("there is no memory for the corpus");
    return memory;
}

static void add_path(struct paths *paths, const char *path)
{
    if (paths->count == paths->capacity) {
        paths->capacity = paths->capacity == 0 ? 1024 : 2 * paths->capacity;
        paths->at = require(realloc(paths->at, paths->capacity * sizeof *paths->at));
    }
    paths->at[paths->count++] = require(strdup(path));
}

static void find_paths(struct paths *paths, const char *folder)
{
    char *start = require(strdup(folder));
    FTS *walk = fts_open((char *[]){start, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    const FTSENT *entry;
    while (walk != NULL && (entry = fts_read(walk)) != NULL) {
        if (entry->fts_info == FTS_F && entry->fts_namelen >= 2 && entry->fts_statp->st_size > 0 &&
            entry->fts_statp->st_size <= CORPUS_FILE_MAX &&
            strcmp(entry->fts_name + entry->fts_namelen - 2, ".h") == 0)
            add_path(paths, entry->fts_path);
    }
    if (walk != NULL)
        fts_close(walk);
    free(start);
}

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* An empty text when it cannot be read. */
static struct corpus_file read_file(const char *path)
{
    unsigned char *text = require(malloc(CORPUS_FILE_MAX + 1));
    FILE *file = fopen(path, "rb");
    size_t length = file == NULL ? 0 : fread(text, 1, CORPUS_FILE_MAX, file);
    if (file != NULL)
        fclose(file);
    text[length] = '\0';
    return (struct corpus_file){.text = require(realloc(text, length + 1)), .length = (uint32_t)length};
}

void corpus_read(struct corpus *corpus, const char *folder, uint64_t bytes_most)
{
    struct paths paths = {NULL, 0, 0};
    find_paths(&paths, folder);
    if (paths.count == 0)
        workload_fail("the corpus has no C headers; name a folder that has with --corpus");
    qsort(paths.at, paths.count, sizeof *paths.at, compare);
    corpus->files = require(calloc(paths.count, sizeof *corpus->files));
    uint64_t bytes = 0;
    for (size_t i = 0; i < paths.count; i++) {
        if (bytes < bytes_most) {
            struct corpus_file file = read_file(paths.at[i]);
            bytes += file.length;
            corpus->files[corpus->count++] = file;
        }
        free(paths.at[i]);
    }
    free(paths.at);
}
