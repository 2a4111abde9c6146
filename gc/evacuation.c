#include "gc/evacuation.h"

#include <shale/shale.h>

/* What a cycle costs, in per cent of rewriting pages that stay, byte for byte of what is live: bench_evacuation
 * measures it for several sizes of objects, and these are about the figures for 128 bytes. */
enum {
    COST_OF_MARKING = 150,
    COST_OF_MOVING = 140, /* building pages that objects move to */
};

/* Cycles for which regions that were packed stay so. Nothing tells in advance; what survives is older than most
 * objects, and the old tend to stay. */
enum { GAIN_LASTS = 4 };

/* A flip must gain this share of the goal, and the heap is tight when less than that is free. */
enum { GAIN_SHARE = 64, TIGHT_SHARE = 16 };

/* A destination region is closed by a group that does not fit, and a group is a chunk's worth of object starts
 * of which the last is as large as any. So this many bytes are in it at least. */
static uint32_t usable(uint32_t largest)
{
    return (uint32_t)(REGION_CAPACITY - (CHUNK_SIZE - GRANULE_SIZE + largest));
}

/* [packing] rests on this: regions that cannot be packed more densely are more than 1 / 1.15 full. */
_Static_assert((REGION_CAPACITY - (CHUNK_SIZE - GRANULE_SIZE + OBJECT_SIZE_MAX)) * 115 > REGION_SIZE * 100,
               "the largest object leaves too much of a destination region unused");

region_number evacuation_destinations(uint64_t bytes, uint32_t largest)
{
    return (region_number)((bytes + usable(largest) - 1) / usable(largest));
}

region_number evacuation_reserve(size_t heap_size)
{
    enum { SHARE = 32 };
    size_t share = round_up(heap_size / SHARE, HEAP_UNIT);
    return (region_number)((share > HEAP_UNIT ? share : HEAP_UNIT) >> REGION_SHIFT);
}

/* ---- looking around -------------------------------------------------------------------------------- */

struct survey {
    const struct region_table *regions;
    const uint32_t *growth;
    /* In all regions that may move. What mutators are filling is little, and not to be looked at: they may take a
     * region at any time, which resets its counts. */
    uint64_t live_bytes;
    uint32_t largest;
    /* Regions that may move and could be packed more densely. */
    region_number loose_count;
    uint64_t loose_bytes;
    bool young; /* there are regions that may move in the next cycle only [born-live] */
};

static bool can_move(const struct region_table *regions, region_number number)
{
    const struct region *region = &regions->regions[number];
    return region_get_state(regions, number) == REGION_USED && region->live_bytes != 0 && !region->stays;
}

/* What its live objects need elsewhere. */
static uint32_t bytes_to_move(const struct survey *survey, region_number number)
{
    return survey->regions->regions[number].live_bytes + survey->growth[number];
}

/* Its largest object, with what the others that start in the same chunk may grow by. */
static uint32_t largest_to_move(const struct survey *survey, region_number number)
{
    uint32_t growth = survey->growth[number] < CHUNK_SIZE ? survey->growth[number] : (uint32_t)CHUNK_SIZE;
    return survey->regions->regions[number].largest + growth;
}

static bool is_loose(const struct survey *survey, region_number number)
{
    return bytes_to_move(survey, number) < usable(survey->largest);
}

static struct survey look_around(const struct region_table *regions, const uint32_t *growth)
{
    struct survey survey = {.regions = regions, .growth = growth};
    for (region_number r = 0, touched = region_touched(regions); r < touched; r++) {
        if (region_get_state(regions, r) == REGION_BORN)
            survey.young = true;
        if (!can_move(regions, r))
            continue;
        survey.live_bytes += bytes_to_move(&survey, r);
        if (largest_to_move(&survey, r) > survey.largest)
            survey.largest = largest_to_move(&survey, r);
    }
    for (region_number r = 0, touched = region_touched(regions); r < touched; r++) {
        if (can_move(regions, r) && is_loose(&survey, r)) {
            survey.loose_count++;
            survey.loose_bytes += bytes_to_move(&survey, r);
        }
    }
    return survey;
}

