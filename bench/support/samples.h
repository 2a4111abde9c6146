/*
 * Measured values, and what is said about them: medians, since the machine may be busy with other things.
 */
#ifndef BENCH_SUPPORT_SAMPLES_H
#define BENCH_SUPPORT_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    double *values;
    size_t count;
    size_t capacity;
};

void samples_add(struct samples *samples, double value);
void samples_clear(struct samples *samples);
void samples_free(struct samples *samples);

/* The value that `percent` of the samples do not exceed; 0 when there are none. Sorts the samples. */
double samples_percentile(struct samples *samples, double percent);
double samples_median(struct samples *samples);

/* CPU time in nanoseconds: of all threads of the process, of the calling thread. The latter leaves out what
 * other programs on the machine take. */
uint64_t process_nanoseconds(void);
uint64_t thread_nanoseconds(void);

/* A generator whose sequence depends on its seed only (splitmix64, Steele, Lea and Flood, OOPSLA 2014). */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* For limits below 2^32. */
static inline size_t random_below(uint64_t *state, size_t limit)
{
    return (size_t)((random_next(state) >> 32) * limit >> 32);
}

/* Puts the numbers into a random order. */
void random_shuffle(uint64_t *state, uint32_t *numbers, size_t count);

/* Ends the program with a sentence unless the condition holds: set-up that cannot go wrong in earnest. */
void bench_require(int condition, const char *what);

#endif
