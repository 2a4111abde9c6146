/*
 * Large objects: allocation in runs of pages, and what is asked of them by their offsets.
 *
 * [large] An object whose payload is more than SHALE_OBJECT_MAX bytes has a run of pages to itself, in the data space if its type
 * has no slots, otherwise in the large space [fixed]. When others can find it, by its run or by its address, it is
 * complete: zero, with its header and length; marked, if its mutator records what is born [born-live]; and none of its
 * pages is taken for clean unless marking has looked at it [clean].
 *
 * Holes are left as they are: reading them gives zeros, and only what is written takes memory. A run that had memory is cleared
 * through the alias view before it is anybody's object, so that takes as long as it takes without holding up the
 * collector.
 *
 * While pages are stale, an object's pages may be too: those that had memory are cleared, claimed and published like fresh
 * pages of a region (bump.h), as is the first of any. The rest are built at the first touch like any others. That
 * changes nothing on them: whoever can store to them knows new addresses only, and these are forwarded to themselves.
 */
#ifndef SHALE_HEAP_LARGE_H
#define SHALE_HEAP_LARGE_H

#include "heap/memory.h"

/* What is asked for: a type and a number of elements. */
struct large_request {
    const struct type *type;
    size_t length;
    uint64_t payload; /* bytes */
};

/* A run for it that is not an object yet. */
struct large_run {
    size_t start; /* offset; OFFSET_NONE: none */
    size_t size;  /* bytes */
    enum run_state was;
};

/* Bytes of the run for a payload. */
uint64_t large_run_size(const struct memory *memory, uint64_t payload);

/* Takes a run, leaving `reserve` free regions, and clears it. May take long for many bytes, and looks at nothing that the
 * collector changes. */
struct large_run large_take(struct memory *memory, const struct large_request *request, uint32_t reserve);

/* Makes it an object. `born`: the mutator records. Returns its address. Constant time but for publishing pages. */
uintptr_t large_complete(struct memory *memory, const struct large_request *request,
                         const struct large_run *run, bool born);

/* The object at `offset` is dead. */
void large_free(struct memory *memory, size_t offset);

/* Bytes of the run of the object at `offset`. */
static inline size_t large_size(struct memory *memory, size_t offset)
{
    const struct page_runs *runs = fixed_runs(&memory->fixed, offset);
    return (size_t)page_runs_pages(runs, fixed_page(&memory->fixed, runs, offset))
           << memory->views.page_shift;
}

#endif
