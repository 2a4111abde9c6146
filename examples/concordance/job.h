/* One run: what the threads share. */
#ifndef CONCORDANCE_JOB_H
#define CONCORDANCE_JOB_H

#include "file_list.h"
#include "map.h"
#include "options.h"

#include <stdatomic.h>

struct job {
    const struct options *options;
    shale_heap *heap;
    struct file_list list;
    struct map map;
    double seconds; /* spent in reading and counting */

    /* Counted by the reading threads, shown by the progress line. */
    atomic_size_t next; /* file to read next, counted through all passes */
    atomic_size_t files_done;
    atomic_size_t files_unreadable;
    atomic_uint_fast64_t bytes;
    atomic_uint_fast64_t words;
    atomic_uint_fast64_t too_long;

    /* Set by the first thread that cannot go on; the others then stop too. */
    atomic_bool stop;
    shale_error failure; /* written by that thread, read when all have ended */
};

#endif
