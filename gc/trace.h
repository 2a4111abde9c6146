/*
 * Tracing: finding all objects that can be reached from what was shaded.
 *
 * [trace] An object is marked by whoever sets its live bit first, and that tracer looks at its slots once, or passes
 * it on in a packet to one who does; when packets run out, the object's region is noted instead (`rescan`), and all
 * marked objects of the region are looked at again later. Looking at an object twice does no harm. So depth costs no
 * stack and memory is bounded.
 *
 * Objects born in the cycle are neither marked nor looked at: they are live, and what they refer to was shaded or
 * born as well, since a mutator had it in hand after its roots were shaded [shade]. That is so with a write barrier; without
 * one, what is born is looked at like what is marked, and two tracers may look at an object at once [remark].
 *
 * Slots are read while mutators write them. What is read is the old or the new content; if the old one is missed, the
 * mutator's barrier has shaded it.
 *
 * A tracer is used by one thread at a time; it shares nothing but bits, regions' flags and packets.
 */
#ifndef SHALE_GC_TRACE_H
#define SHALE_GC_TRACE_H

#include "gc/weak.h"

enum {
    TRACE_BATCH = 16,  /* references that are looked at together */
    TRACE_STACK = 1024 /* objects in hand: more are passed on */
};

/* What a tracer marked in one region. */
struct region_tally {
    uint32_t bytes;
    uint32_t largest;
};

struct tracer {
    struct memory *memory;
    struct work *work;
    struct weak *weak;
    uintptr_t base; /* of the mutator view */
    size_t size;    /* of the region space */
    size_t end;     /* of all spaces */
    unsigned stack_count;
    unsigned reached_count;
    unsigned marked_count;
    granule_number reached[TRACE_BATCH]; /* references, whose live bits are on their way into the cache */
    granule_number marked[TRACE_BATCH];  /* objects that were marked, whose headers are */
    granule_number stack[TRACE_STACK];   /* marked objects whose slots are to be looked at */
    struct region_tally *tally;          /* per region */
    region_number region;                /* of the object whose slots are being looked at */
    uint64_t leads;                      /* of the page they are on, with what was seen so far [clean] */
    uint64_t objects;                    /* marked since trace_begin */
    uint64_t bytes;
    granule_number weak_list; /* see weak_look */
    bool births;              /* never changes: objects that were born are looked at too [remark] */
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

/* One tracer, nobody tracing: has an object looked at. */
void trace_look_at(void *tracer, granule_number granule);

/* A tracer that takes part in tracing: looks again at all that is marked, or was born and has its bit, on pages of the region
 * space, given as bits from page number `first` on [remark]. What it finds is looked at then, or by `trace`. */
void trace_look_again(struct tracer *tracer, page_number first, uint64_t pages);

/* The same at a large object, which is marked, on one page. */
void trace_look_again_at_large(struct tracer *tracer, size_t offset, page_number page);

/* After a marking: adds what was counted to the regions. */
void trace_end(struct tracer *tracer);

#endif
