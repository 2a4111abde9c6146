/*
 * The collector of one heap: its parts, its thread, and what others may ask of it.
 *
 * Cycles are numbered from 1. `started`, `flipped` and `completed` are the numbers of the last cycle that did
 * so; a cycle that does not move anything flips when it completes. Who asks for a cycle gets the number of one
 * that starts after the asking, so that everything unreachable by then is found by it.
 *
 * Who writes what: the fields under `lock` say so; all others are written by the collector thread only, or at
 * creation. Statistics are atomics for any reader.
 */
#ifndef SHALE_GC_COLLECTOR_H
#define SHALE_GC_COLLECTOR_H

#include "gc/compact.h"
#include "gc/durations.h"
#include "gc/events.h"
#include "gc/fault_server.h"
#include "gc/mark_pages.h"
#include "gc/pace.h"
#include "gc/verify.h"
#include "gc/world.h"

struct collector_options {
    enum shale_compaction compaction;
    int faults;                /* descriptor for the mutator view; -1 with SHALE_COMPACTION_IN_PAUSE */
    int verify;                /* see shale_options */
    unsigned evacuate_percent; /* regions at most so full are worth moving */
    uint32_t reserve;          /* free regions that mutators leave to evacuation */
    unsigned target_percent;   /* see pace_settings */
    uint64_t release_delay;    /* nanoseconds for which a region is free before its memory is given back */
    unsigned workers;          /* threads that mark and compact, the collector's own included; */
    unsigned processors;       /* not 0: only as many as mutators leave of these, see workers_create_later */
    uint32_t mark_packets;     /* see mark_create */
    bool no_barrier;           /* stores are learnt of from `writes`, which stays the caller's [written] */
    struct os_writes writes;
    struct events *events; /* the caller's; NULL: none */
};

struct collector_statistics {
    atomic_u64 flips;
    atomic_u64 objects_marked;
    atomic_u64 bytes_marked;
    atomic_u64 objects_moved;
    atomic_u64 bytes_moved;
    atomic_u64 live_bytes;        /* by the last mark */
    atomic_u64 goal_bytes;        /* of the pace */
    atomic_u64 faults_last_cycle; /* that flipped */
    atomic_u64 faults_worst_cycle;
    atomic_u64 flips_held_off;
    atomic_u64 regions_held_back;
    atomic_u64 regions_pinned; /* by the last plan, as are the following */
    atomic_u64 regions_pinned_long;
    atomic_u64 bytes_pinned_long;
    struct durations flip_pause;
    struct durations remark_pause; /* of marking without a barrier, and so are these */
    atomic_u64 mark_rounds;
    atomic_u64 pages_rescanned;
    struct durations mark_time;
    struct durations handshake; /* recorded by the world */
    struct durations time_to_stop;
};

struct collector {
    struct memory *memory;
    const struct world *world;
    struct collector_options options;
    struct workers workers;
    struct mark mark;
    struct mark_pages mark_pages; /* options.no_barrier */
    struct plan plan;
    struct compaction compaction;
    struct verify verify;
    struct fault_server server; /* SHALE_COMPACTION_FAULT_THREAD */
    struct shale_visitor
        root_visitor; /* of the running flip; set while stopped, used until roots are settled */
    struct builder builders[WORKERS_MAX]; /* of the workers */
    struct builder handlers;              /* all mutators: in signal handlers, and leaving flips */
    struct collector_statistics statistics;
    uint32_t reserve; /* free regions that mutators leave to evacuation */
    struct pace pace; /* the collector thread's, and so are these, in nanoseconds, for its log lines */
    uint64_t last_mark_time;
    struct stop_times last_flip;
    enum shale_cycle_reason reason; /* of the running cycle */
    uint32_t pins_reported; /* regions pinned for long, when the log last said so; the collector thread's */
    atomic_u32 trigger;     /* free regions at which a mutator asks for a cycle */
    /* Bytes outside of the heap that objects hold, and all that were ever added: written by any thread; and how many make a mutator
     * ask for a cycle. */
    atomic_u64 external_bytes;
    atomic_u64 external_added;
    atomic_u64 external_trigger;
    /* When the first mutator ran out of memory since the last cycle ended; 0: none did. */
    atomic_u64 stalled_at;
    atomic_u32
        never_ahead; /* not 0: the system would not give memory to pages before they are touched [ahead] */
    /* Memory is not given back before: the system refused it. The collector thread's. */
    uint64_t release_after;
    bool entries_left; /* a flip's old page table entries are not released yet; the collector thread's */
    /* The last cycle that left regions to mutators, freed some that others took at once, or made progress towards
     * freeing one; written before `completed`. */
    atomic_u64 gained;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool quit;
    bool ahead;      /* regions are to be made ready [ahead] */
    uint64_t wanted; /* the last cycle that was asked for */
    enum plan_scope wanted_scope;
    enum shale_cycle_reason wanted_reason;
    uint64_t started;
    uint64_t flipped;
    atomic_u64 completed; /* also read without the lock, for statistics */
    pthread_t thread;
};

/* Returns 0 or a negative errno value with `failed` naming the step. The memory's page states get the faults
 * descriptor. */
int collector_create(struct collector *collector, struct memory *memory, const struct world *world,
                     const struct collector_options *options, const char **failed);
void collector_destroy(struct collector *collector);

/* Any thread: asks for a cycle that starts after the call and considers at least `scope`; returns its number. */
uint64_t collector_request(struct collector *collector, enum plan_scope scope,
                           enum shale_cycle_reason reason);

/* Any thread: asks for a cycle unless one is running or asked for. */
void collector_suggest(struct collector *collector, enum shale_cycle_reason reason);

/* A mutator that has just taken a region: asks for more to be made ready if there are few, and no cycle is to run [ahead]. */
void collector_prepare_ahead(struct collector *collector);

/* A thread that is not running as a mutator: waits until cycle `number` has flipped, or completed. */
void collector_wait_flipped(struct collector *collector, uint64_t number);
void collector_wait_completed(struct collector *collector, uint64_t number);

/* The number of the running cycle, 0 when there is none. */
uint64_t collector_running(struct collector *collector);

/* ---- for the phases only -------------------------------------------------------------------------- */

/* Faults answered so far. */
uint64_t collector_faults(const struct collector *collector);

/* Stops, and resumes, for something that is no phase of its own: an event tells of it. */
void collector_stop(struct collector *collector, struct stop_times *times);
void collector_resume(struct collector *collector, struct stop_times *times, enum shale_stop_cause cause);

/* Records a stop that is over. */
void collector_record_stop(struct collector *collector, const struct stop_times *times,
                           enum shale_stop_cause cause);

/* Records a phase that is over. */
void collector_record_phase(struct collector *collector, shale_event_kind kind, uint64_t began,
                            uint64_t ended, uint64_t first_value, uint64_t second_value);

void collector_set_flipped(struct collector *collector, uint64_t number);

/* Stopped: verifies the graph through a view; does not return when it finds anything wrong. */
void collector_verify(struct collector *collector, char *view, enum verify_moment moment, const char *when,
                      struct verify_summary *summary);
_Noreturn void collector_verify_failed(const struct collector *collector, const char *when, const char *what);

/* Returns whether the line went to standard error. */
bool collector_log(const struct collector *collector, shale_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
