/*
 * System calls into ordinary memory of the heap, in critical sections, while everything moves all the time: bytes go from
 * objects of one thread through a pipe into objects of another, and must arrive; no call may fail with EFAULT. Other threads
 * allocate and start cycles.
 */
#include "tests/support/stress_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { BUFFERS = 60, SIZE_MAX_BYTES = 20000, PAIRS = 2, CHURNERS = 1, THREADS = 2 * PAIRS + CHURNERS };

struct buffer {
    uint64_t seed;
    unsigned char bytes[];
};

struct run {
    shale_heap *heap;
    const shale_type *type;
    int pipes[PAIRS][2];
    bool over;          /* atomic */
    uint64_t transfers; /* atomic */
};

struct worker {
    struct run *run;
    unsigned index;
    shale_mutator *mutator;
    struct stress_random random;
    struct buffer *buffers[BUFFERS];
};

static unsigned char byte_of(uint64_t seed, size_t i)
{
    return (unsigned char)((seed + i) * 0x9e3779b1u >> 11);
}

static struct buffer *new_buffer(struct worker *worker, size_t size)
{
    struct buffer *buffer = shale_allocate_array(worker->mutator, worker->run->type, size);
    STRESS_CHECK(buffer != NULL, "%s", shale_last_error(worker->mutator)->message);
    worker->buffers[stress_random_below(&worker->random, BUFFERS)] = buffer;
    return buffer;
}

/* Writes or reads all of it, in native sections within the critical one: the other end may be slow. */
static bool transfer(struct worker *worker, int file, bool out, void *bytes, size_t size)
{
    STRESS_CHECK(shale_enter_native(worker->mutator) == SHALE_OK, "entering a native section");
    size_t done = 0;
    while (done < size) {
        ssize_t part = out ? write(file, (char *)bytes + done, size - done)
                           : read(file, (char *)bytes + done, size - done);
        STRESS_CHECK(part >= 0, "%s failed: %s", out ? "write" : "read", strerror(errno));
        if (part == 0)
            break; /* the other end is closed */
        done += (size_t)part;
    }
    STRESS_CHECK(shale_leave_native(worker->mutator) == SHALE_OK, "leaving a native section");
    return done == size;
}

static void enter(struct worker *worker)
{
    STRESS_CHECK(shale_enter_critical(worker->mutator) == SHALE_OK, "entering a critical section");
}

static void leave(struct worker *worker)
{
    STRESS_CHECK(shale_leave_critical(worker->mutator) == SHALE_OK, "leaving a critical section");
}

struct message {
    uint64_t seed;
    uint64_t size;
};

static void send_one(struct worker *worker, int file)
{
    size_t size = stress_random_below(&worker->random, SIZE_MAX_BYTES) + 1;
    struct buffer *buffer = new_buffer(worker, size);
    buffer->seed = stress_random_below(&worker->random, UINT32_MAX);
    for (size_t i = 0; i < size; i++)
        buffer->bytes[i] = byte_of(buffer->seed, i);
    struct {
        struct buffer *buffer;
    } local = {buffer};
    shale_frame frame;
    shale_frame_push(worker->mutator, &frame, &local, 1);
    struct message message = {buffer->seed, size};
    transfer(worker, file, true, &message, sizeof message);
    /* It has moved by now, as like as not. */
    enter(worker);
    STRESS_CHECK(transfer(worker, file, true, local.buffer->bytes, size), "a pipe was closed");
    leave(worker);
    shale_frame_pop(worker->mutator, &frame);
}

static bool receive_one(struct worker *worker, int file)
{
    struct message message;
    if (!transfer(worker, file, false, &message, sizeof message))
        return false;
    struct {
        struct buffer *buffer;
    } local = {new_buffer(worker, message.size)};
    shale_frame frame;
    shale_frame_push(worker->mutator, &frame, &local, 1);
    local.buffer->seed = message.seed;
    enter(worker);
    struct buffer *inside = local.buffer;
    STRESS_CHECK(transfer(worker, file, false, inside->bytes, message.size), "a pipe was closed");
    STRESS_CHECK(inside == local.buffer, "an object moved in a critical section");
    leave(worker);
    for (size_t i = 0; i < message.size; i++)
        STRESS_CHECK(inside->bytes[i] == byte_of(message.seed, i), "byte %zu of %zu did not arrive", i,
                     (size_t)message.size);
    shale_frame_pop(worker->mutator, &frame);
    __atomic_fetch_add(&worker->run->transfers, 1, __ATOMIC_RELAXED);
    return true;
}

static bool is_over(const struct run *run)
{
    return __atomic_load_n(&run->over, __ATOMIC_RELAXED);
}

static void churn(struct worker *worker)
{
    for (uint64_t until = stress_milliseconds() + (stress_quick() ? 200 : 900);
         stress_milliseconds() < until;) {
        for (int i = 0; i < 200; i++)
            new_buffer(worker, stress_random_below(&worker->random, 500))->seed = 1;
        STRESS_CHECK(shale_collect_start(worker->mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK,
                     "starting a cycle");
        shale_poll(worker->mutator);
    }
    __atomic_store_n(&worker->run->over, true, __ATOMIC_RELAXED);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct run *run = worker->run;
    worker->mutator = stress_attach(run->heap);
    worker->random = stress_random_make(stress_seed() + worker->index);
    shale_frame frame;
    shale_frame_push(worker->mutator, &frame, worker->buffers, BUFFERS);
    int *pipe_of = run->pipes[worker->index / 2 % PAIRS];
    if (worker->index >= 2 * PAIRS) {
        churn(worker);
    } else if (worker->index % 2 == 0) {
        while (!is_over(run))
            send_one(worker, pipe_of[1]);
        close(pipe_of[1]);
    } else {
        while (receive_one(worker, pipe_of[0]))
            continue;
        close(pipe_of[0]);
    }
    shale_frame_pop(worker->mutator, &frame);
    STRESS_CHECK(shale_detach(worker->mutator) == SHALE_OK, "detaching");
    return NULL;
}

static void one_run(enum stress_mode mode, int verify)
{
    if (!stress_mode_works(mode))
        return;
    static struct run run;
    run = (struct run){.over = false};
    shale_options options;
    stress_options(&options, mode, (size_t)48 << 20, "critical section");
    options.verify = verify;
    run.heap = stress_heap(&options);
    run.type = shale_type_register(
        run.heap, &(shale_type_spec){.name = "buffer", .size = sizeof(struct buffer), .element_size = 1},
        NULL);
    STRESS_CHECK(run.type != NULL, "no type");
    static struct worker workers[THREADS];
    for (unsigned i = 0; i < PAIRS; i++)
        STRESS_CHECK(pipe(run.pipes[i]) == 0, "no pipe");
    for (unsigned i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.run = &run, .index = i};
    stress_threads(THREADS, work, workers, sizeof workers[0]);
    shale_statistics statistics;
    shale_heap_statistics(run.heap, &statistics);
    printf("  faults %s, verify %d: %llu transfers, %llu flips, %llu held off\n", stress_mode_names[mode],
           verify, (unsigned long long)run.transfers, (unsigned long long)statistics.flips,
           (unsigned long long)statistics.flips_held_off);
    STRESS_CHECK(run.transfers > 0, "nothing was transferred");
    stress_heap_end(run.heap);
}

static void test_system_calls(void **state)
{
    (void)state;
    for (int verify = 0; verify <= 2; verify += 2) {
        one_run(STRESS_THREAD, verify);
        one_run(STRESS_SIGNAL, verify);
        one_run(STRESS_NEVER, verify);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_system_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
