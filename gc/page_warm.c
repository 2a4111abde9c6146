#include "gc/page_build.h"

#define CACHE_LINE ((size_t)64)

/* Each step here is a row of loads that do not wait for each other, so that as many misses are under way as the
 * processor can have; in the order of building each miss would wait for the one before. They are loads, because
 * of so many prefetch instructions in a row processors drop a good part. */

/* The loads are wanted, not what they give. */
static inline void keep(uint64_t sum)
{
    __asm__ volatile("" : : "r"(sum));
}

static void warm_lines(const char *start, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i += CACHE_LINE)
        sum += *(const volatile uint64_t *)(start + i);
    keep(sum);
}

enum { WARM_AT_ONCE = 512 };

/* What forwarding will look at, if the words are references; taking others for some does no harm. */
static void warm_moves(const struct plan *plan, const uint64_t *words, size_t count)
{
    const struct forwarding forwarding = plan->forwarding;
    uint64_t address_bits = plan->memory->encoding.address;
    while (count != 0) {
        size_t now = count < WARM_AT_ONCE ? count : WARM_AT_ONCE;
        chunk_number chunks[WARM_AT_ONCE] = {0};
        size_t found = 0;
        for (size_t i = 0; i < now; i++) {
            size_t offset = (words[i] & address_bits) - forwarding.base;
            chunks[found] = (chunk_number)(offset >> CHUNK_SHIFT);
            found += offset < forwarding.size;
        }
        uint64_t sum = 0;
        for (size_t i = 0; i < found; i++)
            sum += forwarding.chunks[chunks[i]].gaps;
        keep(sum);
        words += now;
        count -= now;
    }
}

/* Only for pages that stay: looking for the references of a page that moves costs as much as it saves. */
void page_warm(const struct plan *plan, page_number page)
{
    const struct views *views = &plan->memory->views;
    size_t start = (size_t)page << views->page_shift;
    const char *contents = views_alias(views, start);
    if (start < views->regions && plan->roles[region_of(start)] != ROLE_STAY)
        return;
    warm_lines(contents, views->page_size);
    warm_moves(plan, (const uint64_t *)contents, views->page_size / sizeof(uint64_t));
}
