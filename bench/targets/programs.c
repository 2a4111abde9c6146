/*
 * Whole programs over Shale and over other memory managers: how long the user waits for them.
 *
 * The programs are GCBench and binary trees (bench/workloads), with trees of depth up to 18. Each runs as a child
 * of its own; timed is all of it, from before the child is started until it has ended, memory's first touch
 * and its return to the system included. The managers take turns; compared are the minima, because a child that
 * runs for a second is never left alone by what else the machine does, which can only add. Medians are given
 * as well, and the CPU time of all of a child's threads, which charges Shale's concurrent work in full.
 *
 * Shale's heap is three times the live size, headers included, as the program tells. bdwgc gets a heap of exactly that size
 * from its start, so that it collects as seldom as it can,
 * once with one marker and once with its own number of them (one a core); Shale is compared with the quicker
 * of the two. malloc's program frees each object by itself, trees from their leaves up.
 *
 * Children that do not report the same operations and the same checksum end the measurement.
 */
#include "bench/support/child.h"
#include "bench/support/samples.h"
#include "bench/targets/targets.h"

#include "heap/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, HEAP_FACTOR = 3, PARTICIPANTS_MAX = 3, ARGUMENT_MAX = 32 };

struct participant {
    const char *manager;
    const char *markers;    /* NULL: the manager's own choice */
    struct samples elapsed; /* milliseconds */
    struct samples cpu;
    char name[ARGUMENT_MAX];
    struct child last;
};

static void name_program(char name[ARGUMENT_MAX], const char *program, const char *manager)
{
    snprintf(name, ARGUMENT_MAX, "%s-%s", program, manager);
}

/* Bytes. The arithmetic of objects and headers needs no collector. */
static size_t live_bytes(const char *program)
{
    char name[ARGUMENT_MAX];
    char value[CHILD_FIELD_MAX];
    struct child child;
    name_program(name, program, "malloc");
    child_run(&child, (char *[]){name, NULL});
    child_field(&child, "heap_live_bytes", value);
    return strtoull(value, NULL, 10);
}

static void run_once(struct participant *participant, size_t heap_size)
{
    char heap[ARGUMENT_MAX];
    snprintf(heap, sizeof heap, "%zu", heap_size);
    char *arguments[] = {participant->name, "--heap-bytes", heap, NULL, NULL, NULL};
    char markers[ARGUMENT_MAX];
    if (participant->markers != NULL) {
        snprintf(markers, sizeof markers, "%s", participant->markers);
        arguments[3] = "--markers";
        arguments[4] = markers;
    }
    child_run(&participant->last, arguments);
    samples_add(&participant->elapsed, (double)participant->last.elapsed / 1e6);
    samples_add(&participant->cpu, (double)participant->last.cpu / 1e6);
}

static void require_same_field(const struct participant *left, const struct participant *right,
                               const char *name)
{
    char left_value[CHILD_FIELD_MAX];
    char right_value[CHILD_FIELD_MAX];
    child_field(&left->last, name, left_value);
    child_field(&right->last, name, right_value);
    bench_require(strcmp(left_value, right_value) == 0, "the programs do not compute the same");
}

static void require_same_result(const struct participant *left, const struct participant *right)
{
    require_same_field(left, right, "operations");
    require_same_field(left, right, "checksum");
}

/* What a line about a participant ends with: "; 12 cycles, 3 stalls". */
static void describe(const struct participant *participant, char text[CHILD_FIELD_MAX])
{
    char cycles[CHILD_FIELD_MAX];
    char stalls[CHILD_FIELD_MAX];
    child_field(&participant->last, "cycles", cycles);
    child_field(&participant->last, "allocation_stalls", stalls);
    int used = 0;
    text[0] = '\0';
    if (strcmp(cycles, "null") != 0)
        used = snprintf(text, CHILD_FIELD_MAX, "; %.20s cycles", cycles);
    if (strcmp(stalls, "null") != 0)
        snprintf(text + used, CHILD_FIELD_MAX - (size_t)used, ", %.20s stalls", stalls);
}

