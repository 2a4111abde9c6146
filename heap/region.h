/*
 * The table of regions: which are free, who has the others, how much of them is in use.
 *
 * [region] A region is in exactly one state, and only the functions below change it:
 *
 *   FREE -> ALLOCATING   region_take, by the mutator that fills it from then on
 *   FREE -> DESTINATION  region_take, by the plan
 *   ALLOCATING -> USED   by its mutator, when it is full
 *   ALLOCATING -> BORN   the same, when a cycle's births are recorded in it [born-live]
 *   BORN -> USED         the collector, when the next cycle starts
 *   USED -> EVACUATED    the plan, by region_evacuate: its live objects leave, unless it is pinned
 *   EVACUATED -> USED    the collector, by region_hold_back: they stay after all [hold-back]
 *   DESTINATION -> USED  reclaim, once all its pages are published
 *   EVACUATED -> FREE    reclaim, once no page is stale
 *   USED -> FREE         the plan: nothing in it is live
 *   ALLOCATING -> PINNED   a mutator that cuts it into cells, whose objects never move [cells]
 *   PINNED -> FREE       the sweep: nothing in it is live
 *
 * [pin] What is in a region does not move while the region is pinned. Pins are counted. A mutator that pins is between two
 * safepoints, so no flip comes meanwhile; only the plan may be at work, and both take the table's lock:
 *
 *   pin, then region_evacuate        the region is left out of the evacuation set
 *   region_evacuate, then pin        the pin sees EVACUATED, and puts the region on the list of late ones. The flip, for which
 *                                    its mutator has to stop, holds back the regions on it that are still pinned
 *   flip, then pin                   the object is where it is to stay: its address is new
 *   unpin, at any time               the region may be evacuated from then on; by the running cycle if it was late
 *
 * A region that is kept is treated as if pinned until the next cycle begins.
 *
 * Who writes what: `state` under the table's lock, by region_set_state with release, so that who reads it with acquire
 * sees `top` and the objects that were there (relaxed reads elsewhere are hints, or are ordered by a stop or a
 * handshake); `top` by the region's mutator while ALLOCATING, by the plan while DESTINATION, by nobody otherwise (of a PINNED
 * region it is the end, and objects do not lie back to back);
 * `live_bytes` and `largest` by marking, under the lock while mutators may mark too; `dirty`, the links and `freed_at`
 * under the lock; `marked` and `rescan` by whoever marks in it, and cleared by the collector; `sealed` by reclaim and by
 * who takes the region; `born_from` by the mutator that fills the region, before an object there can be reached by others,
 * and by region_take and region_begin_cycle while nobody records; `scanned_to` by it too, and by region_take; `generation` and `asked` under the lock, before
 * anything is in the region, `asked` then by mutators [hash], and `promised` too; `pins`, `kept`, `late`, `next_late` under
 * the lock, `pins` and `kept` read without as a hint; `stays` and `pinned_cycles` by the collector.
 */
#ifndef SHALE_HEAP_REGION_H
#define SHALE_HEAP_REGION_H

#include "heap/atomic.h"
#include "heap/layout.h"

#include <pthread.h>

enum region_state {
    REGION_FREE,
    REGION_ALLOCATING,
    REGION_BORN,
    REGION_USED,
    REGION_EVACUATED,
    REGION_DESTINATION,
    REGION_PINNED
};

struct region {
    atomic_u8 state;
    atomic_u8 marked; /* its live bits may hold anything but zeros */
    atomic_u8 rescan; /* has marked objects whose slots were not looked at: marking's packets ran out */
    bool dirty;       /* its memory may hold anything but zeros */
    bool sealed;      /* debug builds: its pages of the mutator view are inaccessible */
    uint32_t top;     /* bytes from its start in which there are objects */
    /* Objects this many bytes or more from its start were born in the running cycle. REGION_SIZE: none */
    atomic_u32 born_from;
    /* The same, set by its mutator when that is scanned; 0: it has not been, or nothing was in it then [starts] */
    atomic_u32 scanned_to;
    atomic_u8 asked; /* not 0: objects in it may have to grow when they move, see identity_hash.h */
    uint32_t live_bytes;
    uint32_t largest;            /* bytes of the largest live object */
    region_number next_free;     /* on the list that it is on */
    region_number previous_free; /* the same; only on the list of resident regions */
    atomic_u32 generation;       /* how often it was taken */
    uint64_t freed_at;           /* the table's time when it became free */
    atomic_u32 pins;             /* [pin] */
    atomic_u8 kept;              /* not 0: as if pinned, in this cycle */
    atomic_u8 promised;          /* objects in it may have a hash that is promised [hash] */
    bool late;                   /* on the list of those that were pinned when they were EVACUATED */
    bool stays;                  /* pinned or kept when the last plan looked */
    region_number next_late;
    uint32_t pinned_cycles; /* in which plans found it pinned, up to the last one */
};

/* What the plan found pinned. */
struct region_pins {
    uint32_t regions;      /* pinned */
    uint32_t long_regions; /* of them, for at least REGION_PINNED_LONG cycles */
    uint64_t long_bytes;   /* that are not live in those: no compaction gains them */
};

