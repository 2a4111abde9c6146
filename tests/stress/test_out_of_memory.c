/*
 * A heap that is full of live objects: allocation returns NULL or asks the program, the heap stays as it is,
 * and allocation works again once something was dropped. And the reverse: a heap that is full of garbage is not
 * full, however many threads go for it at once.
 */
#include "heap/layout.h"
#include "tests/support/shadow_graph.h"
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEAP_SIZE = 8 << 20, THREADS = 6 };

struct link {
    struct link *rest;
    uint64_t number;
    unsigned char filler[];
};

struct setting {
    shale_options options;
    shale_heap *heap;
    const shale_type *link;
    /* The out-of-memory callback's. */
    unsigned calls;
    unsigned grants; /* how many more calls say that something was dropped */
    struct link **list;
};

static void begin(struct setting *setting, enum stress_mode mode, shale_out_of_memory_function callback)
{
    static const uint32_t pointers[] = {0};
    *setting = (struct setting){.calls = 0};
    stress_options(&setting->options, mode, HEAP_SIZE, NULL);
    setting->options.verify = 2;
    setting->options.out_of_memory = callback;
    setting->options.out_of_memory_context = setting;
    setting->heap = stress_heap(&setting->options);
    setting->link = shale_type_register(setting->heap,
                                        &(shale_type_spec){.name = "link",
                                                           .size = sizeof(struct link),
                                                           .pointers = pointers,
                                                           .pointer_count = 1,
                                                           .element_size = 1},
                                        NULL);
}

static size_t filler_of(uint64_t number)
{
    uint64_t draw = stress_mix(number);
    return draw % 64 == 0 ? SHALE_OBJECT_MAX - sizeof(struct link) : 400 + draw % 1500;
}

/* Allocates until nothing is left; returns how many. */
static uint64_t fill(struct setting *setting, shale_mutator *mutator, struct link **list)
{
    uint64_t number = *list != NULL ? (*list)->number : 0;
    uint64_t count = 0;
    for (;;) {
        number++;
        struct link *link = shale_allocate_array(mutator, setting->link, filler_of(number));
        if (link == NULL)
            return count;
        link->rest = *list;
        link->number = number;
        memset(link->filler, (int)(number & 0xff), filler_of(number));
        *list = link;
        count++;
    }
}

static uint64_t check_list(const struct link *list)
{
    uint64_t count = 0;
    for (const struct link *link = list; link != NULL; link = link->rest, count++) {
        STRESS_CHECK(link->rest == NULL || link->rest->number < link->number, "link %llu has a wrong number",
                     (unsigned long long)link->number);
        STRESS_CHECK(shale_length_of(link) == filler_of(link->number), "link %llu has a wrong length",
                     (unsigned long long)link->number);
        size_t last = filler_of(link->number) - 1;
        STRESS_CHECK(link->filler[0] == (link->number & 0xff) && link->filler[last] == (link->number & 0xff),
                     "link %llu was overwritten", (unsigned long long)link->number);
    }
    return count;
}

/* Drops every second link, so that what is free is in pieces. */
static void thin_out(shale_mutator *mutator, struct link *list)
{
    for (struct link *link = list; link != NULL && link->rest != NULL; link = link->rest)
        shale_store(mutator, link, &link->rest, link->rest->rest);
}

/* ---- one thread ------------------------------------------------------------------------------------ */

static bool count_calls(void *context, shale_mutator *mutator, size_t bytes)
{
    struct setting *setting = context;
    (void)mutator;
    STRESS_CHECK(bytes >= 400, "asked about %zu bytes", bytes);
    setting->calls++;
    return false;
}

static void full_and_thinned(enum stress_mode mode)
{
    struct setting setting;
    begin(&setting, mode, count_calls);
    shale_mutator *mutator = stress_attach(setting.heap);
    struct link *list = NULL;
    shale_frame frame;
    shale_frame_push(mutator, &frame, &list, 1);
    for (int round = 0; round < (stress_quick() ? 2 : 6); round++) {
        unsigned calls = setting.calls;
        uint64_t before = check_list(list);
        uint64_t added = fill(&setting, mutator, &list);
        STRESS_CHECK(setting.calls == calls + 1, "%u calls", setting.calls - calls);
        STRESS_CHECK(shale_last_error(mutator)->status == SHALE_ERROR_OUT_OF_HEAP, "status %d",
                     shale_last_error(mutator)->status);
        STRESS_CHECK(check_list(list) == before + added, "links were lost");
        shale_statistics statistics;
        shale_heap_statistics(setting.heap, &statistics);
        /* [packing]: with one mutator, and this much live, no allocation fails. */
        uint64_t fits = (uint64_t)(HEAP_SIZE - REGION_SIZE) * 100 / 115;
        STRESS_CHECK(statistics.live_bytes + OBJECT_SIZE_MAX > fits, "round %d: full with only %llu KiB live",
                     round, (unsigned long long)statistics.live_bytes >> 10);
        STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting a full heap");
        STRESS_CHECK(check_list(list) == before + added, "links were lost");
        thin_out(mutator, list);
    }
    list = NULL;
    STRESS_CHECK(fill(&setting, mutator, &list) > 1000, "the heap did not come back");
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    stress_heap_end(setting.heap);
}

