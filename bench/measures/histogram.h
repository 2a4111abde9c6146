/*
 * How often which duration occurred, in log-linear classes: exact below 128 ns, above that 64 classes for each power of
 * two, so that a class is at most 1.6 % wide. Durations of 18 minutes and more share the last class.
 *
 * [constant] Recording takes constant time and no memory, so that it can be done between any two operations of a program
 * without being seen in what is measured. One thread at a time uses a histogram.
 */
#ifndef BENCH_MEASURES_HISTOGRAM_H
#define BENCH_MEASURES_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    HISTOGRAM_CLASS_BITS = 6, /* classes for each power of two, as a power of two */
    HISTOGRAM_VALUE_BITS = 40,
    HISTOGRAM_CLASSES = (HISTOGRAM_VALUE_BITS - HISTOGRAM_CLASS_BITS + 1) << HISTOGRAM_CLASS_BITS
};

struct histogram {
    uint64_t counts[HISTOGRAM_CLASSES];
    uint64_t count;
    uint64_t maximum; /* exact */
};

static inline size_t histogram_class(uint64_t value)
{
    if (value >> HISTOGRAM_VALUE_BITS != 0)
        return HISTOGRAM_CLASSES - 1;
    if (value >> (HISTOGRAM_CLASS_BITS + 1) == 0)
        return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_CLASS_BITS;
    return ((size_t)shift << HISTOGRAM_CLASS_BITS) + (size_t)(value >> shift);
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->counts[histogram_class(value)]++;
    histogram->count++;
    if (value > histogram->maximum)
        histogram->maximum = value;
}

/* The largest value of a class. */
uint64_t histogram_upper(size_t index);

/* Adds what another one has counted. */
void histogram_add(struct histogram *histogram, const struct histogram *other);

/* The value that `per_million` of a million values do not exceed: the largest of its class, but no more than the maximum; 0
 * when there are none. */
uint64_t histogram_percentile(const struct histogram *histogram, uint32_t per_million);

/* Writes the distribution of percentiles as HdrHistogram's tools do and read it (.hgrm), in microseconds. Returns whether
 * all was written. */
bool histogram_write_hgrm(const struct histogram *histogram, FILE *file);

#endif
