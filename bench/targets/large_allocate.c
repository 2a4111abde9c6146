/*
 * How fast large buffers are allocated and given back, first touch included, against glibc's malloc and free.
 *
 * Both sides keep some buffers and replace one of them at a time, a random one, by one of a random size: from 40 KiB to 8 MiB,
 * so that each doubling is as likely as any other. Every page of a new buffer is written to before it counts. Shale's come zeroed,
 * glibc's do not. Shale's turn lasts until no cycle is running, so all collections that it caused are in its time;
 * malloc's side frees a buffer when it is replaced. Each side has its turns one after the other in one process, so its memory
 * is warm, as is that of a program that has run for a while.
 *
 * `touched` writes a word on each page, `filled` writes every byte. The target is on the geometric mean, of wall time; CPU
 * time of all threads is given as well.
 */
#include "bench/targets/allocating.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 7, KEPT = 24, REPLACED = 600 };
#define HEAP_BYTES ((size_t)320 << 20)

struct bench {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *bytes;
    void *kept[KEPT];   /* Shale's */
    void *others[KEPT]; /* malloc's */
    shale_frame frame;
    uint32_t sizes[REPLACED];
    uint32_t places[REPLACED];
};

static void create(struct bench *bench)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = HEAP_BYTES;
    *bench = (struct bench){.heap = shale_heap_create(&options, &error)};
    bench_require(bench->heap != NULL, error.message);
    bench->mutator = shale_attach(bench->heap, &error);
    bench_require(bench->mutator != NULL, error.message);
    bench->bytes =
        shale_type_register(bench->heap, &(shale_type_spec){.name = "bytes", .element_size = 1}, &error);
    bench_require(bench->bytes != NULL, error.message);
    shale_frame_push(bench->mutator, &bench->frame, bench->kept, KEPT);
    uint64_t random = 11;
    for (size_t i = 0; i < REPLACED; i++) {
        double exponent = (double)random_below(&random, 1 << 20) / (1 << 20) * log2(8192.0 / 40);
        bench->sizes[i] = (uint32_t)(40 * 1024 * exp2(exponent));
        bench->places[i] = (uint32_t)random_below(&random, KEPT);
    }
}

static void destroy(struct bench *bench)
{
    for (size_t i = 0; i < KEPT; i++)
        free(bench->others[i]);
    shale_frame_pop(bench->mutator, &bench->frame);
    shale_detach(bench->mutator);
    shale_heap_destroy(bench->heap, NULL);
}

static inline void use(char *buffer, size_t size, bool filled)
{
    if (filled) {
        memset(buffer, 1, size);
        gbench_keep(buffer);
        return;
    }
    for (size_t at = 0; at < size; at += 4096)
        *(volatile uint64_t *)(buffer + at) = 1;
}

static void shale_side(void *context, size_t filled)
{
    struct bench *bench = context;
    for (size_t i = 0; i < REPLACED; i++) {
        bench->kept[bench->places[i]] = NULL;
        char *buffer = shale_allocate_array(bench->mutator, bench->bytes, bench->sizes[i]);
        bench_require(buffer != NULL, "the heap is full");
        use(buffer, bench->sizes[i], filled != 0);
        bench->kept[bench->places[i]] = buffer;
    }
    await_no_cycle(bench->heap, bench->mutator);
}

static void malloc_side(void *context, size_t filled)
{
    struct bench *bench = context;
    for (size_t i = 0; i < REPLACED; i++) {
        free(bench->others[bench->places[i]]);
        char *buffer = malloc(bench->sizes[i]);
        bench_require(buffer != NULL, "malloc has no memory");
        use(buffer, bench->sizes[i], filled != 0);
        bench->others[bench->places[i]] = buffer;
    }
}

void measure_large_allocate(struct finding *finding)
{
    struct bench bench;
    create(&bench);
    struct pattern patterns[] = {{.name = "touched", .argument = 0}, {.name = "filled", .argument = 1}};
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < 2; i++)
            pattern_take_turns(&patterns[i], shale_side, malloc_side, &bench, REPLACED);
        progress("large buffers", round + 1, ROUNDS);
    }
    shale_statistics statistics;
    shale_heap_statistics(bench.heap, &statistics);
    double touched = 1 / pattern_wall(&patterns[0]);
    double filled = 1 / pattern_wall(&patterns[1]);
    finding->value = sqrt(touched * filled);
    finding->limit = 1;
    finding->at_least = true;
    set_details(finding, "geometric mean of touched %.2f and filled %.2f; %zu cycles, %zu stalls", touched,
                filled, (size_t)statistics.cycles, (size_t)statistics.allocation_stalls);
    pattern_report(finding, &patterns[0], touched, "us a buffer", 1000);
    pattern_report(finding, &patterns[1], filled, "us a buffer", 1000);
    destroy(&bench);
}
