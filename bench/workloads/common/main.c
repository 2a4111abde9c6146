/*
 * The programs' common frame: reads the command line, runs the workload on its memory manager, measures, prints.
 *
 * Timed is all from before the manager is opened until the workload is done: a heap that has its full size from the start, or
 * threads of the manager's, are made in that time. What is live at the end is not given back by anyone.
 */
#include "bench/managers/manager.h"
#include "bench/measures/clock.h"
#include "bench/measures/memory_use.h"
#include "bench/workloads/common/command_line.h"
#include "bench/workloads/common/corpus.h"
#include "bench/workloads/common/result.h"
#include "bench/workloads/workload.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static struct command_line command;
static struct corpus corpus;
static struct histogram latency;
static struct run run = {.latency = &latency};
static struct manager_measures measures;
static struct result result = {.command = &command, .run = &run, .measures = &measures};
static atomic_flag failed = ATOMIC_FLAG_INIT;

/* The process ends where it stands: the memory manager may be in any state. */
_Noreturn void workload_fail(const char *message)
{
    static const struct run nothing;
    if (atomic_flag_test_and_set(&failed))
        for (;;)
            pause(); /* another thread is about to end the process */
    result.error = message;
    result.run = &nothing;
    result_write(&result, stdout);
    fflush(stdout);
    _exit(EXIT_FAILED);
}

static void write_histogram(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || !histogram_write_hgrm(&latency, file) || fclose(file) != 0)
        workload_fail("the histogram's file cannot be written");
}

/* Of all threads of the process so far. */
static uint64_t preemptions(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_nivcsw;
}

int main(int argc, char **argv)
{
    command_line_read(&command, argc, argv);
    run.scale = command.scale;
    run.threads = command.threads;
    run.seed = command.seed;
    if (workload_corpus_bytes != NULL) {
        corpus_read(&corpus, command.corpus, workload_corpus_bytes[command.scale]);
        run.corpus = &corpus;
    }
    uint64_t preempted_before = preemptions();
    uint64_t cpu_began = clock_cpu();
    uint64_t began = clock_wall();
    manager_open(&command.manager);
    if (!memory_use_start(manager_tick))
        workload_fail("a thread cannot be started");
    struct memory *memory = manager_attach();
    workload_run(memory, &run);
    uint64_t ended = clock_wall();
    result.wall = ended - began;
    result.cpu = clock_cpu() - cpu_began;
    result.preempted = preemptions() - preempted_before;
    result.peak_memory = memory_use_stop();
    manager_tick();
    manager_measure(&measures, began, ended);
    manager_detach(memory);
    manager_close();
    if (command.histogram != NULL)
        write_histogram(command.histogram);
    result_write(&result, stdout);
    return EXIT_SUCCESS;
}
