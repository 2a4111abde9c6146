/*
 * Identity hashes asked for all the time while everything moves all the time. Each thread has objects of its own and
 * replaces them, so that there are always some that were never asked for, of sizes that have room for a hash and of
 * sizes that have not; and all threads ask for those of a table that they share, at the same time. Whatever was
 * answered once must be answered ever after, by whichever thread.
 */
#include "heap/type.h"
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, OWN = 600, SHARED = 2000 };

/* Small without and with room, a few pages, the largest that has room, the largest that grows. */
static const size_t sizes[] = {24, 16, 56, 5000, 9000, SHALE_OBJECT_MAX, SHALE_OBJECT_MAX - 8};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

struct run {
    shale_heap *heap;
    const shale_type *types[SIZES];
    const shale_type *table_type;
    shale_handle *table;     /* of SHARED objects */
    uint64_t hashes[SHARED]; /* atomic; 0: nobody has asked */
    pthread_barrier_t barrier;
    uint64_t deadline;
    bool over;
    uint64_t asked; /* atomic */
    uint64_t late;  /* atomic: of these, told while they were to move without growing */
};

struct worker {
    struct run *run;
    unsigned index;
    shale_mutator *mutator;
    struct stress_random random;
    void *objects[OWN];
    uint64_t hashes[OWN];
};

static const shale_type *draw_type(const struct run *run, struct stress_random *random)
{
    uint32_t draw = stress_random_below(random, 400);
    return run->types[draw < SIZES ? draw : draw % 3];
}

static uint64_t ask(struct worker *worker, const void *object)
{
    uint64_t hash = shale_identity_hash(worker->mutator, object);
    STRESS_CHECK(hash != 0, "no hash");
    __atomic_fetch_add(&worker->run->asked, 1, __ATOMIC_RELAXED);
    uint64_t header = __atomic_load_n((const uint64_t *)object - 1, __ATOMIC_RELAXED);
    if ((header & HEADER_HASH_BITS) == HEADER_ASKED)
        __atomic_fetch_add(&worker->run->late, 1, __ATOMIC_RELAXED);
    return hash;
}

static void use_own(struct worker *worker)
{
    unsigned index = stress_random_below(&worker->random, OWN);
    void **object = &worker->objects[index];
    if (*object == NULL || stress_random_chance(&worker->random, 12)) {
        void *new = shale_allocate(worker->mutator, draw_type(worker->run, &worker->random));
        STRESS_CHECK(new != NULL, "%s", shale_last_error(worker->mutator)->message);
        *object = new;
        worker->hashes[index] = 0;
        memset(new, (int)index, shale_size_of(worker->mutator, new));
        return;
    }
    if (worker->hashes[index] == 0 && !stress_random_chance(&worker->random, 4))
        return;
    uint64_t hash = ask(worker, *object);
    STRESS_CHECK(worker->hashes[index] == 0 || worker->hashes[index] == hash, "a hash was %#llx and is %#llx",
                 (unsigned long long)worker->hashes[index], (unsigned long long)hash);
    worker->hashes[index] = hash;
    const unsigned char *bytes = *object;
    size_t size = shale_size_of(worker->mutator, bytes);
    STRESS_CHECK(bytes[0] == (unsigned char)index && bytes[size - 1] == (unsigned char)index,
                 "an object has lost its contents");
}

