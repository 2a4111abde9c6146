/*
 * The flip pause, as the heap's statistics give it: from all threads being stopped to their being resumed.
 *
 * Each program keeps its bulk in place and makes 32 sparse regions before each cycle, so that every cycle
 * flips and all pages of the heap become stale and are published again. Programs take turns, one cycle
 * each; compared are the medians.
 */
#include "bench/support/program.h"
#include "bench/targets/targets.h"

enum { FLIPS = 21, SPARSE_REGIONS = 32, PROGRAMS_MAX = 3 };

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

struct participant {
    size_t heap_size;
    size_t populated;
    size_t object_size;
    size_t pins;
    struct program program;
    struct samples pauses; /* nanoseconds */
};

/* Pins so many of the objects that stay, all over the heap. */
static void pin_some(const struct participant *participant)
{
    const struct program *program = &participant->program;
    size_t every = participant->pins != 0 ? (size_t)program->objects / participant->pins : SIZE_MAX;
    size_t number = 0;
    for (int i = 0; i < PROGRAM_CHAINS; i++) {
        for (struct link *link = program->roots.bulk[i]; link != NULL; link = link->next) {
            if (++number % every == 0)
                bench_require(shale_pin(program->mutator, link) == SHALE_OK, "an object could not be pinned");
        }
    }
}

/* Leaves the median pauses, in microseconds. */
static void take_turns(struct participant *participants, size_t count, double *medians)
{
    for (size_t i = 0; i < count; i++) {
        struct participant *p = &participants[i];
        progress("populating heaps", i, count);
        program_create(&p->program, p->heap_size, SHALE_FAULTS_THREAD, p->populated, p->object_size);
        pin_some(p);
    }
    /* The first cycle of each is not counted: it meets page tables that no flip has made yet. */
    for (size_t flip = 0; flip <= FLIPS; flip++) {
        for (size_t i = 0; i < count; i++) {
            program_churn(&participants[i].program, SPARSE_REGIONS);
            double pause = program_flip(&participants[i].program);
            if (flip != 0)
                samples_add(&participants[i].pauses, pause / 1000);
        }
        progress("flips", flip, FLIPS);
    }
    for (size_t i = 0; i < count; i++) {
        medians[i] = samples_median(&participants[i].pauses);
        samples_free(&participants[i].pauses);
        program_destroy(&participants[i].program);
    }
}

void measure_flip_pause_heap_size(struct finding *finding)
{
    if (cannot_compact(finding))
        return;
    /* 64 MiB both in a heap that is as much larger than its contents, and in the same heap as 4 GiB. */
    struct participant participants[] = {
        {.heap_size = 6 * GIB, .populated = 4 * GIB, .object_size = 32768},
        {.heap_size = 96 * MIB, .populated = 64 * MIB, .object_size = 32768},
        {.heap_size = 6 * GIB, .populated = 64 * MIB, .object_size = 32768},
    };
    double medians[PROGRAMS_MAX];
    take_turns(participants, 3, medians);
    finding->value = medians[0] / medians[1];
    finding->limit = 3;
    set_details(finding, "4 GiB in a heap of 6 GiB %.1f us, 64 MiB in 96 MiB %.1f us", medians[0],
                medians[1]);
    add_remark(finding, "64 MiB in a heap of 6 GiB: %.1f us, %.2f of it for 4 GiB", medians[2],
               medians[0] / medians[2]);
}

/* Nothing in the pause looks at objects, so the true ratio is 1. The bound leaves room for what a thousand
 * times the marking, planning and building just before does to caches. */
static const double LIVE_OBJECTS_LIMIT = 1.5;

void measure_flip_pause_live_objects(struct finding *finding)
{
    if (cannot_compact(finding))
        return;
    struct participant participants[] = {
        {.heap_size = 512 * MIB, .populated = 256 * MIB, .object_size = 32},
        {.heap_size = 512 * MIB, .populated = 256 * MIB, .object_size = 32768},
    };
    double medians[PROGRAMS_MAX];
    take_turns(participants, 2, medians);
    finding->value = medians[0] / medians[1];
    finding->limit = LIVE_OBJECTS_LIMIT;
    set_details(finding, "256 MiB in %.1f million objects %.1f us, in %zu objects %.1f us",
                (double)participants[0].program.objects / 1e6, medians[0],
                (size_t)participants[1].program.objects, medians[1]);
}

/* Pinned objects do not move, so no root has to be rewritten for them: the true ratio is 1. */
static const double PINS_LIMIT = 1.5;

void measure_flip_pause_pins(struct finding *finding)
{
    if (cannot_compact(finding))
        return;
    struct participant participants[] = {
        {.heap_size = 192 * MIB, .populated = 64 * MIB, .object_size = 64, .pins = 200000},
        {.heap_size = 192 * MIB, .populated = 64 * MIB, .object_size = 64},
    };
    double medians[PROGRAMS_MAX];
    take_turns(participants, 2, medians);
    finding->value = medians[0] / medians[1];
    finding->limit = PINS_LIMIT;
    set_details(finding, "with 200,000 pinned objects %.1f us, with none %.1f us", medians[0], medians[1]);
}
