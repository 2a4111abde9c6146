/*
 * Bump allocation in the mutator view: each mutator fills a region of its own, one prepared chunk after the
 * other.
 *
 * [zeroed] Memory between the cursor and the end of the chunk is zero and mapped in the mutator view, so the
 * inline fast path neither clears nor faults. Preparing a chunk goes through the alias view while pages are
 * stale, by the same claim and publish as everyone's [claim], so nobody touches a stale page [fault-free].
 *
 * [born-live] An object allocated during a cycle is not evacuated in that cycle: a region that a mutator
 * fills is not a candidate. From when its mutator was scanned, what it allocates is *born*: live without being
 * marked or traced. The region says from where on its objects were born, so that can be asked at any time. Their live
 * bits are needed only if the cycle flips: when that is certain, each mutator sets those of what it has allocated in
 * its region, and from then on chunk by chunk as the cursor leaves a chunk (*eagerly*), and those of the last in the
 * flip; the collector sets those of regions that were left before. In a heap without a write barrier they are set
 * eagerly from the start [remark].
 *
 * All fields are the owning thread's; the collector calls the functions for it while the thread is stopped or
 * native.
 *
 * A thread whose mutator is conservative may be stopped at any instruction of the inline allocation, with the cursor and
 * the address after the object in registers. So what the collector does to its buffer meanwhile must be right for an
 * allocation that goes on afterwards as if nothing had happened. It is stopped
 *
 *   a. before it has compared with the limit: it compares with the limit that it finds then, and takes the slow path if
 *      that became 0.
 *   b. after that, before it has written the header: there is nothing beyond the cursor but zeros.
 *   c. after that, before it has written the cursor: there is a header beyond the cursor. Nobody looks there: an object is
 *      one when the cursor is behind it.
 *   d. after that: the object is there, with its header, its address in a register.
 *
 * In b and c the cursor is going to be moved by the object's size, whatever became of it. Hence the collector never moves
 * it, not even in a flip, when its page becomes stale: it only sets the limit to 0, and `left` says that the owner is to
 * leave the page in its next slow path. The one object of b or c still comes to lie at the cursor, on memory that is zero,
 * as it was prepared before the flip; its pages are stale, so the thread faults on them like on any other, and gets them as
 * they were. It is allocated after what the collector did: born, if the mutator was scanned meanwhile, since `born_from` and `recorded` are
 * the cursor then; without a live bit, if that was the flip; outside the region's `top`, which is only set by the
 * owner. So bump_start_recording, bump_record and bump_record_eagerly are right as they are: they take what is below the
 * cursor, which is complete, for all there is. Behind a page that was left there is a gap of zeros: who
 * goes from one object to the next skips zero headers.
 */
#ifndef SHALE_HEAP_BUMP_H
#define SHALE_HEAP_BUMP_H

#include "heap/memory.h"

struct bump {
    struct shale_mutator api; /* cursor and limit, for the inline fast path */
    region_number region;     /* being filled; REGION_NONE: none */
    uintptr_t chunk_end;      /* prepared up to here; api.limit, unless every object is announced */
    uintptr_t region_end;
    uintptr_t recorded;  /* objects from here on were born, if any, and have no live bits yet */
    size_t chunk_size;   /* bytes to prepare at a time */
    uintptr_t walk_from; /* an object, or the cursor: from there on there are not many */
    bool recording;      /* what is allocated is born */
    bool eager;          /* and its live bits are set as it is left behind */
    bool conservative;   /* its thread is stopped anywhere; set at attach */
    bool left;           /* of a conservative one: the page that the cursor is in became stale */
};

/* Bytes prepared at a time: fits the first-level cache beside what the program works on. */
#define BUMP_CHUNK_SIZE ((size_t)16 << 10)

/* No region yet: the first allocation takes the slow path. */
void bump_init(struct bump *bump, size_t chunk_size);

/* Allocates `size` bytes, header included, with the given header, in the slow path. Returns 0 when it needs a
 * region and there are no more than `reserve` left. */
uintptr_t bump_allocate(struct bump *bump, struct memory *memory, size_t size, uint64_t header,
                        uint32_t reserve);

/* Hands the region back as used; there is none afterwards. */
void bump_close(struct bump *bump, struct memory *memory);

/* The same in the owner's slow path, where no allocation is under way. */
void bump_give_up(struct bump *bump, struct memory *memory);

/* What is allocated from now on is born. */
void bump_start_recording(struct bump *bump, struct memory *memory);

/* Sets the live bits of all objects born in the region that is being filled. */
void bump_record(struct bump *bump, struct memory *memory);

/* The same, and eagerly from now on. */
void bump_record_eagerly(struct bump *bump, struct memory *memory);

/* The cycle has ended without a flip. */
void bump_stop_recording(struct bump *bump);

/* The offset of the object that was allocated last, if it lies in this region and the next was not begun; 0: there is
 * none. Takes as long as a chunk's headers take to look at. */
size_t bump_last_object(const struct bump *bump, const struct memory *memory);

/* Inside the flip: records what is left, for the last time, and leaves the page that the cursor is in, which is stale now. */
void bump_flip(struct bump *bump, struct memory *memory);

#endif
