/*
 * The command line of the programs here, which is the same for all, and their line of result.
 */
#ifndef BENCH_PROGRAMS_COMMAND_LINE_H
#define BENCH_PROGRAMS_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command_line {
    unsigned depth;
    size_t heap_size;  /* bytes; 0: what the memory manager does by itself */
    unsigned markers;  /* of bdwgc; 0: as many as it likes */
    bool measure_live; /* Shale alone */
};

/* What a program computed: the same under every manager. */
struct result {
    uint64_t objects; /* allocated */
    uint64_t checksum;
};

/* Fills in the command line. Ends the program on --help, and with status 2 when it is wrong. `about` is what
 * --help says about the program. */
void command_line_read(struct command_line *command, int argc, char **argv, const char *about);

/* "gcbench: objects 1234, checksum 5678, shale: heap 72 MiB, ..." */
void result_print(const struct result *result, const char *program, const char *manager,
                  const char *description);

#endif
