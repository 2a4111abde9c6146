/*
 * Random numbers for tests, and what a test run is told from outside.
 *
 * A randomized test prints its seed when it starts and takes it back in TEST_SEED, so that a failure can be run
 * again. TEST_SCALE=quick asks for shorter runs.
 */
#ifndef SHALE_TESTS_TEST_RANDOM_H
#define SHALE_TESTS_TEST_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* xoshiro256**. */
struct test_random {
    uint64_t state[4];
};

/* The seed of this run: TEST_SEED, or one made from the clock. The first call prints it. */
uint64_t test_seed(void);

/* A sequence of its own for each `stream` of the same seed. */
struct test_random test_random_make(uint64_t seed, uint64_t stream);

uint64_t test_random_next(struct test_random *random);
/* In [0, limit); 0 when `limit` is 0. */
size_t test_random_below(struct test_random *random, size_t limit);
/* In [low, high]. */
size_t test_random_between(struct test_random *random, size_t low, size_t high);
/* True in `percent` of 100 calls. */
bool test_random_chance(struct test_random *random, unsigned percent);
/* Puts an array of 32-bit numbers into random order. */
void test_random_shuffle(struct test_random *random, uint32_t *numbers, size_t count);

/* Whether TEST_SCALE=quick. */
bool test_quick(void);
/* How often to do something. */
unsigned test_rounds(unsigned normally, unsigned quickly);

#endif
