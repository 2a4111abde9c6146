/* The command line. */
#ifndef CONCORDANCE_OPTIONS_H
#define CONCORDANCE_OPTIONS_H

#include <shale/shale.h>

/* Fits the quarter million distinct words of a few hundred MB of documentation and headers with little to
 * spare, so that the collector has work all the way. */
#define HEAP_SIZE_DEFAULT ((size_t)64 << 20)
#define THREADS_DEFAULT 2
#define THREADS_MAX 256
#define TOP_DEFAULT 15

/* Exit codes. */
enum { EXIT_DONE = 0, EXIT_TROUBLE = 1, EXIT_USAGE = 2, EXIT_OUT_OF_HEAP = 3 };

struct options {
    shale_options heap;
    size_t threads;
    size_t top;
    size_t passes;
    uint64_t max_bytes; /* 0: no limit */
    bool counts;        /* print all counts and nothing else on stdout */
    bool progress;
    bool quiet;
    bool statistics; /* name-value lines on stderr */
    char **paths;    /* NULL-ended; part of argv */
};

/* Returns false when the program should end at once with *exit_code: after --help, or a mistake that has
 * been explained on stderr. */
bool options_parse(struct options *options, int argc, char **argv, int *exit_code);

#endif
