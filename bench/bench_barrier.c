/*
 * What a mutator pays while a cycle marks, and for weak references: shale_store where all is marked already and shale_weak_get,
 * each with no cycle and while marking, beside the plain C that they stand for.
 *
 * Marking is held open by a second thread (support/held_marking). Stores over what is not marked yet, which shade it, are
 * timed by the target store-marking, since each can be made once only.
 */
#include "bench/gbench.h"
#include "bench/support/held_marking.h"
#include "bench/support/samples.h"

#include <shale/shale.h>

enum { SLOTS = 4000, WEAKS = 1024, HEAP_MIB = 64, TRACE_MILLISECONDS = 200 };

static shale_heap *heap;
static shale_mutator *mutator;
static struct {
    void **slots; /* of an array that holds itself */
    shale_weak **weaks;
} roots;
static shale_frame frame;

static const shale_type *array_type(void)
{
    static const uint32_t element[] = {0};
    shale_error error;
    const shale_type *type = shale_type_register(heap,
                                                 &(shale_type_spec){.name = "array",
                                                                    .element_size = sizeof(void *),
                                                                    .element_pointers = element,
                                                                    .element_pointer_count = 1},
                                                 &error);
    bench_require(type != NULL, error.message);
    return type;
}

/* No cycle comes unless it is asked for, and none moves anything: addresses stay. */
static void create(void)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = (size_t)HEAP_MIB << 20;
    options.target = 0;
    heap = shale_heap_create(&options, &error);
    bench_require(heap != NULL, error.message);
    mutator = shale_attach(heap, &error);
    bench_require(mutator != NULL, error.message);
    shale_frame_push(mutator, &frame, &roots, 2);
    const shale_type *type = array_type();
    roots.slots = shale_allocate_array(mutator, type, SLOTS);
    roots.weaks = shale_allocate_array(mutator, type, WEAKS);
    bench_require(roots.slots != NULL && roots.weaks != NULL, "the heap is full");
    for (size_t i = 0; i < SLOTS; i++)
        shale_store(mutator, roots.slots, &roots.slots[i], roots.slots);
    for (size_t i = 0; i < WEAKS; i++) {
        shale_weak *weak = shale_weak_create(mutator, roots.slots);
        bench_require(weak != NULL, "the heap is full");
        shale_store(mutator, roots.weaks, &roots.weaks[i], weak);
    }
}

static void begin(struct held_marking *held, const void *marking)
{
    if (marking != NULL)
        held_marking_begin(held, heap, mutator, TRACE_MILLISECONDS);
}

static void end(struct held_marking *held, const void *marking)
{
    if (marking != NULL)
        held_marking_end(held, mutator);
}

static void store(gbench_state *state, void *marking)
{
    struct held_marking held;
    begin(&held, marking);
    void **slots = roots.slots;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            shale_store(mutator, slots, &slots[i % SLOTS], slots);
            gbench_clobber_memory();
        }
    }
    end(&held, marking);
}

static void store_limit(gbench_state *state, void *context)
{
    (void)context;
    void **slots = roots.slots;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            slots[i % SLOTS] = slots;
            gbench_clobber_memory();
        }
    }
}

static void weak_get(gbench_state *state, void *marking)
{
    struct held_marking held;
    begin(&held, marking);
    shale_weak *const *weaks = roots.weaks;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++)
            gbench_keep(shale_weak_get(mutator, weaks[i % WEAKS]));
    }
    end(&held, marking);
}

/* Through as many pointers. */
static void weak_get_limit(gbench_state *state, void *context)
{
    (void)context;
    shale_weak *const *weaks = roots.weaks;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++)
            gbench_keep(*(void *const volatile *)weaks[i % WEAKS]);
    }
}

int main(int argc, char **argv)
{
    static char marking[] = "marking";
    create();
    gbench_set_min_time(gbench_register("store/idle", store, NULL), 0.2);
    gbench_set_min_time(gbench_register("store/marking", store, marking), 0.2);
    gbench_set_min_time(gbench_register("store/plain_limit", store_limit, NULL), 0.2);
    gbench_set_min_time(gbench_register("weak/get_idle", weak_get, NULL), 0.2);
    gbench_set_min_time(gbench_register("weak/get_marking", weak_get, marking), 0.2);
    gbench_set_min_time(gbench_register("weak/two_loads_limit", weak_get_limit, NULL), 0.2);
    int status = gbench_main(argc, argv);
    shale_statistics statistics;
    shale_heap_statistics(heap, &statistics);
    bench_require(statistics.flips == 0, "objects moved while their addresses were used");
    shale_frame_pop(mutator, &frame);
    shale_detach(mutator);
    shale_heap_destroy(heap, NULL);
    return status;
}
