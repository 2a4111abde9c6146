/*
 * What the targets on allocation share: two memory managers that do the same in turns, and the program of small objects.
 *
 * Time is taken twice, wall time, and CPU time of all threads, which charges the concurrent collector in full. A turn of Shale's
 * lasts until no cycle is running, so all collections that it caused are in its time.
 */
#ifndef BENCH_TARGETS_ALLOCATING_H
#define BENCH_TARGETS_ALLOCATING_H

#include "bench/gbench.h"
#include "bench/support/samples.h"
#include "bench/targets/targets.h"

#include "runtime/heap.h"

/* ---- turns ----------------------------------------------------------------------------------------- */

/* Nanoseconds for each thing that is allocated. */
struct side_times {
    struct samples wall;
    struct samples cpu;
};

/* One way in which both sides use memory. */
struct pattern {
    const char *name;
    size_t argument; /* of the functions that take the turns */
    struct side_times shale;
    struct side_times other;
};

typedef void (*side_function)(void *bench, size_t argument);

/* A turn of each side, in which it allocates `count` things. */
void pattern_take_turns(struct pattern *pattern, side_function shale, side_function other, void *bench,
                        size_t count);

/* Shale's median time over the other's. */
double pattern_wall(struct pattern *pattern);
double pattern_cpu(struct pattern *pattern);
/* The worse of the two. */
double pattern_worse(struct pattern *pattern);

/* A remark with the pattern's `value` and all its times, in units of so many nanoseconds. Frees the times. */
void pattern_report(struct finding *finding, struct pattern *pattern, double value, const char *unit,
                    double nanoseconds);

/* Waits until no cycle is running. */
void await_no_cycle(shale_heap *heap, shale_mutator *mutator);

/* ---- small objects --------------------------------------------------------------------------------- */

/* Both sides take an object of the next size of one random sequence (payloads of 16 to 128 bytes, mostly small), write two
 * words of it and put it at the head of a list; `batch` objects are forgotten together, which the other side frees one by one,
 * in the order of the list. */
enum { SMALL_SIZES = 8, SMALL_SEQUENCE = 4096, SMALL_OBJECTS = 2000000 };
#define SMALL_HEAP_BYTES ((size_t)64 << 20)
extern const unsigned small_sizes[SMALL_SIZES];

/* Objects of a batch: dropped soon; kept, about a quarter of the heap. */
enum { SMALL_DROPPED = 100, SMALL_KEPT = 250000 };

struct small_node {
    struct small_node *next;
    uint64_t number;
};

struct small_objects {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *types[SMALL_SIZES];
    unsigned char sequence[SMALL_SEQUENCE]; /* indices of sizes */
};

/* `target`: the heap's option; its default is that of shale_options_init. */
void small_objects_create(struct small_objects *objects, unsigned target);
unsigned small_objects_default_target(void);
void small_objects_destroy(struct small_objects *objects);

static inline unsigned small_kind(const struct small_objects *objects, size_t number)
{
    return objects->sequence[number % SMALL_SEQUENCE];
}

/* Shale's turn; `allocate` is a constant where this is called, and inlined. */
static inline __attribute__((always_inline)) void small_objects_shale(
    const struct small_objects *objects, size_t batch,
    void *(*allocate)(shale_mutator *mutator, const shale_type *type))
{
    struct {
        struct small_node *head;
    } local = {NULL};
    shale_frame frame;
    shale_frame_push(objects->mutator, &frame, &local, 1);
    for (size_t done = 0; done < SMALL_OBJECTS; done += batch) {
        for (size_t i = 0; i < batch; i++) {
            struct small_node *node =
                allocate(objects->mutator, objects->types[small_kind(objects, done + i)]);
            bench_require(node != NULL, "the heap is full");
            node->next = local.head;
            node->number = i;
            local.head = node;
        }
        gbench_keep(local.head);
        local.head = NULL;
    }
    shale_frame_pop(objects->mutator, &frame);
    await_no_cycle(objects->heap, objects->mutator);
}

/* The other side's. */
static inline __attribute__((always_inline)) void small_objects_other(const struct small_objects *objects,
                                                                      size_t batch,
                                                                      void *(*allocate)(size_t size),
                                                                      void (*release)(void *memory))
{
    for (size_t done = 0; done < SMALL_OBJECTS; done += batch) {
        struct small_node *head = NULL;
        for (size_t i = 0; i < batch; i++) {
            struct small_node *node = allocate(small_sizes[small_kind(objects, done + i)]);
            bench_require(node != NULL, "the other side has no memory");
            node->next = head;
            node->number = i;
            head = node;
        }
        gbench_keep(head);
        while (head != NULL) {
            struct small_node *next = head->next;
            release(head);
            head = next;
        }
    }
}

#endif