static void take_turns(struct participant *participants, size_t count, const char *program, size_t heap_size)
{
    for (size_t i = 0; i < count; i++)
        name_program(participants[i].name, program, participants[i].manager);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < count; i++) {
            run_once(&participants[i], heap_size);
            require_same_result(&participants[0], &participants[i]);
        }
        progress(program, round + 1, ROUNDS);
    }
}

/* The first participant is Shale; the value is how many times as long the quickest of the others takes. */
static void compare(struct finding *finding, const char *program, struct participant *participants,
                    size_t count)
{
    size_t live = live_bytes(program);
    size_t heap_size = round_up(live * HEAP_FACTOR, HEAP_UNIT);
    take_turns(participants, count, program, heap_size);
    double quickest = samples_percentile(&participants[1].elapsed, 0);
    for (size_t i = 0; i < count; i++) {
        struct participant *p = &participants[i];
        if (i > 0 && samples_percentile(&p->elapsed, 0) < quickest)
            quickest = samples_percentile(&p->elapsed, 0);
        char done[CHILD_FIELD_MAX];
        describe(p, done);
        add_remark(finding, "%s%s%s: minimum %.0f ms, median %.0f ms, CPU of all threads %.0f ms%s",
                   p->manager, p->markers != NULL ? ", markers " : "", p->markers != NULL ? p->markers : "",
                   samples_percentile(&p->elapsed, 0), samples_median(&p->elapsed), samples_median(&p->cpu),
                   done);
    }
    double shale = samples_percentile(&participants[0].elapsed, 0);
    finding->value = quickest / shale;
    finding->at_least = true;
    set_details(finding, "%.0f ms over shale's %.0f ms; heaps of %zu MiB, %d times the live %.1f MiB",
                quickest, shale, heap_size >> 20, HEAP_FACTOR, (double)live / (1 << 20));
    for (size_t i = 0; i < count; i++) {
        samples_free(&participants[i].elapsed);
        samples_free(&participants[i].cpu);
    }
}

static void against_malloc(struct finding *finding, const char *program)
{
    struct participant participants[PARTICIPANTS_MAX] = {{.manager = "shale"}, {.manager = "malloc"}};
    finding->limit = 1;
    compare(finding, program, participants, 2);
}

static void against_bdwgc(struct finding *finding, const char *program)
{
    char name[ARGUMENT_MAX];
    char path[CHILD_PATH_MAX];
    name_program(name, program, "bdwgc");
    if (!child_find(name, path)) {
        finding->impossible = true;
        set_details(finding, "%s was not built: bdwgc is missing (Debian: libgc-dev)", name);
        return;
    }
    struct participant participants[PARTICIPANTS_MAX] = {
        {.manager = "shale"}, {.manager = "bdwgc"}, {.manager = "bdwgc", .markers = "1"}};
    finding->limit = 2;
    compare(finding, program, participants, PARTICIPANTS_MAX);
}

/* The same program over Shale, with conservative roots and with exact ones. */
void measure_conservative(struct finding *finding)
{
    static const double LIMIT = 1.3;
    struct participant participants[] = {{.manager = "shale"}, {.manager = "conservative"}};
    compare(finding, "gcbench", participants, 2);
    finding->limit = LIMIT;
    finding->at_least = false;
}

void measure_gcbench_malloc(struct finding *finding)
{
    against_malloc(finding, "gcbench");
}

void measure_gcbench_bdwgc(struct finding *finding)
{
    against_bdwgc(finding, "gcbench");
}

void measure_trees_malloc(struct finding *finding)
{
    against_malloc(finding, "trees");
}

void measure_trees_bdwgc(struct finding *finding)
{
    against_bdwgc(finding, "trees");
}
