#include "gc/pace.h"

/* The weight of a new value, and how fast caution is lost. */
static const double WEIGHT = 0.25;
static const double DEVIATIONS = 2;
static const double CAUTION_MIN = 1.125;
static const double CAUTION_DECAY = 0.875;
static const double CAUTION_MAX = 8;
/* Shares of what can be had beyond what is live: a program that stalls and allocates more than the first while a cycle runs
 * is collected late from then on, until it would be less than the second. */
static const double LATE_FROM = 1;
static const double LATE_UNTIL = 0.7;
/* Of what is expected of the rest of a cycle: more takes longer to move than the last time. */
static const double MEANWHILE_MARGIN = 1.25;

static uint64_t at_least(uint64_t value, uint64_t bound)
{
    return value > bound ? value : bound;
}

static uint64_t at_most(uint64_t value, uint64_t bound)
{
    return value < bound ? value : bound;
}

/* a - b, not below 0. */
static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ---- estimates ------------------------------------------------------------------------------------- */

static void estimate_add(struct pace_estimate *estimate, double value)
{
    if (!estimate->known) {
        *estimate = (struct pace_estimate){value, value / 2, value, true};
        return;
    }
    double error = value - estimate->mean;
    estimate->mean += WEIGHT * error;
    estimate->deviation += WEIGHT * ((error < 0 ? -error : error) - estimate->deviation);
    estimate->last = value;
}

