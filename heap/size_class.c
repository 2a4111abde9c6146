#include "heap/size_class.h"

_Static_assert(OBJECT_SIZE_MAX >> GRANULE_SHIFT <= (SIZE_CLASS_STEPS + 1) << 9 &&
                   OBJECT_SIZE_MAX >> GRANULE_SHIFT > SIZE_CLASS_STEPS << 9,
               "the last class is not that of the largest objects");

struct size_class size_class_describe(unsigned class)
{
    uint32_t granules = size_class_granules(class);
    uint32_t words = SMALL_BLOCK_WORDS;
    while (words < LARGE_BLOCK_WORDS && words * 64 < granules * BLOCK_CELLS_LEAST)
        words *= 2;
    struct size_class described = {.granules = granules,
                                   .words = words,
                                   .count = (words * 64 - 1) / granules,
                                   .end = 1 + (words * 64 - 1) / granules * granules,
                                   .carry = (granules - 64 % granules) % granules};
    for (uint32_t start = 0; start < 64; start += granules)
        described.pattern |= UINT64_C(1) << start;
    return described;
}

uint32_t size_class_phase(const struct size_class *class, unsigned word)
{
    uint32_t first = word << 6;
    if (first == 0)
        return 1;
    uint32_t over = (first - 1) % class->granules;
    return over != 0 ? class->granules - over : 0;
}
