#include "file_list.h"

#include "progress.h"
#include "word.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool add_file(struct file_list *list, const char *path, uint64_t size)
{
    if (list->count == POSTING_FILES_MAX) {
        progress_note("more than %zu files: give it fewer", (size_t)POSTING_FILES_MAX);
        return false;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 256;
        struct file *files = realloc(list->files, capacity * sizeof *files);
        if (files == NULL)
            goto no_memory;
        list->files = files;
        list->capacity = capacity;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        goto no_memory;
    struct file *file = &list->files[list->count++];
    file->path = copy;
    file->size = size;
    atomic_init(&file->was_read, 0);
    list->bytes += size;
    return true;

no_memory:
    progress_note("out of memory for the list of files");
    return false;
}

static bool take(struct file_list *list, const FTSENT *item, uint64_t max_bytes, bool quiet)
{
    uint64_t size;
    switch (item->fts_info) {
    case FTS_F:
        size = (uint64_t)item->fts_statp->st_size;
        if (max_bytes > 0 && size > max_bytes - list->bytes) {
            list->left_out++;
            return true;
        }
        return add_file(list, item->fts_path, size);
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        list->unreadable++;
        if (!quiet)
            progress_note("%s: %s", item->fts_path, strerror(item->fts_errno));
        return true;
    default: /* folders, links, devices, pipes */
        return true;
    }
}

/* fts_open sorts the paths of the command line too, if it sorts at all; one walk each keeps their order. */
static bool walk(struct file_list *list, char *path, uint64_t max_bytes, bool quiet)
{
    char *paths[] = {path, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    if (tree == NULL) {
        list->unreadable++;
        progress_note("%s: %s", path, strerror(errno));
        return true;
    }
    bool ok = true;
    const FTSENT *item;
    while (ok && (item = fts_read(tree)) != NULL)
        ok = take(list, item, max_bytes, quiet);
    fts_close(tree);
    return ok;
}

bool file_list_read(struct file_list *list, char *const *paths, uint64_t max_bytes, bool quiet)
{
    bool ok = true;
    for (; ok && *paths != NULL; paths++)
        ok = walk(list, *paths, max_bytes, quiet);
    return ok;
}

void file_list_free(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->files[i].path);
    free(list->files);
    memset(list, 0, sizeof *list);
}
