/*
 * What a mutator meets right after a flip: faults, and the time they and the pages it needs take, with each part
 * of what compact.h does for fewer of them.
 *
 * The mutator reads a word on each of a row of pages, of destination regions and of such that stay, of 64-byte objects
 * with two references. No worker runs meanwhile, so the numbers of faults depend on nothing else the machine does. Time
 * is the CPU time of the mutator's thread, which answers its faults itself; what it builds without having
 * asked for it is in it. Reads:
 *
 *   up, down   all pages in the order of addresses
 *   local      blocks of 16 pages in random order, in each block half as many random pages
 *   random     as many random pages of all
 *   roots      the pages of 32 roots, in random order
 *
 * In the heap called "near" references lead to objects close by, in the other one of two leads anywhere.
 *
 * The target is on the faults of up, down, local and roots in the former, with everything over with nothing; for random
 * reads there is little to be foreseen.
 */
#include "bench/support/graph.h"
#include "bench/targets/targets.h"

#include "gc/page_contents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DENSE_REGIONS = 96, SPARSE_REGIONS = 64, ROOTS = 32, BLOCK = 16, ROUNDS = 7 };

enum reads { READ_UP, READ_DOWN, READ_LOCAL, READ_RANDOM, READ_ROOTS, READ_KINDS };

static const char *const read_names[READ_KINDS] = {"up", "down", "local", "random", "roots"};

static const struct way {
    const char *name;
    struct compact_ways ways;
    bool published; /* a worker has published the clean pages before */
} ways[] = {
    {"nothing", {.clean = false}, false},
    {"2 neighbours", {.neighbours = 2, .neighbours_most = 2}, false},
    {"4 neighbours", {.neighbours = 4, .neighbours_most = 4}, false},
    {"8 neighbours", {.neighbours = 8, .neighbours_most = 8}, false},
    {"16 neighbours", {.neighbours = 16, .neighbours_most = 16}, false},
    {"0 to 16", {.neighbours_most = 16}, false},
    {"clean", {.clean = true}, false},
    {"clean first", {.clean = true}, true},
    {"roots", {.roots = ROOTS}, false},
    {"all", {.clean = true, .neighbours_most = 16, .roots = ROOTS}, true},
};

enum { WAYS = sizeof ways / sizeof ways[0] };

struct scene {
    struct graph graph;
    page_number *pages; /* by address */
    size_t count;
    page_number *order;
    size_t reads;
    uint64_t clean;
    struct samples publishing; /* nanoseconds of a worker, for the clean pages */
    struct samples took[WAYS][READ_KINDS];
    struct samples faults[WAYS][READ_KINDS];
};

static int by_number(const void *a, const void *b)
{
    page_number left = *(const page_number *)a;
    page_number right = *(const page_number *)b;
    return left < right ? -1 : left > right;
}

static void scene_open(struct scene *scene, uint32_t near)
{
    struct graph_shape shape = {.object_size = 64,
                                .references = 2,
                                .near = near,
                                .sparse_regions = SPARSE_REGIONS,
                                .dense_regions = DENSE_REGIONS,
                                .live_percent = 50,
                                .compaction = SHALE_COMPACTION_FAULT_SIGNAL};
    struct graph *graph = &scene->graph;
    graph_create(graph, &shape);
    graph_note_leads(graph);
    scene->count = graph->moved_count + graph->staying_count;
    scene->pages = malloc(scene->count * sizeof *scene->pages);
    scene->order = malloc(scene->count * sizeof *scene->order);
    if (scene->pages == NULL || scene->order == NULL) {
        bench_require(false, "there is no memory for a list of pages");
        return;
    }
    memcpy(scene->pages, graph->moved_pages, graph->moved_count * sizeof *scene->pages);
    memcpy(scene->pages + graph->moved_count, graph->staying_pages,
           graph->staying_count * sizeof *scene->pages);
    qsort(scene->pages, scene->count, sizeof *scene->pages, by_number);
    for (size_t i = 0; i < scene->count; i++)
        scene->clean += page_is_clean(&graph->collector.plan, scene->pages[i]);
}

static void scene_close(struct scene *scene)
{
    graph_destroy(&scene->graph);
    free(scene->pages);
    free(scene->order);
    samples_free(&scene->publishing);
    for (size_t way = 0; way < WAYS; way++) {
        for (int kind = 0; kind < READ_KINDS; kind++) {
            samples_free(&scene->took[way][kind]);
            samples_free(&scene->faults[way][kind]);
        }
    }
}

