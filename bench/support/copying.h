/*
 * memcpy from page to page between two memory files that are mapped like the heap: the physical limit of
 * moving memory.
 */
#ifndef BENCH_SUPPORT_COPYING_H
#define BENCH_SUPPORT_COPYING_H

#include <stddef.h>

struct copying {
    struct {
        int file;
        char *start;
    } buffers[2]; /* from, to */
    size_t size;
    size_t page_size;
    size_t next; /* page */
};

/* Both of `size` bytes, all pages present. */
void copying_create(struct copying *copying, size_t size);
void copying_destroy(struct copying *copying);

/* Copies the next pages, from the start again after the last. */
void copy_pages(struct copying *copying, size_t count);

#endif
