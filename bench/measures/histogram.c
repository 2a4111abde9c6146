#include "bench/measures/histogram.h"

#include <inttypes.h>
#include <math.h>

uint64_t histogram_upper(size_t index)
{
    if (index >> (HISTOGRAM_CLASS_BITS + 1) == 0)
        return index;
    unsigned shift = (unsigned)(index >> HISTOGRAM_CLASS_BITS) - 1;
    uint64_t leading = (index & ((1u << HISTOGRAM_CLASS_BITS) - 1)) + (1u << HISTOGRAM_CLASS_BITS);
    return ((leading + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, const struct histogram *other)
{
    for (size_t i = 0; i < HISTOGRAM_CLASSES; i++)
        histogram->counts[i] += other->counts[i];
    histogram->count += other->count;
    if (other->maximum > histogram->maximum)
        histogram->maximum = other->maximum;
}

/* The largest value of the class that the value of this rank, counted from 1, is in. */
static uint64_t value_of_rank(const struct histogram *histogram, uint64_t rank)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_CLASSES - 1; i++) {
        seen += histogram->counts[i];
        if (seen >= rank)
            return histogram_upper(i) < histogram->maximum ? histogram_upper(i) : histogram->maximum;
    }
    return histogram->maximum;
}

uint64_t histogram_percentile(const struct histogram *histogram, uint32_t per_million)
{
    enum { MILLION = 1000000 };
    if (histogram->count == 0)
        return 0;
    /* Rounded up, in an order that does not overflow below 2^44 values. */
    uint64_t rank = (histogram->count * per_million + MILLION - 1) / MILLION;
    return value_of_rank(histogram, rank == 0 ? 1 : rank);
}

static void mean_and_deviation(const struct histogram *histogram, double *mean, double *deviation)
{
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < HISTOGRAM_CLASSES; i++) {
        double value = (double)histogram_upper(i);
        sum += value * (double)histogram->counts[i];
        squares += value * value * (double)histogram->counts[i];
    }
    double count = histogram->count == 0 ? 1 : (double)histogram->count;
    *mean = sum / count;
    double variance = squares / count - *mean * *mean;
    *deviation = variance > 0 ? sqrt(variance) : 0;
}

/* Each halving of what is left above the percentile is cut into five, as HdrHistogram's own output is. */
bool histogram_write_hgrm(const struct histogram *histogram, FILE *file)
{
    static const double MICROSECOND = 1000;
    enum { TICKS = 5 };
    fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    uint64_t seen = 0;
    double percentile = 0;
    double step = 0.5 / TICKS;
    unsigned ticks = 0;
    for (size_t i = 0; i < HISTOGRAM_CLASSES && seen < histogram->count; i++) {
        if (histogram->counts[i] == 0)
            continue;
        seen += histogram->counts[i];
        uint64_t upper = histogram_upper(i) < histogram->maximum ? histogram_upper(i) : histogram->maximum;
        double reached = (double)seen / (double)histogram->count;
        while (percentile <= reached && seen < histogram->count) {
            fprintf(file, "%12.3f %2.12f %10" PRIu64 " %14.2f\n", (double)upper / MICROSECOND, percentile,
                    seen, 1 / (1 - percentile));
            percentile += step;
            if (++ticks == TICKS) {
                ticks = 0;
                step /= 2;
            }
        }
    }
    if (histogram->count != 0)
        fprintf(file, "%12.3f %2.12f %10" PRIu64 "\n", (double)histogram->maximum / MICROSECOND, 1.0,
                histogram->count);
    double mean;
    double deviation;
    mean_and_deviation(histogram, &mean, &deviation);
    fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean / MICROSECOND,
            deviation / MICROSECOND);
    fprintf(file, "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n",
            (double)histogram->maximum / MICROSECOND, histogram->count);
    fprintf(file, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_VALUE_BITS - HISTOGRAM_CLASS_BITS,
            1 << (HISTOGRAM_CLASS_BITS + 1));
    return !ferror(file);
}
