/*
 * What shale_store costs over a plain store, on random objects, while no barrier is up and while marking.
 *
 * Both loops go through one list of objects in random order and store a reference to the one listed before into
 * a slot of each; they differ in the store alone. Objects have 64 bytes, and 256 KiB of them (which caches
 * hold) or 128 MiB (which they do not). The list holds plain addresses: nothing allocates meanwhile, so no
 * cycle runs and nothing moves. CPU time of the thread, many short turns, minima: a loop of so few instructions
 * is slowed down by all that a neighbour on the same core does. The value is the worse of the two ratios.
 *
 * pages-store: the plain loop alone, in a heap without a write barrier and in one with, each after a cycle. That nothing is
 * left of the tracking of writes is what it shows.
 */
#include "bench/gbench.h"
#include "bench/support/held_marking.h"
#include "bench/support/samples.h"
#include "bench/targets/targets.h"

#include "heap/layout.h"

#include <shale/shale.h>

#include <stdlib.h>

enum {
    OBJECT_SIZE = 64,
    TURNS = 201,
    STORES = 200000,
    ARRAY_LENGTH = 4000,
    ARRAYS_MAX = 1024,
    TRACE_MILLISECONDS = 1000
};

#define IN_CACHE ((size_t)256 << 10)
#define OUT_OF_CACHE ((size_t)128 << 20)

struct object {
    struct object *slot;
    char rest[OBJECT_SIZE - HEADER_SIZE - sizeof(struct object *)];
};

struct array {
    struct object *elements[ARRAY_LENGTH];
};

/* Objects in a heap, and their addresses in random order. */
struct objects {
    shale_heap *heap;
    shale_mutator *mutator;
    struct {
        struct array *arrays[ARRAYS_MAX];
    } roots;
    shale_frame frame;
    struct object **list;
    size_t count;
    size_t next; /* in the list */
    struct samples shale;
    struct samples plain;
};

static const shale_type *register_type(struct objects *objects, const shale_type_spec *spec)
{
    shale_error error;
    const shale_type *type = shale_type_register(objects->heap, spec, &error);
    bench_require(type != NULL, error.message);
    return type;
}

static void list_objects(struct objects *objects)
{
    uint64_t random = 5;
    objects->list = malloc(objects->count * sizeof *objects->list);
    bench_require(objects->list != NULL, "there is no memory for the list of objects");
    for (size_t i = 0; i < objects->count; i++) {
        size_t other = random_below(&random, i + 1);
        objects->list[i] = objects->list[other];
        objects->list[other] = objects->roots.arrays[i / ARRAY_LENGTH]->elements[i % ARRAY_LENGTH];
    }
}

static void create(struct objects *objects, size_t bytes, int barrier)
{
    static const uint32_t offset[] = {0};
    *objects = (struct objects){.count = bytes / OBJECT_SIZE};
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = bytes * 2 + (HEAP_UNIT * 16);
    options.target = 0;
    options.barrier = barrier;
    objects->heap = shale_heap_create(&options, &error);
    bench_require(objects->heap != NULL, error.message);
    objects->mutator = shale_attach(objects->heap, &error);
    bench_require(objects->mutator != NULL, error.message);
    const shale_type *type = register_type(objects, &(shale_type_spec){.name = "object",
                                                                       .size = sizeof(struct object),
                                                                       .pointers = offset,
                                                                       .pointer_count = 1});
    const shale_type *array = register_type(objects, &(shale_type_spec){.name = "array",
                                                                        .element_size = sizeof(void *),
                                                                        .element_pointers = offset,
                                                                        .element_pointer_count = 1});
    shale_frame_push(objects->mutator, &objects->frame, &objects->roots, ARRAYS_MAX);
    for (size_t i = 0; i < objects->count; i++) {
        struct array **holder = &objects->roots.arrays[i / ARRAY_LENGTH];
        if (*holder == NULL)
            *holder = shale_allocate_array(objects->mutator, array, ARRAY_LENGTH);
        struct object *object = shale_allocate(objects->mutator, type);
        bench_require(*holder != NULL && object != NULL, "the heap is full");
        shale_store(objects->mutator, *holder, &(*holder)->elements[i % ARRAY_LENGTH], object);
    }
    list_objects(objects);
}

static void destroy(struct objects *objects)
{
    shale_statistics statistics;
    shale_heap_statistics(objects->heap, &statistics);
    bench_require(statistics.flips == 0, "objects moved while their addresses were listed");
    shale_frame_pop(objects->mutator, &objects->frame);
    shale_detach(objects->mutator);
    shale_heap_destroy(objects->heap, NULL);
    free(objects->list);
    samples_free(&objects->shale);
    samples_free(&objects->plain);
}

__attribute__((noinline)) static void store_shale(shale_mutator *mutator, struct object *const *list,
                                                  size_t count)
{
    for (size_t i = 1; i < count; i++)
        shale_store(mutator, list[i], &list[i]->slot, list[i - 1]);
}

__attribute__((noinline)) static void store_plain(shale_mutator *mutator, struct object *const *list,
                                                  size_t count)
{
    (void)mutator;
    for (size_t i = 1; i < count; i++)
        list[i]->slot = list[i - 1];
}

