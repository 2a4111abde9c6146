/* The files to read: what the command line names, folders walked, in one order that does not depend on the
 * file system. */
#ifndef CONCORDANCE_FILE_LIST_H
#define CONCORDANCE_FILE_LIST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file {
    char *path;
    uint64_t size;                 /* when the folder was walked */
    atomic_uint_fast64_t was_read; /* bytes, set by the thread that reads the file */
};

struct file_list {
    struct file *files;
    size_t count;
    size_t capacity;
    size_t unreadable; /* paths that could not be looked at, each reported on stderr unless `quiet` */
    size_t left_out;   /* files beyond max_bytes */
    uint64_t bytes;    /* sum of the sizes */
};

/* Walks `paths` (NULL-ended, at least one). Only regular files are taken; symbolic links are followed only
 * where the command line names them. Paths are taken as they come, folders in byte order of the names. With
 * max_bytes > 0 a file that does not fit into what is left of it is left out. Returns false when memory is
 * out or there are too many files, after a message. */
bool file_list_read(struct file_list *list, char *const *paths, uint64_t max_bytes, bool quiet);

void file_list_free(struct file_list *list);

#endif
