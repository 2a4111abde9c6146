/*
 * Objects with a slot that does not keep alive what it refers to.
 *
 * [weak] Such an object belongs to a type of one of two strengths (type.h):
 *
 *   STRENGTH_WEAK       its first slot, the referent, does not keep alive
 *   STRENGTH_EPHEMERON  its first slot, the key, does not keep alive; its second, the value, does while the key is
 *                       live otherwise
 *
 * All other slots are like anyone's, and so are these for everything but marking. In a cycle in which the referent or key
 * is found dead the slot becomes NULL, the value too.
 *
 * The link is the collector's: while marking it holds the granule number of the next object that is to be looked at when
 * everything has been traced; 0 outside of marking and for objects that need no second look.
 */
#ifndef SHALE_HEAP_WEAK_OBJECT_H
#define SHALE_HEAP_WEAK_OBJECT_H

#include "heap/atomic.h"

/* The last in a list of links; 0 is no object's granule either. */
#define LINK_END UINT32_MAX

struct weak_object {
    atomic_u64 referent;
    atomic_u32 link;
    uint32_t hash; /* of entries of a table */
    atomic_u64 next;
};

struct ephemeron_object {
    atomic_u64 key;
    atomic_u64 value;
    atomic_u32 link;
    uint32_t hash;
    atomic_u64 next;
};

/* What comes before these offsets is not visited as ordinary slots. */
enum {
    WEAK_STRONG_FROM = offsetof(struct weak_object, next),
    EPHEMERON_STRONG_FROM = offsetof(struct ephemeron_object, next)
};

#endif
