/*
 * What the stress tests have in common: seed and scale from the environment, heaps whose log lines are judged,
 * a check that works on any thread.
 *
 * TEST_SEED=N     repeats the run that printed N
 * TEST_SCALE=quick  takes a few seconds for a whole program
 * TEST_RUNS=N     how many random configurations a program tries, instead of its own number
 * TEST_MINUTES=N  the swarm goes on for so long
 */
#ifndef SHALE_TESTS_STRESS_SUPPORT_H
#define SHALE_TESTS_STRESS_SUPPORT_H

#include "heap/announce.h"
#include "tests/support/stress_random.h"

#include <pthread.h>
#include <shale/shale.h>

#if defined(__SANITIZE_THREAD__)
#define STRESS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STRESS_TSAN 1
#endif
#endif

/* cmocka's assertions jump back to the main thread's test function, so other threads (and everything below
 * them) end the program instead: with the seed, and with all threads where the mistake was found. */
_Noreturn void stress_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define STRESS_CHECK(condition, ...)                      \
    do {                                                  \
        if (__builtin_expect(!(condition), 0))            \
            stress_fail(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

/* Reads the environment and prints the seed. Call first in main. */
void stress_begin(const char *program);
uint64_t stress_seed(void);
bool stress_quick(void);
unsigned stress_runs(unsigned normal, unsigned quick);

/* Whether every allocation is a slow path because a checking tool watches: then everything is much slower. */
static inline bool stress_watched(void)
{
    return announce_wanted();
}

uint64_t stress_milliseconds(void);

/* How a heap under test compacts. */
enum stress_mode { STRESS_THREAD, STRESS_SIGNAL, STRESS_NEVER, STRESS_MODES };
extern const char *const stress_mode_names[STRESS_MODES];

/* SHALE_BARRIER from the environment, which also programs honour that otherwise do not depend on it; or what is given. */
int stress_barrier_given(int otherwise);

/* Options that do not depend on the environment, with a log on which every warning or error ends the test,
 * except lines that contain `tolerated` (a static string, or NULL). */
void stress_options(shale_options *options, enum stress_mode mode, size_t heap_size, const char *tolerated);

/* Creates a heap; checks that it compacts as `mode` says, where the kernel can. */
shale_heap *stress_heap(const shale_options *options);
void stress_heap_end(shale_heap *heap);

/* Whether the kernel lets this process compact concurrently in this mode. */
bool stress_mode_works(enum stress_mode mode);

/* Whether it can do without a write barrier. */
bool stress_pages_work(void);

shale_mutator *stress_attach(shale_heap *heap);
shale_mutator *stress_attach_conservative(shale_heap *heap);

/* Runs `count` threads with arguments `first + i * size` and joins them. */
void stress_threads(unsigned count, void *(*run)(void *), void *first, size_t size);

/* Waits for a pthread barrier or takes a lock as an attached thread must: in a native section. */
void stress_barrier(shale_mutator *mutator, pthread_barrier_t *barrier);
void stress_lock(shale_mutator *mutator, pthread_mutex_t *lock);

#endif
