/*
 * What a large maximum costs: whole cycles of two programs that differ in nothing else. Both keep the same bulk in
 * place and make the same sparse regions before each cycle, so that each cycle marks, flips, compacts and reclaims.
 * They take turns, one cycle each; compared are the medians of the time from asking to the cycle's end.
 */
#include "bench/support/graph.h"
#include "bench/support/program.h"
#include "bench/targets/targets.h"

#include "gc/durations.h"

enum { CYCLES = 41, SPARSE_REGIONS = 16 };

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static const double LIMIT = 1.5;

struct contender {
    size_t maximum;
    struct program program;
    struct samples cycles; /* nanoseconds */
};

void measure_cycle_heap_maximum(struct finding *finding)
{
    const char *reason;
    if (!graph_can_compact(SHALE_COMPACTION_FAULT_THREAD, &reason)) {
        finding->impossible = true;
        set_details(finding, "no userfaultfd with minor faults: %s", reason);
        return;
    }
    struct contender contenders[2] = {{.maximum = 16 * GIB}, {.maximum = 64 * MIB}};
    double medians[2];
    for (int i = 0; i < 2; i++)
        program_create(&contenders[i].program, contenders[i].maximum, SHALE_FAULTS_THREAD, 10 * MIB, 64);
    /* The first cycle of each is not counted: it meets memory that no cycle has seen yet. */
    for (size_t cycle = 0; cycle <= CYCLES; cycle++) {
        for (int i = 0; i < 2; i++) {
            program_churn(&contenders[i].program, SPARSE_REGIONS);
            uint64_t began = clock_nanoseconds();
            program_flip(&contenders[i].program);
            if (cycle != 0)
                samples_add(&contenders[i].cycles, (double)(clock_nanoseconds() - began) / 1000);
        }
        progress("cycles", cycle, CYCLES);
    }
    for (int i = 0; i < 2; i++) {
        medians[i] = samples_median(&contenders[i].cycles);
        samples_free(&contenders[i].cycles);
        program_destroy(&contenders[i].program);
    }
    finding->value = medians[0] / medians[1];
    finding->limit = LIMIT;
    set_details(finding,
                "10 MiB live: a cycle in a heap of at most 16 GiB %.0f us, of at most 64 MiB %.0f us",
                medians[0], medians[1]);
}
