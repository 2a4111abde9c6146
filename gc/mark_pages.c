#include "gc/mark_pages.h"

#include "gc/durations.h"

enum {
    ROUNDS_MAX = 8,
    FEW_PAGES = 64, /* looking at so many takes about as long as stopping */
    GAIN_DIVISOR =
        4 /* a round that finds less than this share fewer than the one before has gained nothing */
};

int mark_pages_create(struct mark_pages *pages, struct mark *mark, const struct os_writes *writes)
{
    *pages = (struct mark_pages){.mark = mark};
    mark->memory->leads.wanted = false;
    for (unsigned i = 0; i < mark->workers->limit; i++)
        mark->tracers[i].births = true;
    return written_create(&pages->written, mark->memory, writes);
}

void mark_pages_destroy(struct mark_pages *pages)
{
    written_destroy(&pages->written);
}

/* ---- what mutators do ------------------------------------------------------------------------------ */

static void begin_local(void *context, struct mutator_local *local)
{
    struct mark *mark = context;
    mark_scan_local(mark, local);
    bump_start_recording(&local->bump, mark->memory);
    mark_reserve_births(mark, local);
    bump_record_eagerly(&local->bump, mark->memory);
}

static void round_local(void *context, struct mutator_local *local)
{
    struct mark *mark = context;
    mark_scan_local(mark, local);
    bump_record(&local->bump, mark->memory);
}

/* Its roots are shaded with those of all others. */
static void remark_local(void *context, struct mutator_local *local)
{
    struct mark *mark = context;
    conservative_scan(&mark->conservative, mark->world, local);
    shade_offer(&mark->work, &local->shaded);
    bump_record(&local->bump, mark->memory);
}

/* ---- what workers do ------------------------------------------------------------------------------- */

/* The next slice; false: there is none. */
static bool next_slice(struct mark_pages *pages, uint32_t *slice)
{
    *slice = atomic_u32_fetch_add(&pages->next, 1);
    return *slice < written_slices(&pages->written);
}

static void begin_slices(struct mark_pages *pages)
{
    atomic_u32_store(&pages->next, 0);
    atomic_u64_store(&pages->found, 0);
}

static void find_task(void *argument, unsigned index)
{
    struct mark_pages *pages = argument;
    for (uint32_t slice; next_slice(pages, &slice);)
        atomic_u64_fetch_add(&pages->found, written_find(&pages->written, slice, true));
    if (index == 0)
        atomic_u64_fetch_add(&pages->found, written_find_large(&pages->written, true));
}

static void look_at_slice(struct mark_pages *pages, struct tracer *tracer, uint32_t slice)
{
    const struct memory *memory = pages->mark->memory;
    region_number first = slice * WRITTEN_SLICE;
    size_t word = memory_page(memory, region_start(first)) / WRITTEN_WORD;
    size_t end = memory_page(memory, region_start(first + WRITTEN_SLICE)) / WRITTEN_WORD;
    for (; word < end; word++) {
        uint64_t written = written_take(&pages->written, word);
        if (written != 0)
            trace_look_again(tracer, (page_number)word * WRITTEN_WORD, written);
    }
}

/* Of a large object that is not marked it is only forgotten which pages were written: if it is marked later, all of it is
 * looked at then. */
static void look_at_large(struct mark_pages *pages, struct tracer *tracer)
{
    struct memory *memory = pages->mark->memory;
    struct fixed *fixed = &memory->fixed;
    page_number run = 0;
    while ((run = page_runs_next(&fixed->large, run, RUN_OBJECT)) != RUN_NONE) {
        size_t start = fixed_page_start(fixed, &fixed->large, run);
        page_number page = memory_page(memory, start);
        page_number end = page + page_runs_pages(&fixed->large, run);
        bool marked = fixed_is_marked(fixed, start + FIXED_FIRST_OBJECT);
        for (size_t word = page / WRITTEN_WORD; word * WRITTEN_WORD < end; word++) {
            uint64_t written = written_take_among(&pages->written, word, page, end);
            for (; written != 0 && marked; written &= written - 1)
                trace_look_again_at_large(tracer, start + FIXED_FIRST_OBJECT,
                                          (page_number)(word * WRITTEN_WORD) +
                                              (page_number)__builtin_ctzl(written));
        }
        run += page_runs_pages(&fixed->large, run);
    }
}

static void look_task(void *argument, unsigned index)
{
    struct mark_pages *pages = argument;
    struct tracer *tracer = mark_tracer(pages->mark, index);
    if (tracer == NULL)
        return;
    if (index == 0)
        look_at_large(pages, tracer);
    for (uint32_t slice; next_slice(pages, &slice);)
        look_at_slice(pages, tracer, slice);
    trace(tracer);
}

