/*
 * How fast small objects that never move are allocated and given back, against mimalloc's malloc and free of the same
 * sizes.
 *
 * Both sides do what they do in the target allocation-speed, whose comment has the details: objects of one random sequence of
 * sizes, linked to a list, of which 100 are dropped at a time (dropped), or 250,000 are kept (kept). Time is taken twice,
 * wall and CPU time of all threads, and the value is the worse ratio; the target is on the geometric mean of the patterns.
 * The heap is about four times the live peak, and is used as far (target 400).
 */
#include "bench/gbench.h"
#include "bench/support/mimalloc.h"
#include "bench/support/samples.h"
#include "bench/targets/targets.h"

#include "runtime/heap.h"

#include <math.h>

enum { ROUNDS = 9, SEQUENCE = 4096, OBJECTS = 2000000, KEPT = 250000, DROPPED = 100 };
#define HEAP_BYTES ((size_t)64 << 20)

static const unsigned sizes[] = {16, 24, 32, 40, 48, 64, 96, 128};
static const unsigned weights[] = {20, 20, 20, 12, 10, 10, 5, 3}; /* percent */
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

struct node {
    struct node *next;
    uint64_t number;
};

struct bench {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *types[SIZE_COUNT];
    unsigned char sequence[SEQUENCE]; /* indices of sizes */
    struct mimalloc mimalloc;
};

static void create(struct bench *bench)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = HEAP_BYTES;
    options.target = 400;
    bench->heap = shale_heap_create(&options, &error);
    bench_require(bench->heap != NULL, error.message);
    bench->mutator = shale_attach(bench->heap, &error);
    bench_require(bench->mutator != NULL, error.message);
    static const uint32_t pointers[] = {offsetof(struct node, next)};
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        shale_type_spec spec = {.name = "node", .size = sizes[i], .pointers = pointers, .pointer_count = 1};
        bench->types[i] = shale_type_register(bench->heap, &spec, &error);
        bench_require(bench->types[i] != NULL, error.message);
    }
    uint64_t random = 3;
    for (size_t i = 0; i < SEQUENCE; i++) {
        size_t draw = random_below(&random, 100);
        unsigned char class = 0;
        while (draw >= weights[class])
            draw -= weights[class ++];
        bench->sequence[i] = class;
    }
}

static void destroy(struct bench *bench)
{
    shale_detach(bench->mutator);
    shale_heap_destroy(bench->heap, NULL);
}

static void shale_side(const struct bench *bench, size_t batch)
{
    struct {
        struct node *head;
    } local = {NULL};
    shale_frame frame;
    shale_frame_push(bench->mutator, &frame, &local, 1);
    for (size_t done = 0; done < OBJECTS; done += batch) {
        for (size_t i = 0; i < batch; i++) {
            struct node *node =
                shale_allocate_pinned(bench->mutator, bench->types[bench->sequence[(done + i) % SEQUENCE]]);
            bench_require(node != NULL, "the heap is full");
            node->next = local.head;
            node->number = i;
            local.head = node;
        }
        gbench_keep(local.head);
        local.head = NULL;
    }
    shale_frame_pop(bench->mutator, &frame);
    shale_enter_native(bench->mutator);
    while (collector_running(&bench->heap->collector) != 0)
        atomic_pause();
    shale_leave_native(bench->mutator);
}

static void mimalloc_side(const struct bench *bench, size_t batch)
{
    for (size_t done = 0; done < OBJECTS; done += batch) {
        struct node *head = NULL;
        for (size_t i = 0; i < batch; i++) {
            struct node *node = bench->mimalloc.allocate(sizes[bench->sequence[(done + i) % SEQUENCE]]);
            bench_require(node != NULL, "mimalloc has no memory");
            node->next = head;
            node->number = i;
            head = node;
        }
        gbench_keep(head);
        while (head != NULL) {
            struct node *next = head->next;
            bench->mimalloc.free(head);
            head = next;
        }
    }
}

/* Nanoseconds an object. */
struct times {
    struct samples wall;
    struct samples cpu;
};

static void time_side(const struct bench *bench, size_t batch,
                      void (*side)(const struct bench *bench, size_t batch), struct times *times)
{
    uint64_t wall = clock_nanoseconds();
    uint64_t cpu = process_nanoseconds();
    side(bench, batch);
    samples_add(&times->cpu, (double)(process_nanoseconds() - cpu) / OBJECTS);
    samples_add(&times->wall, (double)(clock_nanoseconds() - wall) / OBJECTS);
}

struct pattern {
    const char *name;
    size_t batch;
    struct times shale;
    struct times mimalloc;
};

static double ratio(struct pattern *pattern)
{
    double wall = samples_median(&pattern->shale.wall) / samples_median(&pattern->mimalloc.wall);
    double cpu = samples_median(&pattern->shale.cpu) / samples_median(&pattern->mimalloc.cpu);
    return wall > cpu ? wall : cpu;
}

static void report(struct finding *finding, struct pattern *pattern)
{
    add_remark(finding, "%s: %.2f; wall %.1f and %.1f ns an object, CPU of all threads %.1f and %.1f",
               pattern->name, ratio(pattern), samples_median(&pattern->shale.wall),
               samples_median(&pattern->mimalloc.wall), samples_median(&pattern->shale.cpu),
               samples_median(&pattern->mimalloc.cpu));
    samples_free(&pattern->shale.wall);
    samples_free(&pattern->shale.cpu);
    samples_free(&pattern->mimalloc.wall);
    samples_free(&pattern->mimalloc.cpu);
}

void measure_pinned_allocate(struct finding *finding)
{
    struct bench bench;
    if (!mimalloc_open(&bench.mimalloc)) {
        finding->impossible = true;
        set_details(finding, "mimalloc was not found (Debian: libmimalloc-dev)");
        return;
    }
    create(&bench);
    struct pattern patterns[] = {{.name = "dropped", .batch = DROPPED}, {.name = "kept", .batch = KEPT}};
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < 2; i++) {
            time_side(&bench, patterns[i].batch, shale_side, &patterns[i].shale);
            time_side(&bench, patterns[i].batch, mimalloc_side, &patterns[i].mimalloc);
        }
        progress("allocation", round + 1, ROUNDS);
    }
    shale_statistics statistics;
    shale_heap_statistics(bench.heap, &statistics);
    finding->value = sqrt(ratio(&patterns[0]) * ratio(&patterns[1]));
    finding->limit = 1.5;
    set_details(finding, "geometric mean of dropped %.2f and kept %.2f; %zu cycles, %zu stalls",
                ratio(&patterns[0]), ratio(&patterns[1]), (size_t)statistics.cycles,
                (size_t)statistics.allocation_stalls);
    report(finding, &patterns[0]);
    report(finding, &patterns[1]);
    destroy(&bench);
}