static void use_shared(struct worker *worker)
{
    struct run *run = worker->run;
    void *const *table = shale_handle_get(run->table);
    unsigned index = stress_random_below(&worker->random, SHARED);
    uint64_t hash = ask(worker, table[index]);
    uint64_t before = 0;
    if (!__atomic_compare_exchange_n(&run->hashes[index], &before, hash, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        STRESS_CHECK(before == hash, "one thread was told %#llx, another %#llx", (unsigned long long)before,
                     (unsigned long long)hash);
}

/* Never asked for, among garbage. */
static void renew_shared(struct worker *worker)
{
    struct run *run = worker->run;
    memset(run->hashes, 0, sizeof run->hashes);
    for (unsigned i = 0; i < SHARED; i++) {
        void *garbage = shale_allocate(worker->mutator, run->types[0]);
        void *object = shale_allocate(worker->mutator, draw_type(run, &worker->random));
        STRESS_CHECK(garbage != NULL && object != NULL, "%s", shale_last_error(worker->mutator)->message);
        void **table = shale_handle_get(run->table);
        shale_store(worker->mutator, table, &table[i], object);
    }
    /* On a slow machine, or a busy one, until something has moved. */
    shale_statistics statistics;
    shale_heap_statistics(run->heap, &statistics);
    run->over = stress_milliseconds() >= run->deadline && statistics.flips > 3;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct run *run = worker->run;
    worker->mutator = stress_attach(run->heap);
    worker->random = stress_random_make(stress_seed() + worker->index);
    shale_frame frame;
    shale_frame_push(worker->mutator, &frame, worker->objects, OWN);
    for (;;) {
        if (worker->index == 0)
            renew_shared(worker);
        stress_barrier(worker->mutator, &run->barrier);
        if (run->over)
            break;
        for (unsigned step = 0; step < 3000; step++) {
            if (stress_random_chance(&worker->random, 200))
                STRESS_CHECK(shale_collect_start(worker->mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK,
                             "starting a cycle");
            if (stress_random_chance(&worker->random, 2))
                use_shared(worker);
            else
                use_own(worker);
            shale_poll(worker->mutator);
        }
        stress_barrier(worker->mutator, &run->barrier);
    }
    shale_frame_pop(worker->mutator, &frame);
    STRESS_CHECK(shale_detach(worker->mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void create(struct run *run, enum stress_mode mode, int verify)
{
    shale_options options;
    stress_options(&options, mode, (size_t)64 << 20, NULL);
    options.verify = verify;
    run->heap = stress_heap(&options);
    for (unsigned i = 0; i < SIZES; i++) {
        run->types[i] =
            shale_type_register(run->heap, &(shale_type_spec){.name = "object", .size = sizes[i]}, NULL);
        STRESS_CHECK(run->types[i] != NULL, "no type");
    }
    static const uint32_t first[] = {0};
    shale_type_spec table = {
        .name = "table", .element_size = 8, .element_pointers = first, .element_pointer_count = 1};
    run->table_type = shale_type_register(run->heap, &table, NULL);
    shale_mutator *mutator = stress_attach(run->heap);
    run->table = shale_handle_create(mutator, shale_allocate_array(mutator, run->table_type, SHARED));
    STRESS_CHECK(run->table != NULL, "no table");
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
}

static void one_run(enum stress_mode mode, int verify)
{
    if (!stress_mode_works(mode))
        return;
    static struct run run;
    run = (struct run){.deadline = stress_milliseconds() + (stress_quick() ? 300 : 2000)};
    create(&run, mode, verify);
    pthread_barrier_init(&run.barrier, NULL, THREADS);
    static struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.run = &run, .index = i};
    stress_threads(THREADS, work, workers, sizeof workers[0]);
    shale_statistics statistics;
    shale_heap_statistics(run.heap, &statistics);
    printf("  faults %s, verify %d: %llu hashes, %llu of them late, %llu flips\n", stress_mode_names[mode],
           verify, (unsigned long long)run.asked, (unsigned long long)run.late,
           (unsigned long long)statistics.flips);
    pthread_barrier_destroy(&run.barrier);
    stress_heap_end(run.heap);
}

static void test_asked_for_while_moving(void **state)
{
    (void)state;
    for (int verify = 0; verify <= 2; verify++) {
        one_run(STRESS_THREAD, verify);
        one_run(STRESS_SIGNAL, verify);
        one_run(STRESS_NEVER, verify);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_asked_for_while_moving)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
