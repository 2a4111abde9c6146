/*
 * Large objects against shadows of them: arrays of references that several threads store into while everything around
 * them moves, pointer-free buffers that must keep their bytes and their place, and heaps that go from small objects
 * to large ones and back without ever being taken for full.
 */
#include "heap/layout.h"
#include "runtime/heap.h"
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEAP_SIZE = 48 << 20, THREADS = 3, ARRAYS = 4, SLOTS_MAX = 20000 };

struct item {
    struct item *next;
    uint64_t number;
};

struct setting {
    shale_heap *heap;
    const shale_type *item;
    const shale_type *array;  /* of pointers, without anything in front */
    const shale_type *values; /* a record with an array of structs */
    const shale_type *custom;
    const shale_type *bytes;
    enum stress_mode mode;
};

/* An element of a large array of structs. */
struct entry {
    uint64_t number;
    struct item *item;
    uint64_t check;
};

static void visit_items(void *object, size_t length, shale_visitor *visitor)
{
    shale_visit_pointers(visitor, object, length);
}

static void begin(struct setting *setting, enum stress_mode mode, size_t heap_size, int verify,
                  unsigned stress)
{
    static const uint32_t first[] = {0};
    static const uint32_t second[] = {offsetof(struct entry, item)};
    shale_options options;
    stress_options(&options, mode, heap_size, "allocation stall");
    options.verify = verify;
    options.stress = stress;
    options.workers = 2;
    *setting = (struct setting){.heap = stress_heap(&options), .mode = mode};
    setting->item = shale_type_register(
        setting->heap,
        &(shale_type_spec){
            .name = "item", .size = sizeof(struct item), .pointers = first, .pointer_count = 1},
        NULL);
    setting->array = shale_type_register(
        setting->heap,
        &(shale_type_spec){
            .name = "array", .element_size = 8, .element_pointers = first, .element_pointer_count = 1},
        NULL);
    setting->values = shale_type_register(setting->heap,
                                          &(shale_type_spec){.name = "entries",
                                                             .size = 40000,
                                                             .pointers = first,
                                                             .pointer_count = 1,
                                                             .element_size = sizeof(struct entry),
                                                             .element_pointers = second,
                                                             .element_pointer_count = 1},
                                          NULL);
    setting->custom = shale_type_register(
        setting->heap, &(shale_type_spec){.name = "custom", .element_size = 8, .visit = visit_items}, NULL);
    setting->bytes =
        shale_type_register(setting->heap, &(shale_type_spec){.name = "bytes", .element_size = 1}, NULL);
}

/* ---- arrays of references -------------------------------------------------------------------------------- */

struct worker {
    struct setting *setting;
    shale_mutator *mutator;
    struct stress_random random;
    unsigned steps;
    uint64_t *shadow[ARRAYS]; /* the numbers of the items in the slots; 0: NULL */
    size_t lengths[ARRAYS];
    uint64_t next_number;
};

static const shale_type *type_of(const struct worker *worker, unsigned which)
{
    const struct setting *setting = worker->setting;
    return which == 1 ? setting->values : which == 2 ? setting->custom : setting->array;
}

static struct item **slot_of(void *array, unsigned which, size_t i)
{
    if (which != 1)
        return (struct item **)array + i;
    return &((struct entry *)((char *)array + 40000) + i)->item;
}

static void check_slot(const struct worker *worker, void *array, unsigned which, size_t i)
{
    struct item *item = *slot_of(array, which, i);
    uint64_t expected = worker->shadow[which][i];
    STRESS_CHECK((item == NULL) == (expected == 0), "slot %zu of array %u is %p, its shadow %llu", i, which,
                 (void *)item, (unsigned long long)expected);
    STRESS_CHECK(item == NULL || item->number == expected, "slot %zu of array %u has item %llu, not %llu", i,
                 which, (unsigned long long)item->number, (unsigned long long)expected);
}

static void check_array(const struct worker *worker, void *array, unsigned which)
{
    STRESS_CHECK(shale_length_of(array) == worker->lengths[which], "an array's length changed");
    STRESS_CHECK(shale_type_of(worker->mutator, array) == type_of(worker, which), "an array's type changed");
    for (size_t i = 0; i < worker->lengths[which]; i++)
        check_slot(worker, array, which, i);
}

