/*
 * [io] Buffers registered with io_uring: the kernel holds their pages for as long as they are registered and writes into them
 * when it pleases. Small pinned and large pointer-free objects are registered; reads into them are begun before a cycle that
 * moves everything else, and end during it, after it, or many cycles later. What the program then reads through the object must
 * be what arrived: a page that had been exchanged behind the kernel's back would still show the old bytes.
 *
 * Skipped where the library was built without liburing, or the kernel does not let this process use io_uring.
 */
#include "tests/support/stress_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SKIPPED = 77 };

#ifdef SHALE_TESTS_LIBURING
#include <liburing.h>
#include <sys/uio.h>

enum { BUFFERS = 12, TRANSFER_MAX = 60000, CHAIN = 2000 };

static const size_t sizes[] = {16, 100, 1500, 4096, 30000, 100000, 1 << 20};

struct link {
    struct link *next;
    uint64_t number;
};

struct run {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *bytes;
    const shale_type *link;
    struct {
        unsigned char *buffers[BUFFERS];
        struct link *chain; /* what the cycles have to move */
    } local;
    shale_frame frame;
    size_t lengths[BUFFERS];
    struct io_uring ring;
    int ends[BUFFERS][2]; /* a pipe for each */
    struct stress_random random;
};

static void create(struct run *run, enum stress_mode mode)
{
    shale_options options;
    stress_options(&options, mode, (size_t)64 << 20, NULL);
    *run = (struct run){.heap = stress_heap(&options), .random = stress_random_make(stress_seed() + mode)};
    run->mutator = stress_attach(run->heap);
    static const uint32_t first[] = {0};
    run->bytes = shale_type_register(run->heap, &(shale_type_spec){.name = "bytes", .element_size = 1}, NULL);
    run->link = shale_type_register(
        run->heap,
        &(shale_type_spec){
            .name = "link", .size = sizeof(struct link), .pointers = first, .pointer_count = 1},
        NULL);
    shale_frame_push(run->mutator, &run->frame, &run->local, sizeof run->local / sizeof(void *));
    struct iovec places[BUFFERS];
    for (size_t i = 0; i < BUFFERS; i++) {
        run->lengths[i] = sizes[i % (sizeof sizes / sizeof sizes[0])];
        run->local.buffers[i] = shale_allocate_pinned_array(run->mutator, run->bytes, run->lengths[i]);
        STRESS_CHECK(run->local.buffers[i] != NULL, "%s", shale_last_error(run->mutator)->message);
        places[i] = (struct iovec){run->local.buffers[i], run->lengths[i]};
        STRESS_CHECK(pipe(run->ends[i]) == 0, "no pipe: %s", strerror(errno));
    }
    STRESS_CHECK(io_uring_queue_init(BUFFERS, &run->ring, 0) == 0, "no ring");
    int status = io_uring_register_buffers(&run->ring, places, BUFFERS);
    STRESS_CHECK(status == 0, "registering buffers: %s", strerror(-status));
}

static void destroy(struct run *run)
{
    io_uring_queue_exit(&run->ring);
    for (size_t i = 0; i < BUFFERS; i++) {
        close(run->ends[i][0]);
        close(run->ends[i][1]);
    }
    shale_frame_pop(run->mutator, &run->frame);
    STRESS_CHECK(shale_detach(run->mutator) == SHALE_OK, "detaching");
    stress_heap_end(run->heap);
}

/* A chain with garbage in between, so that a cycle has something to move. */
static void churn(struct run *run)
{
    run->local.chain = NULL;
    for (uint64_t i = 0; i < CHAIN; i++) {
        struct link *link = shale_allocate(run->mutator, run->link);
        STRESS_CHECK(link != NULL, "%s", shale_last_error(run->mutator)->message);
        link->number = i;
        if (i % 4 != 0)
            continue;
        shale_store(run->mutator, link, &link->next, run->local.chain);
        run->local.chain = link;
    }
}

static unsigned char byte_of(uint64_t seed, size_t i)
{
    return (unsigned char)((seed + i) * 0x9e3779b1u >> 13);
}

static size_t transfer_length(const struct run *run, size_t i)
{
    return run->lengths[i] < TRANSFER_MAX ? run->lengths[i] : TRANSFER_MAX; /* what a pipe holds */
}

static void begin_read(struct run *run, size_t i, bool at_end)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&run->ring);
    size_t length = transfer_length(run, i);
    unsigned char *to = run->local.buffers[i] + (at_end ? run->lengths[i] - length : 0);
    io_uring_prep_read_fixed(entry, run->ends[i][0], to, (unsigned)length, 0, (int)i);
    entry->user_data = i;
}

