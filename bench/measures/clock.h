/*
 * The clocks that everything here is measured by, in nanoseconds.
 */
#ifndef BENCH_MEASURES_CLOCK_H
#define BENCH_MEASURES_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_wall(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* Of all threads of the process, user and system. */
static inline uint64_t clock_cpu(void)
{
    return clock_read(CLOCK_PROCESS_CPUTIME_ID);
}

#endif