static void order_reads(struct scene *scene, enum reads kind)
{
    uint64_t *random = &scene->graph.random;
    size_t base = 0;
    scene->reads = kind == READ_ROOTS ? ROOTS : kind <= READ_DOWN ? scene->count : scene->count / 2;
    for (size_t i = 0; i < scene->reads; i++) {
        if (i % (BLOCK / 2) == 0)
            base = random_below(random, scene->count / BLOCK) * BLOCK;
        size_t page = kind == READ_UP      ? i
                      : kind == READ_DOWN  ? scene->count - 1 - i
                      : kind == READ_LOCAL ? base + random_below(random, BLOCK)
                                           : random_below(random, scene->count);
        scene->order[i] = scene->pages[page];
    }
}

/* What workers do first, and nothing more. */
static void publish_clean(struct scene *scene)
{
    struct collector *collector = &scene->graph.collector;
    uint64_t began = thread_nanoseconds();
    while (atomic_u32_load(&collector->compaction.next_unit) < collector->compaction.unit_count &&
           compact_next_unit(&collector->compaction, &collector->builders[0]))
        continue;
    samples_add(&scene->publishing, (double)(thread_nanoseconds() - began));
}

static void read_pages(struct scene *scene, const struct way *way, enum reads kind)
{
    struct collector *collector = &scene->graph.collector;
    const struct views *views = &scene->graph.memory.views;
    if (kind == READ_ROOTS && way->ways.roots != 0)
        compact_bring(&collector->compaction, &collector->handlers, scene->order, scene->reads);
    for (size_t i = 0; i < scene->reads; i++)
        (void)*(volatile char *)views_mutator(views, (size_t)scene->order[i] << views->page_shift);
}

static void measure_one(struct scene *scene, size_t number, enum reads kind)
{
    const struct way *way = &ways[number];
    struct graph *graph = &scene->graph;
    graph->collector.compaction.ways = way->ways;
    order_reads(scene, kind);
    graph_restore(graph);
    graph_flip(graph);
    if (way->published)
        publish_clean(scene);
    uint64_t faults = collector_faults(&graph->collector);
    uint64_t began = thread_nanoseconds();
    read_pages(scene, way, kind);
    samples_add(&scene->took[number][kind], (double)(thread_nanoseconds() - began));
    samples_add(&scene->faults[number][kind], (double)(collector_faults(&graph->collector) - faults));
    graph_finish(graph);
}

static void report(struct finding *finding, struct scene *scene, const char *name)
{
    char line[256];
    int used = snprintf(line, sizeof line, "%-14s ", name);
    for (int kind = 0; kind < READ_KINDS; kind++)
        used += snprintf(line + used, sizeof line - (size_t)used, " %15s", read_names[kind]);
    add_remark(finding, "%s   (faults, ms)", line);
    for (size_t way = 0; way < WAYS; way++) {
        used = snprintf(line, sizeof line, "  %-12s", ways[way].name);
        for (int kind = 0; kind < READ_KINDS; kind++)
            used += snprintf(line + used, sizeof line - (size_t)used, " %7.0f %7.3f",
                             samples_median(&scene->faults[way][kind]),
                             samples_median(&scene->took[way][kind]) / 1e6);
        add_remark(finding, "%s", line);
    }
    add_remark(finding, "  %zu pages, %llu clean, which a worker publishes in %.2f ms", scene->count,
               (unsigned long long)scene->clean, samples_median(&scene->publishing) / 1e6);
}

static double faults_of(struct scene *scene, size_t way)
{
    double sum = 0;
    for (int kind = 0; kind < READ_KINDS; kind++)
        sum += kind == READ_RANDOM ? 0 : samples_median(&scene->faults[way][kind]);
    return sum;
}

static void measure_heap(struct finding *finding, uint32_t near, const char *name)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene_open(&scene, near);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t way = 0; way < WAYS; way++) {
            for (int kind = 0; kind < READ_KINDS; kind++)
                measure_one(&scene, way, (enum reads)kind);
        }
        progress(name, round + 1, ROUNDS);
    }
    report(finding, &scene, name);
    if (near == 2) {
        finding->value = faults_of(&scene, WAYS - 1) / faults_of(&scene, 0);
        set_details(finding, "%.0f and %.0f faults", faults_of(&scene, WAYS - 1), faults_of(&scene, 0));
    }
    scene_close(&scene);
}

void measure_after_flip(struct finding *finding)
{
    const char *reason;
    finding->limit = 0.1;
    if (!graph_can_compact(SHALE_COMPACTION_FAULT_SIGNAL, &reason)) {
        finding->impossible = true;
        set_details(finding, "no userfaultfd with minor faults: %s", reason);
        return;
    }
    measure_heap(finding, 2, "near");
    measure_heap(finding, 1, "anywhere");
}
