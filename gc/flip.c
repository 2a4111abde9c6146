#include "gc/flip.h"

#include "gc/hold_back.h"

#include <string.h>

static inline void rewrite_roots(void *context, uint64_t *slots, size_t count, bool value)
{
    const struct plan *plan = context;
    const shale_encoding *encoding = &plan->memory->encoding;
    for (size_t i = 0; i < count; i++) {
        if (!value)
            slots[i] = plan_forward(plan, slots[i]);
        else if (value_is_reference(encoding, slots[i]))
            slots[i] =
                value_with_address(encoding, slots[i], plan_forward(plan, value_address(encoding, slots[i])));
    }
}

/* Takes the old pages out of the mutator view and has the first touch of each reported. The order matters:
 * moving the entries of a registered range is slow (the kernel falls back to single entries), so the range is
 * registered afterwards and unregistered when the cycle ends. Returns 0 or a negative errno value. */
static int empty_mutator_view(struct collector *collector)
{
    const struct views *views = &collector->memory->views;
    const struct os *os = views->os;
    int status = os->move_entries(os, views->mutator, views->graveyard, views->span);
    if (status == 0) {
        status = os->faults_register(os, collector->options.faults, views->mutator, views->span);
        if (status != 0)
            os->reserve_again(os, views->graveyard, views->span);
    }
    return status;
}

static void flip_local(void *argument, struct mutator_local *local)
{
    mark_end_local(local);
    bump_flip(&local->bump, argument);
    cell_caches_flip(&local->cells, argument);
}

/* Looks at the graph as a mutator will see it: with a page fault on each page, answered in the meantime by the
 * fault server or by this thread's own handler. The world is still stopped, so it must be the graph from
 * before. */
static void verify_after(struct collector *collector, const struct verify_summary *before)
{
    collector->world->settle_roots(collector->world->context);
    struct verify_summary after;
    collector_verify(collector, views_mutator(&collector->memory->views, 0), VERIFY_FLIPPED, "after the flip",
                     &after);
    if (after.objects != before->objects || after.checksum != before->checksum)
        collector_verify_failed(collector, "after the flip", "the graph is not the one from before the flip");
}

bool flip(struct collector *collector)
{
    struct memory *memory = collector->memory;
    const struct world *world = collector->world;
    /* Lives until settle_roots: mutators use it on their way out. */
    collector->root_visitor = visitor_make(rewrite_roots, &collector->plan);

    struct stop_times *times = &collector->last_flip;
    collector_stop(collector, times);
    world->visit_mutators(world->context, flip_local, memory);
    world->set_stage(world->context, STAGE_IDLE);
    hold_back_late(&collector->plan);
    conservative_hold_back(&collector->mark.conservative, world, &collector->plan);
    memory_unseal_all(memory);
    struct verify_summary before = {0};
    if (collector->options.verify != 0)
        collector_verify(collector, views_alias(&memory->views, 0), VERIFY_FLIPPING, "before the flip",
                         &before);

    compact_begin(&collector->compaction);
    bool concurrent = collector->options.compaction != SHALE_COMPACTION_IN_PAUSE;
    int failure = concurrent ? empty_mutator_view(collector) : 0;
    concurrent = concurrent && failure == 0;
    page_states_flip(&memory->pages);
    world->begin_root_update(world->context, &collector->root_visitor);
    if (!concurrent)
        compact_in_pause(&collector->compaction, &collector->builders[0]);
    if (collector->options.verify == 1)
        verify_after(collector, &before);

    collector_resume(collector, times, SHALE_STOP_FLIP);
    if (failure != 0)
        collector_log(collector, SHALE_LOG_WARNING,
                      "the mutator view could not be emptied (%s), so this cycle compacted inside the pause; "
                      "check vm.max_map_count and free memory",
                      strerror(-failure));
    durations_record(&collector->statistics.time_to_stop, times->stopped - times->asked);
    durations_record(&collector->statistics.flip_pause, times->ended - times->stopped);
    return concurrent;
}
