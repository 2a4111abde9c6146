#include "heap/live_bits.h"

void bits_set_run(uint64_t *words, granule_number from, size_t count)
{
    size_t word = from >> 6;
    size_t shift = from & 63;
    while (count != 0) {
        size_t here = 64 - shift < count ? 64 - shift : count;
        words[word++] |= (~UINT64_C(0) >> (64 - here)) << shift;
        count -= here;
        shift = 0;
    }
}
