/*
 * Pacing: how large the heap may grow before it is collected, and when the next cycle has to start for that.
 *
 * [pace] Pure: no thread, no lock, no clock, no memory but the struct. Times and counts are handed in, so that
 * the same code is driven by a simulation in tests. One thread at a time calls it.
 *
 * Three sizes, all in bytes of regions that are not free:
 *
 *   goal      what the heap should stay within: what is live, times the target; at least PACE_GOAL_MIN. It is
 *             soft: who needs more memory before a cycle has freed any gets it, and the heap is past its goal.
 *   maximum   what mutators can have at all. Only there they wait for a cycle: an allocation stall.
 *   trigger   where a cycle has to start so that it has freed memory before the goal is reached.
 *
 *   trigger = goal - expected rate of allocation * expected duration of a cycle * caution
 *
 * but at least a quarter (1 / PACE_BETWEEN) of goal - live is allocated from the end of a cycle to the start of
 * the next, or of what is left up to the maximum if that is less: mutators that allocate faster than memory can be
 * collected make the heap overrun its goal rather than have it collected without a break.
 *
 * What is allocated while a cycle runs is not freed by it, so a program that allocates more in that time than half of
 * maximum - live, h, waits for memory in each cycle, wherever the trigger is. Either cycles follow each other, and the program
 * allocates h in each while it is collected, and waits for the rest of it; or they start when there is nothing left, and it
 * allocates twice h between them, and waits for all of each. While it waits the collector has its processor too. With a
 * gain of a half from that, as with two processors, the second is better where a cycle, run beside the program, takes longer
 * than the program takes to allocate 2 h. When that has made it wait, the trigger is the maximum. Not where cycles move objects,
 * which takes free memory, and leaves the program some to go on with: it waits seldom then, and would wait each time.
 *
 * Memory outside of the heap that objects hold is kept within the target by itself: a cycle starts before it has grown to what a
 * cycle left of it, times the target; at least PACE_GOAL_MIN. So both together are within the target, and there is no maximum.
 *
 * Durations are learned as time for each byte that was live, marking and the rest of the cycle each by itself. Less
 * than PACE_LEAST bytes count as that many, which takes in what a cycle costs whatever is live. The
 * rate that counts is that while cycles run, as they slow mutators down; at least half of that between them is
 * expected. Every estimate is an exponentially weighted mean and deviation, and what is reckoned with is the product
 * of rate and duration and two deviations of it, or its last value when that is more: a jump counts at once, and is
 * forgotten slowly. `caution`, an eighth at least,
 * doubles with each cycle in which a mutator stalled, and decays.
 */
#ifndef SHALE_GC_PACE_H
#define SHALE_GC_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* A heap with next to nothing live is not collected before it has grown to about this. */
#define PACE_GOAL_MIN ((uint64_t)16 << 20)
#define PACE_BETWEEN 4u
/* Bounds of the target that are worth having: with less, cycles follow each other; more is no different from none. */
#define PACE_TARGET_MIN 110u
#define PACE_TARGET_MAX 1000u
#define PACE_LEAST ((uint64_t)1 << 20)
/* Nanoseconds; less time tells nothing about the rate of allocation. */
#define PACE_SAMPLE_MIN UINT64_C(100000)

struct pace_settings {
    unsigned target_percent; /* goal in percent of what is live; 0: no cycle before memory has run out */
    uint64_t maximum;        /* bytes */
};

struct pace_estimate {
    double mean;
    double deviation;
    double last;
    bool known;
};

/* What is known at some moment. Times are in nanoseconds, of any clock that only goes forward. */
struct pace_moment {
    uint64_t now;
    uint64_t allocated; /* bytes, ever */
    uint64_t
        stalled_at; /* when the first mutator ran out of memory since the last cycle ended; 0: none did */
    uint64_t external_added; /* bytes outside the heap, ever */
};

/* What a cycle found and left. */
struct pace_outcome {
    uint64_t live;     /* bytes, found by marking */
    uint64_t used;     /* bytes of regions that are not free now */
    uint64_t copies;   /* bytes of free regions that the cycle needed for itself until it freed any */
    bool moved;        /* it compacted */
    uint64_t external; /* bytes held outside the heap now */
};

struct pace {
    struct pace_settings settings;
    struct pace_estimate rate;          /* bytes allocated in a nanosecond while cycles run */
    struct pace_estimate rate_between;  /* the same between cycles */
    struct pace_estimate external_rate; /* bytes added outside in a nanosecond, at any time */
    struct pace_estimate mark;   /* nanoseconds for each byte live, from the start to the end of marking */
    struct pace_estimate rest;   /* the same from there until memory is free, in cycles that moved anything */
    struct pace_estimate copies; /* bytes */
    double caution;              /* the safety margin, a factor */
    uint64_t sampled;            /* when the rate was looked at */
    uint64_t allocated;          /* by then */
    uint64_t started;            /* the last cycle */
    uint64_t marked;             /* its marking ended */
    uint64_t period; /* nanoseconds between the starts of the last two cycles; 0: fewer were run */
    uint64_t live;   /* by the last mark */
    uint64_t goal;
    uint64_t trigger;
    bool late;                 /* the trigger is where memory runs out */
    uint64_t external_sampled; /* when the rate of what is added outside was looked at */
    uint64_t external_added;   /* by then */
    uint64_t external_started; /* when the last cycle started */
    uint64_t external_trigger; /* bytes held outside at which a cycle has to start */
};

/* Sets goal and trigger of a heap in which nothing is live. */
void pace_init(struct pace *pace, const struct pace_settings *settings, uint64_t now);

/* A cycle starts; its marking is done; it has ended, which sets goal and trigger. */
void pace_cycle_started(struct pace *pace, const struct pace_moment *moment);
void pace_cycle_marked(struct pace *pace, uint64_t now);
void pace_cycle_ended(struct pace *pace, const struct pace_moment *moment,
                      const struct pace_outcome *outcome);

/* What is to be expected of the rest of a cycle that found so much live: bytes allocated until it has freed memory. 0: not known. */
double pace_expected_after_marking(const struct pace *pace, uint64_t live);

/* The goal for so much live. */
uint64_t pace_goal(const struct pace *pace, uint64_t live);

/* What would have to be expected of the next cycle with so much live: bytes allocated meanwhile. */
double pace_expected_allocation(const struct pace *pace, uint64_t live);

#endif