/* Whether packing alone can free a region. While [packing]'s condition holds and nothing is free, it can. */
static bool can_be_packed(const struct survey *survey)
{
    return evacuation_destinations(survey->loose_bytes, survey->largest) < survey->loose_count;
}

/* ---- candidates, sparsest first -------------------------------------------------------------------- */

/* Sorted by how full they are, in classes of this many bytes, and at the end a class of those that cannot be
 * packed, so that none of them comes before one that can. */
enum { DENSITY_CLASSES = 64 };

static unsigned density_class(const struct survey *survey, region_number number)
{
    if (!is_loose(survey, number))
        return DENSITY_CLASSES;
    return (unsigned)((uint64_t)bytes_to_move(survey, number) * DENSITY_CLASSES / REGION_SIZE);
}

static bool is_candidate(const struct survey *survey, region_number number, uint64_t live_limit)
{
    return can_move(survey->regions, number) && bytes_to_move(survey, number) <= live_limit;
}

static region_number list_candidates(const struct survey *survey, uint64_t live_limit, region_number *list)
{
    const struct region_table *regions = survey->regions;
    region_number starts[DENSITY_CLASSES + 2] = {0};
    for (region_number r = 0, touched = region_touched(regions); r < touched; r++) {
        if (is_candidate(survey, r, live_limit))
            starts[density_class(survey, r) + 1]++;
    }
    for (unsigned class = 0; class <= DENSITY_CLASSES; class ++)
        starts[class + 1] += starts[class];
    region_number count = starts[DENSITY_CLASSES + 1];
    for (region_number r = 0, touched = region_touched(regions); r < touched; r++) {
        if (is_candidate(survey, r, live_limit))
            list[starts[density_class(survey, r)]++] = r;
    }
    return count;
}

/* ---- which of them --------------------------------------------------------------------------------- */

/* The first candidates, so many. */
struct prefix {
    region_number count;
    uint64_t bytes;
    uint32_t largest;
    region_number destinations;
};

static region_number less(region_number a, region_number b)
{
    return a > b ? a - b : 0;
}

static region_number spare(const struct evacuation_terms *terms)
{
    return less(terms->free_count, terms->reserve);
}

static enum plan_scope effective_scope(const struct survey *survey, const struct evacuation_terms *terms)
{
    bool tight = spare(terms) <= survey->regions->count / TIGHT_SHARE;
    if (tight && terms->scope == PLAN_SPARSE)
        return PLAN_TIGHT;
    return !tight && terms->scope == PLAN_TIGHT ? PLAN_WORTHWHILE : terms->scope;
}

static uint64_t live_limit(const struct survey *survey, enum plan_scope scope, unsigned sparse_percent)
{
    switch (scope) {
    case PLAN_TIGHT:
        return can_be_packed(survey) ? usable(survey->largest) - 1 : 0;
    case PLAN_EVERYTHING:
        return UINT64_MAX;
    default:
        return (uint64_t)REGION_SIZE * sparse_percent / 100;
    }
}

/* Mutators run on meanwhile, and what is destination or evacuated is not theirs until the cycle ends: of what
 * they might use they keep what they are expected to take, and half at most, unless somebody waits for the move. */
static region_number room(const struct evacuation_terms *terms, enum plan_scope scope)
{
    region_number most = terms->free_count;
    if ((scope == PLAN_WORTHWHILE || scope == PLAN_SPARSE) && !terms->outlook.awaited) {
        region_number kept = spare(terms) / 2;
        region_number taken = terms->outlook.meanwhile;
        /* Mutators leave the reserve alone also while it is in use. */
        if (taken != 0 && taken < kept && taken + terms->reserve < kept)
            kept = taken + terms->reserve;
        most -= kept;
    }
    return most < terms->room ? most : terms->room;
}

