#include "bench/support/mutators.h"

#include "bench/support/samples.h"
#include "runtime/heap.h"

#include <time.h>

enum {
    ARRAY_LENGTH = 2000,
    LEAF_WORDS_LEAST = 1,
    LEAF_WORDS_MOST = 50,
    NODE_AND_LEAF_BYTES = 256, /* with their headers, about, on average */
    BATCH = 256,
    TARGET = 130, /* percent of what is live: cycles come often */
    WINDOWS = 32
};

/* What each thread allocates in a second, whatever the machine. A thread that is late by more than SECOND / 10
 * does not catch up. */
static const uint64_t SECOND = 1000000000;
static const uint64_t BATCH_NANOSECONDS = 1000000; /* 64 MiB in a second */

struct leaf {
    uint64_t words[LEAF_WORDS_MOST];
};

struct node {
    struct node **array; /* that it is in */
    struct leaf *leaf;
    uint64_t number;
};

/* What a thread keeps: its roots come first. */
struct keeper {
    struct {
        struct node ***directory; /* arrays of nodes */
        struct leaf *leaf;        /* that no node has yet */
    } roots;
    shale_frame frame;
    shale_mutator *mutator;
    const struct mutators *mutators;
    uint64_t *random;
    size_t window_start; /* the first of the nodes that are being replaced */
    size_t left_in_window;
};

/* ---- nodes ----------------------------------------------------------------------------------------- */

static void *new_array(const struct keeper *keeper, const shale_type *type, size_t length)
{
    void *array = shale_allocate_array(keeper->mutator, type, length);
    bench_require(array != NULL, "the heap is full");
    return array;
}

static void put_node(struct keeper *keeper, size_t number)
{
    size_t length = LEAF_WORDS_LEAST + random_below(keeper->random, LEAF_WORDS_MOST - LEAF_WORDS_LEAST + 1);
    keeper->roots.leaf = new_array(keeper, keeper->mutators->leaf_type, length);
    keeper->roots.leaf->words[0] = number;
    struct node *node = shale_allocate(keeper->mutator, keeper->mutators->node_type);
    bench_require(node != NULL, "the heap is full");
    struct node **array = keeper->roots.directory[number / ARRAY_LENGTH];
    node->array = array;
    node->leaf = keeper->roots.leaf;
    node->number = number;
    shale_store(keeper->mutator, array, &array[number % ARRAY_LENGTH], node);
}

static void check_node(const struct keeper *keeper, size_t number)
{
    struct node *const *array = keeper->roots.directory[number / ARRAY_LENGTH];
    const struct node *node = array[number % ARRAY_LENGTH];
    bench_require(node->number == number && node->array == array && node->leaf->words[0] == number,
                  "a node is not what was put there");
}

static void make_nodes(struct keeper *keeper)
{
    const struct mutators *mutators = keeper->mutators;
    size_t arrays = (mutators->nodes + ARRAY_LENGTH - 1) / ARRAY_LENGTH;
    keeper->roots.directory = new_array(keeper, mutators->array_type, arrays);
    for (size_t i = 0; i < arrays; i++) {
        struct node **array = new_array(keeper, mutators->array_type, ARRAY_LENGTH);
        shale_store(keeper->mutator, keeper->roots.directory, &keeper->roots.directory[i], array);
    }
    for (size_t i = 0; i < mutators->nodes; i++)
        put_node(keeper, i);
}

/* Works in one window until as many nodes were replaced as it has, of which a third is older then; and goes on
 * in another one. */
static void replace_nodes(struct keeper *keeper)
{
    size_t window = keeper->mutators->nodes / WINDOWS;
    for (size_t i = 0; i < BATCH; i++) {
        if (keeper->left_in_window-- == 0) {
            keeper->window_start = window * random_below(keeper->random, WINDOWS);
            keeper->left_in_window = window;
        }
        size_t number = keeper->window_start + random_below(keeper->random, window);
        check_node(keeper, number);
        put_node(keeper, number);
    }
    shale_poll(keeper->mutator);
}

/* ---- threads --------------------------------------------------------------------------------------- */

static void sleep_until(shale_mutator *mutator, uint64_t due)
{
    struct timespec time = {(time_t)(due / SECOND), (long)(due % SECOND)};
    shale_enter_native(mutator);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
    shale_leave_native(mutator);
}

static void work_for_a_turn(struct keeper *keeper)
{
    uint64_t due = clock_nanoseconds();
    while (atomic_u32_load(&keeper->mutators->open) != 0) {
        replace_nodes(keeper);
        due += BATCH_NANOSECONDS;
        uint64_t now = clock_nanoseconds();
        if (now < due)
            sleep_until(keeper->mutator, due);
        else if (now - due > SECOND / 10)
            due = now;
    }
}

/* Returns whether there is one. */
static bool wait_for_turn(struct mutators *mutators, shale_mutator *mutator)
{
    shale_enter_native(mutator);
    pthread_mutex_lock(&mutators->lock);
    mutators->waiting++;
    pthread_cond_broadcast(&mutators->changed);
    while (atomic_u32_load(&mutators->open) == 0 && !mutators->quit)
        pthread_cond_wait(&mutators->changed, &mutators->lock);
    mutators->waiting--;
    bool quit = mutators->quit;
    pthread_mutex_unlock(&mutators->lock);
    shale_leave_native(mutator);
    return !quit;
}