static void feed(struct run *run, size_t i, uint64_t seed)
{
    static unsigned char bytes[TRANSFER_MAX];
    size_t length = transfer_length(run, i);
    for (size_t k = 0; k < length; k++)
        bytes[k] = byte_of(seed, k);
    STRESS_CHECK(write(run->ends[i][1], bytes, length) == (ssize_t)length, "write: %s", strerror(errno));
}

static void check_arrived(struct run *run, size_t i, bool at_end, uint64_t seed)
{
    size_t length = transfer_length(run, i);
    const unsigned char *bytes = run->local.buffers[i] + (at_end ? run->lengths[i] - length : 0);
    for (size_t k = 0; k < length; k++)
        STRESS_CHECK(bytes[k] == byte_of(seed, k), "byte %zu of buffer %zu is wrong", k, i);
}

/* Writes a buffer's bytes out again by the registered memory, and compares what comes out. */
static void write_back(struct run *run, size_t i, bool at_end, uint64_t seed)
{
    static unsigned char bytes[TRANSFER_MAX];
    size_t length = transfer_length(run, i);
    struct io_uring_sqe *entry = io_uring_get_sqe(&run->ring);
    unsigned char *from = run->local.buffers[i] + (at_end ? run->lengths[i] - length : 0);
    io_uring_prep_write_fixed(entry, run->ends[i][1], from, (unsigned)length, 0, (int)i);
    entry->user_data = BUFFERS;
    struct io_uring_cqe *completion;
    STRESS_CHECK(io_uring_submit_and_wait(&run->ring, 1) >= 0, "submitting a write");
    STRESS_CHECK(io_uring_wait_cqe(&run->ring, &completion) == 0, "waiting for a write");
    STRESS_CHECK(completion->res == (int)length, "writing: %d", completion->res);
    io_uring_cqe_seen(&run->ring, completion);
    STRESS_CHECK(read(run->ends[i][0], bytes, length) == (ssize_t)length, "read: %s", strerror(errno));
    for (size_t k = 0; k < length; k++)
        STRESS_CHECK(bytes[k] == byte_of(seed, k), "byte %zu written from buffer %zu is wrong", k, i);
}

/* One read into each buffer: some end before the cycle does, some after it; whole cycles run in between. */
static void one_round(struct run *run, uint64_t round)
{
    bool at_end = round % 2 != 0;
    for (size_t i = 0; i < BUFFERS; i++)
        begin_read(run, i, at_end);
    STRESS_CHECK(io_uring_submit(&run->ring) == BUFFERS, "submitting reads");
    churn(run);
    bool wait = stress_random_below(&run->random, 3) != 0;
    STRESS_CHECK((wait ? shale_collect : shale_collect_start)(run->mutator, SHALE_COLLECT_MOVE_ALL) ==
                     SHALE_OK,
                 "collecting");
    for (size_t i = 0; i < BUFFERS; i++) {
        feed(run, i, round * BUFFERS + i);
        shale_poll(run->mutator);
    }
    for (size_t arrived = 0; arrived < BUFFERS; arrived++) {
        struct io_uring_cqe *completion;
        STRESS_CHECK(shale_enter_native(run->mutator) == SHALE_OK, "entering a native section");
        int status = io_uring_wait_cqe(&run->ring, &completion);
        STRESS_CHECK(shale_leave_native(run->mutator) == SHALE_OK, "leaving a native section");
        STRESS_CHECK(status == 0, "waiting for a read: %s", strerror(-status));
        size_t i = (size_t)completion->user_data;
        STRESS_CHECK(completion->res == (int)transfer_length(run, i), "reading into buffer %zu: %d", i,
                     completion->res);
        io_uring_cqe_seen(&run->ring, completion);
        check_arrived(run, i, at_end, round * BUFFERS + i);
    }
    STRESS_CHECK(shale_collect(run->mutator, SHALE_COLLECT_MOVE_ALL) == SHALE_OK, "collecting");
    for (size_t i = 0; i < BUFFERS; i++) {
        check_arrived(run, i, at_end, round * BUFFERS + i);
        write_back(run, i, at_end, round * BUFFERS + i);
    }
}

static void test_registered_buffers(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < STRESS_MODES; mode++) {
        static struct run run;
        create(&run, (enum stress_mode)mode);
        uint64_t rounds = stress_quick() ? 20 : 400;
        for (uint64_t round = 0; round < rounds; round++)
            one_round(&run, round);
        shale_statistics statistics;
        shale_heap_statistics(run.heap, &statistics);
        STRESS_CHECK(statistics.objects_moved != 0, "nothing moved");
        destroy(&run);
    }
}

static bool kernel_has_rings(void)
{
    struct io_uring ring;
    if (io_uring_queue_init(2, &ring, 0) != 0)
        return false;
    io_uring_queue_exit(&ring);
    return true;
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    if (!kernel_has_rings()) {
        printf("skipped: this process may not use io_uring\n");
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_registered_buffers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    printf("skipped: built without liburing\n");
    return SKIPPED;
}

#endif
