#include "bench/measures/stops.h"

#include <stdlib.h>
#include <string.h>

const unsigned mmu_windows[MMU_WINDOWS] = {1, 2, 5, 10, 20, 50, 100, 200, 500};

void stops_add(struct stops *stops, uint64_t begin, uint64_t end)
{
    if (stops->count == STOPS_MAX) {
        stops->lost++;
        return;
    }
    stops->at[stops->count++] = (struct stop){.begin = begin, .end = end};
}

uint64_t stops_total(const struct stops *stops)
{
    uint64_t total = 0;
    for (size_t i = 0; i < stops->count; i++)
        total += stops->at[i].end - stops->at[i].begin;
    return total;
}

uint64_t stops_longest(const struct stops *stops)
{
    return stops_percentile(stops, 1000000);
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

uint64_t stops_percentile(const struct stops *stops, uint32_t per_million)
{
    enum { MILLION = 1000000 };
    if (stops->count == 0)
        return 0;
    uint64_t *durations = malloc(stops->count * sizeof *durations);
    if (durations == NULL)
        return 0;
    for (size_t i = 0; i < stops->count; i++)
        durations[i] = stops->at[i].end - stops->at[i].begin;
    qsort(durations, stops->count, sizeof *durations, compare);
    uint64_t rank = (stops->count * per_million + MILLION - 1) / MILLION;
    uint64_t duration = durations[rank == 0 ? 0 : rank - 1];
    free(durations);
    return duration;
}

/* Time stopped within [begin, end). `first` is the first stop that may reach into it. */
static uint64_t stopped_within(const struct stops *stops, size_t first, uint64_t begin, uint64_t end)
{
    uint64_t stopped = 0;
    for (size_t i = first; i < stops->count && stops->at[i].begin < end; i++) {
        uint64_t from = stops->at[i].begin > begin ? stops->at[i].begin : begin;
        uint64_t to = stops->at[i].end < end ? stops->at[i].end : end;
        if (to > from)
            stopped += to - from;
    }
    return stopped;
}

/* As a window slides, the time stopped in it grows or shrinks linearly until one of its ends passes an end of a stop. So
 * the worst one begins where a stop begins, or ends where one ends, or lies at an end of the whole time. */
double stops_minimum_utilisation(const struct stops *stops, uint64_t begin, uint64_t end, uint64_t window)
{
    if (end - begin < window)
        window = end - begin;
    if (window == 0)
        return 1;
    uint64_t worst = stopped_within(stops, 0, begin, begin + window);
    uint64_t last = stopped_within(stops, 0, end - window, end);
    if (last > worst)
        worst = last;
    size_t first = 0; /* that ends after the window which ends where stop i does begins */
    for (size_t i = 0; i < stops->count; i++) {
        const struct stop *stop = &stops->at[i];
        uint64_t from = stop->begin < begin ? begin : stop->begin;
        if (from + window > end)
            from = end - window;
        uint64_t to = stop->end > end ? end : stop->end;
        if (to < begin + window)
            to = begin + window;
        uint64_t earliest = from < to - window ? from : to - window;
        while (first < i && stops->at[first].end <= earliest)
            first++;
        uint64_t after = stopped_within(stops, first, from, from + window);
        uint64_t before = stopped_within(stops, first, to - window, to);
        if (after > worst)
            worst = after;
        if (before > worst)
            worst = before;
    }
    return 1 - (double)worst / (double)window;
}