typedef void (*store_loop)(shale_mutator *mutator, struct object *const *list, size_t count);

/* One turn: nanoseconds a store. It goes on in the list where the last one of either kind ended. */
static void time_stores(struct objects *objects, store_loop loop, struct samples *samples)
{
    uint64_t before = thread_nanoseconds();
    for (size_t done = 0; done < STORES;) {
        size_t count = objects->count - objects->next;
        if (count > STORES - done)
            count = STORES - done;
        loop(objects->mutator, objects->list + objects->next, count);
        objects->next = (objects->next + count) % objects->count;
        done += count;
    }
    samples_add(samples, (double)(thread_nanoseconds() - before) / STORES);
}

/* ---- turns ----------------------------------------------------------------------------------------- */

enum phase { IDLE, UNMARKED, MARKED };

/* The ratio of the minima. */
static double take_turns(struct finding *finding, size_t bytes, enum phase phase, const char *what)
{
    struct objects objects;
    struct held_marking held;
    create(&objects, bytes, SHALE_BARRIER_STORES);
    if (phase != IDLE)
        held_marking_begin(&held, objects.heap, objects.mutator, phase == MARKED ? TRACE_MILLISECONDS : 0);
    time_stores(&objects, store_plain, &objects.plain);
    time_stores(&objects, store_shale, &objects.shale);
    samples_clear(&objects.plain);
    samples_clear(&objects.shale);
    for (size_t turn = 0; turn < TURNS; turn++) {
        time_stores(&objects, store_shale, &objects.shale);
        time_stores(&objects, store_plain, &objects.plain);
        progress(what, turn, TURNS);
    }
    double shale = samples_percentile(&objects.shale, 0);
    double plain = samples_percentile(&objects.plain, 0);
    add_remark(finding, "%s: %.2f; shale_store %.2f ns, median %.2f; a plain store %.2f ns, median %.2f",
               what, shale / plain, shale, samples_median(&objects.shale), plain,
               samples_median(&objects.plain));
    if (phase != IDLE)
        held_marking_end(&held, objects.mutator);
    destroy(&objects);
    return shale / plain;
}

void measure_store_idle(struct finding *finding)
{
    double in_cache = take_turns(finding, IN_CACHE, IDLE, "stores into 256 KiB");
    double out_of_cache = take_turns(finding, OUT_OF_CACHE, IDLE, "stores into 128 MiB");
    finding->value = in_cache > out_of_cache ? in_cache : out_of_cache;
    finding->limit = 1.1;
    set_details(finding, "in cache %.2f, out of cache %.2f", in_cache, out_of_cache);
}

void measure_store_marking(struct finding *finding)
{
    double unmarked =
        take_turns(finding, OUT_OF_CACHE, UNMARKED, "stores into 128 MiB that is not marked yet");
    double marked = take_turns(finding, OUT_OF_CACHE, MARKED, "stores into 128 MiB that is marked");
    double in_cache = take_turns(finding, IN_CACHE, MARKED, "stores into 256 KiB that are marked");
    finding->value = unmarked > marked ? unmarked : marked;
    finding->limit = 3;
    set_details(finding, "out of cache %.2f unmarked, %.2f marked; in cache %.2f marked", unmarked, marked,
                in_cache);
}

/* ---- without a barrier ----------------------------------------------------------------------------- */

/* Plain stores in both heaps, after a cycle in each. The ratio of the minima. */
static double compare_plain(struct finding *finding, size_t bytes, const char *what)
{
    struct objects objects[2]; /* without a barrier, and with one */
    for (int i = 0; i < 2; i++) {
        create(&objects[i], bytes, i == 0 ? SHALE_BARRIER_PAGES : SHALE_BARRIER_STORES);
        shale_collect(objects[i].mutator, SHALE_COLLECT_NORMAL);
        shale_enter_native(objects[i].mutator); /* a thread is at work with one heap at a time */
    }
    for (size_t turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < 2; i++) {
            shale_leave_native(objects[i].mutator);
            time_stores(&objects[i], store_plain, &objects[i].plain);
            shale_enter_native(objects[i].mutator);
        }
        progress(what, turn, TURNS);
    }
    double pages = samples_percentile(&objects[0].plain, 0);
    double stores = samples_percentile(&objects[1].plain, 0);
    add_remark(
        finding,
        "%s: %.2f; a plain store without a barrier %.2f ns, median %.2f; with one %.2f ns, median %.2f", what,
        pages / stores, pages, samples_median(&objects[0].plain), stores, samples_median(&objects[1].plain));
    for (int i = 0; i < 2; i++) {
        shale_leave_native(objects[i].mutator);
        destroy(&objects[i]);
    }
    return pages / stores;
}

void measure_pages_store(struct finding *finding)
{
    if (cannot_track(finding))
        return;
    double in_cache = compare_plain(finding, IN_CACHE, "stores into 256 KiB");
    double out_of_cache = compare_plain(finding, OUT_OF_CACHE, "stores into 128 MiB");
    finding->value = in_cache > out_of_cache ? in_cache : out_of_cache;
    finding->limit = 1.1;
    set_details(finding, "in cache %.2f, out of cache %.2f", in_cache, out_of_cache);
}
