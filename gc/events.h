/*
 * Events: a ring of records that any thread of the library writes, and the program takes.
 *
 * [events] Writing takes no lock, allocates nothing, makes no system call and is a bounded number of steps: also inside a
 * stop, in the handlers of signals, and in one that interrupts a thread that is writing. No record is given out that
 * was not written as a whole by one writer, and each at most once. Every record that was written is given out,
 * or counted as lost, or still in the ring.
 *
 * A writer draws a ticket t from `next` and writes into slot t mod N, where N is the number of slots. The slot's `state` says what is there;
 * it only ever grows:
 *
 *     4t + WRITING    the writer with ticket t has the slot, nobody else writes to it
 *     4t + WHOLE      its record is complete
 *     4t + TAKEN      there is nothing, or nothing any more, and no writer with ticket t or less is let in
 *
 *     less than 4t, not WRITING -> 4t + WRITING   a writer, compare-and-swap; over WHOLE: that record is lost
 *     4t + WRITING -> 4t + WHOLE                  that writer, release store after the record's words
 *     4t + WHOLE -> 4t + TAKEN                    a taker, compare-and-swap after it has copied the words
 *     less than 4t, not WRITING -> 4t + TAKEN     a taker that finds no record of ticket t; over WHOLE: it is lost
 *
 * A writer that cannot have its slot draws another ticket: because the one of a whole round ago is still at it (it was interrupted;
 * perhaps by this one, a signal's handler on the same thread), or a taker has passed. After ATTEMPTS it gives up, and the record
 * counts as lost.
 *
 * Torn records? Only who has changed the state to WRITING writes the words, before it changes it to WHOLE. A taker copies the words
 * between loading WHOLE (acquire) and the compare-and-swap from that to TAKEN. If any word that it copied was written by a later
 * writer, that one had changed the state before (full fence between), and the taker's compare-and-swap comes after its
 * loads (full fence between), so it finds the state changed and fails: states do not come back.
 *
 * Lost without being counted? A record leaves WHOLE by one of three compare-and-swaps, each by one thread: to TAKEN by who gives it out,
 * or over it by a writer or taker that counts it. A taker that finds nothing of ticket t - its writer may be between drawing and
 * having the slot - closes the slot to it; the writer then draws another. It must not just go on: the record would be
 * behind the takers, and be lost a round later.
 *
 * A record that is being written holds up those behind it until it is complete, for takers; writers never. With all tickets taken in order,
 * `taken` is where to go on, a hint that may lag behind.
 *
 * The ring also knows which thread is which mutator, for those that only know the thread: a few words, tried in turn. When a
 * thread finds none free its mutator is not known.
 *
 * Who writes what: `next` writers, `taken`, `reported` takers, `lost` both; `cycle` the collector; `threads` as mutators
 * attach and detach, under the safepoint's lock, read by anyone; the rest at creation.
 */
#ifndef SHALE_GC_EVENTS_H
#define SHALE_GC_EVENTS_H

#include "heap/os.h"

#include <shale/shale.h>

enum { EVENT_WORDS = 7 };

struct event_slot {
    atomic_u64 state;
    atomic_u64 words[EVENT_WORDS];
};

struct events {
    struct event_slot *slots; /* NULL: no events are kept */
    uint64_t mask;            /* slots, a power of two, less one */
    const struct os *os;
    atomic_u64
        *threads;     /* number of a mutator, and the system's of its thread in the lower half; 0: unused */
    atomic_u64 cycle; /* the running one; 0: none */
    atomic_u64 next;
    atomic_u64 taken;
    atomic_u64 lost;
    atomic_u64 reported; /* of those lost */
};

/* When a global stop was asked for, had all stopped, and ended. */
struct stop_times {
    uint64_t asked;
    uint64_t stopped;
    uint64_t ended;
};

/* `count` 0: none are kept. Returns 0 or a negative errno value. */
int events_create(struct events *events, const struct os *os, uint32_t count);
void events_destroy(struct events *events);

/* Whether anything need be measured. `events` may be NULL. (signal) */
static inline bool events_on(const struct events *events)
{
    return events != NULL && __builtin_expect(events->slots != NULL, 0);
}

/* Adds one, if any are kept. Its `cycle` is filled in. (signal) */
void events_write(struct events *events, const shale_event *event);

/* The common case: kind, whose, when. (signal) */
void events_span(struct events *events, shale_event_kind kind, uint64_t mutator, uint64_t begin,
                 uint64_t end);

/* Any thread, several at once. */
size_t events_take(struct events *events, shale_event *taken, size_t count, uint64_t *lost);

/* Under the safepoint's lock. */
void events_add_thread(struct events *events, int thread, uint64_t mutator);
void events_remove_thread(struct events *events, int thread, uint64_t mutator);

/* The number of the mutator whose thread this is; 0: not known. (signal) */
uint64_t events_mutator_of(const struct events *events, int thread);

#endif
