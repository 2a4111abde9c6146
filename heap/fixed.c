#include "heap/fixed.h"

#include <string.h>

/* Bytes that are cleared at a time: few enough that a cycle that is asked for meanwhile is not held up. */
#define CLEARED_AT_ONCE ((size_t)1 << 20)

static page_number pages_between(const struct views *views, size_t start, size_t end)
{
    return (page_number)((end - start) >> views->page_shift);
}

void fixed_table_sizes(const struct views *views, size_t sizes[FIXED_TABLES])
{
    page_number large = pages_between(views, views->regions, views->flipped);
    page_number data = pages_between(views, views->data, views->size);
    sizes[0] = large * sizeof(struct page_run);
    sizes[1] = page_runs_bitmap_words(large) * sizeof(uint64_t);
    sizes[2] = data * sizeof(struct page_run);
    sizes[3] = page_runs_bitmap_words(data) * sizeof(uint64_t);
    sizes[4] = (views->size - views->regions) >> CHUNK_SHIFT << 3;
}

void fixed_init(struct fixed *fixed, const struct views *views, struct region_table *regions,
                void *const tables[FIXED_TABLES])
{
    fixed->views = views;
    page_runs_init(&fixed->large, tables[0], tables[1], pages_between(views, views->regions, views->flipped));
    page_runs_init(&fixed->data, tables[2], tables[3], pages_between(views, views->data, views->size));
    fixed->marks = tables[4];
    budget_init(&fixed->budget, views, regions, &fixed->large, &fixed->data);
}

void fixed_destroy(struct fixed *fixed)
{
    budget_destroy(&fixed->budget);
    page_runs_destroy(&fixed->data);
    page_runs_destroy(&fixed->large);
}

static void count_bytes(struct fixed *fixed, const struct page_runs *runs, uint64_t bytes)
{
    atomic_u64_fetch_add(runs == &fixed->large ? &fixed->large_bytes : &fixed->data_bytes, bytes);
}

size_t fixed_take(struct fixed *fixed, struct page_runs *runs, page_number count, uint32_t reserve,
                  enum run_state *was)
{
    uint64_t bytes = (uint64_t)count << fixed->views->page_shift;
    if (!budget_take(&fixed->budget, bytes, reserve))
        return OFFSET_NONE;
    page_number first = page_runs_take(runs, count, was);
    if (first == RUN_NONE && budget_empty(&fixed->budget, runs) == 0)
        first = page_runs_take(runs, count, was); /* beside each other there were memory and holes */
    if (first == RUN_NONE) {
        budget_return(&fixed->budget, bytes);
        return OFFSET_NONE;
    }
    count_bytes(fixed, runs, bytes);
    if (*was == RUN_HOLE)
        budget_fit(&fixed->budget);
    return fixed_page_start(fixed, runs, first);
}

void fixed_free(struct fixed *fixed, size_t start)
{
    struct page_runs *runs = fixed_runs(fixed, start);
    page_number first = fixed_page(fixed, runs, start);
    uint64_t bytes = (uint64_t)page_runs_pages(runs, first) << fixed->views->page_shift;
    /* In this order, or its memory would for a moment belong to nobody. */
    page_runs_free(runs, first, RUN_DIRTY);
    count_bytes(fixed, runs, -bytes);
    budget_return(&fixed->budget, bytes);
}

bool fixed_clear_some(struct fixed *fixed)
{
    const struct views *views = fixed->views;
    struct page_runs *spaces[] = {&fixed->data, &fixed->large};
    page_number count;
    for (int i = 0; i < 2; i++) {
        atomic_u64_store(&fixed->budget.in_hand, CLEARED_AT_ONCE);
        page_number first =
            page_runs_take_dirty(spaces[i], (page_number)(CLEARED_AT_ONCE >> views->page_shift), &count);
        if (first == RUN_NONE)
            continue;
        memset(views_alias(views, fixed_page_start(fixed, spaces[i], first)), 0,
               (size_t)count << views->page_shift);
        page_runs_free(spaces[i], first, RUN_ZERO);
        atomic_u64_store(&fixed->budget.in_hand, 0);
        return true;
    }
    atomic_u64_store(&fixed->budget.in_hand, 0);
    return false;
}

bool fixed_mark(struct fixed *fixed, size_t offset)
{
    size_t bit = fixed_bit(fixed, offset);
    atomic_u64 *word = &fixed->marks[bit >> 6];
    uint64_t mask = UINT64_C(1) << (bit & 63);
    for (;;) {
        uint64_t before = atomic_u64_load(word);
        if ((before & mask) != 0)
            return false;
        if (atomic_u64_cas_full(word, before, before | mask))
            return true;
    }
}

void fixed_unmark(struct fixed *fixed, size_t offset)
{
    size_t bit = fixed_bit(fixed, offset);
    atomic_u64 *word = &fixed->marks[bit >> 6];
    for (;;) {
        uint64_t before = atomic_u64_load(word);
        if (atomic_u64_cas_full(word, before, before & ~(UINT64_C(1) << (bit & 63))))
            return;
    }
}
