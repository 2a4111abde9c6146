#include "gc/compact.h"

#include "gc/durations.h"
#include "gc/page_contents.h"

/* A thread takes several times as long to answer a fault as a page takes to build, so neighbours pay even where they are
 * needed by chance only. */
static const struct compact_ways ways_by_thread = {
    .clean = true, .neighbours = 8, .neighbours_most = 16, .roots = 32, .hints = true};

/* In place a fault costs about as much as a page or two, and a mutator that waits for more neighbours than it wants has
 * lost: with two, half as many faults as with none, and operations of the workloads lru and graph are no longer for it. */
static const struct compact_ways ways_in_place = {
    .clean = true, .neighbours = 2, .neighbours_most = 16, .roots = 8, .hints = true};

void compaction_init(struct compaction *compaction, struct memory *memory, const struct plan *plan)
{
    *compaction = (struct compaction){.memory = memory, .plan = plan, .ways = ways_by_thread};
}

void compact_answer_in_place(struct compaction *compaction)
{
    compaction->ways = ways_in_place;
}

/* What is taken from now on, regions or runs of large objects, knows new addresses only and need not be gone through. */
void compact_begin(struct compaction *compaction)
{
    const struct memory *memory = compaction->memory;
    page_number each = memory_page(memory, REGION_SIZE);
    compaction->region_count = region_touched(&memory->regions);
    compaction->unit_count =
        compaction->region_count + (page_runs_touched(&memory->fixed.large) + each - 1) / each;
    atomic_u32_store(&compaction->next_unit, 0);
    atomic_u32_store(&compaction->wanted, PAGE_NONE);
    read_ahead_begin(&compaction->read_ahead);
}

/* What a publish fails with is reported by the collector when the compaction has ended. Until then whoever needs
 * one of the pages waits, or asks for it again. */
static void publish_run(struct compaction *compaction, struct builder *builder)
{
    if (builder->run_count == 0)
        return;
    int status = page_publish(&compaction->memory->pages, builder->run_first, builder->run_count);
    if (status != 0)
        atomic_u32_store(&compaction->failure, (uint32_t)-status);
    atomic_u64_fetch_add(&builder->pages, builder->run_count - builder->run_clean);
    atomic_u64_fetch_add(&builder->clean, builder->run_clean);
    builder->run_count = 0;
    builder->run_clean = 0;
}

static bool is_clean(const struct compaction *compaction, page_number page)
{
    return compaction->ways.clean && page_is_clean(compaction->plan, page);
}

/* Brings a page that was claimed up to date, if it is not, and adds it to the run. */
static void build_claimed(struct compaction *compaction, struct builder *builder, page_number page,
                          bool clean)
{
    if (!clean)
        page_build(compaction->plan, page);
    builder->run_count++;
    builder->run_clean += clean;
}

/* False: somebody else has the page. */
static bool claim_and_build(struct compaction *compaction, struct builder *builder, page_number page,
                            bool clean)
{
    if (!page_claim(&compaction->memory->pages, page))
        return false;
    build_claimed(compaction, builder, page, clean);
    return true;
}

/* Builds and publishes the stale pages among `count` from `first` on. */
static void compact_pages(struct compaction *compaction, struct builder *builder, page_number first,
                          page_number count)
{
    struct page_states *pages = &compaction->memory->pages;
    for (page_number page = first; page < first + count; page++) {
        if (builder->run_count == 0)
            builder->run_first = page;
        if (!page_is_stale(pages, page) || !page_has_contents(compaction->plan, page) ||
            !claim_and_build(compaction, builder, page, is_clean(compaction, page)))
            publish_run(compaction, builder);
    }
    publish_run(compaction, builder);
}

/* Publishes the clean pages among `count` from `first` on. */
static void publish_clean(struct compaction *compaction, struct builder *builder, page_number first,
                          page_number count)
{
    struct page_states *pages = &compaction->memory->pages;
    for (page_number page = first; page < first + count; page++) {
        if (builder->run_count == 0)
            builder->run_first = page;
        if (!page_is_stale(pages, page) || !is_clean(compaction, page) ||
            !claim_and_build(compaction, builder, page, true))
            publish_run(compaction, builder);
    }
    publish_run(compaction, builder);
}

/* ---- workers --------------------------------------------------------------------------------------- */

/* Who has just faulted on a page is likely to want those behind it. */
static void compact_wanted(struct compaction *compaction, struct builder *builder)
{
    page_number first = atomic_u32_load(&compaction->wanted);
    if (first == PAGE_NONE)
        return;
    atomic_u32_store(&compaction->wanted, PAGE_NONE);
    page_number per_region = memory_page(compaction->memory, REGION_SIZE);
    page_number left = per_region - first % per_region;
    if (first % per_region != 0)
        compact_pages(compaction, builder, first, left < COMPACT_BATCH ? left : COMPACT_BATCH);
}

