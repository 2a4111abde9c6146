/*
 * Marking without a write barrier: what mutators store is learnt from the pages that they have written to [written].
 *
 * [remark] Incremental update, page by page, with births that are live (the idea is Boehm, Demers and Shenker, "Mostly
 * parallel garbage collection", PLDI 1991). When it is complete the live bits say what is live, as after any marking
 * (mark.h). Mutators store plainly; nothing that they do is noted but by the kernel.
 *
 *  1. Tracking begins [written].
 *  2. Handshake TRACKED: each mutator shades its own roots; from then on what it allocates is born, and it sets the live bits of
 *     what it leaves behind. The roots of the heap are shaded, and all is traced.
 *  3. A *round*: written pages are searched for, and armed again. Then a handshake: each mutator sets the live bits of all
 *     that it has allocated, and shades its roots again. Then all that is marked or was born is looked at again as far as
 *     its slots are on those pages, and all is traced. Rounds follow each other, up to a limit, until few pages are expected
 *     to have been written since the last search, or a round finds nearly as many as the one before it. A last handshake has
 *     mutators set bits and shade roots once more.
 *  4. The *remark*, with all mutators stopped: live bits are set of all that was born; all roots are shaded; written pages
 *     are searched for, for the last time, and looked at; all is traced, ephemerons to their fixed point. Marking is
 *     decided: what is not marked now is dead [weak-phase].
 *  5. Running again: weak references to what is dead are cleared, finalizers queued and traced; tracking ends.
 *
 * Why nothing is lost. In the remark nobody stores, so it is to be shown that each slot of an object that is marked or born
 * has been read after it was written last; then what it holds is marked, and, as roots are read in the remark, so is all that
 * can be reached. Take a slot, of an object O, and the last write to it. Let S be the first search that begins after it; there
 * is one, in the remark at the latest. S finds the page: it was written since it was armed last, or was never armed.
 *
 *  - O was marked before the pages of S were looked at: the slot is read then, after the write.
 *  - O is marked later: who marks it has its slots looked at after that.
 *  - O was born: it was allocated before the write, so before S. The handshake (or stop) comes between S and the look at its
 *    pages. So at the look O has its live bit: set by its mutator in the handshake, or when it left chunk or region, or
 *    detached, before that; and the slot is read.
 *
 * If the write came before tracking began, O was marked afterwards, and is looked at after that, or was born later than
 * the write, which cannot be. The races, each with what would go wrong in another order:
 *
 *  - A mutator loads X from a slot of B that is not traced yet, clears the slot, and keeps X in a local variable. Only
 *    roots lead to X: hence they are read again in the remark. (In rounds, so that the remark has little left to trace.)
 *  - It stores X into A, which was traced already. A's page is found by a search that begins later. Were pages armed after they are
 *    looked at rather than before, a store in between would be seen by neither.
 *  - A mutator allocates N and stores X into it, its last write to that page, between the handshake and a search that came
 *    after it: N would have no bit at the look, and its page would not be found again. Hence search first, then
 *    the handshake.
 *  - N is half initialized when its page is looked at: its header is there and its slots hold NULL or a reference, as
 *    objects are allocated zeroed and recorded only at safepoints or when the cursor has left them behind. What comes later
 *    is a later write.
 *  - The same of a cell for an object that does not move, which is live before there is an object [cells]: as long as its
 *    header is zero it is taken for one without slots (type.c), and what comes later is a later write.
 *  - The identity of the slots of an object with a custom visitor depends on words of the object. It is looked at as a whole when any of its
 *    pages was written.
 *  - A weak reference is read: its referent goes into a root of the reader, and its page is as good as shaded. It is
 *    shaded all the same, so that the remark has less to do. The remark cannot come in the middle, as the call has no
 *    safepoint. Looking up in tables of weak entries is the same. A weak object that was born may hold a referent that
 *    is dead when marking is decided, unlike one in marking with a barrier; it lies on a written page, so a tracer has looked at it.
 *  - An object leaves the finalizer queue, or a handle or a visitor of the heap goes: whoever took the reference from
 *    there has it in a root of its own, read in the remark; the object was not moved between two roots that are read at different
 *    moments, as all are read in one stop. So changes of roots need not be noted (`active` of mark.h stays 0).
 *  - A thread in a native section does not touch the heap, and its roots are read for it. One that attaches begins at TRACKED,
 *    its objects are born; one that detaches has no roots, and sets the bits of what it allocated.
 *  - A packet is not to be had: objects are noted with their regions, and looked at again, those that were born as well.
 *
 * After the remark all that can be reached is live, so all that mutators come by is, without any more tracking.
 *
 * If a system call fails, all pages count as written. If tracking could not begin, there are no rounds, and the remark is
 * as long as it takes to look at everything.
 *
 * Pages are not [clean] in such heaps: stores between the remark and the flip go unnoticed.
 *
 * tests/property/test_litmus_pages.c tries these races; tests/model/dirty_pages.pml has the protocol in Promela.
 *
 * Who writes what: `next` and `found` workers, set by the collector while none runs; the rest the collector.
 */
#ifndef SHALE_GC_MARK_PAGES_H
#define SHALE_GC_MARK_PAGES_H

#include "gc/events.h"
#include "gc/mark.h"
#include "heap/written.h"

struct mark_pages {
    struct mark *mark;
    struct written written;
    atomic_u32 next;       /* slice of the regions that a worker takes */
    atomic_u64 found;      /* pages, by a search */
    uint64_t last_found;   /* pages, by the last round's search, */
    uint64_t found_before; /* and by the one before that, 0 for none; */
    uint64_t searched;     /* when that began, */
    uint64_t interval;     /* and how long after the one before, in nanoseconds */
    /* Of the last marking: */
    uint32_t rounds;
    uint64_t pages;        /* looked at again, the remark's included */
    uint64_t remark_pages; /* in the remark */
    struct stop_times remark;
};

/* `mark` is complete. From now on it marks by mark_pages_run only. Returns 0 or a negative errno value. */
int mark_pages_create(struct mark_pages *pages, struct mark *mark, const struct os_writes *writes);
void mark_pages_destroy(struct mark_pages *pages);

/* The whole marking. */
void mark_pages_run(struct mark_pages *pages);

/* The parts of it: */

/* Steps 1 and 2. */
void mark_pages_begin(struct mark_pages *pages);
/* A round. */
void mark_pages_round(struct mark_pages *pages);
/* Step 4. */
void mark_pages_remark(struct mark_pages *pages);

#endif
