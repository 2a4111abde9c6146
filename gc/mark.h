/*
 * Marking: finding what is live, while the program runs. Here with a write barrier; without one: mark_pages.h.
 *
 * [mark] A snapshot at the beginning, taken without stopping anybody (after Doligez and Gonthier, "Portable,
 * unobtrusive garbage collection for multiprocessor systems", POPL 1994; for the order of the handshakes see also
 * Gammie, Hosking and Engelhardt, "Relaxing safely", PLDI 2015). When it is complete the live bits say what is
 * live [live], every region's live_bytes and largest describe what was marked in it, and nothing that a
 * mutator can get hold of is left unmarked.
 *
 *  1. Handshake BEGUN: every mutator's stores shade what they overwrite and what they store.
 *  2. A handshake in which nothing is done: stores that began before all barriers were on are over.
 *  3. Handshake TRACING: each shades its own roots, from then on its stores shade only what they overwrite, and what it
 *     allocates is born.
 *     The stacks of conservative mutators are shaded when all are scanned [conservative].
 *  4. The roots of the heap are shaded. They are written by stores with a barrier, like slots of objects.
 *  5. All is traced; a handshake has every mutator offer what it shaded since; until nothing is offered, and no weak
 *     reference was read meanwhile [weak-phase].
 *  6. Handshake DECIDED: stores shade nothing any more.
 *  7. Weak references to what is dead are cleared. Objects with finalizers that are dead are queued, and they and what they
 *     lead to is marked: no mutator can get hold of them before they are taken from the queue.
 *
 * Why nothing is lost. While anything live is unmarked, each such object is reached by a path of unmarked objects from
 * one that was shaded. A mutator that was scanned only ever holds objects that are marked, born or so protected: it
 * held or could reach them when it was scanned, or it read them from a slot. To make an object X unprotected, the
 * path to it must be cut: the store that cuts it shades what it overwrites. Three cases remain, with a mutator M that
 * is not yet scanned, whose frames hold X, while nothing else does:
 *
 *  - M stores X into an object that was traced already, and forgets X before it is scanned. Hence such a store shades
 *    what it stores (BARRIER_NEW) for as long as its mutator is not scanned.
 *  - M' that was scanned reads X from a slot, and another mutator overwrites that slot. All have their barriers on
 *    since before the first was scanned, hence a handshake of its own for that.
 *  - M stores X into a slot before its barrier is on, and forgets X before it is scanned. M', scanned, reads X. M'' then
 *    overwrites X without having shaded it: its barrier was on, and its store has read the slot before M's store. That
 *    store of M'' began before all barriers were on, hence the handshake between.
 *
 * An object that is allocated before its mutator is scanned is marked like any other, since what is stored into it
 * first is stored without a barrier; one that is allocated afterwards is born. (<shale/shale.h> allows plain first
 * stores only until the object is stored anywhere.)
 *
 * When it is complete: at the start of the last handshake no tracer had work; each mutator offered nothing in it, so
 * its packet was empty since the handshake before. So at the start nothing was shaded that was not marked, and by
 * the above everything live is marked; from then on stores find only marked objects to shade, which they leave out.
 *
 * On the way it gathers where the references of each page lead [clean]; stores go on noting that until the flip, or until
 * it is known that there is none.
 *
 * tests/property/test_litmus.c tries each of these cases in all interleavings, with and without what is there
 * against it; tests/model/marking.pml has the protocol in Promela.
 *
 * Who writes what: `active` the collector, read by who registers roots of the heap; the rest the collector, or its
 * workers as said in work.h and trace.h.
 */
#ifndef SHALE_GC_MARK_H
#define SHALE_GC_MARK_H

#include "gc/conservative.h"
#include "gc/shade.h"
#include "gc/trace.h"
#include "gc/workers.h"
#include "gc/world.h"

struct mark {
    struct memory *memory;
    const struct world *world;
    struct workers *workers;
    struct work work;
    struct weak weak;
    struct conservative conservative;
    struct tracer *tracers; /* one for each worker that there may be */
    atomic_u32 active;      /* not 0: roots that appear or go must be shaded */
    uint64_t objects;       /* found live by the last marking, besides what was born */
    uint64_t bytes;
    uint64_t finalizable; /* objects that were queued for their finalizers in the last marking */
    uint64_t weak_began;  /* nanoseconds: step 7 of the last marking */
    uint64_t weak_ended;
    struct memory_table table;
};

/* `packet_limit` bounds the memory for work; 0: chosen by the heap's size. Returns 0 or a negative errno value. */
int mark_create(struct mark *mark, struct memory *memory, const struct world *world, struct workers *workers,
                uint32_t packet_limit);
void mark_destroy(struct mark *mark);

/* The whole marking. */
void mark_run(struct mark *mark);

/* The parts of it: */

/* Clears what the last cycle left. */
void mark_prepare(struct mark *mark);
/* Steps 1 to 4. */
void mark_roots(struct mark *mark);
/* Traces what was shaded, on all workers. */
void mark_trace(struct mark *mark);
/* Has all mutators offer what they shaded. Returns whether there was nothing. */
bool mark_flush(struct mark *mark);
/* Step 6. */
void mark_decide(struct mark *mark);
/* Step 7. */
void mark_weak(struct mark *mark);
/* Counts what was marked. */
void mark_count(struct mark *mark);

/* ---- also for marking without a barrier, mark_pages.h ---- */

/* Shades and offers the mutator's own roots. */
void mark_scan_local(struct mark *mark, struct mutator_local *local);
/* Its cells in reserve are born from now on [cells]. */
void mark_reserve_births(struct mark *mark, struct mutator_local *local);
/* Shades and offers what one of the world's functions shows. */
void mark_shade_shown(struct mark *mark, void (*show)(void *context, struct shale_visitor *visitor));
/* In a task that traces, before anything is done: the worker's tracer, which takes part from now on; NULL: too late. */
struct tracer *mark_tracer(struct mark *mark, unsigned index);
/* mark_trace with a task that does something else first, and then `trace`. */
void mark_trace_with(struct mark *mark, worker_task task, void *argument);

/* ---- mutators ---- */

/* A mutator attaches, at a stage. */
void mark_attach(struct mutator_local *local, enum mark_stage stage);
/* A mutator detaches; its roots are gone. */
void mark_detach(struct mark *mark, struct mutator_local *local);

/* The flip, or there is none: stores do nothing besides storing. */
void mark_end_local(struct mutator_local *local);

/* A mutator's store: shades what a word that is overwritten or stored refers to. */
static inline void mark_shade(struct mark *mark, struct mutator_local *local, uint64_t address)
{
    shade(&mark->work, mark->memory, &local->shaded, address);
}

#endif
