/*
 * What the collector needs from the layer above: stopping the mutators, and showing roots and allocation
 * buffers. A table of functions, so that the collector is tested with a fake world.
 *
 * All are called on the collector thread only. Between `stop` and `resume` no mutator runs, or touches the
 * heap; those in native sections go on outside of it.
 */
#ifndef SHALE_GC_WORLD_H
#define SHALE_GC_WORLD_H

#include "heap/bump.h"
#include "heap/object.h"

struct world {
    void *context;
    /* Returns when every mutator is stopped or in a native section; they stay so until `resume`. */
    void (*stop)(void *context);
    void (*resume)(void *context);
    /* Stopped: shows every root, of all mutators and of the heap. */
    void (*visit_roots)(void *context, struct shale_visitor *visitor);
    /* Stopped: has all roots shown to `visitor`, but lets a mutator do its own before it runs on. The visitor
     * may be used until `settle_roots` has returned. */
    void (*begin_root_update)(void *context, struct shale_visitor *visitor);
    /* Running or stopped: completes the update for mutators that have not done so themselves. */
    void (*settle_roots)(void *context);
    /* Stopped: every allocation buffer. */
    void (*visit_buffers)(void *context, void (*visit)(struct bump *bump, struct memory *memory));
    /* One line about what the collector does or found. */
    void (*log)(void *context, shale_log_level level, const char *line);
};

#endif
