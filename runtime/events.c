/* Events: the calls of these names, over the ring in gc/events.h. */
#include "runtime/mutator.h"

size_t shale_events_take(shale_heap *heap, shale_event *events, size_t count, uint64_t *lost)
{
    INSIDE();
    if (lost != NULL)
        *lost = 0;
    if (heap_check(heap, "shale_events_take", NULL) != SHALE_OK || (events == NULL && count != 0))
        return 0;
    return events_take(&heap->events, events, count, lost);
}

const char *shale_event_name(shale_event_kind kind)
{
    static const char *const names[SHALE_EVENT_KIND_COUNT] = {
        [SHALE_EVENT_NONE] = "none",         [SHALE_EVENT_CYCLE] = "cycle",
        [SHALE_EVENT_MARK] = "mark",         [SHALE_EVENT_WEAK] = "weak",
        [SHALE_EVENT_PLAN] = "plan",         [SHALE_EVENT_HOLD_OFF] = "hold-off",
        [SHALE_EVENT_FLIP] = "flip",         [SHALE_EVENT_COMPACT] = "compact",
        [SHALE_EVENT_RECLAIM] = "reclaim",   [SHALE_EVENT_HANDSHAKE] = "handshake",
        [SHALE_EVENT_STOP] = "stop",         [SHALE_EVENT_STOPPED] = "stopped",
        [SHALE_EVENT_SERVED] = "served",     [SHALE_EVENT_STALL] = "stall",
        [SHALE_EVENT_WAIT] = "wait",         [SHALE_EVENT_FAULT] = "fault",
        [SHALE_EVENT_CRITICAL] = "critical",
    };
    return (unsigned)kind < SHALE_EVENT_KIND_COUNT ? names[kind] : "unknown";
}

const char *shale_cycle_reason_name(shale_cycle_reason reason)
{
    static const char *const names[] = {
        [SHALE_REASON_NONE] = "none",   [SHALE_REASON_PACE] = "pace",   [SHALE_REASON_EXTERNAL] = "external",
        [SHALE_REASON_STALL] = "stall", [SHALE_REASON_ASKED] = "asked", [SHALE_REASON_STRESS] = "stress",
    };
    return (unsigned)reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

uint64_t shale_mutator_number(shale_mutator *api)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    return mutator_check(mutator, "shale_mutator_number") == SHALE_OK ? mutator->number : 0;
}
