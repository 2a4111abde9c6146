/*
 * How much quicker two workers mark than one.
 *
 * Two heaps with the same 512 MiB of random graph, one for each number of workers, take turns: a cycle
 * each, in which everything is marked and nothing moves. Wall time of marking, handshakes included;
 * the value is the ratio of the minima, because what else the machine does takes cores from two workers rather
 * than from one. Takes about 1.2 GiB of memory.
 */
#include "bench/support/random_graph.h"
#include "bench/support/samples.h"
#include "bench/targets/targets.h"

#include <unistd.h>

enum { CYCLES = 7, SIDES = 2 };

#define GRAPH_BYTES ((size_t)512 << 20)

static void create(struct random_graph *graph, const char *workers)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    bench_require(shale_options_set(&options, "workers", workers, &error) == SHALE_OK, error.message);
    random_graph_create(graph, GRAPH_BYTES, &options);
}

void measure_marking_workers(struct finding *finding)
{
    if (sysconf(_SC_NPROCESSORS_ONLN) < SIDES) {
        finding->impossible = true;
        set_details(finding, "there is only one processor");
        return;
    }
    static const char *const workers[SIDES] = {"1", "2"};
    struct random_graph graphs[SIDES];
    struct samples cycles[SIDES] = {{NULL, 0, 0}, {NULL, 0, 0}};
    for (size_t i = 0; i < SIDES; i++) {
        progress("building graphs", i, SIDES);
        create(&graphs[i], workers[i]);
        random_graph_collect(&graphs[i]);
    }
    for (size_t cycle = 0; cycle < CYCLES; cycle++) {
        for (size_t i = 0; i < SIDES; i++)
            samples_add(&cycles[i], (double)random_graph_collect(&graphs[i]) / 1e6);
        progress("cycles", cycle + 1, CYCLES);
    }
    double one = samples_percentile(&cycles[0], 0);
    double two = samples_percentile(&cycles[1], 0);
    finding->value = one / two;
    finding->limit = 1.6;
    finding->at_least = true;
    set_details(finding, "%.1f million objects: marking takes 1 worker %.0f ms, 2 workers %.0f ms",
                (double)graphs[0].count / 1e6, one, two);
    for (size_t i = 0; i < SIDES; i++) {
        samples_free(&cycles[i]);
        random_graph_destroy(&graphs[i]);
    }
}
