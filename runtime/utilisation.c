/*
 * Minimum mutator utilisation, after Cheng and Blelloch, "A parallel, real-time garbage collector", PLDI 2001.
 *
 * How long a window from t to t + w overlaps pauses is, as a function of t, made of straight lines: it bends only where the
 * window's beginning or its end passes the beginning or the end of a pause. It rises until the window begins
 * where a pause does, or ends where one ends. So its maximum is at one of these, or at an end of the whole time.
 */
#include <shale/shale.h>

#include <stdlib.h>

/* A time in which the mutator could not run. */
struct pause {
    uint64_t begin;
    uint64_t end;
    uint64_t before; /* nanoseconds of pauses before it */
};

static bool concerns(const shale_event *event, uint64_t mutator)
{
    return event->kind >= SHALE_EVENT_STOP && event->kind < SHALE_EVENT_KIND_COUNT &&
           (event->mutator == 0 || event->mutator == mutator);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The pauses within [begin, end), in any order. */
static size_t collect_pauses(const shale_event *events, size_t count, uint64_t mutator, uint64_t begin,
                             uint64_t end, struct pause *pauses)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        struct pause pause = {larger(events[i].begin, begin), smaller(events[i].end, end), 0};
        if (concerns(&events[i], mutator) && pause.begin < pause.end)
            pauses[found++] = pause;
    }
    return found;
}

static int by_begin(const void *a, const void *b)
{
    uint64_t left = ((const struct pause *)a)->begin;
    uint64_t right = ((const struct pause *)b)->begin;
    return left < right ? -1 : left > right;
}

/* Makes pauses that touch, overlap or nest one, and sums them up. Returns how many are left. */
static size_t join_pauses(struct pause *pauses, size_t count)
{
    size_t joined = 0;
    for (size_t i = 0; i < count; i++) {
        if (joined != 0 && pauses[i].begin <= pauses[joined - 1].end) {
            pauses[joined - 1].end = larger(pauses[joined - 1].end, pauses[i].end);
            continue;
        }
        uint64_t before =
            joined == 0 ? 0 : pauses[joined - 1].before + pauses[joined - 1].end - pauses[joined - 1].begin;
        pauses[joined++] = (struct pause){pauses[i].begin, pauses[i].end, before};
    }
    return joined;
}

/* Nanoseconds of pauses before a moment. */
static uint64_t paused_before(const struct pause *pauses, size_t count, uint64_t moment)
{
    size_t low = 0;
    size_t high = count; /* the first pause that begins at the moment or later is in [low, high] */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pauses[middle].begin < moment)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    const struct pause *last = &pauses[low - 1];
    return last->before + smaller(last->end, moment) - last->begin;
}

static uint64_t longest_in_window(const struct pause *pauses, size_t count, uint64_t begin, uint64_t end,
                                  uint64_t window)
{
    uint64_t longest = 0;
    for (size_t i = 0; i < 2 * count; i++) {
        const struct pause *pause = &pauses[i / 2];
        uint64_t from = i % 2 == 0 ? pause->begin : pause->end - smaller(window, pause->end - begin);
        from = smaller(from, end - window);
        uint64_t paused = paused_before(pauses, count, from + window) - paused_before(pauses, count, from);
        longest = larger(longest, paused);
    }
    return longest;
}

double shale_minimum_utilisation(const shale_event *events, size_t count, uint64_t mutator, uint64_t begin,
                                 uint64_t end, uint64_t window)
{
    if (begin >= end || (events == NULL && count != 0))
        return -1;
    struct pause *pauses = malloc((count + 1) * sizeof *pauses);
    if (pauses == NULL)
        return -1;
    size_t found = collect_pauses(events, count, mutator, begin, end, pauses);
    qsort(pauses, found, sizeof *pauses, by_begin);
    found = join_pauses(pauses, found);
    window = smaller(window, end - begin);
    double utilisation = found == 0 ? 1 : 0; /* of a moment */
    if (window != 0)
        utilisation = 1 - (double)longest_in_window(pauses, found, begin, end, window) / (double)window;
    free(pauses);
    return utilisation;
}
