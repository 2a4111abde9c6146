/*
 * What a mutator's fault on a stale page costs, over a bare fault served in the same way.
 *
 * Timed is one read of one word by the thread that plays the mutator, from before the instruction to after
 * it, on a page that is stale at that moment: the fault into the kernel, its delivery, claiming, building
 * and publishing the page, waking, and the retried read. Pages hold 64-byte objects with two references;
 * half of them are destinations and half stay, and they are touched in random order right after the flip. Faults bring in
 * no neighbours here; what that is worth is measured by after-flip.
 * The target is on faults while no worker runs, because nothing else runs beside the bare fault either: a
 * worker keeps the other core awake, which makes waking a thread cheaper. Faults with a worker are given as
 * well. So are faults in a small heap: pages and tables of the large one are in no cache when they are
 * needed, which is the worst that can happen, while a mutator often faults on what it has just used.
 *
 * The bare fault is the same read on an equally large view of another memory file, emptied like the heap's
 * in a flip, whose server does nothing but UFFDIO_CONTINUE for the one page: after poll(-1) and read, after
 * read alone in a loop, or in a SIGBUS handler.
 *
 * A touch is counted when it took longer than any access to a mapped page does, so those of pages that
 * somebody built in the same instant are left out. All kinds take turns, some hundred touches each.
 */
#include "bench/support/bare.h"
#include "bench/support/graph.h"
#include "bench/targets/targets.h"

#include <stdlib.h>
#include <string.h>

/* Touches in a turn: a fraction of the pages, so that a worker has not built most of them by itself. */
enum { ROUNDS = 25, TOUCHES = 200 };

/* Dense regions; the sparse ones hold as much again. What is live is 128 MiB, and 8 MiB. */
enum { LARGE_REGIONS = 256, SMALL_REGIONS = 16 };

/* A mapped page that is in no cache costs about 0.2 us, the quickest fault 1.5. */
static const double FAULT_NANOSECONDS = 1000;

struct shale_samples {
    struct samples all;
    struct samples moved;
    struct samples staying;
    size_t touches;
    size_t not_stale;
};

static void touch_page(struct graph *graph, page_number page, struct shale_samples *samples)
{
    struct memory *memory = &graph->memory;
    samples->touches++;
    if (!page_is_stale(&memory->pages, page)) {
        samples->not_stale++;
        return;
    }
    size_t offset = (size_t)page << memory->views.page_shift;
    double took =
        (double)touch_nanoseconds(views_mutator(&memory->views, offset + graph_page_size(graph) / 2));
    if (took < FAULT_NANOSECONDS) {
        samples->not_stale++;
        return;
    }
    bool moved = graph->collector.plan.roles[region_of(offset)] == ROLE_DESTINATION;
    samples_add(&samples->all, took);
    samples_add(moved ? &samples->moved : &samples->staying, took);
}

/* A graph with the pages that are touched. */
struct subject {
    struct graph graph;
    page_number *pages;
    size_t count;
};

static void subject_create(struct subject *subject, enum shale_compaction compaction, uint32_t regions)
{
    struct graph_shape shape = {.object_size = 64,
                                .references = 2,
                                .sparse_regions = regions * 2,
                                .dense_regions = regions,
                                .live_percent = 50,
                                .compaction = compaction};
    struct graph *graph = &subject->graph;
    graph_create(graph, &shape);
    graph->collector.compaction.ways.neighbours = 0;
    graph->collector.compaction.ways.neighbours_most = 0;
    subject->count = graph->moved_count + graph->staying_count;
    subject->pages = malloc(subject->count * sizeof *subject->pages);
    bench_require(subject->pages != NULL, "there is no memory for a list of pages");
    memcpy(subject->pages, graph->moved_pages, graph->moved_count * sizeof *subject->pages);
    memcpy(subject->pages + graph->moved_count, graph->staying_pages,
           graph->staying_count * sizeof *subject->pages);
}

static void subject_destroy(struct subject *subject)
{
    free(subject->pages);
    graph_destroy(&subject->graph);
}

static void touch_random_pages(struct subject *subject, bool worker, struct shale_samples *samples)
{
    struct graph *graph = &subject->graph;
    graph_restore(graph);
    random_shuffle(&graph->random, subject->pages, subject->count);
    graph_flip(graph);
    if (worker)
        graph_start_worker(graph);
    for (size_t i = 0; i < TOUCHES; i++)
        touch_page(graph, subject->pages[i], samples);
    graph_finish(graph);
}

