#include "bench/measures/memory_use.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FILES_MAX = 64,
    TEXT_MAX = 4096,
    PERIOD_NANOSECONDS = 5000000,
    TABLES_EVERY = 20, /* looks: page tables grow slowly, and are told in a file that is long to make */
    BLOCK_SIZE = 512   /* of st_blocks, whatever the file system's is */
};

struct sampler {
    pthread_t thread;
    void (*tick)(void);
    _Atomic bool stop;
    uint64_t peak;   /* the thread's while it runs */
    uint64_t tables; /* page tables at the last look at them */
    int files[FILES_MAX];
    size_t file_count;
};

static struct sampler sampler;

/* The contents, as a string; empty when it cannot be read. */
static void read_text(const char *path, char text[TEXT_MAX])
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, TEXT_MAX - 1);
    text[length < 0 ? 0 : length] = '\0';
    if (file >= 0)
        close(file);
}

/* What is resident without what belongs to files: private anonymous memory. */
static uint64_t anonymous_bytes(void)
{
    char text[TEXT_MAX];
    char *next;
    read_text("/proc/self/statm", text);
    strtoull(text, &next, 10);
    uint64_t resident = strtoull(next, &next, 10);
    uint64_t shared = strtoull(next, &next, 10);
    return resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static uint64_t page_table_bytes(void)
{
    char text[TEXT_MAX];
    read_text("/proc/self/status", text);
    const char *line = strstr(text, "\nVmPTE:");
    return line == NULL ? 0 : strtoull(line + strlen("\nVmPTE:"), NULL, 10) * 1024;
}

/* Whether the descriptor is a memory file, made by memfd_create. */
static bool is_memory_file(int file)
{
    char path[64];
    char target[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return false;
    target[length] = '\0';
    return strncmp(target, "/memfd:", strlen("/memfd:")) == 0;
}

/* By trying the lowest descriptors, since reading the folder of them would take memory. */
static size_t find_files(int files[FILES_MAX])
{
    size_t count = 0;
    for (int file = 0; file < FILES_MAX; file++) {
        if (is_memory_file(file))
            files[count++] = file;
    }
    return count;
}

static uint64_t file_bytes(const int files[FILES_MAX], size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        if (fstat(files[i], &status) == 0)
            bytes += (uint64_t)status.st_blocks * BLOCK_SIZE;
    }
    return bytes;
}

uint64_t memory_use_now(void)
{
    int files[FILES_MAX];
    size_t count = find_files(files);
    return anonymous_bytes() + page_table_bytes() + file_bytes(files, count);
}

/* A memory manager opens its files when it starts and keeps them, so they are looked for as seldom as page tables. */
static void look(unsigned turn)
{
    if (turn % TABLES_EVERY == 0) {
        sampler.tables = page_table_bytes();
        sampler.file_count = find_files(sampler.files);
    }
    uint64_t use = anonymous_bytes() + sampler.tables + file_bytes(sampler.files, sampler.file_count);
    if (use > sampler.peak)
        sampler.peak = use;
}

static void *run(void *unused)
{
    (void)unused;
    for (unsigned turn = 0; !atomic_load_explicit(&sampler.stop, memory_order_relaxed); turn++) {
        look(turn);
        if (sampler.tick != NULL)
            sampler.tick();
        nanosleep(&(struct timespec){.tv_nsec = PERIOD_NANOSECONDS}, NULL);
    }
    return NULL;
}

bool memory_use_start(void (*tick)(void))
{
    sampler.tick = tick;
    return pthread_create(&sampler.thread, NULL, run, NULL) == 0;
}

uint64_t memory_use_stop(void)
{
    atomic_store_explicit(&sampler.stop, true, memory_order_relaxed);
    pthread_join(sampler.thread, NULL);
    look(0);
    return sampler.peak;
}
