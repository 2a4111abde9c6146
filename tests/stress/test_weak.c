/*
 * Reading weak references and ephemerons while what they refer to is dropped and cycles run back to back.
 *
 * Threads share a table of weak references, one of ephemerons, and one of strong references to some of the objects
 * that those lead to. Writers drop strong references and put new objects everywhere; readers read weakly, and
 * keep what they get. Whoever got something must find it intact, however many cycles later. A thread takes objects with
 * finalizers, checks them and now and then brings them back. And names are interned: looked up in a table of weak
 * references under a lock, so that there is never a second live object of one name.
 */
#include "tests/support/stress_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* What an object leads to must be as intact as itself: `tail` has the next serial number. */
struct object {
    struct object *tail;
    struct object *back; /* of a tail: the object whose tail it is */
    uint64_t serial;
    uint64_t magic;
};

enum { SLOTS = 64, KEPT = 24, NAMES = 48, THREADS_MAX = 4, TAIL = 3 };

struct run {
    uint64_t seed;
    enum stress_mode mode;
    unsigned threads;
    shale_options options;
    shale_heap *heap;
    const shale_type *object_type;
    const shale_type *table_type;
    /* Roots of the heap: arrays of references, written by anybody. */
    struct {
        void **strong;
        void **weak;
        void **ephemerons;
        void **names; /* weak references, by name; under `names_lock` */
    } tables;
    pthread_mutex_t names_lock;
    uint64_t deadline;
    uint64_t serial;              /* atomic */
    uint64_t live_of_name[NAMES]; /* under `names_lock`: the serial number of the last object of a name */
    uint64_t made, finalized, returned; /* atomic */
    uint64_t read, read_null;           /* atomic */
};

struct worker {
    struct run *run;
    unsigned index;
};

/* A thread's own state. */
struct thread {
    struct run *run;
    shale_mutator *mutator;
    struct stress_random random;
    struct object *kept[KEPT];
    struct object *locals[3];
    shale_frame frames[2];
    uint64_t serials[KEPT]; /* what `kept` must be */
    uint64_t made, finalized, returned, read, read_null;
};

/* ---- objects --------------------------------------------------------------------------------------------- */

static uint64_t magic_of(uint64_t serial)
{
    return stress_mix(serial ^ UINT64_C(0x7765616b));
}

static void check_one(const struct object *object, uint64_t serial)
{
    STRESS_CHECK(object->serial == serial && object->magic == magic_of(serial),
                 "object %llu at %p has the number %llu and magic %#llx", (unsigned long long)serial,
                 (const void *)object, (unsigned long long)object->serial, (unsigned long long)object->magic);
}

/* The object and all that it leads to. */
static void check(const struct thread *thread, const struct object *object, uint64_t serial)
{
    STRESS_CHECK(shale_type_of(thread->mutator, object) == thread->run->object_type,
                 "object %llu at %p has a wrong type", (unsigned long long)serial, (const void *)object);
    check_one(object, serial);
    for (uint64_t i = 1; i <= TAIL; i++) {
        const struct object *tail = object->tail;
        STRESS_CHECK(tail != NULL && tail->back == object, "object %llu has lost its tail",
                     (unsigned long long)serial);
        check_one(tail, serial + i);
        object = tail;
    }
}

static struct object *allocate(struct thread *thread, uint64_t serial)
{
    struct object *object = shale_allocate(thread->mutator, thread->run->object_type);
    STRESS_CHECK(object != NULL, "no memory: %s", shale_last_error(thread->mutator)->message);
    STRESS_CHECK(object->serial == 0 && object->tail == NULL, "a new object is not zero");
    object->serial = serial;
    object->magic = magic_of(serial);
    return object;
}

