#include "bench/support/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void samples_add(struct samples *samples, double value)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity == 0 ? 256 : samples->capacity * 2;
        samples->values = realloc(samples->values, samples->capacity * sizeof *samples->values);
        bench_require(samples->values != NULL, "there is no memory for the samples");
    }
    samples->values[samples->count++] = value;
}

void samples_clear(struct samples *samples)
{
    samples->count = 0;
}

void samples_free(struct samples *samples)
{
    free(samples->values);
    *samples = (struct samples){NULL, 0, 0};
}

static int compare(const void *left, const void *right)
{
    double l = *(const double *)left;
    double r = *(const double *)right;
    return (l > r) - (l < r);
}

double samples_percentile(struct samples *samples, double percent)
{
    if (samples->count == 0)
        return 0;
    qsort(samples->values, samples->count, sizeof *samples->values, compare);
    size_t index = (size_t)((double)samples->count * percent / 100);
    return samples->values[index < samples->count ? index : samples->count - 1];
}

double samples_median(struct samples *samples)
{
    return samples_percentile(samples, 50);
}

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t process_nanoseconds(void)
{
    return nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t thread_nanoseconds(void)
{
    return nanoseconds(CLOCK_THREAD_CPUTIME_ID);
}

void random_shuffle(uint64_t *state, uint32_t *numbers, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(state, i);
        uint32_t number = numbers[i - 1];
        numbers[i - 1] = numbers[other];
        numbers[other] = number;
    }
}

void bench_require(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(2);
}
