#include "tests/support/stress_support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t seed;
static bool quick;
static unsigned runs;
static const char *program_name = "?";

const char *const stress_mode_names[STRESS_MODES] = {"thread", "signal", "never"};

_Noreturn void stress_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    flockfile(stderr);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n%s: failed; repeat with TEST_SEED=%llu\n", program_name, (unsigned long long)seed);
    funlockfile(stderr);
    va_end(arguments);
    abort();
}

void stress_begin(const char *program)
{
    const char *slash = strrchr(program, '/');
    program_name = slash != NULL ? slash + 1 : program;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    seed = stress_mix((uint64_t)now.tv_nsec * 1000003u + (uint64_t)now.tv_sec + (uint64_t)getpid() * 7919u) >>
           32;
    const char *given = getenv("TEST_SEED");
    if (given != NULL && given[0] != '\0')
        seed = strtoull(given, NULL, 0);
    const char *scale = getenv("TEST_SCALE");
    quick = scale != NULL && strcmp(scale, "quick") == 0;
    const char *count = getenv("TEST_RUNS");
    runs = count != NULL ? (unsigned)strtoul(count, NULL, 10) : 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%s: TEST_SEED=%llu\n", program_name, (unsigned long long)seed);
}

uint64_t stress_seed(void)
{
    return seed;
}

bool stress_quick(void)
{
    return quick;
}

unsigned stress_runs(unsigned normal, unsigned when_quick)
{
    if (runs != 0)
        return runs;
    return quick ? when_quick : normal;
}

uint64_t stress_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* A flip that had to fall back, a stray access, a page that could not be published: all are logged. */
static void judge_line(void *context, shale_log_level level, const char *line)
{
    const char *tolerated = context;
    if (level > SHALE_LOG_WARNING || (tolerated != NULL && strstr(line, tolerated) != NULL) ||
        strncmp(line, "compacting inside the pause: ", 29) == 0 ||
        strncmp(line, "allocation stall: ", 18) == 0)
        return;
    stress_fail(__FILE__, __LINE__, "the heap logged: %s", line);
}

int stress_barrier_given(int otherwise)
{
    const char *given = getenv("SHALE_BARRIER");
    if (given == NULL || announce_kernel_calls_unknown())
        return otherwise;
    return strcmp(given, "pages") == 0 ? SHALE_BARRIER_PAGES : SHALE_BARRIER_STORES;
}

void stress_options(shale_options *options, enum stress_mode mode, size_t heap_size, const char *tolerated)
{
    shale_options_init(options);
    options->ignore_environment = true;
    options->heap_size = heap_size;
    options->faults = mode == STRESS_SIGNAL ? SHALE_FAULTS_SIGNAL : SHALE_FAULTS_THREAD;
    options->concurrent = mode == STRESS_NEVER ? SHALE_CONCURRENT_NEVER : SHALE_CONCURRENT_AUTO;
    options->barrier = stress_barrier_given(SHALE_BARRIER_STORES);
    options->poll_warning = 60000; /* a loaded machine is no mistake */
    options->log = judge_line;
    options->log_context = (void *)tolerated;
    options->log_level = SHALE_LOG_WARNING;
}

shale_heap *stress_heap(const shale_options *options)
{
    shale_error error;
    shale_heap *heap = shale_heap_create(options, &error);
    STRESS_CHECK(heap != NULL, "no heap: %s", error.message);
    return heap;
}

void stress_heap_end(shale_heap *heap)
{
    shale_error error;
    STRESS_CHECK(shale_heap_destroy(heap, &error) == SHALE_OK, "the heap was not destroyed: %s",
                 error.message);
}

bool stress_mode_works(enum stress_mode mode)
{
    shale_options options;
    stress_options(&options, mode, (size_t)4 << 20, NULL);
    shale_heap *heap = stress_heap(&options);
    shale_statistics statistics;
    shale_heap_statistics(heap, &statistics);
    stress_heap_end(heap);
    return mode == STRESS_NEVER || statistics.compaction != SHALE_COMPACTION_IN_PAUSE;
}

bool stress_pages_work(void)
{
    shale_options options;
    stress_options(&options, STRESS_NEVER, (size_t)4 << 20, NULL);
    options.barrier = SHALE_BARRIER_PAGES;
    shale_heap *heap = shale_heap_create(&options, NULL);
    if (heap == NULL)
        return false;
    stress_heap_end(heap);
    return true;
}

shale_mutator *stress_attach(shale_heap *heap)
{
    shale_error error;
    shale_mutator *mutator = shale_attach(heap, &error);
    STRESS_CHECK(mutator != NULL, "not attached: %s", error.message);
    return mutator;
}

shale_mutator *stress_attach_conservative(shale_heap *heap)
{
    shale_error error;
    shale_attach_options options;
    shale_attach_options_init(&options);
    options.conservative = true;
    shale_mutator *mutator = shale_attach_with(heap, &options, &error);
    STRESS_CHECK(mutator != NULL, "not attached: %s", error.message);
    return mutator;
}

void stress_threads(unsigned count, void *(*run)(void *), void *first, size_t size)
{
    pthread_t threads[64];
    STRESS_CHECK(count <= 64, "too many threads");
    for (unsigned i = 0; i < count; i++)
        STRESS_CHECK(pthread_create(&threads[i], NULL, run, (char *)first + i * size) == 0, "no thread");
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

void stress_barrier(shale_mutator *mutator, pthread_barrier_t *barrier)
{
    STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering a native section");
    pthread_barrier_wait(barrier);
    STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving a native section");
}

void stress_lock(shale_mutator *mutator, pthread_mutex_t *lock)
{
    STRESS_CHECK(shale_enter_native(mutator) == SHALE_OK, "entering a native section");
    pthread_mutex_lock(lock);
    STRESS_CHECK(shale_leave_native(mutator) == SHALE_OK, "leaving a native section");
}
