/*
 * Objects that were allocated pinned, by several threads in every way of compacting: their addresses and contents are the
 * same over hundreds of cycles, while all they are linked with moves; and their memory and that of others is one.
 */
#include "tests/support/stress_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 3, KEPT = 300, SIZES_MAX = 600, ROUNDS_LEAST = 40 };

/* Pinned ones and moving ones are linked crosswise. */
struct cell {
    struct cell *next;  /* of the same kind */
    struct cell *other; /* of the other kind */
    uint64_t number;
    uint64_t filler[];
};

struct setting {
    shale_heap *heap;
    const shale_type *cell;
    const shale_type *bytes;
    unsigned cycles;
};

struct worker {
    struct setting *setting;
    unsigned index;
};

static void register_types(struct setting *setting)
{
    static const uint32_t pointers[] = {0, 8};
    shale_type_spec cell = {.name = "cell",
                            .size = sizeof(struct cell),
                            .pointers = pointers,
                            .pointer_count = 2,
                            .element_size = 8};
    shale_type_spec bytes = {.name = "bytes", .element_size = 1};
    shale_error error;
    setting->cell = shale_type_register(setting->heap, &cell, &error);
    setting->bytes = shale_type_register(setting->heap, &bytes, &error);
    STRESS_CHECK(setting->cell != NULL && setting->bytes != NULL, "no types");
}

/* ---- addresses and contents ------------------------------------------------------------------------ */

/* What a thread keeps, and knows of it outside of the heap. */
struct hoard {
    struct setting *setting;
    shale_mutator *mutator;
    shale_frame frame;
    struct stress_random random;
    struct {
        struct cell *moving[KEPT];
    } roots;
    struct {
        struct cell *pinned;
        unsigned char *bytes;
        uint64_t number;
        size_t length;
    } known[KEPT];
    uint64_t number;
};

static struct cell *allocate(struct hoard *hoard, bool pinned, size_t length)
{
    struct cell *cell = pinned ? shale_allocate_pinned_array(hoard->mutator, hoard->setting->cell, length)
                               : shale_allocate_array(hoard->mutator, hoard->setting->cell, length);
    STRESS_CHECK(cell != NULL, "no memory: %s", shale_last_error(hoard->mutator)->message);
    for (size_t i = 0; i < length; i++)
        STRESS_CHECK(cell->filler[i] == 0, "memory at %p is not zero", (void *)&cell->filler[i]);
    return cell;
}

static uint64_t filler(uint64_t number, size_t i)
{
    return stress_mix(number * 1000 + i);
}

/* A moving object that is a root leads to a pinned one, which leads to another moving one, which leads to pinned bytes. */
static void replace(struct hoard *hoard, size_t i)
{
    struct {
        struct cell *moving;
        struct cell *pinned;
        struct cell *inner;
    } local = {NULL, NULL, NULL};
    shale_frame frame;
    shale_frame_push(hoard->mutator, &frame, &local, 3);
    size_t length = stress_random_below(&hoard->random, 8) != 0
                        ? stress_random_below(&hoard->random, 12)
                        : stress_random_below(&hoard->random, SIZES_MAX);
    local.moving = allocate(hoard, false, length);
    local.pinned = allocate(hoard, true, length);
    local.inner = allocate(hoard, false, 0);
    unsigned char *bytes = shale_allocate_pinned_array(hoard->mutator, hoard->setting->bytes, 8 + length);
    STRESS_CHECK(bytes != NULL, "no memory: %s", shale_last_error(hoard->mutator)->message);
    shale_store(hoard->mutator, local.inner, &local.inner->other, bytes);
    shale_store(hoard->mutator, local.pinned, &local.pinned->other, local.inner);
    shale_store(hoard->mutator, local.moving, &local.moving->other, local.pinned);
    uint64_t number = ++hoard->number;
    local.moving->number = local.pinned->number = local.inner->number = number;
    for (size_t word = 0; word < length; word++)
        local.moving->filler[word] = local.pinned->filler[word] = filler(number, word);
    memset(bytes, (int)(number & 0xff), 8 + length);
    hoard->roots.moving[i] = local.moving;
    hoard->known[i].pinned = local.pinned;
    hoard->known[i].bytes = bytes;
    hoard->known[i].number = number;
    hoard->known[i].length = length;
    shale_frame_pop(hoard->mutator, &frame);
}

