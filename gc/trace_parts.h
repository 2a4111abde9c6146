/*
 * What tracing and looking again (trace_again.c) share; for them only.
 */
#ifndef SHALE_GC_TRACE_PARTS_H
#define SHALE_GC_TRACE_PARTS_H

#include "gc/trace.h"

/* Looks at the slots of a marked object. */
void trace_object(struct tracer *tracer, granule_number granule);

/* The same of those that lie on a page, at [from, to) bytes from its address. */
void trace_page(struct tracer *tracer, size_t offset, uint64_t header, page_number page, size_t from,
                size_t to);

/* Traces until there is nothing in hand. */
void trace_drain(struct tracer *tracer);

#endif
