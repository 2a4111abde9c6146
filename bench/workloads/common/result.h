/*
 * The result of a program here, as a JSON object on one line. bench/README.md describes its fields.
 */
#ifndef BENCH_WORKLOADS_COMMON_RESULT_H
#define BENCH_WORKLOADS_COMMON_RESULT_H

#include "bench/managers/manager.h"
#include "bench/workloads/common/command_line.h"
#include "bench/workloads/workload.h"

#include <stdio.h>

struct result {
    const struct command_line *command;
    const struct run *run;
    const struct manager_measures *measures;
    const char *error; /* NULL: it worked */
    uint64_t wall;     /* nanoseconds */
    uint64_t cpu;
    uint64_t peak_memory; /* bytes */
    uint64_t preempted;   /* times that a thread lost its core to another */
};

void result_write(const struct result *result, FILE *file);

#endif