/* A new object with its tail; in locals[0]. */
static struct object *make(struct thread *thread)
{
    uint64_t serial = __atomic_add_fetch(&thread->run->serial, TAIL + 1, __ATOMIC_RELAXED);
    thread->locals[0] = thread->locals[1] = allocate(thread, serial);
    for (uint64_t i = 1; i <= TAIL; i++) {
        struct object *tail = allocate(thread, serial + i);
        struct object *last = thread->locals[1];
        tail->back = last; /* new: plain */
        shale_store(thread->mutator, last, &last->tail, tail);
        thread->locals[1] = tail;
    }
    if (stress_random_chance(&thread->random, 3)) {
        STRESS_CHECK(shale_finalizer_add(thread->mutator, thread->locals[0], serial) == SHALE_OK,
                     "no finalizer");
        thread->made++;
    }
    return thread->locals[0];
}

/* ---- tables ---------------------------------------------------------------------------------------------- */

static void *load(void **table, uint32_t index)
{
    return __atomic_load_n(&table[index], __ATOMIC_ACQUIRE);
}

static void store(const struct thread *thread, void **table, uint32_t index, void *object)
{
    shale_store(thread->mutator, table, &table[index], object);
}

static uint32_t any_slot(struct thread *thread)
{
    return stress_random_below(&thread->random, SLOTS);
}

static void keep(struct thread *thread, struct object *object)
{
    uint32_t index = stress_random_below(&thread->random, KEPT);
    check(thread, object, object->serial);
    thread->kept[index] = object;
    thread->serials[index] = object->serial;
}

static void check_kept(const struct thread *thread)
{
    for (int i = 0; i < KEPT; i++) {
        if (thread->kept[i] != NULL)
            check(thread, thread->kept[i], thread->serials[i]);
    }
}

static void forget_some(struct thread *thread)
{
    for (int i = 0; i < KEPT; i++) {
        if (stress_random_chance(&thread->random, 2))
            thread->kept[i] = NULL;
    }
}

/* A new object, weakly in the tables and strongly too, or in this thread's hands only. */
static void put_new(struct thread *thread)
{
    struct run *run = thread->run;
    uint32_t slot = any_slot(thread);
    make(thread);
    shale_weak *weak = shale_weak_create(thread->mutator, thread->locals[0]);
    STRESS_CHECK(weak != NULL, "no memory for a weak reference");
    store(thread, run->tables.weak, slot, weak);
    if (stress_random_chance(&thread->random, 2)) {
        thread->locals[2] = thread->locals[0];
        make(thread); /* the value, which now and then leads back to the key */
        if (stress_random_chance(&thread->random, 2))
            shale_store(thread->mutator, thread->locals[0], &thread->locals[0]->back, thread->locals[2]);
        shale_ephemeron *ephemeron =
            shale_ephemeron_create(thread->mutator, thread->locals[2], thread->locals[0]);
        STRESS_CHECK(ephemeron != NULL, "no memory for an ephemeron");
        store(thread, run->tables.ephemerons, slot, ephemeron);
        thread->locals[0] = thread->locals[2];
    }
    if (stress_random_chance(&thread->random, 2))
        store(thread, run->tables.strong, slot, thread->locals[0]);
    else if (stress_random_chance(&thread->random, 2))
        keep(thread, thread->locals[0]);
    memset(thread->locals, 0, sizeof thread->locals);
}

static void got(struct thread *thread, struct object *object)
{
    thread->read++;
    if (object == NULL)
        thread->read_null++;
    else
        keep(thread, object);
}

static void read_weak(struct thread *thread)
{
    got(thread, shale_weak_get(thread->mutator, load(thread->run->tables.weak, any_slot(thread))));
}

/* There is no safepoint between these reads: what they say of one ephemeron must agree. */
static void read_ephemeron(struct thread *thread)
{
    shale_ephemeron *ephemeron = load(thread->run->tables.ephemerons, any_slot(thread));
    bool key_first = stress_random_chance(&thread->random, 2);
    struct object *key = key_first ? shale_ephemeron_key(thread->mutator, ephemeron) : NULL;
    struct object *value = shale_ephemeron_value(thread->mutator, ephemeron);
    STRESS_CHECK(key == NULL || value != NULL, "a key is live and its value is not");
    if (value != NULL && !key_first) {
        key = shale_ephemeron_key(thread->mutator, ephemeron);
        STRESS_CHECK(key != NULL, "a value was live and its key is not");
    }
    got(thread, value);
    if (key != NULL)
        keep(thread, key);
}