static void replace_array(struct worker *worker, void **locals, unsigned which)
{
    size_t length = 4097 + stress_random_below(&worker->random, SLOTS_MAX - 4097);
    void *fresh = shale_allocate_array(worker->mutator, type_of(worker, which), length);
    STRESS_CHECK(fresh != NULL, "no memory: %s", shale_last_error(worker->mutator)->message);
    if (locals[which] != NULL && which != 1) {
        /* The last ones in reverse would not be a move; keep as many as fit. */
        size_t kept = length < worker->lengths[which] ? length : worker->lengths[which];
        shale_move_slots(worker->mutator, fresh, fresh, locals[which], kept);
        memset(worker->shadow[which] + kept, 0, (SLOTS_MAX - kept) * sizeof(uint64_t));
    } else {
        memset(worker->shadow[which], 0, SLOTS_MAX * sizeof(uint64_t));
    }
    locals[which] = fresh;
    worker->lengths[which] = length;
    check_array(worker, fresh, which);
}

static void store_some(struct worker *worker, void **locals, unsigned which)
{
    for (unsigned n = 0; n < 200; n++) {
        size_t i = stress_random_below(&worker->random, (uint32_t)worker->lengths[which]);
        struct item *item = NULL;
        /* Garbage, so that items come to lie in regions that are sparse. */
        shale_allocate_array(worker->mutator, worker->setting->bytes, 1500);
        if (!stress_random_chance(&worker->random, 4)) {
            item = shale_allocate(worker->mutator, worker->setting->item);
            STRESS_CHECK(item != NULL, "no memory: %s", shale_last_error(worker->mutator)->message);
            item->number = worker->next_number++;
        }
        shale_store(worker->mutator, locals[which], slot_of(locals[which], which, i), item);
        worker->shadow[which][i] = item != NULL ? item->number : 0;
    }
}

static void move_some(struct worker *worker, void **locals, unsigned which)
{
    size_t length = worker->lengths[which];
    size_t count = stress_random_below(&worker->random, (uint32_t)length / 2);
    size_t from = stress_random_below(&worker->random, (uint32_t)(length - count));
    size_t to = stress_random_below(&worker->random, (uint32_t)(length - count));
    void **slots = locals[which];
    shale_move_slots(worker->mutator, slots, slots + to, slots + from, count);
    memmove(worker->shadow[which] + to, worker->shadow[which] + from, count * sizeof(uint64_t));
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    void *locals[ARRAYS] = {NULL};
    shale_frame frame;
    worker->mutator = stress_attach(worker->setting->heap);
    shale_frame_push(worker->mutator, &frame, locals, ARRAYS);
    for (unsigned which = 0; which < ARRAYS; which++) {
        worker->shadow[which] = calloc(SLOTS_MAX, sizeof(uint64_t));
        replace_array(worker, locals, which);
    }
    for (unsigned step = 0; step < worker->steps; step++) {
        unsigned which = stress_random_below(&worker->random, ARRAYS);
        switch (stress_random_below(&worker->random, 12)) {
        case 0:
            replace_array(worker, locals, which);
            break;
        case 1:
            if (which != 1)
                move_some(worker, locals, which);
            break;
        case 2:
            check_array(worker, locals[which], which);
            break;
        case 3:
            shale_collect(worker->mutator, stress_random_chance(&worker->random, 2) ? SHALE_COLLECT_MOVE_ALL
                                                                                    : SHALE_COLLECT_NORMAL);
            break;
        default:
            store_some(worker, locals, which);
            for (unsigned n = 0; n < 200; n++)
                check_slot(worker, locals[which], which,
                           stress_random_below(&worker->random, (uint32_t)worker->lengths[which]));
            shale_poll(worker->mutator);
        }
    }
    for (unsigned which = 0; which < ARRAYS; which++) {
        check_array(worker, locals[which], which);
        free(worker->shadow[which]);
    }
    shale_frame_pop(worker->mutator, &frame);
    shale_detach(worker->mutator);
    return NULL;
}

static void run_arrays(enum stress_mode mode, int verify, unsigned stress)
{
    if (!stress_mode_works(mode))
        return;
    struct setting setting;
    begin(&setting, mode, HEAP_SIZE, verify, stress);
    struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.setting = &setting,
                                     .random = stress_random_make(stress_seed() + 17 * i + 1000 * mode),
                                     .steps = stress_runs(verify != 0 ? 40 : 150, verify != 0 ? 15 : 40),
                                     .next_number = 1 + ((uint64_t)i << 40)};
    stress_threads(THREADS, work, workers, sizeof workers[0]);
    shale_mutator *mutator = stress_attach(setting.heap);
    shale_collect(mutator, SHALE_COLLECT_NORMAL);
    shale_statistics statistics;
    shale_heap_statistics(setting.heap, &statistics);
    STRESS_CHECK(statistics.flips != 0, "nothing has moved in %llu cycles",
                 (unsigned long long)statistics.cycles);
    STRESS_CHECK(statistics.large_objects == 0 && statistics.large_bytes == 0,
                 "%llu large objects are left, when nothing refers to any",
                 (unsigned long long)statistics.large_objects);
    shale_detach(mutator);
    stress_heap_end(setting.heap);
}

