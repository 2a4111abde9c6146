/*
 * What the collector needs from the layer above: handshakes with the mutators, stopping them, and showing roots. A
 * table of functions, so that the collector is tested with a fake world.
 *
 * All but `count_busy` are called on the collector thread only. Between `stop` and `resume` no mutator runs, or touches the
 * heap; those in native sections go on outside of it.
 */
#ifndef SHALE_GC_WORLD_H
#define SHALE_GC_WORLD_H

#include "gc/mutator_local.h"
#include "heap/object.h"

/* Something to do for one mutator. */
typedef void (*local_function)(void *argument, struct mutator_local *local);

/* Words, from one address to another, any of which may be an address in the heap. */
typedef void (*words_function)(void *argument, const volatile uint64_t *from, const volatile uint64_t *to);

struct world {
    void *context;
    /* Has every mutator run `function` once, at its next safepoint; for those in native sections the collector does.
     * Returns when all have. Mutators that attach from now on begin at `stage`. */
    void (*handshake)(void *context, enum mark_stage stage, local_function function, void *argument);
    /* Within a handshake, for the mutator that is served: shows its own roots. */
    void (*visit_mutator_roots)(void *context, struct mutator_local *local, struct shale_visitor *visitor);
    /* Within a handshake or stopped, for a conservative mutator: shows its stacks and registers. */
    void (*visit_stacks)(void *context, struct mutator_local *local, words_function function, void *argument);
    /* Running, when marking is complete: asks of every object that has a finalizer, in the order in which they were given
     * one, whether it is dead, and moves those that are to the end of the queue. Returns how many. */
    uint64_t (*queue_finalizable)(void *context, bool (*is_dead)(void *argument, uint64_t address),
                                  void *argument);
    /* Running: shows what was moved to the queue since then. */
    void (*visit_queued)(void *context, struct shale_visitor *visitor);
    /* Running: what was moved to the queue may be taken. */
    void (*publish_finalizable)(void *context);
    /* Running, all that is to be kept is marked: finds the objects with memory outside of the heap that are dead. */
    void (*find_dead_external)(void *context, bool (*is_dead)(void *argument, uint64_t address),
                               void *argument);
    /* Running, when the cycle has ended: gives that memory back; returns how many bytes. */
    uint64_t (*free_external)(void *context);
    /* Running: shows the roots that belong to no mutator. They may be changed at the same time, by stores that shade
     * what they overwrite. */
    void (*visit_heap_roots)(void *context, struct shale_visitor *visitor);
    /* Running: returns when all that were adding or removing roots of the heap at the call are done with it. */
    void (*await_root_changes)(void *context);

    /* Running, a plan is made: whether it may be carried out. It may take a while to find out. If so, mutators that rely on
     * nothing being moved wait until `end_moving`, when no page is stale any more. */
    bool (*begin_moving)(void *context);
    void (*end_moving)(void *context);

    /* Returns when every mutator is stopped or in a native section; they stay so until `resume`. */
    void (*stop)(void *context);
    void (*resume)(void *context);
    /* Stopped: runs `function` for every mutator. */
    void (*visit_mutators)(void *context, local_function function, void *argument);
    /* Stopped: mutators that attach afterwards begin at `stage`. */
    void (*set_stage)(void *context, enum mark_stage stage);
    /* Stopped: shows every root, of all mutators and of the heap. */
    void (*visit_roots)(void *context, struct shale_visitor *visitor);
    /* Stopped: has all roots shown to `visitor`, but lets a mutator do its own before it runs on. The visitor
     * may be used until `settle_roots` has returned. */
    void (*begin_root_update)(void *context, struct shale_visitor *visitor);
    /* Running or stopped: completes the update for mutators that have not done so themselves. */
    void (*settle_roots)(void *context);
    /* Any thread: how many processors mutators are busy on. May be out of date. Waits for nothing. */
    unsigned (*count_busy)(void *context);
    /* One line about what the collector does or found. Returns whether it went to standard error. */
    bool (*log)(void *context, shale_log_level level, const char *line);
};

#endif