/* Also of ephemerons whose key is dead, or about to be found so. */
static void set_value(struct thread *thread)
{
    shale_ephemeron *ephemeron = load(thread->run->tables.ephemerons, any_slot(thread));
    struct object *object = thread->kept[stress_random_below(&thread->random, KEPT)];
    if (ephemeron == NULL || object == NULL)
        return;
    shale_ephemeron_set_value(thread->mutator, ephemeron, object);
    struct object *value = shale_ephemeron_value(thread->mutator, ephemeron);
    if (value != NULL)
        check(thread, value, value->serial);
}

static void drop(struct thread *thread)
{
    store(thread, thread->run->tables.strong, any_slot(thread), NULL);
}

/* ---- finalizers ------------------------------------------------------------------------------------------ */

static bool take(struct thread *thread)
{
    uintptr_t serial;
    struct object *object = shale_finalizer_take(thread->mutator, &serial);
    if (object == NULL)
        return false;
    check(thread, object, serial);
    thread->finalized++;
    if (!stress_random_chance(&thread->random, 4))
        return true;
    thread->returned++;
    store(thread, thread->run->tables.strong, any_slot(thread), object);
    if (stress_random_chance(&thread->random, 2)) {
        STRESS_CHECK(shale_finalizer_add(thread->mutator, object, serial) == SHALE_OK, "no finalizer");
        thread->made++;
    }
    keep(thread, object);
    return true;
}

/* More at a time than are made between two times, so that the queue does not fill the heap. */
static void take_some(struct thread *thread)
{
    for (int i = 0; i < 8 && take(thread); i++)
        continue;
}

/* ---- names ----------------------------------------------------------------------------------------------- */

/* Finds the object of a name, or makes it. What a dead one's serial number was is not used again. */
static void intern(struct thread *thread)
{
    struct run *run = thread->run;
    uint32_t name = stress_random_below(&thread->random, NAMES);
    stress_lock(thread->mutator, &run->names_lock);
    struct object *object = shale_weak_get(thread->mutator, load(run->tables.names, name));
    if (object != NULL) {
        STRESS_CHECK(object->serial == run->live_of_name[name], "a name leads to the object %llu, not %llu",
                     (unsigned long long)object->serial, (unsigned long long)run->live_of_name[name]);
        keep(thread, object);
    } else {
        /* Nobody may still have the last one. */
        for (int i = 0; i < KEPT; i++)
            STRESS_CHECK(thread->kept[i] == NULL || thread->serials[i] != run->live_of_name[name] ||
                             run->live_of_name[name] == 0,
                         "a weak reference was cleared though its object is held");
        uint64_t serial = __atomic_add_fetch(&run->serial, TAIL + 1, __ATOMIC_RELAXED);
        thread->locals[0] = thread->locals[1] = allocate(thread, serial);
        for (uint64_t i = 1; i <= TAIL; i++) {
            struct object *tail = allocate(thread, serial + i);
            tail->back = thread->locals[1];
            shale_store(thread->mutator, thread->locals[1], &thread->locals[1]->tail, tail);
            thread->locals[1] = tail;
        }
        shale_weak *weak = shale_weak_create(thread->mutator, thread->locals[0]);
        STRESS_CHECK(weak != NULL, "no memory for a weak reference");
        store(thread, run->tables.names, name, weak);
        run->live_of_name[name] = serial;
        keep(thread, thread->locals[0]);
        memset(thread->locals, 0, sizeof thread->locals);
    }
    pthread_mutex_unlock(&run->names_lock);
}

/* ---- a thread -------------------------------------------------------------------------------------------- */

static void step(struct thread *thread)
{
    uint32_t draw = stress_random_below(&thread->random, 100);
    if (draw < 15)
        put_new(thread);
    else if (draw < 25)
        drop(thread);
    else if (draw < 55)
        read_weak(thread);
    else if (draw < 75)
        read_ephemeron(thread);
    else if (draw < 80)
        set_value(thread);
    else if (draw < 88)
        intern(thread);
    else if (draw < 94)
        take_some(thread);
    else if (draw < 96)
        forget_some(thread);
    else
        check_kept(thread);
    shale_poll(thread->mutator);
}

