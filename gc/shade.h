/*
 * Shading: how a mutator tells a marking under way of an object that it must not miss.
 *
 * [shade] A reference that is shaded is marked before marking is complete. It goes into a packet of its
 * mutator, which is offered to the tracers when it is full, and at the latest in the next handshake. Objects that are
 * marked or were born need no shading and are left out, so that once everything is marked the packets stay empty,
 * which is how marking ends (mark.h).
 *
 * When there is no packet left the object is marked in place and its region noted for a second look (trace.h).
 */
#ifndef SHALE_GC_SHADE_H
#define SHALE_GC_SHADE_H

#include "gc/mutator_local.h"
#include "gc/work.h"

/* Whether `address` is that of an object that is neither marked nor born. */
static inline bool shade_is_needed(const struct memory *memory, uint64_t address)
{
    size_t offset = views_offset(&memory->views, address);
    return offset < memory->views.size && !memory_is_live(memory, offset);
}

/* Marks a fixed object. Returns whether it was this call that did; its slots are looked at then. `bytes` is set to what it takes up.
 * Any thread. */
bool shade_fixed(struct work *work, struct memory *memory, size_t offset, uint64_t *bytes);

/* Shades what `address` refers to; NULL and addresses outside the heap are left alone. `packet` is the thread's. */
void shade(struct work *work, struct memory *memory, struct packet **packet, uint64_t address);

/* Hands over what was shaded. */
void shade_offer(struct work *work, struct packet **packet);

/* Drops what was shaded: marking is complete. */
void shade_drop(struct work *work, struct packet **packet);

/* Has a marked object's slots looked at with its region, when its tracer has written its bit at the latest [held]. Any thread. */
void shade_note(struct work *work, struct memory *memory, granule_number granule);

/* Marks an object whose slots will be looked at with its region: there is no packet for it. Any thread. */
void shade_in_place(struct work *work, struct memory *memory, granule_number granule);

/* A visitor's part: shades slots; the context is a struct shading. */
struct shading {
    struct work *work;
    struct memory *memory;
    struct packet **packet;
};
void shade_slots(void *context, uint64_t *slots, size_t count, bool value);

#endif
