#include "gc/durations.h"

#include <time.h>

uint64_t clock_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Values below 16 have a class each; above, each power of two has 16. */
static unsigned class_of(uint64_t value)
{
    if (value < DURATION_SUBCLASSES)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - 4;
    unsigned class = (shift + 1) * DURATION_SUBCLASSES + (unsigned)(value >> shift) - DURATION_SUBCLASSES;
    return class < DURATION_CLASSES ? class : DURATION_CLASSES - 1;
}

/* The largest value of a class. */
static uint64_t class_end(unsigned class)
{
    if (class < DURATION_SUBCLASSES)
        return class;
    unsigned shift = class / DURATION_SUBCLASSES - 1;
    uint64_t first = (uint64_t)(class % DURATION_SUBCLASSES + DURATION_SUBCLASSES) << shift;
    return first + (UINT64_C(1) << shift) - 1;
}

void durations_record(struct durations *durations, uint64_t nanoseconds)
{
    atomic_u64_fetch_add(&durations->counts[class_of(nanoseconds)], 1);
    atomic_u64_fetch_add(&durations->total, nanoseconds);
    uint64_t maximum = atomic_u64_load(&durations->maximum);
    while (nanoseconds > maximum && !atomic_u64_cas_full(&durations->maximum, maximum, nanoseconds))
        maximum = atomic_u64_load(&durations->maximum);
}

void durations_summarize(const struct durations *durations, shale_durations *summary)
{
    *summary = (shale_durations){
        .total = atomic_u64_load(&durations->total),
        .maximum = atomic_u64_load(&durations->maximum),
    };
    for (unsigned class = 0; class < DURATION_CLASSES; class ++)
        summary->count += atomic_u64_load(&durations->counts[class]);
    uint64_t seen = 0;
    for (unsigned class = 0; class < DURATION_CLASSES && seen < summary->count; class ++) {
        uint64_t before = seen;
        seen += atomic_u64_load(&durations->counts[class]);
        uint64_t end = class_end(class) < summary->maximum ? class_end(class) : summary->maximum;
        if (before * 2 < summary->count && seen * 2 >= summary->count)
            summary->p50 = end;
        if (before * 100 < summary->count * 99 && seen * 100 >= summary->count * 99)
            summary->p99 = end;
    }
}