static void thread_begin(struct thread *thread, struct run *run, uint64_t stream)
{
    *thread = (struct thread){.run = run, .random = stress_random_make(run->seed + stream)};
    thread->mutator = stress_attach(run->heap);
    shale_frame_push(thread->mutator, &thread->frames[0], thread->kept, KEPT);
    shale_frame_push(thread->mutator, &thread->frames[1], thread->locals, 3);
}

static void thread_end(struct thread *thread)
{
    struct run *run = thread->run;
    check_kept(thread);
    shale_frame_pop(thread->mutator, &thread->frames[1]);
    shale_frame_pop(thread->mutator, &thread->frames[0]);
    STRESS_CHECK(shale_detach(thread->mutator) == SHALE_OK, "detaching");
    __atomic_fetch_add(&run->made, thread->made, __ATOMIC_RELAXED);
    __atomic_fetch_add(&run->finalized, thread->finalized, __ATOMIC_RELAXED);
    __atomic_fetch_add(&run->returned, thread->returned, __ATOMIC_RELAXED);
    __atomic_fetch_add(&run->read, thread->read, __ATOMIC_RELAXED);
    __atomic_fetch_add(&run->read_null, thread->read_null, __ATOMIC_RELAXED);
}

/* Leaves a processor to the collector now and then, so that there are many cycles. */
static void breathe(struct thread *thread)
{
    struct timespec pause = {0, 20000};
    STRESS_CHECK(shale_enter_native(thread->mutator) == SHALE_OK, "entering a native section");
    nanosleep(&pause, NULL);
    STRESS_CHECK(shale_leave_native(thread->mutator) == SHALE_OK, "leaving a native section");
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct thread thread;
    thread_begin(&thread, worker->run, 100 + worker->index);
    while (stress_milliseconds() < worker->run->deadline) {
        for (int i = 0; i < 32; i++)
            step(&thread);
        breathe(&thread);
    }
    thread_end(&thread);
    return NULL;
}

/* One cycle after the other. */
static void *collect(void *argument)
{
    struct run *run = argument;
    shale_mutator *mutator = stress_attach(run->heap);
    for (unsigned i = 0; stress_milliseconds() < run->deadline; i++)
        STRESS_CHECK(shale_collect(mutator, i % 2 == 0 ? SHALE_COLLECT_NORMAL : SHALE_COLLECT_MOVE_ALL) ==
                         SHALE_OK,
                     "collecting");
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    return NULL;
}

/* ---- a run ----------------------------------------------------------------------------------------------- */

static void show_tables(void *context, shale_visitor *visitor)
{
    struct run *run = context;
    shale_visit_pointers(visitor, &run->tables, sizeof run->tables / sizeof(void *));
}

static void draw_run(struct run *run, enum stress_mode mode)
{
    struct stress_random random = stress_random_make(run->seed);
    static const unsigned stress[] = {0, 1, 5, 0};
    run->mode = mode;
    run->threads = 2 + stress_random_below(&random, THREADS_MAX - 1);
    stress_options(&run->options, mode, (size_t)8 << 20, NULL);
    run->options.stress = stress[stress_random_below(&random, 4)] * (stress_watched() ? 100 : 1);
    run->options.verify = (int)stress_random_below(&random, 3);
    run->options.workers = stress_random_below(&random, 4); /* 0: as many as processors are free */
    run->options.target = 110 + stress_random_below(&random, 190);
    printf("  seed %llu: faults %s, %u threads, %u workers, stress %u, verify %d, target %u\n",
           (unsigned long long)run->seed, stress_mode_names[mode], run->threads, run->options.workers,
           run->options.stress, run->options.verify, run->options.target);
}

