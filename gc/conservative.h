/*
 * Conservative roots: what a stack holds that nobody has described.
 *
 * [conservative] Each word of a conservative mutator's stacks and registers that points at or into a valid object [starts] -
 * from its address to one past its last byte, which is never the next object's address [layout] - keeps that object alive,
 * and its region out of the evacuation set, for the cycle. So does a word that is a value of the heap's encoding and refers
 * to one. The words themselves are never changed. Words are looked at twice:
 *
 *  1. When the mutator is scanned, in handshake TRACING. What is pointed at is only noted then, in a bitmap, and found out when all
 *     mutators were scanned, before anything is traced. For the word may point into a region that another mutator fills, which is not
 *     scanned yet. Its thread makes the first stores into the object that it allocated last without a barrier; were that object traced
 *     before, the marking could miss what is stored there and nowhere else when its thread is scanned. (Precise mutators never show
 *     an object to others before its first stores are over; a word that happens to look like its address does.)
 *  2. In the flip's stop: any word into a region of the evacuation set holds that region back. That is what makes it
 *     safe: what a thread came to hold since it was scanned stays where it is, too. It takes one look at a table for each
 *     word.
 *
 * Marking needs no more of a conservative mutator than of others, but for the object that it allocated last: it may be stopped between
 * any two of its first plain stores, while others are only stopped when those are over. So when it is scanned
 *
 *   - that object's words count like the stack's. Without that: its slot holds X; the thread is scanned, loads X, and overwrites the
 *     slot without a barrier, since the object is new; the object is traced, and nothing leads to X but a register.
 *     [mark]
 *   - that object's pages are noted as stored to. Without that: the object is traced, and then the thread stores to it what
 *     leads to a region that is evacuated, on a page that is taken for clean. [clean]
 *
 * (Of a large object only the pages are noted: its slots must be written once before the next allocation, not twice.)
 *
 * Objects that are allocated later are born; their pages are never clean, and what is stored into them was scanned, or
 * read from a slot, like everything that a scanned mutator holds.
 *
 * What was pointed at is found again by a list of the regions that were hit, since the spaces have many more than a stack can
 * hit, and looking for them is part of the remark's stop [remark]. A region is put on the list by whoever is the first to set
 * its `hit`, so the list is never longer than there are regions, and there is always room.
 *
 * Who writes what: `wanted` whoever attaches the first such mutator, before a cycle that scans it; `pointed`, `hit`, `hits` and
 * `hits_count` whoever scans, several at once in a handshake: the first by atomic or, `hit` by compare and swap, and who changed
 * that from 0 adds to `hits_count` and writes the place in `hits` that it got, which is its own. None of these need any order
 * among themselves: they are read, and cleared by walking the list, by the collector only, and that after the handshake, or in
 * the stop, in which all scans were made, and before the next begins. All else the collector.
 */
#ifndef SHALE_GC_CONSERVATIVE_H
#define SHALE_GC_CONSERVATIVE_H

#include "gc/plan.h"
#include "gc/seen_words.h"
#include "gc/shade.h"
#include "gc/world.h"
#include "heap/starts.h"

struct conservative {
    struct memory *memory;
    struct starts starts;
    uint64_t *pointed;   /* per granule of all spaces: a word points there */
    atomic_u8 *hit;      /* per region, and so many bytes of the other spaces: at one of its granules */
    region_number *hits; /* those that are hit, in no order */
    atomic_u32 hits_count;
    atomic_u32 wanted;       /* not 0: there are such mutators, or were */
    bool taken;              /* this cycle has kept what it needs to find objects */
    struct seen_words *seen; /* NULL: nothing is verified */
    struct memory_table table;
};

/* Returns 0 or a negative errno value. */
int conservative_create(struct conservative *conservative, struct memory *memory);
void conservative_destroy(struct conservative *conservative);

/* A cycle begins: before the last one's live bits are cleared. */
void conservative_begin(struct conservative *conservative);
void conservative_keep(struct conservative *conservative, region_number region);

/* Before the plan is forgotten: keeps where objects went, if there are gaps between them [hold-back]. */
void conservative_reclaim(struct conservative *conservative, const struct plan *plan);

/* In handshake TRACING, for the mutator that is served: notes what its stacks point at. */
void conservative_scan(struct conservative *conservative, const struct world *world,
                       struct mutator_local *local);

/* When all were scanned: shades the objects, and keeps their regions. */
void conservative_shade(struct conservative *conservative, struct work *work);

/* From then until the next cycle's first handshake, also for verification: the object that a granule, by its offset, was part of
 * when all were scanned, or that was born there since; OFFSET_NONE: there was none. */
size_t conservative_find(struct conservative *conservative, size_t offset);

/* In the flip's stop. */
void conservative_hold_back(struct conservative *conservative, const struct world *world, struct plan *plan);

#endif
