/*
 * How fast small objects are allocated and given back, against malloc and free of the same sizes.
 *
 * The program is that of small objects in allocating.h:
 *
 *   dropped   after each 100 objects the list is forgotten; malloc's side frees them one by one
 *   kept      250,000 objects are kept, through a root, and forgotten together; malloc's side
 *             frees them one by one, in the order of the list
 *
 * Shale's objects come zeroed and typed, malloc's do not. The heap is about four times the live peak. The value is the worse of
 * the ratios of wall and CPU time. The target is on the geometric mean of the two patterns.
 */
#include "bench/targets/allocating.h"

#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 9 };

static void shale_side(void *bench, size_t batch)
{
    small_objects_shale(bench, batch, shale_allocate);
}

static void malloc_side(void *bench, size_t batch)
{
    small_objects_other(bench, batch, malloc, free);
}

void measure_allocation_speed(struct finding *finding)
{
    struct small_objects bench;
    small_objects_create(&bench, small_objects_default_target());
    struct pattern patterns[] = {{.name = "dropped", .argument = SMALL_DROPPED},
                                 {.name = "kept", .argument = SMALL_KEPT}};
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < 2; i++)
            pattern_take_turns(&patterns[i], shale_side, malloc_side, &bench, SMALL_OBJECTS);
        progress("allocation", round + 1, ROUNDS);
    }
    shale_statistics statistics;
    shale_heap_statistics(bench.heap, &statistics);
    double dropped = 1 / pattern_worse(&patterns[0]);
    double kept = 1 / pattern_worse(&patterns[1]);
    finding->value = sqrt(dropped * kept);
    finding->limit = 3;
    finding->at_least = true;
    set_details(finding, "geometric mean of dropped %.2f and kept %.2f; %zu cycles, %zu stalls", dropped,
                kept, (size_t)statistics.cycles, (size_t)statistics.allocation_stalls);
    pattern_report(finding, &patterns[0], dropped, "ns an object", 1);
    pattern_report(finding, &patterns[1], kept, "ns an object", 1);
    small_objects_destroy(&bench);
}
