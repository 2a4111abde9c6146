/*
 * When a program was stopped for its memory manager, and what that left of its time: the minimum mutator utilisation, MMU,
 * the least share of any window of a given length that was not spent stopped (Cheng and Blelloch, PLDI 2001).
 *
 * [ordered] Stops are added in the order of time and do not overlap. One thread at a time adds.
 */
#ifndef BENCH_MEASURES_STOPS_H
#define BENCH_MEASURES_STOPS_H

#include <stddef.h>
#include <stdint.h>

enum { STOPS_MAX = 1 << 16, MMU_WINDOWS = 9 };

/* In milliseconds. */
extern const unsigned mmu_windows[MMU_WINDOWS];

struct stop {
    uint64_t begin; /* clock_wall */
    uint64_t end;
};

struct stops {
    size_t count;
    size_t lost; /* that did not fit */
    struct stop at[STOPS_MAX];
};

void stops_add(struct stops *stops, uint64_t begin, uint64_t end);

/* Nanoseconds. */
uint64_t stops_total(const struct stops *stops);
uint64_t stops_longest(const struct stops *stops);
uint64_t stops_percentile(const struct stops *stops, uint32_t per_million);

/* The utilisation, 0 to 1, of the worst window of `window` nanoseconds within [begin, end); of all of it when that is
 * shorter. */
double stops_minimum_utilisation(const struct stops *stops, uint64_t begin, uint64_t end, uint64_t window);

#endif