static void test_arrays(void **state)
{
    (void)state;
    for (enum stress_mode mode = 0; mode < STRESS_MODES; mode++)
        run_arrays(mode, 0, 40);
}

static void test_arrays_verified(void **state)
{
    (void)state;
    for (enum stress_mode mode = 0; mode < STRESS_MODES; mode++)
        run_arrays(mode, 1, 200);
}

/* ---- all spaces of one memory ---------------------------------------------------------------------------- */

enum { KEPT_MAX = 512 };

struct kept {
    void *objects[KEPT_MAX];
    uint64_t sizes[KEPT_MAX]; /* 0: none */
    uintptr_t places[KEPT_MAX];
    uint64_t live;
};

static void forget(struct kept *kept, size_t i)
{
    kept->live -= kept->sizes[i];
    kept->objects[i] = NULL;
    kept->sizes[i] = 0;
}

static bool is_filled(const unsigned char *bytes, size_t size, unsigned char with)
{
    return size == 0 || (bytes[0] == with && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Buffers of random sizes come and go; what is live and a good part of slack always fit, so none is refused. */
static void run_sizes(enum stress_mode mode, uint64_t limit, unsigned steps)
{
    if (!stress_mode_works(mode))
        return;
    struct setting setting;
    begin(&setting, mode, HEAP_SIZE, 0, 0);
    shale_mutator *mutator = stress_attach(setting.heap);
    struct stress_random random = stress_random_make(stress_seed() + 5 + mode);
    struct kept *kept = calloc(1, sizeof *kept);
    shale_frame frame;
    shale_frame_push(mutator, &frame, kept->objects, KEPT_MAX);
    for (unsigned step = 0; step < steps; step++) {
        /* From a few bytes to a third of what may be live, small ones more often. */
        unsigned bits = 4 + stress_random_below(&random, 20);
        uint64_t size = stress_random_below(&random, 1u << bits);
        if (size > limit / 3)
            size = limit / 3;
        size_t i = stress_random_below(&random, KEPT_MAX);
        forget(kept, i);
        while (kept->live + size > limit)
            forget(kept, stress_random_below(&random, KEPT_MAX));
        bool pointers = stress_random_chance(&random, 3);
        unsigned char *object = pointers ? shale_allocate_array(mutator, setting.array, size / 8)
                                         : shale_allocate_array(mutator, setting.bytes, size);
        STRESS_CHECK(object != NULL, "%llu bytes are live: %s", (unsigned long long)kept->live,
                     shale_last_error(mutator)->message);
        size_t checked = pointers ? size / 8 * 8 : size;
        STRESS_CHECK(is_filled(object, checked, 0), "%zu bytes were not zero", checked);
        if (!pointers)
            memset(object, (int)(i & 0xff), size);
        kept->objects[i] = object;
        kept->sizes[i] = size;
        kept->places[i] = (uintptr_t)object;
        kept->live += size;
        size_t other = stress_random_below(&random, KEPT_MAX);
        const unsigned char *bytes = kept->objects[other];
        if (bytes != NULL && shale_type_of(mutator, bytes) == setting.bytes) {
            STRESS_CHECK(is_filled(bytes, kept->sizes[other], (unsigned char)(other & 0xff)),
                         "a buffer of %llu bytes changed", (unsigned long long)kept->sizes[other]);
            STRESS_CHECK(kept->sizes[other] <= SHALE_OBJECT_MAX || (uintptr_t)bytes == kept->places[other],
                         "a large object moved");
        }
    }
    /* What the file holds is within the heap's size and what compaction may take on top. */
    shale_statistics statistics;
    shale_heap_statistics(setting.heap, &statistics);
    STRESS_CHECK(statistics.committed_bytes <=
                     HEAP_SIZE + region_start(setting.heap->collector.reserve) + 2 * REGION_SIZE,
                 "%llu bytes are committed", (unsigned long long)statistics.committed_bytes);
    shale_frame_pop(mutator, &frame);
    free(kept);
    shale_detach(mutator);
    stress_heap_end(setting.heap);
}

static void test_sizes(void **state)
{
    (void)state;
    for (enum stress_mode mode = 0; mode < STRESS_MODES; mode++)
        run_sizes(mode, HEAP_SIZE / 2, stress_runs(6000, 600));
}

/* The heap is filled with one kind of object, emptied, and filled with the other. */
static void test_spaces_are_traded(void **state)
{
    (void)state;
    struct setting setting;
    begin(&setting, STRESS_THREAD, 16 << 20, 0, 0);
    shale_mutator *mutator = stress_attach(setting.heap);
    void *locals[1] = {NULL};
    shale_frame frame;
    shale_frame_push(mutator, &frame, locals, 1);
    for (unsigned round = 0; round < stress_runs(8, 3); round++) {
        uint64_t small = 0;
        for (struct item *item; (item = shale_allocate(mutator, setting.item)) != NULL; small++) {
            item->next = locals[0];
            locals[0] = item;
        }
        STRESS_CHECK(small * 32 > 14 << 20, "only %llu small objects fit", (unsigned long long)small);
        STRESS_CHECK(shale_allocate_array(mutator, setting.bytes, 1 << 20) == NULL,
                     "a large object fits into a full heap");
        STRESS_CHECK(shale_allocate_array(mutator, setting.array, 1 << 17) == NULL,
                     "a large object fits into a full heap");
        locals[0] = NULL;
        /* One object that takes nearly all there is. */
        locals[0] = shale_allocate_array(mutator, setting.bytes, 15 << 20);
        STRESS_CHECK(locals[0] != NULL, "%s", shale_last_error(mutator)->message);
        memset(locals[0], 1, 15 << 20);
        STRESS_CHECK(shale_allocate_array(mutator, setting.array, 1 << 18) == NULL,
                     "two large objects fit where there is room for one");
        locals[0] = NULL;
        locals[0] = shale_allocate_array(mutator, setting.array, (15 << 20) / 8);
        STRESS_CHECK(locals[0] != NULL, "%s", shale_last_error(mutator)->message);
        struct item *item = shale_allocate(mutator, setting.item);
        shale_store(mutator, locals[0], (struct item **)locals[0] + 1000000, item);
        locals[0] = NULL;
    }
    shale_frame_pop(mutator, &frame);
    shale_detach(mutator);
    stress_heap_end(setting.heap);
}

/* Sparse small objects are in the way of a large one: the heap is compacted first. So it is where a cycle has packed most of them
 * before, when `packed` bytes had been allocated, and to pack the others would not pay by itself. */
static void make_room(uint64_t packed)
{
    struct setting setting;
    begin(&setting, STRESS_THREAD, 16 << 20, 0, 0);
    shale_mutator *mutator = stress_attach(setting.heap);
    void *locals[2] = {NULL, NULL};
    shale_frame frame;
    shale_frame_push(mutator, &frame, locals, 2);
    uint64_t count = 0;
    for (struct item *item; count < 12u << 20 >> 5; count++) {
        item = shale_allocate(mutator, setting.item);
        STRESS_CHECK(item != NULL, "%s", shale_last_error(mutator)->message);
        if (count % 16 == 0) {
            item->next = locals[0];
            item->number = count;
            locals[0] = item;
        }
        if (count == packed / 32)
            STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_COMPACT) == SHALE_OK, "collecting");
    }
    locals[1] = shale_allocate_array(mutator, setting.array, (13 << 20) / 8);
    STRESS_CHECK(locals[1] != NULL, "%s", shale_last_error(mutator)->message);
    uint64_t left = 0;
    for (const struct item *item = locals[0]; item != NULL; item = item->next)
        left++;
    STRESS_CHECK(left == count / 16, "%llu items are left", (unsigned long long)left);
    shale_frame_pop(mutator, &frame);
    shale_detach(mutator);
    stress_heap_end(setting.heap);
}

static void test_compaction_makes_room(void **state)
{
    (void)state;
    for (uint64_t packed = 0; packed <= 12; packed++)
        make_room(packed << 20);
}

int main(void)
{
    stress_begin("stress.large");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_arrays_verified),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_spaces_are_traded),
        cmocka_unit_test(test_compaction_makes_room),
    };
    return cmocka_run_group_tests_name("stress.large", tests, NULL, NULL);
}