/* What workers take at a time: a region, or as much of the large space. */
struct unit {
    page_number first;
    page_number count; /* 0: nothing is to be done there */
};

static bool region_has_stale_contents(const struct compaction *compaction, region_number region)
{
    return region_get_state(&compaction->memory->regions, region) != REGION_FREE &&
           compaction->plan->roles[region] != ROLE_EVACUATED;
}

/* Objects of the large space lie apart: what is in front of the first one that reaches into the window is left out. */
static struct unit large_unit(const struct compaction *compaction, page_number first, page_number count)
{
    struct page_runs *runs = &compaction->memory->fixed.large;
    page_number start = first;
    if (page_runs_find(runs, first) == RUN_NONE)
        start = page_runs_next(runs, first, RUN_OBJECT);
    if (start >= first + count) /* RUN_NONE, too */
        return (struct unit){0, 0};
    page_number space = memory_page(compaction->memory, compaction->memory->views.regions);
    return (struct unit){space + start, first + count - start};
}

static struct unit unit_at(const struct compaction *compaction, uint32_t number)
{
    const struct memory *memory = compaction->memory;
    page_number each = memory_page(memory, REGION_SIZE);
    if (number >= compaction->region_count)
        return large_unit(compaction, (number - compaction->region_count) * each, each);
    return (struct unit){memory_page(memory, region_start(number)),
                         region_has_stale_contents(compaction, number) ? each : 0};
}

static void compact_unit(struct compaction *compaction, struct builder *builder, struct unit unit)
{
    page_number first = unit.first;
    page_number end = first + unit.count;
    for (; first < end; first += COMPACT_BATCH) {
        compact_wanted(compaction, builder);
        compact_pages(compaction, builder, first, end - first < COMPACT_BATCH ? end - first : COMPACT_BATCH);
    }
}

/* Large objects come first: an array of references is where much of what a program does begins, and its pages take whoever
 * faults on them longest to build. */
static struct unit unit_of_turn(const struct compaction *compaction, uint32_t turn)
{
    return unit_at(compaction, (turn + compaction->region_count) % compaction->unit_count);
}

bool compact_next_unit(struct compaction *compaction, struct builder *builder)
{
    uint32_t count = compaction->unit_count;
    struct unit unit;
    uint32_t turn;
    do {
        turn = atomic_u32_fetch_add(&compaction->next_unit, 1);
        if (turn >= 2 * count) {
            /* Keeps the cursor from wrapping, however often it is asked. */
            atomic_u32_store(&compaction->next_unit, 2 * count);
            return false;
        }
        unit = unit_of_turn(compaction, turn);
    } while (unit.count == 0);
    if (turn >= count) {
        compact_unit(compaction, builder, unit);
    } else {
        compact_wanted(compaction, builder);
        publish_clean(compaction, builder, unit.first, unit.count);
    }
    return true;
}

void compact_end(struct compaction *compaction, struct builder *builder)
{
    /* The cursor is past the end, but another worker may still be inside a unit it took, with pages there
     * that nobody has claimed yet. */
    struct memory *memory = compaction->memory;
    region_number regions = region_touched(&memory->regions);
    page_number large = page_runs_touched(&memory->fixed.large);
    for (uint32_t number = 0; number < compaction->unit_count; number++) {
        struct unit unit = unit_at(compaction, number);
        if (unit.count != 0)
            compact_unit(compaction, builder, unit);
    }
    /* What is still stale holds nothing; what is building is waited for. */
    page_release_rest(&memory->pages, 0, memory_page(memory, region_start(regions)));
    page_release_rest(&memory->pages, memory_page(memory, memory->views.regions), large);
    compaction->large_released = large;
}

void compact_settle(struct compaction *compaction)
{
    struct memory *memory = compaction->memory;
    page_number from = compaction->large_released;
    page_number large = page_runs_touched(&memory->fixed.large);
    page_release_rest(&memory->pages, memory_page(memory, memory->views.regions) + from, large - from);
}

void compact_in_pause(struct compaction *compaction, struct builder *builder)
{
    compact_begin(compaction);
    while (compact_next_unit(compaction, builder))
        continue;
    compact_end(compaction, builder);
}

/* ---- out of order ---------------------------------------------------------------------------------- */

static void note_stray(struct compaction *compaction, page_number page)
{
    const struct views *views = &compaction->memory->views;
    size_t offset = (size_t)page << views->page_shift;
    if (offset >= views->regions || compaction->plan->roles[region_of(offset)] != ROLE_EVACUATED)
        return;
    atomic_u64_store(&compaction->stray_address, (uint64_t)(uintptr_t)views_mutator(views, offset));
    atomic_u64_fetch_add(&compaction->strays, 1);
}

/* Adds a neighbour to a run, at either end. Others than clean ones count against `left`. False: that is as far as it
 * goes. */
