/*
 * A heap handle: the memory, the collector, and the mutators attached to it.
 *
 * [handle] A shale_heap that a user passes is valid exactly while the registry lists it (registry.h); every
 * entry point checks that before it looks inside. A mutator is valid while it is attached; the memory of a
 * detached one lives until its heap is destroyed, so that using it is seen rather than undefined.
 */
#ifndef SHALE_RUNTIME_HEAP_H
#define SHALE_RUNTIME_HEAP_H

#include "gc/collector.h"
#include "gc/events.h"
#include "heap/memory.h"
#include "runtime/critical.h"
#include "runtime/externals.h"
#include "runtime/finalizers.h"
#include "runtime/handles.h"
#include "runtime/log.h"
#include "runtime/pins.h"
#include "runtime/roots.h"
#include "runtime/safepoint.h"
#include "runtime/weak_table_types.h"

struct shale_heap {
    shale_options options;
    struct log log;
    struct events events;
    struct memory memory;
    struct collector collector;
    struct world world;
    struct safepoint safepoint;
    struct handles handles;
    struct finalizers finalizers;
    struct pins pins;
    struct critical critical;
    struct externals externals;
    struct weak_table_types weak_table_types;
    struct root_list roots;             /* visitors of the whole heap */
    struct shale_visitor *root_update;  /* written while the world is stopped; see roots.h */
    const char *fault_source;           /* how page faults are had, for the log */
    bool size_chosen;                   /* by the memory there is, since the options did not say */
    atomic_u32 forked;                  /* this process is a child of the owner's */
    atomic_u32 clearing;                /* mutators that clear large objects, counted as native; theirs */
    struct durations allocation_stalls; /* how long mutators waited for memory */
    atomic_u64 stall_logged;            /* the last cycle of which the log says that it was waited for */
};

/* What shale_heap_create does, over any operating system. `options` is complete. */
shale_heap *heap_create(const struct os *os, const shale_options *options, bool log_asked,
                        shale_error *error);

/* Whether a public call on the heap may go on; if not, fills in `error` and logs. `heap` may be anything. */
shale_status heap_check(shale_heap *heap, const char *function, shale_error *error);

#endif
