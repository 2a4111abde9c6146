#include "gc/read_ahead.h"

/* A run in a word: its first page, how many pages it has, and how many were asked for beside the first. A run lies in a
 * region, or a part of the large space that is as large, so both are small. */
enum { COUNT_SHIFT = 32, ASKED_SHIFT = 48, SMALL_MASK = 0xffff };

/* So many pages may lie between a run and what continues it: others have brought them in since, or they were left out. */
enum { NEAR = 64 };

/* What continues a run that had no neighbours has so many. */
enum { CONTINUED_LEAST = 2 };

static page_number run_first(uint64_t run)
{
    return (page_number)run;
}

static page_number run_end(uint64_t run)
{
    return (page_number)run + (page_number)(run >> COUNT_SHIFT & SMALL_MASK);
}

static page_number run_asked(uint64_t run)
{
    return (page_number)(run >> ASKED_SHIFT);
}

static page_number more(page_number asked, page_number few, page_number most)
{
    page_number pages = 2 * asked < few ? few : 2 * asked;
    if (pages < CONTINUED_LEAST)
        pages = CONTINUED_LEAST;
    return pages < most ? pages : most;
}

void read_ahead_begin(struct read_ahead *ahead)
{
    for (uint32_t i = 0; i < READ_AHEAD_RUNS; i++)
        atomic_u64_store(&ahead->runs[i], 0);
}

struct read_ahead_advice read_ahead_advise(struct read_ahead *ahead, page_number page, bool down,
                                           page_number few, page_number most)
{
    for (uint32_t i = 0; i < READ_AHEAD_RUNS; i++) {
        uint64_t run = atomic_u64_load(&ahead->runs[i]);
        if (run == 0)
            continue;
        page_number pages = more(run_asked(run), few, most);
        /* Differences wrap around when they would be negative, and are large then. */
        if (page - run_end(run) <= NEAR)
            return (struct read_ahead_advice){.run = i, .pages = pages};
        if (run_first(run) - page <= NEAR)
            return (struct read_ahead_advice){.run = i, .pages = pages, .down = true};
    }
    return (struct read_ahead_advice){.run = atomic_u32_fetch_add(&ahead->next, 1) % READ_AHEAD_RUNS,
                                      .pages = few < most ? few : most,
                                      .down = down};
}

void read_ahead_note(struct read_ahead *ahead, const struct read_ahead_advice *advice, page_number first,
                     page_number count)
{
    uint64_t run = first | (uint64_t)count << COUNT_SHIFT | (uint64_t)advice->pages << ASKED_SHIFT;
    atomic_u64_store(&ahead->runs[advice->run], run);
}
