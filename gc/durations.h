/*
 * A histogram of durations: classes of at most 1/16 of their value, from 1 ns to hours. Anyone may record and
 * read at any time: each number is an atomic of its own, so a summary taken meanwhile may miss a part of what is
 * being recorded.
 */
#ifndef SHALE_GC_DURATIONS_H
#define SHALE_GC_DURATIONS_H

#include "heap/atomic.h"

#include <shale/shale.h>

enum { DURATION_SUBCLASSES = 16, DURATION_CLASSES = 44 * DURATION_SUBCLASSES };

struct durations {
    atomic_u64 counts[DURATION_CLASSES];
    atomic_u64 total;
    atomic_u64 maximum;
};

void durations_record(struct durations *durations, uint64_t nanoseconds);
void durations_summarize(const struct durations *durations, shale_durations *summary);

/* Nanoseconds of a clock that only goes forward. */
uint64_t clock_nanoseconds(void);

#endif