static void sample_external(struct pace *pace, const struct pace_moment *moment)
{
    uint64_t duration = less(moment->now, pace->external_sampled);
    if (duration < PACE_SAMPLE_MIN)
        return;
    estimate_add(&pace->external_rate,
                 (double)less(moment->external_added, pace->external_added) / (double)duration);
    pace->external_sampled = moment->now;
    pace->external_added = moment->external_added;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* A mutator that waits for memory does not allocate: time spent so says nothing about how fast it would. */
static void sample_rate(struct pace *pace, struct pace_estimate *rate, const struct pace_moment *moment)
{
    uint64_t until = moment->stalled_at != 0 ? at_most(moment->stalled_at, moment->now) : moment->now;
    uint64_t duration = less(until, pace->sampled);
    if (duration >= PACE_SAMPLE_MIN)
        estimate_add(rate, (double)less(moment->allocated, pace->allocated) / (double)duration);
    pace->sampled = moment->now;
    pace->allocated = moment->allocated;
}

/* The deviation of a product of two values that vary on their own, relative to it: the root of the sum of squares,
 * near enough. */
static double spread(double mean_a, double deviation_a, double mean_b, double deviation_b)
{
    double a = mean_a > 0 ? deviation_a / mean_a : 0;
    double b = mean_b > 0 ? deviation_b / mean_b : 0;
    return a > b ? a + b / 2 : b + a / 2;
}

/* Bytes that come at a rate in a cycle with so much live. */
static double expected(const struct pace *pace, const struct pace_estimate *rate, double rate_least,
                       uint64_t live)
{
    const struct pace_estimate *mark = &pace->mark;
    const struct pace_estimate *rest = pace->rest.known ? &pace->rest : mark;
    double duration = mark->mean + rest->mean;
    double margin =
        1 + DEVIATIONS * spread(rate->mean, rate->deviation, duration, mark->deviation + rest->deviation);
    double usual = larger(rate->mean, rate_least) * duration * margin;
    double last = rate->last * (mark->last + rest->last);
    return larger(usual, last) * (double)at_least(live, PACE_LEAST) * pace->caution;
}

double pace_expected_allocation(const struct pace *pace, uint64_t live)
{
    return expected(pace, &pace->rate, pace->rate_between.mean / 2, live);
}

double pace_expected_after_marking(const struct pace *pace, uint64_t live)
{
    if (!pace->rest.known || !pace->rate.known)
        return 0;
    double duration = larger(pace->rest.mean + DEVIATIONS * pace->rest.deviation, pace->rest.last);
    double rate = larger(pace->rate.mean + DEVIATIONS * pace->rate.deviation, pace->rate_between.mean / 2);
    return MEANWHILE_MARGIN * larger(rate, pace->rate.last) * duration * (double)at_least(live, PACE_LEAST);
}

/* ---- goal and trigger ------------------------------------------------------------------------------ */

static uint64_t goal_of(const struct pace *pace, uint64_t live)
{
    /* In parts, as live times the percentage may not fit. */
    uint64_t goal = live / 100 * pace->settings.target_percent;
    return at_least(goal, PACE_GOAL_MIN);
}

/* What mutators can have in the next cycle: regions that objects move to are taken from what is left. */
static uint64_t maximum_of(const struct pace *pace)
{
    uint64_t maximum = pace->settings.maximum;
    return maximum - at_most((uint64_t)larger(pace->copies.mean, pace->copies.last), maximum / 8);
}

uint64_t pace_goal(const struct pace *pace, uint64_t live)
{
    if (pace->settings.target_percent == 0)
        return pace->settings.maximum;
    return at_most(goal_of(pace, live), pace->settings.maximum);
}

/* Whether mutators will wait for the next cycle whenever it starts: see pace.h. */
static bool has_to_be_late(const struct pace *pace, const struct pace_outcome *outcome, uint64_t maximum,
                           bool stalled)
{
    if (!stalled || outcome->moved)
        return false;
    double duration = pace->mark.mean;
    /* When late, nothing is allocated while cycles run, so that rate would never be learned anew. */
    double rate = pace->late ? pace->rate_between.last : larger(pace->rate.mean, pace->rate_between.mean / 2);
    double meanwhile = rate * duration * (double)at_least(outcome->live, PACE_LEAST);
    double share = pace->late ? LATE_UNTIL : LATE_FROM;
    return meanwhile > share * (double)less(maximum, outcome->live);
}

static void aim(struct pace *pace, const struct pace_outcome *outcome, uint64_t growth, bool stalled)
{
    if (pace->settings.target_percent == 0) {
        pace->goal = pace->trigger = pace->settings.maximum;
        return;
    }
    uint64_t maximum = maximum_of(pace);
    pace->goal = at_most(goal_of(pace, outcome->live), maximum);
    double meanwhile = pace_expected_allocation(pace, outcome->live + growth);
    uint64_t early = meanwhile < (double)pace->goal ? (uint64_t)meanwhile : pace->goal;
    uint64_t between =
        at_most(less(pace->goal, outcome->live) / PACE_BETWEEN, less(maximum, outcome->used) / PACE_BETWEEN);
    pace->trigger = at_least(pace->goal - early, outcome->used + between);
    pace->late = has_to_be_late(pace, outcome, maximum, stalled);
    if (pace->late)
        pace->trigger = at_least(maximum, outcome->used);
}

static void aim_external(struct pace *pace, const struct pace_moment *moment,
                         const struct pace_outcome *outcome)
{
    pace->external_trigger = UINT64_MAX;
    if (pace->settings.target_percent == 0)
        return;
    /* What was added in the cycle is not known to be live. */
    uint64_t born = less(moment->external_added, pace->external_started);
    uint64_t goal = goal_of(pace, less(outcome->external, born));
    double meanwhile = expected(pace, &pace->external_rate, 0, outcome->live);
    uint64_t early = meanwhile < (double)goal ? (uint64_t)meanwhile : goal;
    uint64_t between = less(goal, outcome->external) / PACE_BETWEEN;
    pace->external_trigger = at_least(goal - early, outcome->external + between);
}

void pace_init(struct pace *pace, const struct pace_settings *settings, uint64_t now)
{
    *pace = (struct pace){.settings = *settings, .caution = CAUTION_MIN, .sampled = now};
    pace->goal = settings->maximum;
    if (settings->target_percent != 0)
        pace->goal = at_most(PACE_GOAL_MIN, settings->maximum);
    /* Nothing is known of the program yet. */
    pace->trigger = settings->target_percent != 0 ? pace->goal / 2 : pace->goal;
    pace->external_trigger = settings->target_percent != 0 ? PACE_GOAL_MIN / 2 : UINT64_MAX;
    pace->external_sampled = now;
}

/* ---- a cycle --------------------------------------------------------------------------------------- */

void pace_cycle_started(struct pace *pace, const struct pace_moment *moment)
{
    sample_rate(pace, &pace->rate_between, moment);
    sample_external(pace, moment);
    if (pace->started != 0)
        pace->period = less(moment->now, pace->started);
    pace->started = moment->now;
    pace->external_started = moment->external_added;
    pace->marked = moment->now;
}

void pace_cycle_marked(struct pace *pace, uint64_t now)
{
    pace->marked = now;
}

/* What would have been allocated in the time of a stall is expected of the next cycle already: the rate is that until
 * then, the duration that of the whole cycle. What was wrong is the trust in the estimate, by as much as the cycle
 * was late. */
static void adapt_caution(struct pace *pace, const struct pace_moment *moment)
{
    if (moment->stalled_at == 0) {
        pace->caution *= CAUTION_DECAY;
    } else {
        double duration = (double)less(moment->now, pace->started) + 1;
        double late = (double)less(moment->now, moment->stalled_at);
        pace->caution *= 1 + (late < duration ? late / duration : 1);
    }
    if (pace->caution < CAUTION_MIN)
        pace->caution = CAUTION_MIN;
    if (pace->caution > CAUTION_MAX)
        pace->caution = CAUTION_MAX;
}

void pace_cycle_ended(struct pace *pace, const struct pace_moment *moment, const struct pace_outcome *outcome)
{
    sample_rate(pace, &pace->rate, moment);
    sample_external(pace, moment);
    double bytes = (double)at_least(outcome->live, PACE_LEAST);
    estimate_add(&pace->mark, (double)less(pace->marked, pace->started) / bytes);
    if (outcome->moved)
        estimate_add(&pace->rest, (double)less(moment->now, pace->marked) / bytes);
    estimate_add(&pace->copies, (double)outcome->copies);
    adapt_caution(pace, moment);
    /* Where more is live than the last time, there will be more still when the next cycle marks. */
    uint64_t growth = less(outcome->live, pace->live);
    pace->live = outcome->live;
    aim(pace, outcome, growth, moment->stalled_at != 0);
    aim_external(pace, moment, outcome);
}
