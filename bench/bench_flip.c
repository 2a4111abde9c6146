/*
 * The flip pause of a program by how much of its heap is populated, and how long its whole cycle takes. The
 * limit is what the kernel needs to empty a view of the same size and to register it.
 */
#include "bench/gbench.h"
#include "bench/support/bare.h"
#include "bench/support/graph.h"
#include "bench/support/program.h"

#define MIB ((size_t)1 << 20)

static void flip_pause(gbench_state *state, void *context)
{
    (void)context;
    size_t populated = (size_t)gbench_arg(state, 0) * MIB;
    struct program program;
    program_create(&program, populated * 3 / 2 + 64 * MIB, SHALE_FAULTS_THREAD, populated, 32768);
    double cycles = 0;
    while (gbench_keep_running(state)) {
        program_churn(&program, 32);
        uint64_t before = clock_nanoseconds();
        gbench_set_iteration_time(state, program_flip(&program) / 1e9);
        cycles += (double)(clock_nanoseconds() - before) / 1e6;
    }
    gbench_set_counter(state, "cycle_ms", cycles, GBENCH_PER_ITERATION);
    program_destroy(&program);
}

static void empty_view(gbench_state *state, void *context)
{
    (void)context;
    struct bare bare;
    bare_create(&bare, BARE_POLL, (size_t)gbench_arg(state, 0) * MIB / os_linux()->page_size(os_linux()));
    while (gbench_keep_running(state)) {
        bare_populate(&bare);
        uint64_t before = clock_nanoseconds();
        bare_empty(&bare);
        gbench_set_iteration_time(state, (double)(clock_nanoseconds() - before) / 1e9);
        bare_disarm(&bare);
    }
    bare_destroy(&bare);
}

static void add(const char *name, gbench_function function)
{
    static const int64_t sizes[] = {16, 64, 256, 1024};
    gbench_case *benchmark = gbench_register(name, function, NULL);
    gbench_set_arg_names(benchmark, (const char *const[]){"MiB"}, 1);
    gbench_set_unit(benchmark, GBENCH_US);
    gbench_use_manual_time(benchmark);
    gbench_set_iterations(benchmark, 10);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        gbench_add_args(benchmark, &sizes[i], 1);
}

int main(int argc, char **argv)
{
    const char *reason;
    if (!graph_can_compact(SHALE_COMPACTION_FAULT_THREAD, &reason))
        return 0;
    add("flip/pause", flip_pause);
    add("flip/mremap_and_register_limit", empty_view);
    return gbench_main(argc, argv);
}
