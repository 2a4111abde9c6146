/*
 * Hundreds of thousands of external objects, made, dropped, released and left by several threads while cycles run: each one's
 * memory is freed once, and not while anybody can reach it.
 */
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { THREADS = 3, OWN = 2000, SHARED = 64, MADE_MAX = 600000 };

struct run {
    shale_heap *heap;
    const shale_type *table_type;
    shale_handle *table; /* of SHARED external objects, which all threads replace and release */
    uint64_t deadline;
    uint64_t made; /* atomic, as the following */
    uint64_t freed;
    uint64_t lost; /* races to release that were lost */
};

/* What is outside: it knows whether it was freed, and is never given back itself before the heap is gone. */
struct block {
    struct block *next;
    unsigned freed; /* atomic */
};

struct worker {
    struct run *run;
    unsigned index;
    shale_mutator *mutator;
    struct stress_random random;
    shale_external *own[OWN];
    struct block *blocks; /* made by it */
};

static void free_block(void *context, void *memory, size_t bytes)
{
    struct run *run = context;
    struct block *block = memory;
    STRESS_CHECK(bytes == sizeof *block, "%zu bytes are freed", bytes);
    STRESS_CHECK(__atomic_fetch_add(&block->freed, 1, __ATOMIC_RELAXED) == 0, "a block is freed twice");
    __atomic_fetch_add(&run->freed, 1, __ATOMIC_RELAXED);
}

static shale_external *make(struct worker *worker)
{
    struct block *block = calloc(1, sizeof *block);
    STRESS_CHECK(block != NULL, "no memory");
    block->next = worker->blocks;
    worker->blocks = block;
    shale_external *external =
        shale_external_create(worker->mutator, block, sizeof *block, free_block, worker->run);
    STRESS_CHECK(external != NULL, "%s", shale_last_error(worker->mutator)->message);
    __atomic_fetch_add(&worker->run->made, 1, __ATOMIC_RELAXED);
    return external;
}

static void check(struct worker *worker, const shale_external *external)
{
    size_t bytes;
    const struct block *block = shale_external_memory(worker->mutator, external, &bytes);
    STRESS_CHECK(block != NULL && bytes == sizeof *block, "an external object has lost its memory");
    STRESS_CHECK(__atomic_load_n(&block->freed, __ATOMIC_RELAXED) == 0,
                 "memory is freed that can be reached");
}

static void use_own(struct worker *worker)
{
    shale_external **own = &worker->own[stress_random_below(&worker->random, OWN)];
    if (*own == NULL) {
        shale_external *made = make(worker);
        *own = made;
        return;
    }
    check(worker, *own);
    if (stress_random_chance(&worker->random, 3))
        STRESS_CHECK(shale_external_release(worker->mutator, *own) == SHALE_OK, "releasing");
    if (stress_random_chance(&worker->random, 2))
        *own = NULL;
    else
        *own = make(worker);
}

/* Others may release the same at the same time: one does. The rest say that it is misuse, which is logged, so not often. */
static void use_shared(struct worker *worker)
{
    shale_external *made = stress_random_chance(&worker->random, 10) ? NULL : make(worker);
    shale_external **table = shale_handle_get(worker->run->table);
    unsigned i = stress_random_below(&worker->random, SHARED);
    shale_external *before = __atomic_load_n(&table[i], __ATOMIC_ACQUIRE);
    shale_store(worker->mutator, table, &table[i], made);
    if (before == NULL || !stress_random_chance(&worker->random, 4))
        return;
    shale_status status = shale_external_release(worker->mutator, before);
    STRESS_CHECK(status == SHALE_OK || status == SHALE_ERROR_MISUSE, "releasing a shared one");
    if (status != SHALE_OK)
        __atomic_fetch_add(&worker->run->lost, 1, __ATOMIC_RELAXED);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct run *run = worker->run;
    worker->mutator = stress_attach(run->heap);
    worker->random = stress_random_make(stress_seed() + worker->index);
    shale_frame frame;
    shale_frame_push(worker->mutator, &frame, worker->own, OWN);
    while (stress_milliseconds() < run->deadline &&
           __atomic_load_n(&run->made, __ATOMIC_RELAXED) < MADE_MAX) {
        for (unsigned step = 0; step < 2000; step++) {
            if (stress_random_chance(&worker->random, 6))
                use_shared(worker);
            else
                use_own(worker);
            shale_poll(worker->mutator);
        }
        /* The others go on meanwhile. */
        if (worker->index == 0)
            STRESS_CHECK(shale_collect(worker->mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
    }
    shale_frame_pop(worker->mutator, &frame);
    STRESS_CHECK(shale_detach(worker->mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void create(struct run *run, enum stress_mode mode, int verify)
{
    shale_options options;
    stress_options(&options, mode, (size_t)32 << 20, "was released before");
    options.verify = verify;
    run->heap = stress_heap(&options);
    static const uint32_t first[] = {0};
    shale_type_spec table = {
        .name = "table", .element_size = 8, .element_pointers = first, .element_pointer_count = 1};
    run->table_type = shale_type_register(run->heap, &table, NULL);
    STRESS_CHECK(run->table_type != NULL, "no type");
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
    run = (struct run){.deadline = stress_milliseconds() + (stress_quick() ? 200 : 900)};
    create(&run, mode, verify);
    static struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.run = &run, .index = i};
    stress_threads(THREADS, work, workers, sizeof workers[0]);
    shale_statistics statistics;
    shale_heap_statistics(run.heap, &statistics);
    uint64_t before = __atomic_load_n(&run.freed, __ATOMIC_RELAXED);
    stress_heap_end(run.heap);
    STRESS_CHECK(run.freed == run.made, "%llu were made, %llu freed", (unsigned long long)run.made,
                 (unsigned long long)run.freed);
    printf("  faults %s, verify %d: %llu made, %llu freed with the heap, %llu releases lost, %llu flips\n",
           stress_mode_names[mode], verify, (unsigned long long)run.made,
           (unsigned long long)(run.freed - before), (unsigned long long)run.lost,
           (unsigned long long)statistics.flips);
    for (unsigned i = 0; i < THREADS; i++) {
        while (workers[i].blocks != NULL) {
            struct block *block = workers[i].blocks;
            workers[i].blocks = block->next;
            STRESS_CHECK(block->freed == 1, "a block was freed %u times", block->freed);
            free(block);
        }
    }
}

static void test_freed_once(void **state)
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_freed_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
