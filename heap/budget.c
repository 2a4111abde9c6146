#include "heap/budget.h"

/* Pages of a run whose memory is given back at a time: little enough that nobody waits for it long. */
#define DISCARD_SIZE ((size_t)1 << 20)

void budget_init(struct budget *budget, const struct views *views, struct region_table *regions,
                 struct page_runs *large, struct page_runs *data)
{
    *budget = (struct budget){.views = views, .regions = regions, .large = large, .data = data};
    pthread_mutex_init(&budget->lock, NULL);
}

void budget_destroy(struct budget *budget)
{
    pthread_mutex_destroy(&budget->lock);
}

static uint32_t regions_for(uint64_t bytes)
{
    return (uint32_t)((bytes + REGION_SIZE - 1) >> REGION_SHIFT);
}

bool budget_take(struct budget *budget, uint64_t bytes, uint32_t reserve)
{
    if (bytes > region_start(budget->regions->count))
        return false;
    pthread_mutex_lock(&budget->lock);
    uint32_t needed = regions_for(budget->held + bytes);
    bool taken = region_lend(budget->regions, needed - budget->lent, reserve);
    if (taken) {
        budget->held += bytes;
        budget->lent = needed;
    }
    pthread_mutex_unlock(&budget->lock);
    return taken;
}

void budget_return(struct budget *budget, uint64_t bytes)
{
    pthread_mutex_lock(&budget->lock);
    budget->held -= bytes;
    uint32_t needed = regions_for(budget->held);
    region_return_lent(budget->regions, budget->lent - needed);
    budget->lent = needed;
    pthread_mutex_unlock(&budget->lock);
}

uint64_t budget_held(struct budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    uint64_t held = budget->held;
    pthread_mutex_unlock(&budget->lock);
    return held;
}

uint64_t budget_idle(const struct budget *budget)
{
    uint64_t pages = atomic_u64_load(&budget->large->idle_pages) + atomic_u64_load(&budget->data->idle_pages);
    return (pages << budget->views->page_shift) + region_start(region_resident_count(budget->regions)) +
           atomic_u64_load(&budget->in_hand);
}

void budget_fit(struct budget *budget)
{
    while (budget_idle(budget) > region_start(region_free_count(budget->regions))) {
        if (budget_discard_oldest(budget, UINT64_MAX) <= 0)
            break;
    }
}

void budget_set_time(struct budget *budget, uint64_t now)
{
    region_table_set_time(budget->regions, now);
    page_runs_set_time(budget->large, now);
    page_runs_set_time(budget->data, now);
}

/* What became free the longest ago: a run of `runs`, or a region when it is NULL. */
static bool find_oldest(struct budget *budget, uint64_t *freed_at, struct page_runs **runs)
{
    struct page_runs *spaces[] = {budget->large, budget->data};
    bool any = region_oldest(budget->regions, freed_at);
    *runs = NULL;
    for (int i = 0; i < 2; i++) {
        uint64_t at;
        if (page_runs_oldest(spaces[i], &at) && (!any || at < *freed_at)) {
            any = true;
            *freed_at = at;
            *runs = spaces[i];
        }
    }
    return any;
}

bool budget_oldest(struct budget *budget, uint64_t *freed_at)
{
    struct page_runs *runs;
    return find_oldest(budget, freed_at, &runs);
}

static int discard_region(struct budget *budget, uint64_t time)
{
    const struct views *views = budget->views;
    region_number region = region_take_oldest(budget->regions, time);
    if (region == REGION_NONE)
        return 0;
    int status = views->os->file_discard(views->os, views->file, region_start(region), REGION_SIZE);
    if (status == 0)
        region_return_discarded(budget->regions, region);
    else
        region_free(budget->regions, region);
    return status != 0 ? status : 1;
}

static int discard_run(struct budget *budget, struct page_runs *runs, uint64_t time)
{
    const struct views *views = budget->views;
    size_t start = runs == budget->large ? views->regions : views->data;
    page_number count;
    page_number first =
        page_runs_take_oldest(runs, time, (page_number)(DISCARD_SIZE >> views->page_shift), &count);
    if (first == RUN_NONE)
        return 0;
    int status = views->os->file_discard(views->os, views->file, start + ((size_t)first << views->page_shift),
                                         (size_t)count << views->page_shift);
    page_runs_free(runs, first, status != 0 ? RUN_DIRTY : RUN_HOLE);
    return status != 0 ? status : 1;
}

int budget_empty(struct budget *budget, struct page_runs *runs)
{
    int status;
    do {
        status = discard_run(budget, runs, UINT64_MAX);
    } while (status > 0);
    return status;
}

int budget_discard_oldest(struct budget *budget, uint64_t time)
{
    uint64_t freed_at;
    struct page_runs *runs;
    if (!find_oldest(budget, &freed_at, &runs) || freed_at > time)
        return 0;
    return runs == NULL ? discard_region(budget, time) : discard_run(budget, runs, time);
}
