/*
 * Reading a large array of references while it is fixed up: the longest that any one access takes.
 *
 * The array has a reference in each slot, all to objects that the cycle moves, so every page of it has to be rewritten. When
 * the program runs again after the flip, it reads a slot on each page of the array, in order in one round and in random
 * order in the next, and times each read, while workers and the fault server are at work on the rest. The array never
 * moves, so all that a read can wait for is its page.
 *
 * The longest of very many reads meets whatever else the machine does. So it is put beside the longest of the bare faults of the
 * same run: faults on pages for which nothing has to be done but UFFDIO_CONTINUE, as in fault-thread, one at a time. Of both
 * it is that of the median round. The target is 3 times.
 */
#include "bench/support/bare.h"
#include "bench/targets/targets.h"

#include "runtime/heap.h"

#include <stdlib.h>

enum { ROUNDS = 8, ITEMS = 1 << 20, BARE_PAGES = 8192 };

/* A read of a mapped page that is in no cache is quicker. */
static const double FAULT_NANOSECONDS = 1000;

struct item {
    struct item *next;
    uint64_t number;
};

struct reader {
    shale_heap *heap;
    shale_mutator *mutator;
    struct {
        struct item **array;
    } local;
    shale_frame frame;
    size_t length;
    uint32_t *order; /* pages of the array */
    size_t pages;
    uint64_t random;
};

static void fill(struct reader *reader, const shale_type *item)
{
    for (size_t i = 0; i < ITEMS; i++) {
        struct item *one = shale_allocate(reader->mutator, item);
        bench_require(one != NULL, "the heap is full");
        one->number = i;
        shale_store(reader->mutator, reader->local.array, &reader->local.array[i], one);
    }
    for (size_t done = ITEMS; done < reader->length; done += ITEMS) {
        size_t count = reader->length - done < ITEMS ? reader->length - done : ITEMS;
        shale_move_slots(reader->mutator, reader->local.array, reader->local.array + done,
                         reader->local.array, count);
        shale_poll(reader->mutator);
    }
}

static void create(struct reader *reader, size_t bytes)
{
    static const uint32_t first[] = {0};
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = bytes + ((size_t)192 << 20);
    *reader = (struct reader){.length = bytes / sizeof(struct item *), .random = 7};
    reader->heap = shale_heap_create(&options, &error);
    bench_require(reader->heap != NULL, error.message);
    reader->mutator = shale_attach(reader->heap, &error);
    bench_require(reader->mutator != NULL, error.message);
    shale_type_spec item = {
        .name = "item", .size = sizeof(struct item), .pointers = first, .pointer_count = 1};
    shale_type_spec array = {
        .name = "array", .element_size = 8, .element_pointers = first, .element_pointer_count = 1};
    const shale_type *item_type = shale_type_register(reader->heap, &item, NULL);
    const shale_type *array_type = shale_type_register(reader->heap, &array, NULL);
    shale_frame_push(reader->mutator, &reader->frame, &reader->local, 1);
    reader->local.array = shale_allocate_array(reader->mutator, array_type, reader->length);
    bench_require(reader->local.array != NULL, "there is no room for the array");
    fill(reader, item_type);
    reader->pages = bytes / reader->heap->memory.views.page_size;
    reader->order = malloc(reader->pages * sizeof *reader->order);
    bench_require(reader->order != NULL, "there is no memory for a list of pages");
    for (size_t i = 0; i < reader->pages; i++)
        reader->order[i] = (uint32_t)i;
}

static void destroy(struct reader *reader)
{
    free(reader->order);
    shale_frame_pop(reader->mutator, &reader->frame);
    shale_detach(reader->mutator);
    shale_heap_destroy(reader->heap, NULL);
}

/* Reads a slot of each page right after a flip; the reads that had to wait for their page are added. */
static void read_after_flip(struct reader *reader, bool in_order, struct samples *waits)
{
    struct collector *collector = &reader->heap->collector;
    size_t slots = reader->heap->memory.views.page_size / sizeof(struct item *);
    if (!in_order)
        random_shuffle(&reader->random, reader->order, (uint32_t)reader->pages);
    uint64_t flips = atomic_u64_load(&collector->statistics.flips);
    shale_collect_start(reader->mutator, SHALE_COLLECT_MOVE_ALL);
    while (!page_states_active(&reader->heap->memory.pages) &&
           atomic_u64_load(&collector->statistics.flips) == flips)
        shale_poll(reader->mutator);
    for (size_t i = 0; i < reader->pages; i++) {
        size_t page = in_order ? i : reader->order[i];
        double took = (double)touch_nanoseconds((const char *)&reader->local.array[page * slots + slots / 2]);
        if (took > FAULT_NANOSECONDS)
            samples_add(waits, took);
    }
    shale_enter_native(reader->mutator);
    while (collector_running(collector) != 0)
        atomic_pause();
    shale_leave_native(reader->mutator);
}

void measure_large_access(struct finding *finding)
{
    if (cannot_compact(finding))
        return;
    struct reader reader;
    struct bare bare;
    struct samples waits = {NULL, 0, 0};
    struct samples bare_waits = {NULL, 0, 0};
    struct samples longest = {NULL, 0, 0};
    struct samples bare_longest = {NULL, 0, 0};
    size_t mib = full_length ? 1024 : 256;
    create(&reader, mib << 20);
    bare_create(&bare, BARE_POLL, BARE_PAGES);
    size_t waited = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        samples_clear(&waits);
        samples_clear(&bare_waits);
        read_after_flip(&reader, round % 2 == 0, &waits);
        bare_arm(&bare);
        bare_touch(&bare, BARE_PAGES, &bare_waits);
        bare_disarm(&bare);
        samples_add(&longest, samples_percentile(&waits, 100));
        samples_add(&bare_longest, samples_percentile(&bare_waits, 100));
        waited += waits.count;
        progress("reading an array", round + 1, ROUNDS);
    }
    finding->value = samples_median(&longest) / samples_median(&bare_longest);
    finding->limit = 3;
    set_details(finding, "%zu MiB, longest read %.0f us, longest bare fault %.0f us", mib,
                samples_median(&longest) / 1000, samples_median(&bare_longest) / 1000);
    add_remark(finding,
               "in the last round reads that waited: p50 %.1f us, p99 %.1f us; bare faults %.1f and %.1f us",
               samples_median(&waits) / 1000, samples_percentile(&waits, 99) / 1000,
               samples_median(&bare_waits) / 1000, samples_percentile(&bare_waits, 99) / 1000);
    add_remark(finding, "%zu of %zu reads waited; longest of any round: %.0f us, of bare faults %.0f us",
               waited, ROUNDS * reader.pages, samples_percentile(&longest, 100) / 1000,
               samples_percentile(&bare_longest, 100) / 1000);
    samples_free(&waits);
    samples_free(&bare_waits);
    samples_free(&longest);
    samples_free(&bare_longest);
    bare_destroy(&bare);
    destroy(&reader);
}