static void check(const struct hoard *hoard, size_t i)
{
    const struct cell *moving = hoard->roots.moving[i];
    if (moving == NULL)
        return;
    const struct cell *pinned = moving->other;
    uint64_t number = hoard->known[i].number;
    STRESS_CHECK(pinned == hoard->known[i].pinned, "a pinned object moved from %p to %p",
                 (void *)hoard->known[i].pinned, (const void *)pinned);
    const struct cell *inner = pinned->other;
    STRESS_CHECK(moving->number == number && pinned->number == number && inner->number == number,
                 "an object was overwritten");
    STRESS_CHECK((void *)inner->other == hoard->known[i].bytes, "pinned bytes moved");
    size_t length = hoard->known[i].length;
    for (size_t word = 0; word < length; word++)
        STRESS_CHECK(moving->filler[word] == filler(number, word) &&
                         pinned->filler[word] == filler(number, word),
                     "word %zu of object %llu is wrong", word, (unsigned long long)number);
    for (size_t byte = 0; byte < 8 + length; byte++)
        STRESS_CHECK(hoard->known[i].bytes[byte] == (unsigned char)number, "a pinned byte is wrong");
}

static void *hoard_and_check(void *argument)
{
    const struct worker *worker = argument;
    struct hoard *hoard = calloc(1, sizeof *hoard);
    STRESS_CHECK(hoard != NULL, "no memory for a test");
    hoard->setting = worker->setting;
    hoard->random = stress_random_make(stress_seed() * 8 + worker->index);
    hoard->mutator = stress_attach(worker->setting->heap);
    shale_frame_push(hoard->mutator, &hoard->frame, &hoard->roots, KEPT);
    shale_statistics statistics;
    unsigned rounds = 0;
    do {
        for (int i = 0; i < 50; i++)
            replace(hoard, stress_random_below(&hoard->random, KEPT));
        for (size_t i = 0; i < KEPT; i++)
            check(hoard, i);
        if (worker->index == 0)
            STRESS_CHECK(shale_collect(hoard->mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
        shale_heap_statistics(worker->setting->heap, &statistics);
    } while (++rounds < ROUNDS_LEAST || statistics.cycles < worker->setting->cycles);
    shale_frame_pop(hoard->mutator, &hoard->frame);
    STRESS_CHECK(shale_detach(hoard->mutator) == SHALE_OK, "detaching");
    free(hoard);
    return NULL;
}

static void test_addresses_and_contents_stay(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < STRESS_MODES; mode++) {
        shale_options options;
        stress_options(&options, (enum stress_mode)mode, (size_t)32 << 20, NULL);
        options.verify = mode == STRESS_NEVER ? 1 : 2;
        options.stress = stress_watched() ? 0 : 7;
        struct setting setting = {.heap = stress_heap(&options), .cycles = stress_quick() ? 60 : 300};
        register_types(&setting);
        struct worker workers[THREADS];
        for (unsigned i = 0; i < THREADS; i++)
            workers[i] = (struct worker){&setting, i};
        stress_threads(THREADS, hoard_and_check, workers, sizeof workers[0]);
        shale_statistics statistics;
        shale_heap_statistics(setting.heap, &statistics);
        assert_true(statistics.objects_moved != 0);
        assert_true(statistics.pinned_bytes != 0);
        stress_heap_end(setting.heap);
    }
}

/* ---- system calls ---------------------------------------------------------------------------------- */

/* [io] Pinned bytes go through a pipe, by system calls that read and write them where they are, while everything moves. */
static void *pipe_bytes(void *argument)
{
    enum { BUFFERS = 20, BYTES = 3000 };
    const struct worker *worker = argument;
    struct {
        unsigned char *buffers[BUFFERS];
        struct cell *garbage;
    } local = {{NULL}, NULL};
    int ends[2];
    struct stress_random random = stress_random_make(stress_seed() * 8 + worker->index);
    STRESS_CHECK(pipe(ends) == 0, "no pipe");
    shale_mutator *mutator = stress_attach(worker->setting->heap);
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, BUFFERS + 1);
    shale_statistics statistics;
    do {
        for (int i = 0; i < 100; i++) {
            uint32_t from = stress_random_below(&random, BUFFERS);
            uint32_t to = stress_random_below(&random, BUFFERS);
            size_t length = 1 + stress_random_below(&random, BYTES);
            local.buffers[from] = shale_allocate_pinned_array(mutator, worker->setting->bytes, length);
            local.buffers[to] = shale_allocate_pinned_array(mutator, worker->setting->bytes, length);
            local.garbage = shale_allocate_array(mutator, worker->setting->cell, length / 8);
            STRESS_CHECK(local.buffers[from] != NULL && local.buffers[to] != NULL && local.garbage != NULL,
                         "no memory");
            memset(local.buffers[from], i + 1, length);
            STRESS_CHECK(write(ends[1], local.buffers[from], length) == (ssize_t)length, "write: %s",
                         strerror(errno));
            STRESS_CHECK(read(ends[0], local.buffers[to], length) == (ssize_t)length, "read: %s",
                         strerror(errno));
            for (size_t byte = 0; byte < length; byte++)
                STRESS_CHECK(local.buffers[to][byte] == i + 1, "a byte that was read is wrong");
        }
        if (worker->index == 0)
            STRESS_CHECK(shale_collect_start(mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
        shale_heap_statistics(worker->setting->heap, &statistics);
    } while (statistics.cycles < worker->setting->cycles);
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

static void test_system_calls_on_pinned_bytes(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < STRESS_MODES; mode++) {
        shale_options options;
        stress_options(&options, (enum stress_mode)mode, (size_t)32 << 20, NULL);
        struct setting setting = {.heap = stress_heap(&options), .cycles = stress_quick() ? 30 : 100};
        register_types(&setting);
        struct worker workers[THREADS];
        for (unsigned i = 0; i < THREADS; i++)
            workers[i] = (struct worker){&setting, i};
        stress_threads(THREADS, pipe_bytes, workers, sizeof workers[0]);
        stress_heap_end(setting.heap);
    }
}

/* ---- exhaustion ------------------------------------------------------------------------------------ */

struct filling {
    struct setting setting;
    shale_mutator *mutator;
    struct {
        struct cell *moving;
        struct cell *pinned;
    } lists;
};

/* Until there is no memory. Returns how many objects. */
static size_t fill(struct filling *filling, bool pinned, size_t length)
{
    struct cell **list = pinned ? &filling->lists.pinned : &filling->lists.moving;
    size_t count = 0;
    for (;; count++) {
        struct cell *cell = pinned
                                ? shale_allocate_pinned_array(filling->mutator, filling->setting.cell, length)
                                : shale_allocate_array(filling->mutator, filling->setting.cell, length);
        if (cell == NULL)
            break;
        cell->next = *list;
        cell->number = count;
        *list = cell;
    }
    STRESS_CHECK(shale_last_error(filling->mutator)->status == SHALE_ERROR_OUT_OF_HEAP, "another failure: %s",
                 shale_last_error(filling->mutator)->message);
    return count;
}

static void check_list(const struct cell *list, size_t count)
{
    for (; list != NULL; list = list->next)
        STRESS_CHECK(list->number == --count, "object %zu has number %llu", count,
                     (unsigned long long)list->number);
    STRESS_CHECK(count == 0, "%zu objects are missing", count);
}

/* Drops all but every n-th. */
static size_t thin_out(struct filling *filling, struct cell **list, unsigned n)
{
    struct cell *kept = NULL;
    size_t count = 0;
    size_t seen = 0;
    for (struct cell *next, *cell = *list; cell != NULL; cell = next) {
        next = cell->next;
        if (seen++ % n != 0)
            continue;
        shale_store(filling->mutator, cell, &cell->next, kept);
        kept = cell;
        count++;
    }
    *list = kept;
    return count;
}

static void test_each_when_the_other_is_full(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 5, 100, 1000};
    for (unsigned mode = 0; mode < STRESS_MODES; mode++) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            shale_options options;
            stress_options(&options, (enum stress_mode)mode, (size_t)8 << 20, "allocation stall");
            struct filling filling = {.setting = {.heap = stress_heap(&options)}};
            register_types(&filling.setting);
            filling.mutator = stress_attach(filling.setting.heap);
            shale_frame frame;
            shale_frame_push(filling.mutator, &frame, &filling.lists, 2);
            size_t length = lengths[i];

            size_t moving = fill(&filling, false, length);
            fill(&filling, true, length);
            filling.lists.pinned = NULL;
            check_list(filling.lists.moving, moving);

            filling.lists.moving = NULL;
            size_t pinned = fill(&filling, true, length);
            STRESS_CHECK(pinned > moving / 2, "%zu pinned objects where there was room for %zu others",
                         pinned, moving);
            fill(&filling, false, length);
            filling.lists.moving = NULL;
            check_list(filling.lists.pinned, pinned);

            /* The cells of those that are dropped are had again, and nothing else is: what is left lies everywhere. */
            size_t left = thin_out(&filling, &filling.lists.pinned, 3);
            size_t again = fill(&filling, true, length);
            STRESS_CHECK(left + again >= pinned - pinned / 16 && left + again <= pinned + pinned / 4,
                         "%zu and %zu objects where there were %zu", left, again, pinned);

            filling.lists.pinned = NULL;
            filling.lists.moving = NULL;
            size_t at_last = fill(&filling, false, length);
            STRESS_CHECK(at_last >= moving - moving / 8, "%zu objects where there were %zu", at_last, moving);
            shale_statistics statistics;
            shale_heap_statistics(filling.setting.heap, &statistics);
            assert_true(statistics.pinned_bytes <= (size_t)1 << 20);
            shale_frame_pop(filling.mutator, &frame);
            STRESS_CHECK(shale_detach(filling.mutator) == SHALE_OK, "detaching");
            stress_heap_end(filling.setting.heap);
        }
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses_and_contents_stay),
                                       cmocka_unit_test(test_system_calls_on_pinned_bytes),
                                       cmocka_unit_test(test_each_when_the_other_is_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
