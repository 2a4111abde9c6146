/*
 * What a mutator does all the time while no cycle runs: stores, polls, frames, handles, each beside the
 * plain C that it stands for.
 */
#include "bench/gbench.h"
#include "bench/support/samples.h"

#include <pthread.h>
#include <shale/shale.h>

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4096 };

static shale_heap *heap;
static shale_mutator *mutator;
static void **slots; /* of an object in the heap, held by a handle */
static void *object;

static void create(void)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    heap = shale_heap_create(&options, &error);
    bench_require(heap != NULL, error.message);
    mutator = shale_attach(heap, &error);
    bench_require(mutator != NULL, error.message);
    static const uint32_t element[] = {0};
    shale_type_spec spec = {
        .name = "array", .element_size = 8, .element_pointers = element, .element_pointer_count = 1};
    const shale_type *type = shale_type_register(heap, &spec, &error);
    bench_require(type != NULL, error.message);
    object = shale_allocate_array(mutator, type, SLOTS);
    bench_require(object != NULL && shale_handle_create(mutator, object) != NULL, "the heap is full");
    slots = object;
}

static void store(gbench_state *state, void *context)
{
    (void)context;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            shale_store(mutator, object, &slots[i % SLOTS], object);
            gbench_clobber_memory();
        }
    }
}

static void store_limit(gbench_state *state, void *context)
{
    (void)context;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            slots[i % SLOTS] = object;
            gbench_clobber_memory();
        }
    }
}

static void fill(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        shale_fill_slots(mutator, object, slots, SLOTS, object);
        gbench_clobber_memory();
    }
    gbench_set_bytes_processed(state, gbench_iterations(state) * SLOTS * (int64_t)sizeof *slots);
}

static void fill_by_stores(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        for (size_t i = 0; i < SLOTS; i++)
            shale_store(mutator, object, &slots[i], object);
        gbench_clobber_memory();
    }
    gbench_set_bytes_processed(state, gbench_iterations(state) * SLOTS * (int64_t)sizeof *slots);
}

static void fill_limit(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        memset(slots, 0, SLOTS * sizeof *slots);
        gbench_clobber_memory();
    }
    gbench_set_bytes_processed(state, gbench_iterations(state) * SLOTS * (int64_t)sizeof *slots);
}

static void poll(gbench_state *state, void *context)
{
    (void)context;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            shale_poll(mutator);
            gbench_clobber_memory();
        }
    }
}

static void poll_limit(gbench_state *state, void *context)
{
    (void)context;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++)
            gbench_clobber_memory();
    }
}

static void frame(gbench_state *state, void *context)
{
    (void)context;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            void *locals[2] = {NULL, NULL};
            shale_frame pushed;
            shale_frame_push(mutator, &pushed, locals, 2);
            gbench_keep(locals);
            shale_frame_pop(mutator, &pushed);
        }
    }
}

static void frame_limit(gbench_state *state, void *context)
{
    (void)context;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++) {
            void *locals[2] = {NULL, NULL};
            gbench_keep(locals);
        }
    }
}

static void handle_create(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        shale_handle *handle = shale_handle_create(mutator, object);
        gbench_keep(handle);
        shale_handle_drop(mutator, handle);
    }
}

static void handle_create_limit(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        void **box = malloc(sizeof *box);
        bench_require(box != NULL, "malloc has no memory");
        *box = object;
        gbench_keep(box);
        free(box);
    }
}

static void handle_local(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        shale_scope scope;
        shale_scope_open(mutator, &scope);
        gbench_keep(shale_local(mutator, object));
        gbench_keep(shale_local(mutator, object));
        shale_scope_close(mutator, &scope);
    }
}

static void handle_local_limit(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        void *volatile locals[2];
        locals[0] = object;
        gbench_keep((const void *)&locals[0]);
        locals[1] = object;
        gbench_keep((const void *)&locals[1]);
    }
}

static void handle_get(gbench_state *state, void *context)
{
    (void)context;
    shale_handle *handle = shale_handle_create(mutator, object);
    bench_require(handle != NULL, "there is no memory for a handle");
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++)
            gbench_keep(shale_handle_get(handle));
    }
    shale_handle_drop(mutator, handle);
}

static void handle_get_limit(gbench_state *state, void *context)
{
    (void)context;
    uint64_t count;
    while ((count = gbench_take_all(state)) != 0) {
        for (uint64_t i = 0; i < count; i++)
            gbench_keep(*(void *volatile *)&slots[0]);
    }
}

static void pin_counted(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        bench_require(shale_pin(mutator, object) == SHALE_OK, "an object could not be pinned");
        shale_unpin(mutator, object);
    }
}

static void pin_scope(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        shale_pin_scope scope;
        bench_require(shale_pin_begin(mutator, &scope, object) == SHALE_OK, "an object could not be pinned");
        shale_pin_end(mutator, &scope);
    }
}

static void critical(gbench_state *state, void *context)
{
    (void)context;
    while (gbench_keep_running(state)) {
        shale_enter_critical(mutator);
        shale_leave_critical(mutator);
    }
}

/* What each end of them takes at least, twice. */
static void locks_limit(gbench_state *state, void *context)
{
    (void)context;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    while (gbench_keep_running(state)) {
        for (int i = 0; i < 2; i++) {
            pthread_mutex_lock(&lock);
            pthread_mutex_unlock(&lock);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        gbench_function function;
    } cases[] = {
        {"store/shale", store},
        {"store/plain_limit", store_limit},
        {"fill/slots", fill},
        {"fill/by_stores", fill_by_stores},
        {"fill/memset_limit", fill_limit},
        {"poll/shale", poll},
        {"poll/empty_loop_limit", poll_limit},
        {"frame/push_pop", frame},
        {"frame/locals_only_limit", frame_limit},
        {"handle/create_drop", handle_create},
        {"handle/malloc_free_limit", handle_create_limit},
        {"handle/scope_of_two", handle_local},
        {"handle/two_locals_limit", handle_local_limit},
        {"handle/get", handle_get},
        {"handle/load_limit", handle_get_limit},
        {"pin/counted", pin_counted},
        {"pin/scope", pin_scope},
        {"pin/critical_section", critical},
        {"pin/two_locks_limit", locks_limit},
    };
    create();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        gbench_set_min_time(gbench_register(cases[i].name, cases[i].function, NULL), 0.2);
    int status = gbench_main(argc, argv);
    shale_detach(mutator);
    shale_heap_destroy(heap, NULL);
    return status;
}
