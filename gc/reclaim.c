#include "gc/reclaim.h"

#include <string.h>

/* Page table entries that went out of the mutator view are dropped in slices, so that no one of these calls
 * holds up the faults of mutators for long. */
#define RELEASE_SLICE ((size_t)8 << 20)

/* Nanoseconds until memory that the system would not take back is offered again. */
#define RECLAIM_RETRY UINT64_C(1000000000)

static void drop_entries(const struct views *views, size_t start, size_t end)
{
    for (; start < end; start += RELEASE_SLICE) {
        size_t size = end - start < RELEASE_SLICE ? end - start : RELEASE_SLICE;
        views->os->drop_entries(views->os, views->graveyard + start, size);
    }
}

static void release_old_entries(const struct memory *memory)
{
    const struct views *views = &memory->views;
    const struct os *os = views->os;
    size_t large = (size_t)page_runs_touched(&memory->fixed.large) << views->page_shift;
    drop_entries(views, 0, region_start(region_touched(&memory->regions)));
    drop_entries(views, views->regions, views->regions + large);
    os->reserve_again(os, views->graveyard, views->span);
}

/* Unregistering wakes who waits, but not for certain: since page faults take only their mapping's own lock
 * (Linux 6.8), the kernel wakes the queue, and only then waits for faults that have seen the registration. A
 * mutator that joins the queue in between is woken by nobody, as UFFDIO_CONTINUE now finds no registration.
 * After unregistering nobody new can join, so waking once more is enough. */
static void end_faults(struct collector *collector)
{
    const struct views *views = &collector->memory->views;
    const struct os *os = views->os;
    int status = os->faults_unregister(os, collector->options.faults, views->mutator, views->span);
    if (collector->options.compaction == SHALE_COMPACTION_FAULT_THREAD) {
        if (status == 0)
            status = os->faults_wake(os, collector->options.faults, views->mutator, views->span);
        fault_server_settle(&collector->server);
    }
    if (status != 0)
        collector_log(collector, SHALE_LOG_WARNING, "unregistering the mutator view failed: %s",
                      strerror(-status));
}

static void report_strays(struct collector *collector)
{
    uint64_t strays = atomic_u64_load(&collector->compaction.strays);
    if (strays == 0)
        return;
    atomic_u64_store(&collector->compaction.strays, 0);
    collector_log(
        collector, SHALE_LOG_ERROR,
        "%llu pages of objects that moved away were touched, near address %#llx: an address was kept "
        "across a collection without a frame, handle or root visitor that shows it",
        (unsigned long long)strays,
        (unsigned long long)atomic_u64_load(&collector->compaction.stray_address));
}

static void report_failure(struct collector *collector)
{
    uint32_t failure = atomic_u32_load(&collector->compaction.failure);
    if (failure == 0)
        failure = atomic_u32_load(&collector->server.failure);
    if (failure == 0)
        return;
    atomic_u32_store(&collector->compaction.failure, 0);
    atomic_u32_store(&collector->server.failure, 0);
    collector_log(collector, SHALE_LOG_ERROR, "answering page faults failed: %s", strerror((int)failure));
}

void reclaim(struct collector *collector, bool concurrent)
{
    struct memory *memory = collector->memory;
    struct plan *plan = &collector->plan;
    if (concurrent)
        end_faults(collector);
    compact_settle(&collector->compaction);
    page_states_settle(&memory->pages);
    report_strays(collector);
    report_failure(collector);

    conservative_reclaim(&collector->mark.conservative, plan);
    budget_set_time(&memory->fixed.budget, clock_nanoseconds());
    for (region_number i = 0; i < plan->destination_count; i++)
        region_set_state(&memory->regions, plan->destinations[i], REGION_USED);
    for (region_number i = 0; i < plan->evacuated_count; i++) {
        if (plan->roles[plan->evacuated[i]] != ROLE_EVACUATED)
            continue; /* held back */
        memory_forget_promises(memory, plan->evacuated[i]);
        memory_seal_region(memory, plan->evacuated[i]);
        memory_clear_marks(memory, plan->evacuated[i]);
        region_free(&memory->regions, plan->evacuated[i]);
    }
    plan_clear(plan);
    collector->entries_left = concurrent;
}

void reclaim_entries(struct collector *collector)
{
    if (collector->entries_left)
        release_old_entries(collector->memory);
    collector->entries_left = false;
}

/* Few enough regions that a cycle that is asked for meanwhile is not held up. */
enum { RECLAIM_SLICE = 8, PATIENCE = 10 };

uint64_t reclaim_delay(uint64_t delay, uint64_t period)
{
    uint64_t used_again = 2 * period;
    if (used_again <= delay)
        return delay;
    return used_again < PATIENCE * delay ? used_again : PATIENCE * delay;
}

/* The reserve is on top of the heap's size, and so is its memory: only while a compaction runs. */
static bool exceeds_heap(const struct collector *collector)
{
    const struct memory *memory = collector->memory;
    uint32_t free_count = region_free_count(&memory->regions);
    uint32_t spare = free_count > collector->reserve ? free_count - collector->reserve : 0;
    return budget_idle(&memory->fixed.budget) > region_start(spare);
}

uint64_t reclaim_memory(struct collector *collector, uint64_t now)
{
    struct budget *budget = &collector->memory->fixed.budget;
    uint64_t delay = reclaim_delay(collector->options.release_delay, collector->pace.period);
    if (fixed_clear_some(&collector->memory->fixed))
        return now;
    if (now < collector->release_after)
        return collector->release_after;
    for (int i = 0; i < RECLAIM_SLICE && now >= delay; i++) {
        int status = budget_discard_oldest(budget, exceeds_heap(collector) ? now : now - delay);
        if (status < 0) {
            /* It keeps its memory, and so do the others for a while. */
            collector->release_after = now + (delay > RECLAIM_RETRY ? delay : RECLAIM_RETRY);
            return collector->release_after;
        }
        if (status == 0)
            break;
    }
    uint64_t freed_at;
    if (!budget_oldest(budget, &freed_at))
        return RECLAIM_NEVER;
    return freed_at + delay > now ? freed_at + delay : now;
}
