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
 */
#ifndef SHALE_HEAP_BUMP_H
#define SHALE_HEAP_BUMP_H

#include "heap/memory.h"

struct bump {
    struct shale_mutator api; /* cursor and limit, for the inline fast path */
    region_number region;     /* being filled; REGION_NONE: none */
    uintptr_t chunk_end;      /* prepared up to here; api.limit, unless every object is announced */
    uintptr_t region_end;
    uintptr_t recorded; /* objects from here on were born, if any, and have no live bits yet */
    size_t chunk_size;  /* bytes to prepare at a time */
    bool recording;     /* what is allocated is born */
    bool eager;         /* and its live bits are set as it is left behind */
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

/* What is allocated from now on is born. */
void bump_start_recording(struct bump *bump, struct memory *memory);

/* Sets the live bits of all objects born in the region that is being filled. */
void bump_record(struct bump *bump, struct memory *memory);

/* The same, and eagerly from now on. */
void bump_record_eagerly(struct bump *bump, struct memory *memory);

/* The cycle has ended without a flip. */
void bump_stop_recording(struct bump *bump);

/* Inside the flip: records what is left, for the last time, and leaves the page that the cursor is in, which is stale now. */
void bump_flip(struct bump *bump, struct memory *memory);

#endif