static void touch_bare_pages(struct bare *bare, struct samples *samples)
{
    bare_arm(bare);
    bare_touch(bare, TOUCHES, samples);
    bare_disarm(bare);
}

enum { BARE_KINDS_MAX = 2 };

/* The first kind of bare fault is what the target is about. */
struct measurement {
    enum shale_compaction compaction;
    size_t kind_count;
    struct {
        enum bare_server server;
        struct bare bare;
        struct samples samples;
    } kinds[BARE_KINDS_MAX];
    struct shale_samples alone;
    struct shale_samples with_worker;
    struct shale_samples in_small;
};

static void take_turns(struct measurement *m)
{
    struct subject large;
    struct subject small;
    subject_create(&large, m->compaction, LARGE_REGIONS);
    subject_create(&small, m->compaction, SMALL_REGIONS);
    for (size_t kind = 0; kind < m->kind_count; kind++)
        bare_create(&m->kinds[kind].bare, m->kinds[kind].server, large.count);
    for (size_t round = 0; round < ROUNDS; round++) {
        touch_random_pages(&large, false, &m->alone);
        touch_random_pages(&large, true, &m->with_worker);
        touch_random_pages(&small, false, &m->in_small);
        for (size_t kind = 0; kind < m->kind_count; kind++)
            touch_bare_pages(&m->kinds[kind].bare, &m->kinds[kind].samples);
        progress("faults", round + 1, ROUNDS);
    }
    for (size_t kind = 0; kind < m->kind_count; kind++)
        bare_destroy(&m->kinds[kind].bare);
    subject_destroy(&large);
    subject_destroy(&small);
}

static double p50(struct samples *samples)
{
    return samples_median(samples) / 1000;
}

static double p99(struct samples *samples)
{
    return samples_percentile(samples, 99) / 1000;
}

static void report(struct finding *finding, struct measurement *m)
{
    struct samples *bare = &m->kinds[0].samples;
    finding->value = p50(&m->alone.all) / p50(bare);
    finding->limit = 1.5;
    set_details(finding, "p50 %.1f us, bare %.1f us; p99 %.1f and %.1f us; %zu faults", p50(&m->alone.all),
                p50(bare), p99(&m->alone.all), p99(bare), m->alone.all.count);
    add_remark(finding, "p50 on moved pages %.1f us, on pages that stay %.1f us", p50(&m->alone.moved),
               p50(&m->alone.staying));
    add_remark(
        finding,
        "while a worker builds pages too: p50 %.1f us, p99 %.1f us; %zu of %zu touches met a built page",
        p50(&m->with_worker.all), p99(&m->with_worker.all), m->with_worker.not_stale, m->with_worker.touches);
    add_remark(finding, "in a heap with 8 MiB live instead of 128: p50 %.1f us, %.2f times bare",
               p50(&m->in_small.all), p50(&m->in_small.all) / p50(bare));
    if (m->kind_count > 1)
        add_remark(finding, "a bare server that never sleeps: p50 %.1f us, %.2f times that",
                   p50(&m->kinds[1].samples), p50(&m->alone.all) / p50(&m->kinds[1].samples));
}

static void free_shale_samples(struct shale_samples *samples)
{
    samples_free(&samples->all);
    samples_free(&samples->moved);
    samples_free(&samples->staying);
}

static void measure(struct finding *finding, struct measurement *m)
{
    const char *reason;
    if (!graph_can_compact(m->compaction, &reason)) {
        finding->impossible = true;
        set_details(finding, "no userfaultfd with minor faults: %s", reason);
        return;
    }
    take_turns(m);
    report(finding, m);
    free_shale_samples(&m->alone);
    free_shale_samples(&m->with_worker);
    free_shale_samples(&m->in_small);
    for (size_t kind = 0; kind < m->kind_count; kind++)
        samples_free(&m->kinds[kind].samples);
}

void measure_fault_thread(struct finding *finding)
{
    struct measurement m = {.compaction = SHALE_COMPACTION_FAULT_THREAD,
                            .kind_count = 2,
                            .kinds = {{.server = BARE_POLL}, {.server = BARE_SPIN}}};
    measure(finding, &m);
}

void measure_fault_signal(struct finding *finding)
{
    struct measurement m = {
        .compaction = SHALE_COMPACTION_FAULT_SIGNAL, .kind_count = 1, .kinds = {{.server = BARE_SIGNAL}}};
    measure(finding, &m);
}
