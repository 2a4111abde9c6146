/*
 * Tracing: finding all objects that can be reached from what was shaded.
 *
 * [trace] What a tracer reaches and finds not marked it marks, for itself at first [held], and looks at its slots once, or
 * passes it on in a packet to one who does; when packets run out, the object's region is noted instead (`rescan`), and
 * all marked objects of the region are looked at again later, when all bits are written. So depth costs no stack and memory is
 * bounded.
 *
 * Two tracers may find an object unmarked and both look at it, or have it looked at. It is counted for each time that it was
 * marked, by who looks at it or notes its region; and counted off by who writes its bit and is not the first, which
 * comes out right only when all of them are done. Looking at an object twice does no harm.
 *
 * Objects born in the cycle are neither marked nor looked at: they are live, and what they refer to was shaded or
 * born as well, since a mutator had it in hand after its roots were shaded [shade]. That is so with a write barrier; without
 * one, what is born is looked at like what is marked [remark].
 *
 * Slots are read while mutators write them. What is read is the old or the new content; if the old one is missed, the
 * mutator's barrier has shaded it.
 *
 * A tracer is used by one thread at a time; it shares nothing but bits, regions' flags and packets.
 */
#ifndef SHALE_GC_TRACE_H
#define SHALE_GC_TRACE_H

#include "gc/held_bits.h"
#include "gc/weak.h"

enum {
    TRACE_REACHED = 128, /* references that are looked up together, at most */
    TRACE_STACK = 1024,  /* objects in hand: more are passed on */
    TRACE_BATCH = 8,     /* of them that are taken together */
    TRACE_AGAIN = 64
};

/* What a tracer marked in one region. */
struct region_tally {
    uint32_t bytes; /* may be less than 0, modulo 2^32: others may have counted what is counted off */
    uint32_t largest;
};

struct tracer {
    struct memory *memory;
    struct work *work;
    struct weak *weak;
    uintptr_t base; /* of the mutator view */
    size_t size;    /* of the region space */
    size_t end;     /* of all spaces */
    size_t
        differing; /* two offsets below `end` in different regions differ by less than this and REGION_SIZE, as bits */
    unsigned reached_count;
    unsigned stack_count;
    unsigned ahead_count;
    unsigned again_count;
    granule_number reached[TRACE_REACHED]; /* what slots refer to */
    granule_number stack[TRACE_STACK];     /* marked objects that are to be looked at */
    granule_number
        ahead[2 * TRACE_BATCH]; /* such whose headers are on their way into the cache, the first first */
    granule_number again[TRACE_AGAIN]; /* ephemerons whose keys were marked after they were looked at */
    struct held_bits held;
    struct region_tally *tally; /* per region */
    region_number region;       /* of the object whose slots are being looked at */
    uint64_t leads;             /* of the page they are on, with what was seen so far [clean] */
    uint64_t objects;           /* marked since trace_begin */
    uint64_t bytes;             /* of them; those in regions are added by trace_end */
    granule_number weak_list;   /* see weak_look */
    bool births;                /* never changes: objects that were born are looked at too [remark] */
    struct memory_table table;
};

/* Returns 0 or a negative errno value. */
int tracer_create(struct tracer *tracer, struct memory *memory, struct work *work, struct weak *weak);
void tracer_destroy(struct tracer *tracer);

/* Before a marking: nothing is counted yet. */
void trace_begin(struct tracer *tracer);

/* Takes part in tracing until no tracer has any work left. */
void trace(struct tracer *tracer);

/* One tracer, nobody tracing: looks again at the regions that were noted, as far as it has room for what it finds.
 * Returns whether there were any; then tracing must go on. */
bool trace_rescan(struct tracer *tracer);

/* One tracer, nobody tracing, or the tracer itself: `argument`, has an object looked at that was looked at before. */
void trace_look_at(void *argument, granule_number granule);

/* A tracer that takes part in tracing: looks again at all that is marked, or was born and has its bit, on pages of the region
 * space, given as bits from page number `first` on [remark]. What it finds is looked at then, or by `trace`. */
void trace_look_again(struct tracer *tracer, page_number first, uint64_t pages);

/* The same at a large object, which is marked, on one page. */
void trace_look_again_at_large(struct tracer *tracer, size_t offset, page_number page);

/* After a marking: adds what was counted to the regions. */
void trace_end(struct tracer *tracer);

#endif
