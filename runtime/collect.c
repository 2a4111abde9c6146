#include "runtime/mutator.h"

static uint64_t request(struct mutator *mutator, shale_collect_kind kind)
{
    enum plan_scope scope = kind == SHALE_COLLECT_MOVE_ALL  ? PLAN_EVERYTHING
                            : kind == SHALE_COLLECT_COMPACT ? PLAN_SPARSE
                                                            : PLAN_WORTHWHILE;
    return collector_request(&mutator->heap->collector, scope, SHALE_REASON_ASKED);
}

shale_status shale_collect(shale_mutator *api, shale_collect_kind kind)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_collect");
    if (status != SHALE_OK)
        return status;
    mutator_await_cycle(mutator, collector_wait_completed, request(mutator, kind));
    return SHALE_OK;
}

shale_status shale_collect_start(shale_mutator *api, shale_collect_kind kind)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_collect_start");
    if (status == SHALE_OK)
        request(mutator, kind);
    return status;
}
