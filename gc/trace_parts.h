/*
 * What the parts of tracing share - its loop (trace.c), looking at slots (trace_look.c), and looking again (trace_again.c); for
 * them only.
 */
#ifndef SHALE_GC_TRACE_PARTS_H
#define SHALE_GC_TRACE_PARTS_H

#include "gc/trace.h"

/* Traces until there is nothing in hand, but for bits that are held. */
void trace_drain(struct tracer *tracer);

/* Marks what was reached; afterwards there is room for more. */
void trace_mark_reached(struct tracer *tracer);

/* A slot refers to something outside of the region space. */
void trace_reach_elsewhere(struct tracer *tracer, size_t offset);

/* Looks at the slots of a marked object. */
void trace_object(struct tracer *tracer, granule_number granule);

/* The same of those that lie on a page, at [from, to) bytes from its address. */
void trace_page(struct tracer *tracer, size_t offset, uint64_t header, page_number page, size_t from,
                size_t to);

/* The same of the part of a large object that lies in a slice. */
void trace_slice(struct tracer *tracer, const struct slice *slice);

#endif