/* Cycles in a row in which a region is pinned before it is worth a word. */
enum { REGION_PINNED_LONG = 16 };

struct region_table {
    pthread_mutex_t lock;
    struct region *regions;
    region_number count;
    /* Free regions that have memory are handed out first, last in first out, so that those at the tail are the
     * ones longest free; then those whose memory was given back; then those that were never taken. */
    region_number resident_head;
    region_number resident_tail;
    region_number discarded_head;
    atomic_u32 touched;        /* regions from here on were never taken; written under the lock */
    atomic_u32 resident_count; /* on the list of resident_head; written under the lock */
    uint64_t now;              /* in nanoseconds, of whatever clock whoever sets it has */
    /* Of all three kinds, less what is lent [budget]; written under the lock. */
    atomic_u32 free_count;
    region_number late; /* the list of late pins */
};

/* `regions` is zeroed memory for `count` of them. */
void region_table_init(struct region_table *table, struct region *regions, region_number count);
void region_table_destroy(struct region_table *table);

/* Takes a free region into `state`, leaving at least `reserve` free ones; REGION_NONE when there is none. */
region_number region_take(struct region_table *table, enum region_state state, uint32_t reserve);

/* Any change between two states that are not FREE. */
void region_set_state(struct region_table *table, region_number region, enum region_state state);

/* A mutator between two safepoints. Neither waits for more than the lock, nor allocates. */
void region_pin(struct region_table *table, region_number region);
void region_unpin(struct region_table *table, region_number region);

/* Any thread while no flip can come, or the collector: what is in the region stays where it is in this cycle. */
void region_keep_this_cycle(struct region_table *table, region_number region);

/* The collector, before it chooses: notes which regions stay, so that the choice sees one state of them. */
void region_note_pins(struct region_table *table, struct region_pins *found);

/* USED -> EVACUATED. False: it is pinned or kept, and stays as it is. */
bool region_evacuate(struct region_table *table, region_number region);

/* EVACUATED -> USED. */
void region_hold_back(struct region_table *table, region_number region);

/* The collector, in the flip's stop or when nothing is EVACUATED: takes a region that is pinned or kept from the list of late
 * ones; REGION_NONE when there is none. Afterwards it is empty. */
region_number region_take_late(struct region_table *table);

/* The collector, before marking: BORN regions become USED, and what the last mark counted is forgotten. */
void region_begin_cycle(struct region_table *table, region_number region);

/* Adds objects that were found live: `bytes` in all, the largest of `largest` bytes. Any thread. */
void region_add_live(struct region_table *table, region_number region, uint32_t bytes, uint32_t largest);

/* Takes `count` free regions off the count, without saying which, leaving at least `reserve`; for memory elsewhere
 * [budget]. False: there are not as many. */
bool region_lend(struct region_table *table, uint32_t count, uint32_t reserve);
void region_return_lent(struct region_table *table, uint32_t count);

/* Gives a region back. It is free since the table's time. */
void region_free(struct region_table *table, region_number region);
void region_table_set_time(struct region_table *table, uint64_t now);

/* Since when that region is free which has been for the longest and holds memory. False: there is none. */
bool region_oldest(struct region_table *table, uint64_t *freed_at);

/* Takes that region if it became free at `time` or earlier, so that its memory can be given back to the system;
 * region_return_discarded then puts it back. */
region_number region_take_oldest(struct region_table *table, uint64_t time);
void region_return_discarded(struct region_table *table, region_number region);

/* Whether the object at an offset was born in the running cycle. */
static inline bool region_born_at(const struct region_table *table, size_t offset)
{
    return offset % REGION_SIZE >= atomic_u32_load(&table->regions[region_of(offset)].born_from);
}

/* Takes a free region that holds no memory, leaving at least `reserve` free ones, so that it can be given some;
 * region_return_zero then puts it back. REGION_NONE: there is none. */
region_number region_take_hole(struct region_table *table, uint32_t reserve);
void region_return_zero(struct region_table *table, region_number region);

/* Free regions that hold memory: a hint. */
static inline uint32_t region_resident_count(const struct region_table *table)
{
    return atomic_u32_load(&table->resident_count);
}

static inline uint32_t region_free_count(const struct region_table *table)
{
    return atomic_u32_load(&table->free_count);
}

/* Regions from this one on were never taken: all that is known of them is as it was at creation. Loops over regions
 * end here, so that a large maximum costs nothing. Without the lock it is a lower bound: a region beyond it was
 * taken since. */
static inline region_number region_touched(const struct region_table *table)
{
    return atomic_u32_load(&table->touched);
}

/* With what its mutator wrote to it before it changed its state by region_set_state. */
static inline enum region_state region_get_state_acquire(const struct region_table *table,
                                                         region_number region)
{
    return (enum region_state)atomic_u8_load_acquire(&table->regions[region].state);
}

static inline enum region_state region_get_state(const struct region_table *table, region_number region)
{
    return (enum region_state)atomic_u8_load(&table->regions[region].state);
}

#endif