static void *run(void *argument)
{
    struct mutators_thread *thread = argument;
    struct mutators *mutators = thread->mutators;
    shale_error error;
    struct keeper keeper = {.mutators = mutators, .random = &thread->random};
    keeper.mutator = shale_attach(mutators->heap, &error);
    bench_require(keeper.mutator != NULL, error.message);
    shale_frame_push(keeper.mutator, &keeper.frame, &keeper.roots, sizeof keeper.roots / sizeof(void *));
    make_nodes(&keeper);
    while (wait_for_turn(mutators, keeper.mutator))
        work_for_a_turn(&keeper);
    shale_frame_pop(keeper.mutator, &keeper.frame);
    shale_detach(keeper.mutator);
    return NULL;
}

static void wait_until_all_wait(struct mutators *mutators)
{
    pthread_mutex_lock(&mutators->lock);
    while (mutators->waiting != MUTATORS)
        pthread_cond_wait(&mutators->changed, &mutators->lock);
    pthread_mutex_unlock(&mutators->lock);
}

/* ---- the whole ------------------------------------------------------------------------------------- */

static void register_types(struct mutators *mutators)
{
    static const uint32_t offsets[] = {offsetof(struct node, array), offsetof(struct node, leaf)};
    const shale_type_spec specs[] = {
        {.name = "array",
         .element_size = sizeof(void *),
         .element_pointers = offsets,
         .element_pointer_count = 1},
        {.name = "node", .size = sizeof(struct node), .pointers = offsets, .pointer_count = 2},
        {.name = "leaf", .element_size = sizeof(uint64_t)},
    };
    const shale_type **types[] = {&mutators->array_type, &mutators->node_type, &mutators->leaf_type};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        shale_error error;
        *types[i] = shale_type_register(mutators->heap, &specs[i], &error);
        bench_require(*types[i] != NULL, error.message);
    }
}

void mutators_create(struct mutators *mutators, size_t live_bytes, int barrier)
{
    mutators_create_in(mutators, live_bytes, barrier, live_bytes + live_bytes / 2);
}

void mutators_hold_array(struct mutators *mutators, size_t slots)
{
    enum { SAME = 1000 }; /* neighbours that refer to one leaf */
    shale_error error;
    shale_mutator *mutator = shale_attach(mutators->heap, &error);
    bench_require(mutator != NULL, error.message);
    struct {
        void **array;
    } local = {shale_allocate_array(mutator, mutators->array_type, slots)};
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 1);
    bench_require(local.array != NULL && shale_handle_create(mutator, local.array) != NULL,
                  "there is no room for the array");
    for (size_t first = 0; first < slots; first += SAME) {
        void *leaf = shale_allocate_array(mutator, mutators->leaf_type, 1);
        bench_require(leaf != NULL, "the heap is full");
        size_t count = slots - first < SAME ? slots - first : SAME;
        shale_fill_slots(mutator, local.array, &local.array[first], count, leaf);
    }
    shale_frame_pop(mutator, &frame);
    shale_detach(mutator);
}

void mutators_create_in(struct mutators *mutators, size_t live_bytes, int barrier, size_t heap_size)
{
    *mutators = (struct mutators){.nodes = live_bytes / MUTATORS / NODE_AND_LEAF_BYTES};
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = heap_size;
    options.concurrent = SHALE_CONCURRENT_REQUIRE;
    options.target = TARGET;
    options.barrier = barrier;
    mutators->heap = shale_heap_create(&options, &error);
    bench_require(mutators->heap != NULL, error.message);
    register_types(mutators);
    pthread_mutex_init(&mutators->lock, NULL);
    pthread_cond_init(&mutators->changed, NULL);
    for (size_t i = 0; i < MUTATORS; i++) {
        struct mutators_thread *thread = &mutators->threads[i];
        *thread = (struct mutators_thread){.mutators = mutators, .random = i + 1};
        bench_require(pthread_create(&thread->thread, NULL, run, thread) == 0,
                      "a thread could not be started");
    }
    wait_until_all_wait(mutators);
}

static void set_state(struct mutators *mutators, bool open, bool quit)
{
    pthread_mutex_lock(&mutators->lock);
    atomic_u32_store(&mutators->open, open);
    mutators->quit = quit;
    pthread_cond_broadcast(&mutators->changed);
    pthread_mutex_unlock(&mutators->lock);
}

void mutators_turn(struct mutators *mutators, uint64_t nanoseconds)
{
    struct timespec time = {(time_t)(nanoseconds / SECOND), (long)(nanoseconds % SECOND)};
    set_state(mutators, true, false);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
    set_state(mutators, false, false);
    wait_until_all_wait(mutators);
    while (collector_running(&mutators->heap->collector) != 0)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, (long)SECOND / 1000}, NULL);
}

void mutators_destroy(struct mutators *mutators)
{
    set_state(mutators, false, true);
    for (size_t i = 0; i < MUTATORS; i++)
        pthread_join(mutators->threads[i].thread, NULL);
    bench_require(shale_heap_destroy(mutators->heap, NULL) == SHALE_OK, "the heap could not be destroyed");
    pthread_mutex_destroy(&mutators->lock);
    pthread_cond_destroy(&mutators->changed);
}
