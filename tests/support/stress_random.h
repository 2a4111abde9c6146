/*
 * Random numbers for the stress tests: small, fast, and the same for the same seed on every machine. One
 * generator belongs to one thread.
 */
#ifndef SHALE_TESTS_STRESS_RANDOM_H
#define SHALE_TESTS_STRESS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct stress_random {
    uint64_t state;
};

/* A bijection that spreads every bit of its argument (the finalizer of splitmix64). */
static inline uint64_t stress_mix(uint64_t word)
{
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

static inline struct stress_random stress_random_make(uint64_t seed)
{
    return (struct stress_random){stress_mix(seed + 1)};
}

static inline uint64_t stress_random_next(struct stress_random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return stress_mix(random->state);
}

/* In [0, bound); the bias is of no matter here. */
static inline uint32_t stress_random_below(struct stress_random *random, uint32_t bound)
{
    return (uint32_t)((stress_random_next(random) >> 32) * bound >> 32);
}

static inline bool stress_random_chance(struct stress_random *random, uint32_t one_in)
{
    return stress_random_below(random, one_in) == 0;
}

#endif
