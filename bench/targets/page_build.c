/*
 * How fast one thread builds pages, as a share of memcpy's bandwidth.
 *
 * Half the live objects are in sparse regions and move, half stay, spread over a heap of 320 MiB. Of the
 * two references of a small object one leads to an object near by and one anywhere, so about half of them
 * change. The figure for both leading anywhere is given as well; there the lookups alone, a cache miss each
 * in the table of where everything goes, take about as long as the target allows for everything, which
 * bench_page_build measures as a limit.
 *
 * Built is what destination regions hold, page by page in order, as a worker does. memcpy copies pages one
 * by one between two other memory files, as many bytes as were built. Both footprints exceed the caches.
 * Slices of 32 MiB are built and copied in turn - long ones, so that the copying before does not count as a
 * cold start - timed by the thread's CPU clock; the bandwidths are those of the median slice.
 */
#include "bench/support/copying.h"
#include "bench/support/graph.h"
#include "bench/targets/targets.h"

enum { SLICE_PAGES = 8192, ROUNDS = 16 };

/* Bytes per nanosecond. */
static double copy_slice(struct copying *copying, size_t pages)
{
    uint64_t before = thread_nanoseconds();
    copy_pages(copying, pages);
    return (double)(pages * copying->page_size) / (double)(thread_nanoseconds() - before);
}

static double build_slice(const struct graph *graph, const page_number *pages, size_t count)
{
    uint64_t before = thread_nanoseconds();
    for (size_t i = 0; i < count; i++)
        page_build(&graph->collector.plan, pages[i]);
    return (double)(count * graph_page_size(graph)) / (double)(thread_nanoseconds() - before);
}

static void measure_pages(struct graph *graph, struct copying *copying, const page_number *pages,
                          size_t count, struct samples *built, struct samples *copied)
{
    for (size_t first = 0; first + SLICE_PAGES <= count; first += SLICE_PAGES) {
        samples_add(built, build_slice(graph, pages + first, SLICE_PAGES));
        samples_add(copied, copy_slice(copying, SLICE_PAGES));
    }
}

struct rates {
    double moved;
    double staying;
    double copied;
};

static void measure_shape(const struct graph_shape *shape, struct rates *rates)
{
    struct graph graph;
    struct copying copying;
    graph_create(&graph, shape);
    copying_create(&copying, graph.moved_count * graph_page_size(&graph));
    struct samples moved = {NULL, 0, 0};
    struct samples staying = {NULL, 0, 0};
    struct samples copied = {NULL, 0, 0};
    for (size_t round = 0; round < ROUNDS; round++) {
        measure_pages(&graph, &copying, graph.moved_pages, graph.moved_count, &moved, &copied);
        graph_restore(&graph);
        measure_pages(&graph, &copying, graph.staying_pages, graph.staying_count, &staying, &copied);
        progress("page building", round + 1, ROUNDS);
    }
    *rates = (struct rates){samples_median(&moved), samples_median(&staying), samples_median(&copied)};
    samples_free(&moved);
    samples_free(&staying);
    samples_free(&copied);
    copying_destroy(&copying);
    graph_destroy(&graph);
}

static double microseconds(double rate)
{
    return (double)os_linux()->page_size(os_linux()) / rate / 1000;
}

static void report(struct finding *finding, const struct rates *rates, double limit)
{
    finding->limit = limit;
    finding->at_least = true;
    finding->value = rates->moved / rates->copied;
    set_details(finding, "built %.2f GB/s, memcpy %.2f GB/s; a page in %.2f us", rates->moved, rates->copied,
                microseconds(rates->moved));
    add_remark(finding, "pages that stay: %.2f (%.2f GB/s, %.2f us a page)", rates->staying / rates->copied,
               rates->staying, microseconds(rates->staying));
}

static const struct graph_shape small = {.object_size = 32,
                                         .references = 2,
                                         .near = 1,
                                         .sparse_regions = 512,
                                         .dense_regions = 256,
                                         .live_percent = 50,
                                         .compaction = SHALE_COMPACTION_IN_PAUSE};

void measure_page_build_small(struct finding *finding)
{
    struct rates rates;
    measure_shape(&small, &rates);
    report(finding, &rates, 0.2);
    struct graph_shape anywhere = small;
    anywhere.near = 0;
    measure_shape(&anywhere, &rates);
    add_remark(finding, "both references anywhere: moved %.2f, staying %.2f", rates.moved / rates.copied,
               rates.staying / rates.copied);
}

void measure_page_build_bulk(struct finding *finding)
{
    struct graph_shape shape = small;
    struct rates rates;
    shape.object_size = 1024;
    shape.references = 0;
    shape.near = 0;
    measure_shape(&shape, &rates);
    report(finding, &rates, 0.6);
}
