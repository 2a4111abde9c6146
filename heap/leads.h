/*
 * Leads: which other regions the references on each page lead into, gathered while a cycle marks and plans. The pages
 * that do not lead into the evacuation set are clean: nothing on them changes when it moves.
 *
 * [clean] In the flip's stop, the leads of a page name every other region that a slot on the page, of a live object
 * that was not born in the cycle, refers into; or they are LEADS_ANYWHERE, or the page is `stored`. A slot belongs to the page it lies on,
 * whatever object it is part of.
 *
 * Why: from before the first object is traced until the flip, every mutator's stores set their page's
 * `stored` (BARRIER_PAGES), and every live object that was not born is looked at by a tracer, which notes what it
 * reads. Take what a slot holds in the flip. If it was written after a tracer read the slot, it was a store that noted
 * it, in a mutator that has stopped since. If not, the tracer has read and noted it: first stores, which note
 * nothing, are over before anyone else can reach an object. Objects that were born are not looked at, so no
 * page at or behind its region's born_from is clean. Whoever adds another kind of slot, or another way to write one,
 * notes it likewise.
 *
 * A page's leads are a word that names up to four regions; more are LEADS_ANYWHERE. A set of 64 bits, each for a share
 * of all regions, is as large and tells less: with a third of the regions evacuated, as in a heap that is
 * short of room, nearly every bit stands for one of them. Leads only grow between two
 * markings, and most pages' are complete soon, so that they are seldom written to.
 *
 * Who writes what: the leads of a page tracers, by atomic compare and swap, so that they only grow; `stored` mutators, from
 * BEGUN until the flip: one write for every store, to a table that stays in the cache; the collector clears
 * them while no mutator notes anything. `complete` the collector, before marking and after it.
 */
#ifndef SHALE_HEAP_LEADS_H
#define SHALE_HEAP_LEADS_H

#include "heap/atomic.h"
#include "heap/layout.h"

/* Names of regions are 16 bits: one more than the number, so that 0 names none; 2^shift neighbours share one in heaps of
 * more than 16 GiB. */
#define LEADS_NAME_BITS 16
#define LEADS_NAME_MASK UINT64_C(0xffff)
#define LEADS_NAMES_MAX 0xfffe
#define LEADS_LANES UINT64_C(0x0001000100010001)
#define LEADS_LANES_HIGH UINT64_C(0x8000800080008000)
#define LEADS_ANYWHERE (~UINT64_C(0))

struct leads {
    atomic_u64 *pages;
    atomic_u8 *stored; /* per page: not 0 when a mutator has stored a reference there */
    unsigned shift;
    bool wanted;   /* never changes; false: no page is clean, since stores are not noted */
    bool complete; /* a marking has gathered all */
};

/* `pages` and `stored` are zeroed memory for a word and for a byte for each page. */
static inline void leads_init(struct leads *leads, atomic_u64 *pages, atomic_u8 *stored,
                              region_number regions)
{
    *leads = (struct leads){.pages = pages, .stored = stored, .wanted = true};
    while (regions >> leads->shift >= LEADS_NAMES_MAX)
        leads->shift++;
}

static inline uint64_t leads_name(const struct leads *leads, region_number region)
{
    return (region >> leads->shift) + 1;
}

/* The set with a region's name added. */
static inline uint64_t leads_with(uint64_t set, uint64_t name)
{
    /* A lane of zeros where the set holds the name; the next line finds out whether there is one. */
    uint64_t differs = set ^ name * LEADS_LANES;
    if (((differs - LEADS_LANES) & ~differs & LEADS_LANES_HIGH) != 0)
        return set;
    return set >> (64 - LEADS_NAME_BITS) != 0 ? LEADS_ANYWHERE : set << LEADS_NAME_BITS | name;
}

/* References on the page lead into a region with that name. */
static inline void leads_add(struct leads *leads, page_number page, uint64_t name)
{
    for (;;) {
        uint64_t before = atomic_u64_load(&leads->pages[page]);
        uint64_t after = leads_with(before, name);
        if (after == before || atomic_u64_cas_release(&leads->pages[page], before, after))
            return;
    }
}

/* What was `before` was added to and is `after`: the page's leads grow by as much. */
static inline void leads_grow(struct leads *leads, page_number page, uint64_t before, uint64_t after)
{
    if (after == LEADS_ANYWHERE) {
        atomic_u64_store(&leads->pages[page], after);
    } else if (!atomic_u64_cas_release(&leads->pages[page], before, after)) {
        for (; after != 0; after >>= LEADS_NAME_BITS)
            leads_add(leads, page, after & LEADS_NAME_MASK);
    }
}

#endif
