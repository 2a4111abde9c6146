/*
 * How fast small objects that never move are allocated and given back, against mimalloc's malloc and free of the same
 * sizes.
 *
 * Both sides do what they do in the target allocation-speed, whose comment has the details: objects of one random sequence of
 * sizes, linked to a list, of which 100 are dropped at a time (dropped), or 250,000 are kept (kept). Time is taken twice,
 * wall and CPU time of all threads, and the value is the worse ratio; the target is on the geometric mean of the patterns.
 * The heap is about four times the live peak, and is used as far (target 400). With the default target there is as much to
 * mark twice as often: what that costs is told as a remark.
 */
#include "bench/support/mimalloc.h"
#include "bench/targets/allocating.h"

#include <math.h>

enum { ROUNDS = 9, TARGET = 400 };

struct bench {
    struct small_objects objects;
    struct mimalloc mimalloc;
};

static void shale_side(void *context, size_t batch)
{
    const struct bench *bench = context;
    small_objects_shale(&bench->objects, batch, shale_allocate_pinned);
}

static void mimalloc_side(void *context, size_t batch)
{
    const struct bench *bench = context;
    small_objects_other(&bench->objects, batch, bench->mimalloc.allocate, bench->mimalloc.free);
}

/* What was measured in a heap with one `target`. */
struct measured {
    struct pattern patterns[2];
    double dropped;
    double kept;
    shale_statistics statistics;
};

static void measure(struct bench *bench, struct measured *measured, unsigned target)
{
    *measured = (struct measured){.patterns = {{.name = "dropped", .argument = SMALL_DROPPED},
                                               {.name = "kept", .argument = SMALL_KEPT}}};
    small_objects_create(&bench->objects, target);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < 2; i++)
            pattern_take_turns(&measured->patterns[i], shale_side, mimalloc_side, bench, SMALL_OBJECTS);
        progress("allocation", round + 1, ROUNDS);
    }
    shale_heap_statistics(bench->objects.heap, &measured->statistics);
    small_objects_destroy(&bench->objects);
    measured->dropped = pattern_worse(&measured->patterns[0]);
    measured->kept = pattern_worse(&measured->patterns[1]);
}

static void report(struct finding *finding, struct measured *measured)
{
    pattern_report(finding, &measured->patterns[0], measured->dropped, "ns an object", 1);
    pattern_report(finding, &measured->patterns[1], measured->kept, "ns an object", 1);
}

void measure_pinned_allocate(struct finding *finding)
{
    struct bench bench;
    if (!mimalloc_open(&bench.mimalloc)) {
        finding->impossible = true;
        set_details(finding, "mimalloc was not found (Debian: libmimalloc-dev)");
        return;
    }
    struct measured measured;
    measure(&bench, &measured, TARGET);
    finding->value = sqrt(measured.dropped * measured.kept);
    finding->limit = 1.5;
    set_details(finding, "geometric mean of dropped %.2f and kept %.2f; %zu cycles, %zu stalls",
                measured.dropped, measured.kept, (size_t)measured.statistics.cycles,
                (size_t)measured.statistics.allocation_stalls);
    report(finding, &measured);
    measure(&bench, &measured, small_objects_default_target());
    add_remark(finding, "with the default target: %.2f, dropped %.2f and kept %.2f; %zu cycles, %zu stalls",
               sqrt(measured.dropped * measured.kept), measured.dropped, measured.kept,
               (size_t)measured.statistics.cycles, (size_t)measured.statistics.allocation_stalls);
    report(finding, &measured);
}