static void in_one_thread(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++)
        full_and_thinned((enum stress_mode)mode);
}

/* ---- the callback makes room ----------------------------------------------------------------------- */

static bool drop_list(void *context, shale_mutator *mutator, size_t bytes)
{
    struct setting *setting = context;
    (void)mutator;
    (void)bytes;
    setting->calls++;
    *setting->list = NULL;
    return setting->grants-- != 0;
}

static void callback_makes_room(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        struct setting setting;
        begin(&setting, (enum stress_mode)mode, drop_list);
        shale_mutator *mutator = stress_attach(setting.heap);
        struct link *list = NULL;
        shale_frame frame;
        shale_frame_push(mutator, &frame, &list, 1);
        setting.list = &list;
        setting.grants = 3;
        uint64_t count = fill(&setting, mutator, &list);
        STRESS_CHECK(setting.calls == 4, "%u calls instead of 4", setting.calls);
        STRESS_CHECK(count > 3000, "only %llu allocations", (unsigned long long)count);
        shale_frame_pop(mutator, &frame);
        STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
        stress_heap_end(setting.heap);
    }
}

/* ---- many threads ---------------------------------------------------------------------------------- */

struct worker {
    struct setting *setting;
    unsigned index;
    uint64_t count;
    struct link *list;
};

/* All fill the heap together; whoever is refused thins out and goes on. */
static void *compete(void *argument)
{
    struct worker *worker = argument;
    shale_mutator *mutator = stress_attach(worker->setting->heap);
    shale_frame frame;
    shale_frame_push(mutator, &frame, &worker->list, 1);
    for (int round = 0; round < (stress_quick() ? 2 : 8); round++) {
        fill(worker->setting, mutator, &worker->list);
        STRESS_CHECK(shale_last_error(mutator)->status == SHALE_ERROR_OUT_OF_HEAP, "status %d",
                     shale_last_error(mutator)->status);
        check_list(worker->list);
        thin_out(mutator, worker->list);
    }
    worker->list = NULL;
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        struct setting setting;
        begin(&setting, (enum stress_mode)mode, NULL);
        struct worker workers[THREADS];
        for (unsigned i = 0; i < THREADS; i++)
            workers[i] = (struct worker){&setting, i, 0, NULL};
        stress_threads(THREADS, compete, workers, sizeof workers[0]);
        shale_mutator *mutator = stress_attach(setting.heap);
        struct link *list = NULL;
        shale_frame frame;
        shale_frame_push(mutator, &frame, &list, 1);
        STRESS_CHECK(fill(&setting, mutator, &list) > 1000, "the heap did not come back");
        check_list(list);
        shale_frame_pop(mutator, &frame);
        STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
        stress_heap_end(setting.heap);
    }
}

/* ---- garbage is no reason -------------------------------------------------------------------------- */

/* Each thread keeps next to nothing and allocates as fast as it can. */
static void *litter(void *argument)
{
    struct worker *worker = argument;
    shale_mutator *mutator = stress_attach(worker->setting->heap);
    shale_frame frame;
    shale_frame_push(mutator, &frame, &worker->list, 1);
    uint64_t end = stress_milliseconds() + (stress_quick() ? 150 : 1000);
    for (uint64_t number = 1; number % 64 != 0 || stress_milliseconds() < end; number++) {
        struct link *link = shale_allocate_array(mutator, worker->setting->link, filler_of(number));
        STRESS_CHECK(link != NULL, "full with nothing live: %s", shale_last_error(mutator)->message);
        link->number = number;
        memset(link->filler, (int)(number & 0xff), filler_of(number));
        worker->list = link;
    }
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void garbage_is_not_full(void **state)
{
    (void)state;
    for (int mode = 0; mode < STRESS_MODES; mode++) {
        struct setting setting;
        begin(&setting, (enum stress_mode)mode, count_calls);
        /* Far more threads than processors: some wake up long after a cycle, when all it freed is taken. */
        struct worker workers[2 * THREADS];
        for (unsigned i = 0; i < 2 * THREADS; i++)
            workers[i] = (struct worker){&setting, i, 0, NULL};
        stress_threads(2 * THREADS, litter, workers, sizeof workers[0]);
        STRESS_CHECK(setting.calls == 0, "the program was asked");
        stress_heap_end(setting.heap);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_one_thread),
        cmocka_unit_test(callback_makes_room),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(garbage_is_not_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
