/*
 * The command line of all programs here.
 */
#ifndef BENCH_WORKLOADS_COMMON_COMMAND_LINE_H
#define BENCH_WORKLOADS_COMMON_COMMAND_LINE_H

#include "bench/managers/manager.h"
#include "bench/workloads/workload.h"

enum { EXIT_USAGE = 2, EXIT_FAILED = 3 };

/* "tiny" and so on. */
extern const char *const scale_names[SCALES];

struct command_line {
    struct manager_options manager;
    enum scale scale;
    unsigned threads;
    uint64_t seed;
    const char *corpus;
    const char *histogram; /* a file to write the histogram into, or NULL */
};

/* Fills it in. Ends the program on --help, and with EXIT_USAGE when it is wrong. */
void command_line_read(struct command_line *command, int argc, char **argv);

#endif
