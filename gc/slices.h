/*
 * Slices: large objects that marking has reached, handed out to tracers a few pages at a time.
 *
 * [slices] A large object with slots never goes into a packet, nor does it lie on a tracer's stack. Whoever marks it puts it
 * on a list, whose links are in the table of runs, so the list takes no memory however long it is; and tracers take
 * it from there in slices, several of them at once, when no packets are left. So there is never more at hand than the slots of
 * one slice for each tracer, whatever the size of the object.
 *
 * Who writes what: all under the lock; `waiting` is read by anyone. It is set before who adds an object looks for tracers that
 * are idle, as packets are pushed before it [work].
 */
#ifndef SHALE_GC_SLICES_H
#define SHALE_GC_SLICES_H

#include "heap/memory.h"

struct slice {
    size_t object; /* offset of its address */
    uint64_t header;
    size_t from; /* slots at these bytes from the address: [from, to) */
    size_t to;
};

struct slices {
    pthread_mutex_t lock;
    page_number first;  /* runs that wait; RUN_NONE: none */
    struct slice next;  /* of the object that is being handed out; object 0: none is */
    size_t end;         /* bytes from that one's address to the end of its payload */
    atomic_u32 waiting; /* not 0: there are slices to take */
};

void slices_init(struct slices *slices);
void slices_destroy(struct slices *slices);

/* The object at `offset` of the large space was marked. Any thread. */
void slices_add(struct slices *slices, struct memory *memory, size_t offset);

/* A tracer takes the next slice. False: there is none. */
bool slices_take(struct slices *slices, struct memory *memory, struct slice *slice);

/* Nobody adds or takes: forgets what is left. */
void slices_drop(struct slices *slices);

/* Whether there is none. Ordered with everything before and after it. */
static inline bool slices_none(const struct slices *slices)
{
    return atomic_u32_load_acquire(&slices->waiting) == 0;
}

#endif