/* Nobody writes: what is found can be looked at at once. */
static void remark_task(void *argument, unsigned index)
{
    struct mark_pages *pages = argument;
    struct tracer *tracer = mark_tracer(pages->mark, index);
    if (tracer == NULL)
        return;
    if (index == 0) {
        atomic_u64_fetch_add(&pages->found, written_find_large(&pages->written, false));
        look_at_large(pages, tracer);
    }
    for (uint32_t slice; next_slice(pages, &slice);) {
        atomic_u64_fetch_add(&pages->found, written_find(&pages->written, slice, false));
        look_at_slice(pages, tracer, slice);
    }
    trace(tracer);
}

/* ---- phases ---------------------------------------------------------------------------------------- */

void mark_pages_begin(struct mark_pages *pages)
{
    struct mark *mark = pages->mark;
    const struct world *world = mark->world;
    pages->rounds = 0;
    pages->last_found = 0;
    pages->found_before = 0;
    pages->pages = 0;
    written_begin(&pages->written);
    pages->searched = clock_nanoseconds();
    world->handshake(world->context, STAGE_TRACKED, begin_local, mark);
    conservative_shade(&mark->conservative, &mark->work);
    mark_shade_shown(mark, world->visit_heap_roots);
    mark_trace(mark);
}

void mark_pages_round(struct mark_pages *pages)
{
    struct mark *mark = pages->mark;
    const struct world *world = mark->world;
    begin_slices(pages);
    uint64_t now = clock_nanoseconds();
    pages->interval = now - pages->searched;
    pages->searched = now;
    workers_run(mark->workers, find_task, pages);
    pages->found_before = pages->last_found;
    pages->last_found = atomic_u64_load(&pages->found);
    world->handshake(world->context, STAGE_TRACKED, round_local, mark);
    conservative_shade(&mark->conservative, &mark->work);
    mark_shade_shown(mark, world->visit_heap_roots);
    begin_slices(pages);
    mark_trace_with(mark, look_task, pages);
    pages->rounds++;
    pages->pages += pages->last_found;
}

void mark_pages_remark(struct mark_pages *pages)
{
    struct mark *mark = pages->mark;
    const struct world *world = mark->world;
    pages->remark.asked = clock_nanoseconds();
    world->stop(world->context);
    pages->remark.stopped = clock_nanoseconds();
    world->visit_mutators(world->context, remark_local, mark);
    conservative_shade(&mark->conservative, &mark->work);
    mark_shade_shown(mark, world->visit_roots);
    begin_slices(pages);
    mark_trace_with(mark, remark_task, pages);
    /* Somebody may have read a weak reference since marking began; what it led to is marked by now. */
    while (!weak_decide(&mark->weak))
        continue;
    pages->remark.ended = clock_nanoseconds();
    world->resume(world->context);
    pages->remark_pages = atomic_u64_load(&pages->found);
    pages->pages += pages->remark_pages;
}

/* How many pages a search would find now, if they are written to as quickly as they were before the last one. */
static uint64_t expected_pages(const struct mark_pages *pages)
{
    if (pages->rounds == 0)
        return UINT64_MAX;
    return (uint64_t)((double)pages->last_found * (double)(clock_nanoseconds() - pages->searched) /
                      (double)(pages->interval + 1));
}

/* A program that writes to pages as fast as they can be looked at: further rounds cost it a fault on each, and would leave
 * the remark as many as there are. */
static bool gains_nothing(const struct mark_pages *pages)
{
    return pages->rounds > 1 && pages->last_found > pages->found_before - pages->found_before / GAIN_DIVISOR;
}

static bool may_go_on(const struct mark_pages *pages)
{
    return pages->written.armed && pages->rounds < ROUNDS_MAX && expected_pages(pages) > FEW_PAGES &&
           !gains_nothing(pages);
}

/* A thread that has lost its processor keeps all others stopped until it gets one; one that has just answered a handshake
 * has one. And it leaves the remark less to do. */
static void settle(struct mark_pages *pages)
{
    const struct world *world = pages->mark->world;
    world->handshake(world->context, STAGE_TRACKED, round_local, pages->mark);
}

void mark_pages_run(struct mark_pages *pages)
{
    struct mark *mark = pages->mark;
    mark_prepare(mark);
    mark_pages_begin(pages);
    do {
        while (may_go_on(pages))
            mark_pages_round(pages);
        settle(pages);
    } while (may_go_on(pages));
    mark_pages_remark(pages);
    mark_weak(mark);
    written_end(&pages->written);
    mark_count(mark);
}
