/*
 * What a cycle did: for who waits for memory, the pace, statistics and the log. Only the collector thread uses it.
 */
#ifndef SHALE_GC_CYCLE_OUTCOME_H
#define SHALE_GC_CYCLE_OUTCOME_H

#include "gc/collector.h"
#include "gc/sweep_large.h"

struct cycle_outcome {
    uint64_t number;
    uint64_t moved;        /* bytes */
    uint32_t freed;        /* regions that held nothing live */
    uint32_t evacuated;    /* regions; 0: there was no flip */
    uint32_t destinations; /* regions */
    bool held_off;         /* it would have moved, but for critical sections */
    uint32_t held_back;    /* of those evacuated, that stayed after all */
    struct swept swept;    /* large objects */
    bool gained;           /* regions, for whomever, or progress towards one */
    uint64_t faults_before;
    uint64_t faults; /* that mutators took in the compaction */
};

/* When planning is done. */
void outcome_of_plan(struct cycle_outcome *outcome, struct collector *collector);

/* When nothing may move, before the plan is forgotten. */
void outcome_of_giving_up(struct cycle_outcome *outcome, struct collector *collector);

/* When the flip is over, before the plan is forgotten: what was held back gained nothing. */
void outcome_of_flip(struct cycle_outcome *outcome, const struct collector *collector);

/* When all is reclaimed. */
void outcome_record(struct cycle_outcome *outcome, struct collector *collector);

/* One line. */
void outcome_log(const struct cycle_outcome *outcome, const struct collector *collector);

#endif