static bool add_neighbour(struct compaction *compaction, struct builder *builder, page_number page,
                          page_number *left)
{
    if (!page_is_stale(&compaction->memory->pages, page))
        return false;
    bool clean = is_clean(compaction, page);
    if (!clean && (*left == 0 || !page_has_contents(compaction->plan, page)))
        return false;
    *left -= !clean;
    return claim_and_build(compaction, builder, page, clean);
}

/* Adds neighbours of its region to a run of one page: clean ones on both sides, which cost next to nothing; and `up` and `down`
 * others. */
static void add_neighbours(struct compaction *compaction, struct builder *builder, page_number up,
                           page_number down)
{
    page_number per_region = memory_page(compaction->memory, REGION_SIZE);
    page_number page = builder->run_first;
    page_number start = page - page % per_region;
    page_number end = start + per_region;
    for (page++; page < end && add_neighbour(compaction, builder, page, &up);)
        page++;
    while (builder->run_first > start && add_neighbour(compaction, builder, builder->run_first - 1, &down))
        builder->run_first--;
}

/* Claims a page and makes it the first of a run. False: somebody else has it. */
static bool begin_run(struct compaction *compaction, struct builder *builder, page_number page)
{
    *builder = (struct builder){.run_first = page};
    if (!page_claim(&compaction->memory->pages, page))
        return false;
    note_stray(compaction, page);
    bool clean = is_clean(compaction, page);
    if (!clean)
        page_warm(compaction->plan, page);
    build_claimed(compaction, builder, page, clean);
    return true;
}

static void end_run(struct compaction *compaction, struct builder *builder, struct builder *counters)
{
    publish_run(compaction, builder);
    atomic_u64_fetch_add(&counters->pages, atomic_u64_load(&builder->pages));
    atomic_u64_fetch_add(&counters->clean, atomic_u64_load(&builder->clean));
}

static bool is_large(const struct compaction *compaction, page_number page)
{
    return page >= memory_page(compaction->memory, compaction->memory->views.regions);
}

/* Makes a page mapped, with its neighbours. False: somebody else has it. */
static bool bring_with_neighbours(struct compaction *compaction, struct builder *counters, page_number page)
{
    struct builder builder;
    if (!begin_run(compaction, &builder, page))
        return false;
    const struct compact_ways *ways = &compaction->ways;
    /* A page of nothing but references takes long to build. */
    bool large = is_large(compaction, page);
    page_number few = large ? 0 : ways->neighbours;
    page_number most = large ? ways->neighbours_most / 2 : ways->neighbours_most;
    bool down =
        page + 1 < compaction->memory->pages.count && !page_is_stale(&compaction->memory->pages, page + 1);
    struct read_ahead_advice advice = read_ahead_advise(&compaction->read_ahead, page, down, few, most);
    add_neighbours(compaction, &builder, advice.down ? 0 : advice.pages, advice.down ? advice.pages : 0);
    page_number count = builder.run_count;
    /* Not in large objects: a mutator that goes through one from page to page would meet a worker all the time that has just claimed what it
     * wants next, and wait until the system lets that worker run on. */
    if (ways->hints && !large)
        atomic_u32_store(&compaction->wanted, builder.run_first + count);
    end_run(compaction, &builder, counters);
    read_ahead_note(&compaction->read_ahead, &advice, builder.run_first, count);
    return true;
}

enum compact_answer compact_fault(struct compaction *compaction, struct builder *builder, page_number page)
{
    atomic_u64_fetch_add(&builder->faults, 1);
    if (bring_with_neighbours(compaction, builder, page))
        return COMPACT_BUILT;
    if (!page_is_mapped(&compaction->memory->pages, page))
        return COMPACT_BEING_BUILT;
    int status = page_wake(&compaction->memory->pages, page);
    if (status != 0)
        atomic_u32_store(&compaction->failure, (uint32_t)-status);
    return COMPACT_WOKEN;
}

void compact_record_fault(const struct compaction *compaction, const struct os_fault *fault,
                          enum compact_answer answer, uint64_t began)
{
    static const uint16_t details[] = {
        [COMPACT_BUILT] = SHALE_FAULT_BUILT,
        [COMPACT_WOKEN] = SHALE_FAULT_MAPPED,
        [COMPACT_BEING_BUILT] = SHALE_FAULT_WAITED,
    };
    events_write(compaction->events, &(shale_event){
                                         .kind = SHALE_EVENT_FAULT,
                                         .detail = details[answer],
                                         .mutator = events_mutator_of(compaction->events, fault->thread),
                                         .begin = began,
                                         .end = clock_nanoseconds(),
                                         .values = {fault->address},
                                     });
}

void compact_bring(struct compaction *compaction, struct builder *builder, const page_number *pages,
                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct builder run;
        if (!begin_run(compaction, &run, pages[i]))
            continue;
        add_neighbours(compaction, &run, 0, 0);
        end_run(compaction, &run, builder);
    }
}
