#include "gc/compact.h"

void compaction_init(struct compaction *compaction, struct memory *memory, const struct plan *plan)
{
    *compaction = (struct compaction){.memory = memory, .plan = plan};
}

void compact_begin(struct compaction *compaction)
{
    atomic_u32_store(&compaction->next_region, 0);
    atomic_u32_store(&compaction->wanted, PAGE_NONE);
}

/* What a publish fails with is reported by the collector when the compaction has ended. Until then whoever needs
 * one of the pages waits, or asks for it again. */
static void publish(struct compaction *compaction, page_number first, page_number count)
{
    int status = page_publish(&compaction->memory->pages, first, count);
    if (status != 0)
        atomic_u32_store(&compaction->failure, (uint32_t)-status);
}

static void publish_run(struct compaction *compaction, struct builder *builder)
{
    if (builder->run_count == 0)
        return;
    publish(compaction, builder->run_first, builder->run_count);
    atomic_u64_store(&builder->pages, atomic_u64_load(&builder->pages) + builder->run_count);
    builder->run_count = 0;
}

/* Builds and publishes the stale pages among `count` from `first` on. */
static void compact_pages(struct compaction *compaction, struct builder *builder, page_number first,
                          page_number count)
{
    struct page_states *pages = &compaction->memory->pages;
    for (page_number page = first; page < first + count; page++) {
        if (!page_is_stale(pages, page) || !page_has_contents(compaction->plan, page) ||
            !page_claim(pages, page)) {
            publish_run(compaction, builder);
            continue;
        }
        page_build(compaction->plan, page);
        if (builder->run_count == 0)
            builder->run_first = page;
        builder->run_count++;
    }
    publish_run(compaction, builder);
}

/* Who has just faulted on a page is likely to want those behind it. */
static void compact_wanted(struct compaction *compaction, struct builder *builder)
{
    page_number first = atomic_u32_load(&compaction->wanted);
    if (first == PAGE_NONE)
        return;
    atomic_u32_store(&compaction->wanted, PAGE_NONE);
    page_number per_region = memory_page(compaction->memory, REGION_SIZE);
    page_number left = per_region - first % per_region;
    region_number region = region_of((size_t)first << compaction->memory->views.page_shift);
    if (region < compaction->memory->regions.count && first % per_region != 0)
        compact_pages(compaction, builder, first, left < COMPACT_BATCH ? left : COMPACT_BATCH);
}

static void compact_region(struct compaction *compaction, struct builder *builder, region_number region)
{
    page_number first = memory_page(compaction->memory, region_start(region));
    page_number end = first + memory_page(compaction->memory, REGION_SIZE);
    for (; first < end; first += COMPACT_BATCH) {
        compact_wanted(compaction, builder);
        compact_pages(compaction, builder, first, end - first < COMPACT_BATCH ? end - first : COMPACT_BATCH);
    }
}

static bool region_has_stale_contents(const struct compaction *compaction, region_number region)
{
    return region_get_state(&compaction->memory->regions, region) != REGION_FREE &&
           compaction->plan->roles[region] != ROLE_EVACUATED;
}

bool compact_next_region(struct compaction *compaction, struct builder *builder)
{
    region_number count = region_touched(&compaction->memory->regions);
    region_number region;
    do {
        region = atomic_u32_fetch_add(&compaction->next_region, 1);
        if (region >= count) {
            /* Keeps the cursor from wrapping, however often it is asked. */
            atomic_u32_store(&compaction->next_region, count);
            return false;
        }
    } while (!region_has_stale_contents(compaction, region));
    compact_region(compaction, builder, region);
    return true;
}

static void note_stray(struct compaction *compaction, page_number page)
{
    const struct views *views = &compaction->memory->views;
    size_t offset = (size_t)page << views->page_shift;
    if (compaction->plan->roles[region_of(offset)] != ROLE_EVACUATED)
        return;
    atomic_u64_store(&compaction->stray_address, (uint64_t)(uintptr_t)views_mutator(views, offset));
    atomic_u64_fetch_add(&compaction->strays, 1);
}

enum compact_answer compact_fault(struct compaction *compaction, page_number page)
{
    struct memory *memory = compaction->memory;
    if (page_claim(&memory->pages, page)) {
        note_stray(compaction, page);
        atomic_u32_store(&compaction->wanted, page + 1);
        page_warm(compaction->plan, page);
        page_build(compaction->plan, page);
        publish(compaction, page, 1);
        return COMPACT_BUILT;
    }
    if (!page_is_mapped(&memory->pages, page))
        return COMPACT_BEING_BUILT;
    int status = page_wake(&memory->pages, page);
    if (status != 0)
        atomic_u32_store(&compaction->failure, (uint32_t)-status);
    return COMPACT_WOKEN;
}

void compact_end(struct compaction *compaction, struct builder *builder)
{
    /* The cursor is past the end, but another worker may still be inside a region it took, with pages there
     * that nobody has claimed yet. */
    struct memory *memory = compaction->memory;
    region_number touched = region_touched(&memory->regions);
    for (region_number region = 0; region < touched; region++) {
        if (region_has_stale_contents(compaction, region))
            compact_region(compaction, builder, region);
    }
    /* What is still stale holds nothing; what is building is waited for. */
    page_release_rest(&memory->pages, memory_page(memory, region_start(touched)));
}

void compact_in_pause(struct compaction *compaction, struct builder *builder)
{
    compact_begin(compaction);
    while (compact_next_region(compaction, builder))
        continue;
    compact_end(compaction, builder);
}
