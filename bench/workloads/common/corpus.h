/*
 * Real text to work on: the C headers in a folder, read into memory before anything is timed.
 *
 * Taken are regular files, not links, whose names end in ".h", of at most CORPUS_FILE_MAX bytes and not empty, in the folder and in
 * the folders in it (links to folders are not followed), in the order of their paths as bytes, until so many bytes are
 * reached.
 */
#ifndef BENCH_WORKLOADS_COMMON_CORPUS_H
#define BENCH_WORKLOADS_COMMON_CORPUS_H

#include <stddef.h>
#include <stdint.h>

enum { CORPUS_FILE_MAX = 256 * 1024 };

struct corpus_file {
    const unsigned char *text; /* a byte that is 0 follows */
    uint32_t length;
};

struct corpus {
    struct corpus_file *files;
    uint32_t count;
};

/* Ends the program as one that failed when there is nothing to be read. The text stays until the program ends. */
void corpus_read(struct corpus *corpus, const char *folder, uint64_t bytes_most);

#endif