/* Regions that mutators are to have in use at most, when all goes well. */
static region_number goal(const struct survey *survey, const struct evacuation_terms *terms)
{
    region_number most = less(survey->regions->count, terms->reserve);
    return terms->outlook.goal != 0 && terms->outlook.goal < most ? terms->outlook.goal : most;
}

/* Regions that they can take before the next cycle is due, without a flip. */
static region_number headroom(const struct survey *survey, const struct evacuation_terms *terms)
{
    return less(goal(survey, terms), less(survey->regions->count, terms->free_count));
}

/* What moving the prefix is worth, in hundredths of rewriting a granule; at most 0: nothing.
 *
 * A cycle costs the marking of what is live and gets the program what it may take until the next. With `gain` regions more it
 * would get that much more for the same marking, so a share gain / (headroom + gain) of the marking is saved, as long
 * as the gain lasts. A flip costs the rewriting of all that is live, and the moving in place of rewriting of what
 * moves. */
static int64_t net_gain(const struct survey *survey, const struct evacuation_terms *terms,
                        const struct prefix *prefix)
{
    int64_t gain = (int64_t)prefix->count - prefix->destinations;
    if (gain <= 0 || gain < goal(survey, terms) / GAIN_SHARE)
        return 0;
    int64_t live = (int64_t)(survey->live_bytes >> GRANULE_SHIFT);
    int64_t moved = (int64_t)(prefix->bytes >> GRANULE_SHIFT);
    int64_t saved =
        (int64_t)GAIN_LASTS * COST_OF_MARKING * live * gain / ((int64_t)headroom(survey, terms) + gain);
    return saved - 100 * live - (COST_OF_MOVING - 100) * moved;
}

/* How much the set that is this prefix is wanted; at most 0: not at all. */
static int64_t worth(const struct survey *survey, const struct evacuation_terms *terms, enum plan_scope scope,
                     const struct prefix *prefix)
{
    switch (scope) {
    case PLAN_WORTHWHILE:
        return net_gain(survey, terms, prefix);
    case PLAN_TIGHT:
        /* One region alone is not packed any more densely by being moved. */
        return prefix->count >= 2 && prefix->destinations <= prefix->count ? prefix->count : 0;
    case PLAN_SPARSE:
        return prefix->destinations < prefix->count ? prefix->count : 0;
    default: /* [reserve] */
        return (uint64_t)terms->free_count + prefix->count >= (uint64_t)terms->reserve + prefix->destinations
                   ? prefix->count
                   : 0;
    }
}

static bool makes_progress(const struct survey *survey, const struct evacuation *evacuation)
{
    region_number loose = 0;
    for (region_number i = 0; i < evacuation->count; i++)
        loose += is_loose(survey, evacuation->regions[i]);
    return loose >= 2 && can_be_packed(survey);
}

void evacuation_choose(struct evacuation *evacuation, const struct region_table *regions,
                       const struct evacuation_terms *terms)
{
    struct survey survey = look_around(regions, terms->growth);
    enum plan_scope scope = effective_scope(&survey, terms);
    region_number candidates =
        list_candidates(&survey, live_limit(&survey, scope, terms->sparse_percent), evacuation->regions);
    region_number most = room(terms, scope);
    struct prefix prefix = {0};
    struct prefix best = {0};
    int64_t best_worth = 0;
    while (prefix.count < candidates) {
        region_number number = evacuation->regions[prefix.count++];
        uint32_t largest = largest_to_move(&survey, number);
        prefix.bytes += bytes_to_move(&survey, number);
        prefix.largest = largest > prefix.largest ? largest : prefix.largest;
        prefix.destinations = evacuation_destinations(prefix.bytes, prefix.largest);
        if (prefix.destinations > most)
            break;
        int64_t this_worth = worth(&survey, terms, scope, &prefix);
        if (this_worth > best_worth) {
            best = prefix;
            best_worth = this_worth;
        }
    }
    evacuation->count = best.count;
    evacuation->destinations = best.destinations;
    evacuation->young = survey.young;
    evacuation->progress = survey.young || makes_progress(&survey, evacuation);
}
