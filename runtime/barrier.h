/*
 * The store barrier's slow path.
 *
 * [barrier] Whatever writes a reference into an object or a root of the heap shades, while its mutator's barrier asks for it,
 * what is overwritten, before the store, and what is stored, before the mutator's next safepoint [shade]; and notes, by
 * then, where what is stored leads [clean].
 *
 * Two mutators that store into one slot at the same time may both read and shade the same old content, and neither what
 * the other stored. Nothing is lost once anybody is scanned: both stores then began when all barriers were on. So what
 * the other stored is protected as everything is that a scanned mutator holds, or was shaded as it was stored (mark.h).
 */
#ifndef SHALE_RUNTIME_BARRIER_H
#define SHALE_RUNTIME_BARRIER_H

#include "runtime/mutator.h"

/* For a root of the heap that holds a plain address: does what the barrier asks for. */
static inline void barrier_shade(struct mutator *mutator, const void *old, const void *new)
{
    uint32_t barrier = mutator->local.bump.api.barrier;
    if ((barrier & BARRIER_OLD) != 0)
        mark_shade(&mutator->heap->collector.mark, &mutator->local, (uint64_t)(uintptr_t)old);
    if ((barrier & BARRIER_NEW) != 0)
        mark_shade(&mutator->heap->collector.mark, &mutator->local, (uint64_t)(uintptr_t) new);
}

#endif
