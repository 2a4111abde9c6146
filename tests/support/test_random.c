#include "tests/support/test_random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Steele, Lea and Flood, "Fast splittable pseudorandom number generators": fills states from small seeds. */
static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t seed_from_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t state = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + (uint64_t)getpid();
    /* Short enough to type. */
    return splitmix(&state) % 1000000000u;
}

uint64_t test_seed(void)
{
    static bool chosen;
    static uint64_t seed;
    if (chosen)
        return seed;
    const char *given = getenv("TEST_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : seed_from_clock();
    chosen = true;
    printf("seed %" PRIu64 ": run again with TEST_SEED=%" PRIu64 "\n", seed, seed);
    fflush(stdout);
    return seed;
}

struct test_random test_random_make(uint64_t seed, uint64_t stream)
{
    struct test_random random;
    uint64_t state = seed ^ stream * UINT64_C(0xd1342543de82ef95);
    for (int i = 0; i < 4; i++)
        random.state[i] = splitmix(&state);
    return random;
}

static uint64_t rotate(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

uint64_t test_random_next(struct test_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

size_t test_random_below(struct test_random *random, size_t limit)
{
    return limit == 0 ? 0 : (size_t)(test_random_next(random) % limit);
}

size_t test_random_between(struct test_random *random, size_t low, size_t high)
{
    return low + test_random_below(random, high - low + 1);
}

bool test_random_chance(struct test_random *random, unsigned percent)
{
    return test_random_below(random, 100) < percent;
}

void test_random_shuffle(struct test_random *random, uint32_t *numbers, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = test_random_below(random, i);
        uint32_t number = numbers[i - 1];
        numbers[i - 1] = numbers[j];
        numbers[j] = number;
    }
}

bool test_quick(void)
{
    const char *scale = getenv("TEST_SCALE");
    return scale != NULL && strcmp(scale, "quick") == 0;
}

unsigned test_rounds(unsigned normally, unsigned quickly)
{
    return test_quick() ? quickly : normally;
}
