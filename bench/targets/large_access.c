/*
 * Reading a large array of references while it is fixed up: the longest that any one access takes.
 *
 * The array has a reference in each slot, all to objects that the cycle moves, so every page of it has to be rewritten. When
 * the program runs again after the flip, it reads a slot on each page of the array, in order in one round and in random
 * order in the next, and times each read, while workers and the fault server are at work on the rest. The array never
 * moves, so all that a read can wait for is its page.
 *
 * A single fault is one that the same program takes at the same time on a page of small objects: between the reads of the
 * array it reads objects that have moved, each on a page of its own. What is compared is the longest of BLOCK such waits,
 * of each kind, the median of all blocks; the longest of all tells more about what else runs on the machine, and is given as
 * well. The target is 3 times.
 */
#include "bench/support/bare.h" /* touch_nanoseconds */
#include "bench/targets/targets.h"

#include "runtime/heap.h"

#include <stdlib.h>

enum { ROUNDS = 12, ITEMS = 4 << 20, SINGLES = 16384, BLOCK = 100 };

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
    shale_handle *singles[SINGLES]; /* objects on different pages */
    uint32_t *order;                /* pages of the array */
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
        if (i % (ITEMS / SINGLES) == 0)
            reader->singles[i / (ITEMS / SINGLES)] = shale_handle_create(reader->mutator, one);
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
    options.heap_size = bytes + ((size_t)352 << 20);
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
    for (size_t i = 0; i < SINGLES; i++)
        shale_handle_drop(reader->mutator, reader->singles[i]);
    shale_frame_pop(reader->mutator, &reader->frame);
    shale_detach(reader->mutator);
    shale_heap_destroy(reader->heap, NULL);
}

static void read_one(const void *at, struct samples *waits)
{
    double took = (double)touch_nanoseconds(at);
    if (took > FAULT_NANOSECONDS)
        samples_add(waits, took);
}

/* Reads a slot of each page right after a flip, and the single objects; the reads that had to wait for their page
 * are added. */
static void read_after_flip(struct reader *reader, bool in_order, struct samples *waits,
                            struct samples *singles)
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
        read_one(&reader->local.array[page * slots + slots / 2], waits);
        size_t single = i / (reader->pages / SINGLES);
        if (i % (reader->pages / SINGLES) == 0 && single < SINGLES)
            read_one(shale_handle_get(reader->singles[in_order ? single : (single * 1237) % SINGLES]),
                     singles);
    }
    shale_enter_native(reader->mutator);
    while (collector_running(collector) != 0)
        atomic_pause();
    shale_leave_native(reader->mutator);
}

/* The longest of each BLOCK waits, in the order in which they happened: the median. */
static double longest_of_block(const struct samples *waits)
{
    struct samples longest = {NULL, 0, 0};
    for (size_t i = 0; i + BLOCK <= waits->count; i += BLOCK) {
        double most = 0;
        for (size_t k = i; k < i + BLOCK; k++)
            most = waits->values[k] > most ? waits->values[k] : most;
        samples_add(&longest, most);
    }
    double median = samples_median(&longest);
    samples_free(&longest);
    return median;
}

void measure_large_access(struct finding *finding)
{
    if (cannot_compact(finding))
        return;
    static struct reader reader;
    struct samples waits = {NULL, 0, 0};
    struct samples singles = {NULL, 0, 0};
    size_t mib = full_length ? 1024 : 256;
    create(&reader, mib << 20);
    for (size_t round = 0; round < ROUNDS || (singles.count < BLOCK && round < 4 * ROUNDS); round++) {
        read_after_flip(&reader, round % 2 == 0, &waits, &singles);
        progress("reading an array", round + 1, ROUNDS);
    }
    double longest = longest_of_block(&waits);
    double longest_single = longest_of_block(&singles);
    finding->value = longest / longest_single;
    finding->limit = 3;
    set_details(finding, "%zu MiB, longest of %d waits %.0f us, of as many single faults %.0f us", mib, BLOCK,
                longest / 1000, longest_single / 1000);
    add_remark(finding, "p50 %.1f us, p99 %.1f us; single faults %.1f and %.1f us",
               samples_median(&waits) / 1000, samples_percentile(&waits, 99) / 1000,
               samples_median(&singles) / 1000, samples_percentile(&singles, 99) / 1000);
    add_remark(finding,
               "%zu of %zu reads waited, the longest %.0f us; %zu single faults, the longest %.0f us",
               waits.count, ROUNDS * reader.pages, samples_percentile(&waits, 100) / 1000, singles.count,
               samples_percentile(&singles, 100) / 1000);
    samples_free(&waits);
    samples_free(&singles);
    destroy(&reader);
}
