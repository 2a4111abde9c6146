/* The benchmarks' count of this process's memory, with a known number of bytes of each kind. */
#include "bench/measures/memory_use.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Touching by the kernel: under a sanitizer a store or load also touches memory of the sanitizer's. Linux 5.14. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

enum {
    BYTES = 64 << 20,
    SLACK = 8 << 20, /* page tables; what the kernel counts in batches; what cmocka or Valgrind takes */
    TICKS = 45 /* in which everything has been looked at: memory files are looked for at each twentieth */
};

static void *map(int file)
{
    int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, flags, file, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

static void touch(void *memory, int how)
{
    if (madvise(memory, BYTES, how) != 0)
        skip();
}

static int memory_file(void)
{
    int file = memfd_create("test", MFD_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, BYTES), 0);
    return file;
}

static void check_grown(uint64_t before, uint64_t after, uint64_t by)
{
    assert_in_range(after + SLACK, before + by, before + by + 2 * (uint64_t)SLACK);
}

static void test_anonymous_memory(void **state)
{
    (void)state;
    uint64_t before = memory_use_now();
    void *memory = map(-1);
    check_grown(before, memory_use_now(), 0); /* addresses are no memory */
    touch(memory, MADV_POPULATE_WRITE);
    check_grown(before, memory_use_now(), BYTES);
    munmap(memory, BYTES);
    check_grown(before, memory_use_now(), 0);
}

static void test_memory_file_in_two_views_counts_once(void **state)
{
    (void)state;
    uint64_t before = memory_use_now();
    int file = memory_file();
    void *first = map(file);
    void *second = map(file);
    check_grown(before, memory_use_now(), 0);
    touch(first, MADV_POPULATE_WRITE);
    check_grown(before, memory_use_now(), BYTES);
    touch(second, MADV_POPULATE_WRITE);
    check_grown(before, memory_use_now(), BYTES);
    munmap(first, BYTES);
    munmap(second, BYTES);
    check_grown(before, memory_use_now(), BYTES); /* not mapped, but there */
    close(file);
    check_grown(before, memory_use_now(), 0);
}

static void test_pages_of_files_do_not_count(void **state)
{
    (void)state;
    char path[] = "/var/tmp/memory_use_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    assert_int_equal(ftruncate(file, BYTES), 0);
    uint64_t before = memory_use_now();
    void *memory = map(file);
    touch(memory, MADV_POPULATE_READ);
    check_grown(before, memory_use_now(), 0);
    munmap(memory, BYTES);
    close(file);
}

static _Atomic unsigned ticks;

static void tick(void)
{
    atomic_fetch_add(&ticks, 1);
}

static void wait_for_ticks(void)
{
    unsigned enough = atomic_load(&ticks) + TICKS;
    while (atomic_load(&ticks) < enough)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Of two kinds that are there at different times the larger is the peak; of two at the same time their sum. */
static void test_peak(void **state)
{
    (void)state;
    uint64_t before = memory_use_now();
    assert_true(memory_use_start(tick));
    int file = memory_file();
    void *shared = map(file);
    touch(shared, MADV_POPULATE_WRITE);
    void *memory = map(-1);
    touch(memory, MADV_POPULATE_WRITE);
    wait_for_ticks();
    munmap(shared, BYTES);
    munmap(memory, BYTES);
    assert_int_equal(ftruncate(file, 0), 0); /* closing it would race with the thread that looks at it */
    memory = map(-1);
    touch(memory, MADV_POPULATE_WRITE);
    wait_for_ticks();
    munmap(memory, BYTES);
    uint64_t peak = memory_use_stop();
    check_grown(before, peak, 2 * (uint64_t)BYTES);
    close(file);
    check_grown(before, memory_use_now(), 0);
    unsigned ended = atomic_load(&ticks);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    assert_int_equal(atomic_load(&ticks), ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anonymous_memory),
        cmocka_unit_test(test_memory_file_in_two_views_counts_once),
        cmocka_unit_test(test_pages_of_files_do_not_count),
        cmocka_unit_test(test_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