static void make_tables(struct run *run, shale_mutator *mutator)
{
    static const uint32_t pointers[] = {0, 8};
    shale_type_spec object = {
        .name = "object", .size = sizeof(struct object), .pointers = pointers, .pointer_count = 2};
    shale_type_spec table = {
        .name = "table", .element_size = 8, .element_pointers = pointers, .element_pointer_count = 1};
    run->object_type = shale_type_register(run->heap, &object, NULL);
    run->table_type = shale_type_register(run->heap, &table, NULL);
    STRESS_CHECK(run->object_type != NULL && run->table_type != NULL, "no types");
    void ***tables[] = {&run->tables.strong, &run->tables.weak, &run->tables.ephemerons, &run->tables.names};
    for (int i = 0; i < 4; i++) {
        void *made = shale_allocate_array(mutator, run->table_type, SLOTS);
        STRESS_CHECK(made != NULL, "no memory for a table");
        shale_store_root(mutator, tables[i], made);
    }
}

/* With nothing held any more all that is left of the finalizers comes, and all weak references are NULL. */
static void check_end(struct run *run)
{
    struct thread thread;
    thread_begin(&thread, run, 99);
    shale_store_root(thread.mutator, &run->tables.strong, NULL);
    uint64_t finalized = run->finalized;
    for (bool any = true; any;) {
        STRESS_CHECK(shale_collect(thread.mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
        any = false;
        uintptr_t serial;
        for (struct object *object; (object = shale_finalizer_take(thread.mutator, &serial)) != NULL;
             any = true) {
            check(&thread, object, serial);
            finalized++;
        }
    }
    STRESS_CHECK(finalized == run->made, "%llu of %llu finalizers came", (unsigned long long)finalized,
                 (unsigned long long)run->made);
    for (uint32_t i = 0; i < SLOTS; i++) {
        STRESS_CHECK(shale_weak_get(thread.mutator, run->tables.weak[i]) == NULL &&
                         shale_weak_get(thread.mutator, run->tables.names[i]) == NULL &&
                         shale_ephemeron_key(thread.mutator, run->tables.ephemerons[i]) == NULL,
                     "something dead is still referred to");
    }
    thread_end(&thread);
    shale_statistics statistics;
    shale_heap_statistics(run->heap, &statistics);
    printf("    %llu cycles, %llu flips, %llu faults; %llu reads, %llu of nothing; %llu finalizers, %llu "
           "returned\n",
           (unsigned long long)statistics.cycles, (unsigned long long)statistics.flips,
           (unsigned long long)statistics.faults, (unsigned long long)run->read,
           (unsigned long long)run->read_null, (unsigned long long)run->made,
           (unsigned long long)run->returned);
}

static void one_run(uint64_t seed, enum stress_mode mode, unsigned milliseconds)
{
    struct run run = {.seed = seed};
    draw_run(&run, mode);
    run.heap = stress_heap(&run.options);
    pthread_mutex_init(&run.names_lock, NULL);
    shale_root_visitor *visitor = shale_heap_root_visitor_add(run.heap, show_tables, &run);
    STRESS_CHECK(visitor != NULL, "no heap root visitor");
    shale_mutator *mutator = stress_attach(run.heap);
    make_tables(&run, mutator);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    run.deadline = stress_milliseconds() + milliseconds;
    struct worker workers[THREADS_MAX];
    for (unsigned i = 0; i < run.threads; i++)
        workers[i] = (struct worker){&run, i};
    pthread_t collecting;
    STRESS_CHECK(pthread_create(&collecting, NULL, collect, &run) == 0, "no thread");
    stress_threads(run.threads, work, workers, sizeof workers[0]);
    pthread_join(collecting, NULL);
    check_end(&run);
    STRESS_CHECK(shale_root_visitor_remove(visitor) == SHALE_OK, "removing a visitor");
    pthread_mutex_destroy(&run.names_lock);
    stress_heap_end(run.heap);
}

static void weak_reading(void **state)
{
    (void)state;
    unsigned runs = stress_runs(12, 3);
    unsigned milliseconds = stress_quick() ? 500 : 1000;
    for (unsigned i = 0; i < runs; i++) {
        uint64_t seed = i == 0 ? stress_seed() : stress_mix(stress_seed() + i) >> 32;
        one_run(seed, (enum stress_mode)((stress_seed() + i) % STRESS_MODES), milliseconds);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(weak_reading)};
    return cmocka_run_group_tests_name("stress.weak", tests, NULL, NULL);
}
