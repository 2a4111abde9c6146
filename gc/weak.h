/*
 * Weak references and ephemerons during a cycle.
 *
 * A weak slot does not keep its referent alive, but whoever reads it gets a reference that does. So reading it races
 * with the decision that the referent is dead. [weak-phase] is the protocol (after Ugawa, Jones and Ritson,
 * "Reference object processing in on-the-fly garbage collection", ISMM 2014), about one word:
 *
 *   OPEN      no marking: what a weak slot holds is live
 *   TRACING   marking: a referent that is not marked yet may be wanted by someone
 *   REPEAT    the same, and somebody wanted one since the collector last looked: it is shaded, marking goes on
 *   CLEARING  what is not marked now is dead, and reads as NULL
 *
 *   OPEN -> TRACING      the collector, before the first handshake of a cycle
 *   TRACING -> REPEAT    a reader, by compare-and-swap, before it shades the referent
 *   REPEAT -> TRACING    the collector, before it asks for another handshake
 *   TRACING -> CLEARING  the collector, by compare-and-swap, after a handshake in which nobody offered anything
 *   CLEARING -> OPEN     the collector, when all slots with dead referents are NULL
 *
 * A reader first loads the phase, then the slot; its call has no safepoint. Races, with X the referent:
 *
 *  - The reader loads TRACING and finds X unmarked; the collector changes to CLEARING: the reader's compare-and-swap
 *    fails, and it starts again. If the reader is first, the collector's fails; it then sets TRACING and asks for a
 *    handshake, which the reader's mutator serves after it has shaded X.
 *  - The reader loads OPEN and X; the collector goes through to CLEARING: it cannot, since the reader's mutator has not
 *    been scanned. When it is, X is among its roots if it is still wanted.
 *  - The reader loads CLEARING and X, which is dead, and looks whether X is marked only after a finalizer has made X
 *    live again, when X's slots are still being traced and no barrier is on. By then the slot is NULL: so the
 *    reader looks at the slot once more after it has found X marked.
 *  - The reader loads X before it is cleared, and OPEN after: not in this order.
 *  - A mutator that has not served the handshake DECIDED yet overwrites the value of an ephemeron whose key is dead: its
 *    barrier would shade the value, which is not marked though marking is complete. So who stores a value reads the
 *    key first, and stores nothing when it is dead; as above, nobody finds it dead before CLEARING, nor alive after.
 *
 * An ephemeron (after Hayes, "Ephemerons", OOPSLA 1997) whose key is not marked when a tracer looks at it waits in a
 * table, by its key. While any wait, every tracer that marks an object asks the table whether somebody waits for
 * it, and those that do are looked at again. So each ephemeron is looked at twice at most, in whatever order keys and
 * values lead to each other. The race:
 *
 *   tracer A: finds the key not marked; says that ephemerons wait; puts E into the table; looks at the key's bit again
 *   tracer B: sets the key's bit; asks whether any wait; looks into the table
 *
 * Each step is ordered with the next, so one of them sees the other, and looks at E again. B sets the bit when it writes those that it
 * holds [held]; a key that A holds itself counts as marked. Objects that are marked in
 * place, for want of packets, do not ask; so when all is traced the table is gone through for them.
 *
 * Who writes what: `phase` as above; a list of weak objects its tracer; `waiting`, the table's heads and the links of
 * ephemerons tracers, by compare-and-swap; `used` the tracer that makes a head other than 0, at the place that it got by
 * adding to `used_count`, for the collector, which looks when the tracers are done; and the collector all of it while nobody
 * traces.
 */
#ifndef SHALE_GC_WEAK_H
#define SHALE_GC_WEAK_H

#include "gc/mutator_local.h"
#include "gc/work.h"
#include "heap/weak_object.h"

enum weak_phase { WEAK_OPEN, WEAK_TRACING, WEAK_REPEAT, WEAK_CLEARING };

struct weak {
    struct memory *memory;
    atomic_u32 phase;
    atomic_u32 waiting; /* not 0: ephemerons wait for their keys */
    atomic_u32 *heads;  /* by key: the first ephemeron that may wait for it; 0: none */
    uint32_t head_count;
    uint32_t *used; /* heads that are not 0, in no order, so that nobody has to look at all of them */
    atomic_u32 used_count;
    struct memory_table table;
};

/* Returns 0 or a negative errno value. */
int weak_create(struct weak *weak, struct memory *memory);
void weak_destroy(struct weak *weak);

/* Something is to be done for an object: its slots are to be looked at. */
typedef void (*granule_function)(void *argument, granule_number granule);

/* ---- the collector --------------------------------------------------------------------------------- */

void weak_begin(struct weak *weak);

/* All is traced: calls `look` with ephemerons that wait although their key is marked. Returns whether there were any. */
bool weak_find_reached(struct weak *weak, granule_function look, void *argument);

/* After a handshake in which nobody offered anything: whether marking is complete. If not, there must be another. */
bool weak_decide(struct weak *weak);

/* What is not marked is dead: makes the slots of listed objects and waiting ephemerons that refer to it NULL. The list
 * and the table are empty then. */
void weak_clear_list(struct weak *weak, granule_number *list);
void weak_clear_waiting(struct weak *weak);

void weak_end(struct weak *weak);

/* ---- tracers --------------------------------------------------------------------------------------- */

/* Looks at the first slot of a weak object; puts the object on `list` if it is to be looked at again at the end. */
void weak_look(struct weak *weak, granule_number *list, granule_number granule);

/* Looks at the key of an ephemeron: returns whether the value is to be traced; if not, it waits. */
bool ephemeron_look(struct weak *weak, granule_number granule);

/* Whether any ephemeron waits. */
static inline bool weak_any_waiting(const struct weak *weak)
{
    return atomic_u32_load(&weak->waiting) != 0;
}

/* The object at offset `key` was marked: calls `look` for ephemerons that waited for it. */
void weak_key_marked(struct weak *weak, size_t key, granule_function look, void *argument);

/* ---- mutators -------------------------------------------------------------------------------------- */

/* Reads a weak slot: what it refers to, to be kept alive by the caller from now on, or 0. */
uint64_t weak_read(struct weak *weak, struct work *work, struct mutator_local *local, const atomic_u64 *slot);

/* The same for an ephemeron: its value, or 0 when its key is dead. */
uint64_t weak_read_value(struct weak *weak, struct work *work, struct mutator_local *local,
                         const struct ephemeron_object *ephemeron);

#endif
