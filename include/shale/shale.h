/*
 * Shale: an embeddable garbage collector that compacts the heap while the program runs.
 *
 * Caveats first
 * -------------
 *  - Objects move. After any call that is marked "may collect" below, a plain C variable that held an
 *    object's address is wrong unless the collector knew of it: keep addresses that live across such a
 *    call in a frame (shale_frame_push), in a handle (shale_local, shale_handle_create), or in memory that a registered root visitor shows.
 *  - A thread that runs for long without allocating must call shale_poll now and then, and must bracket
 *    whatever may block (read, lock, sleep) with shale_enter_native / shale_leave_native; otherwise every
 *    other thread waits for it when the collector needs a stop. (Both do not hold for threads that are attached with
 *    conservative roots: see shale_attach_options.)
 *  - Reads are plain C. Writes of references into objects must go through shale_store or shale_store_value (unless the heap
 *    was created with SHALE_BARRIER_PAGES), except
 *    the first writes into an object just allocated: those may be plain until the object's address has been stored
 *    into another object or a root of the heap, and until the next call that may collect.
 *  - Writes of references into what a root visitor of the heap shows must go through shale_store_root. Locals in frames,
 *    and what a mutator's own root visitor shows, are written plainly.
 *  - A lock of the program's that is held across a call that may collect must be waited for in a native
 *    section, or by trying it and polling in between: a thread that waits for it without being stoppable would
 *    keep the collector waiting, and the collector the lock's holder. Leaving a native section with the lock
 *    in hand is fine.
 *  - Do not hand the address of heap memory to a system call, except inside a critical section (shale_enter_critical). While the
 *    heap is being compacted a page may not be there yet: the call may fail with EFAULT, also for objects that are pinned.
 *    Or copy through a buffer outside the heap, or use a pointer-free object from shale_allocate_pinned: these may be
 *    handed to system calls at any time.
 *  - In fault mode "signal", SIGBUS belongs to Shale for addresses inside its heaps (other addresses are
 *    passed on to the handler that was installed before), and no attached thread may block SIGBUS.
 *  - A child process made by fork does not have the heap. It may exec or _exit; calls on the heap fail
 *    with SHALE_ERROR_FORKED, and touching an object ends the child with one clear line.
 *
 * The size-1 promise: allocate, store, poll, done.
 *
 *     shale_error error;
 *     shale_heap *heap = shale_heap_create(NULL, &error);
 *     shale_mutator *mutator = shale_attach(heap, &error);
 *     static const uint32_t pair_pointers[] = {offsetof(struct pair, first), offsetof(struct pair, rest)};
 *     const shale_type *pair = shale_type_register(heap, &(shale_type_spec){
 *         .name = "pair", .size = sizeof(struct pair),
 *         .pointers = pair_pointers, .pointer_count = 2}, &error);
 *     struct { struct pair *list; } local = {NULL};
 *     shale_frame frame;
 *     shale_frame_push(mutator, &frame, &local, 1);
 *     for (;;) {
 *         struct pair *cell = shale_allocate(mutator, pair);
 *         cell->rest = local.list;          // first write into a new object: plain C
 *         local.list = cell;
 *     }
 *
 * Words: a *mutator* is a thread of the program that is attached to a heap. An object's *address* is the
 * address of its first payload byte, 16-byte aligned; it is what references hold. A *slot* is a word in an
 * object or a root that may hold a reference. To *flip* is the one short stop in which the addresses of
 * moved objects change.
 *
 * Every function says which thread may call it and whether it may collect. "Any attached thread" means: on
 * the thread that attached the mutator that is passed. Unless said otherwise a function that returns a
 * status returns SHALE_OK or the status it also puts into its shale_error, whose message is one sentence
 * that says what happened and what to do. Misuse that can be seen (a wrong thread, a heap that was
 * destroyed, a type of another heap) is refused: the function returns its failure value, and the one-line
 * reason goes to the heap's log callback and to shale_last_error.
 */
#ifndef SHALE_H
#define SHALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHALE_VERSION_MAJOR 0
#define SHALE_VERSION_MINOR 1
#define SHALE_VERSION_PATCH 0

#if defined(__GNUC__)
#define SHALE_API __attribute__((visibility("default")))
#else
#define SHALE_API
#endif

/* A heap: the memory, its collector thread and, in fault mode "thread", its fault server. Opaque. */
typedef struct shale_heap shale_heap;

/* A thread's membership of one heap. Its first words are laid out in <shale/inline.h> for the inline fast
 * paths; the rest is opaque. One thread may be attached to several heaps, but must be in a native section
 * (shale_enter_native) in all of them but the one it is working with: while it waits in one heap it cannot
 * be stopped in another, and two threads that wait for each other's heaps would wait for ever. */
typedef struct shale_mutator shale_mutator;

/* A registered object type. Lives as long as its heap. Its first words are in <shale/inline.h>. */
typedef struct shale_type shale_type;

/* A reference from outside the heap, held by the collector. Opaque. */
typedef struct shale_handle shale_handle;

/* A weak reference and an ephemeron: objects of the heap, which move like others. Opaque. */
typedef struct shale_weak shale_weak;
typedef struct shale_ephemeron shale_ephemeron;

/* What a root visitor or a custom object visitor is handed. Opaque, valid for the duration of the call. */
typedef struct shale_visitor shale_visitor;

/* A word that holds an encoded value: a tagged pointer or a NaN-boxed double. */
typedef uint64_t shale_value;

/* ------------------------------------------------------------------------------------------------ */
/* Errors                                                                                             */

typedef enum shale_status {
    SHALE_OK = 0,
    SHALE_ERROR_OPTION,   /* an option's name or value is not known; the message names it */
    SHALE_ERROR_ARGUMENT, /* an argument is not acceptable; the message says which and why */
    SHALE_ERROR_MEMORY,   /* memory for the collector's own tables could not be had */
    SHALE_ERROR_SYSTEM,   /* a system call failed; errno_value holds errno */
    SHALE_ERROR_CONCURRENT, /* concurrent compaction, or no write barrier, was required and the kernel cannot do it */
    SHALE_ERROR_OUT_OF_HEAP, /* the heap is full of live objects */
    SHALE_ERROR_TOO_LARGE,   /* the object is larger than the heap may be */
    SHALE_ERROR_BUSY,        /* the heap still has attached mutators */
    SHALE_ERROR_MISUSE,      /* wrong thread, detached mutator, destroyed heap, foreign type, ... */
    SHALE_ERROR_FORKED       /* this process is a child of the one that owns the heap */
} shale_status;

#define SHALE_ERROR_MESSAGE_MAX 256

typedef struct shale_error {
    shale_status status;
    int errno_value; /* 0 when no system call was involved */
    char message[SHALE_ERROR_MESSAGE_MAX];
} shale_error;

/* The name of a status, such as "SHALE_ERROR_OPTION". Any thread. Static storage. */
SHALE_API const char *shale_status_name(shale_status status);

/* The library's version, "MAJOR.MINOR.PATCH". Any thread. Static storage. */
SHALE_API const char *shale_version(void);

/* ------------------------------------------------------------------------------------------------ */
/* Options                                                                                            */

typedef enum shale_log_level {
    SHALE_LOG_ERROR = 0, /* misuse, failures */
    SHALE_LOG_WARNING,   /* works, but not as well as it could: the line says what to do */
    SHALE_LOG_INFO,      /* one line per heap creation and per cycle */
    SHALE_LOG_DEBUG      /* phases */
} shale_log_level;

/* Called with one line of text, without a newline. May be called from any thread of the program and from
 * the collector's own; never while a lock is held that a mutator may want. Must not call into Shale. */
typedef void (*shale_log_function)(void *context, shale_log_level level, const char *line);

/* Called on the allocating thread when the heap is full after a complete collection. `bytes` is what was
 * asked for. Return true to have the allocation tried again (after dropping references, say), false to have
 * it return NULL. May call shale_store, frames and handles; must not allocate. */
typedef bool (*shale_out_of_memory_function)(void *context, shale_mutator *mutator, size_t bytes);

/* How the words of kind shale_value hold references: a word w is a reference when (w & mask) == tag and
 * bit (w & 15) of `low_tags` is set; its address is then w & address. Words that are references keep all
 * bits outside `address` when their object moves. See SHALE_ENCODING_* for the usual ones. */
typedef struct shale_encoding {
    uint64_t mask;
    uint64_t tag;
    uint64_t address;
    uint16_t low_tags;
} shale_encoding;

// clang-format off
/* Values are plain pointers: the default. Like the following, an initializer of a shale_encoding. */
#define SHALE_ENCODING_PLAIN {0, 0, ~UINT64_C(0), 0x0001}
/* Low-bit tags: the 4-bit tags in the set `tags` (bit t for tag t) mark references, all others are
 * immediate values. For fixnums with the lowest bit set and untagged pointers: 0x0001. */
#define SHALE_ENCODING_TAGGED(tags) {0, 0, ~UINT64_C(15), (tags)}
/* NaN-boxing: a word whose bits under `nan_mask` equal `nan_tag` holds an address in its low 48 bits. */
#define SHALE_ENCODING_NAN_BOXED(nan_mask, nan_tag) \
    {(nan_mask), (nan_tag), UINT64_C(0x0000ffffffffffff), 0x0001}
// clang-format on

/* Options of a heap. Always start from shale_options_init; fields are added at the end in later versions.
 * Options that have a name can also be set by shale_options_set and, unless `ignore_environment`, by an
 * environment variable, which wins: SHALE_HEAP=256M and so on. A SHALE_* variable that is no option, or
 * whose value is not understood, makes shale_heap_create fail with a message that names it.
 *
 * A heap_size of 0 ("auto") is a quarter of the memory that this process may use: of the machine's, or of what
 * the memory cgroups that it is in leave it. Any other is rounded up to 2 MiB.
 * A large maximum costs address space only; what the heap really takes follows what is live.
 *
 * The one to tune is `target`, 110 to 1000: memory against the collector's work. With 200 the heap is kept
 * within twice what is live, and a cycle runs each time about as much was allocated as is live. It grows beyond
 * that, up to heap_size, when the program allocates faster than memory can be collected, and is not collected
 * before it has grown to some 16 MiB. With 0 ("off") cycles run only when memory has run out, or when somebody asks
 * for one.
 *
 * Memory that a cycle freed is used again first. What has been free for longer than `release`, and for longer
 * than two cycles took to follow each other (but for no more than ten times `release`), goes back to the system. */
typedef struct shale_options {
    size_t struct_size;
    /* "heap": bytes that it may grow to, 4 MiB to 62 GiB; 0: see above. All of it is for objects: while a
     * compaction runs in a heap that is nearly full, up to a thirty-second more memory is in use, rounded up to
     * 2 MiB. While 1.15 times the bytes of live objects, headers included, and 256 KiB for each attached mutator
     * fit, no allocation fails. What must stay where it is comes on top: 256 KiB count as full in which anything is pinned, or
     * that a word on a conservative thread's stack points into, and so does each block of objects that were allocated pinned. */
    size_t heap_size;
    int faults;        /* "faults": SHALE_FAULTS_THREAD or SHALE_FAULTS_SIGNAL */
    int concurrent;    /* "concurrent": SHALE_CONCURRENT_AUTO, _REQUIRE or _NEVER */
    int verify;        /* "verify": 0 off; 1 check each cycle, stopped until checked; 2 concurrently */
    unsigned stress;   /* "stress": 0 off; N: move everything at each N-th allocation slow path */
    unsigned target;   /* "target": percent of what is live that the heap is kept within; 0: see above */
    unsigned release;  /* "release": milliseconds that memory is free before it goes back to the system */
    unsigned evacuate; /* "evacuate": regions at most this percentage live are sparse */
    /* "workers": threads that mark and compact. A number: so many always. 0, the text "auto": one, and beside it as many, up
     * to 8 in all, as there are processors for this process on which no attached thread runs, as while threads wait for memory or
     * in shale_collect; they are started when they are first needed, and fewer do the work if that fails. */
    unsigned workers;
    unsigned
        poll_warning; /* "poll_warning": ms after which a thread that keeps the collector waiting is named */
    int log_level;    /* "log": the most detailed shale_log_level that is passed to `log` */
    bool ignore_environment;
    shale_log_function log; /* NULL: nothing is printed, unless SHALE_LOG in the environment asks for it */
    void *log_context;
    shale_out_of_memory_function out_of_memory; /* NULL: allocation returns NULL */
    void *out_of_memory_context;
    /* Called after a cycle that queued objects for shale_finalizer_take, so that the program can wake the thread that takes
     * them. On a thread of Shale's; must not call into Shale. NULL: nobody is told. */
    void (*finalizers_queued)(void *context);
    void *finalizers_queued_context;
    shale_encoding encoding; /* of all slots declared as values */
    /* "critical": ms for which critical sections hold off a cycle's moving; see shale_enter_critical */
    unsigned critical;
    int barrier;     /* "barrier": SHALE_BARRIER_STORES or SHALE_BARRIER_PAGES */
    unsigned events; /* "events": how many are kept for shale_events_take; 0: none */
} shale_options;

enum { SHALE_FAULTS_THREAD = 0, SHALE_FAULTS_SIGNAL = 1 };
enum { SHALE_CONCURRENT_AUTO = 0, SHALE_CONCURRENT_REQUIRE = 1, SHALE_CONCURRENT_NEVER = 2 };
enum { SHALE_BARRIER_STORES = 0, SHALE_BARRIER_PAGES = 1 };

/* With SHALE_BARRIER_PAGES references are written plainly: no shale_store is needed, and where there is one it is a plain
 * store. (What a visitor of the heap shows is read while the program runs: write it by shale_store_root, or atomically.)
 * Marking learns of stores from the kernel, which notes the pages that were written to, and ends in a short
 * stop of its own, the remark (see remark_pause), beside the flip's. Stores are as fast as any outside of marking; while a
 * cycle marks, the first to each page takes about a microsecond, and once more afterwards. It needs Linux 6.7 or later, and
 * userfaultfd as compaction does; where either is missing, shale_heap_create fails with SHALE_ERROR_CONCURRENT. */

/* Fills in the defaults. Any thread. */
SHALE_API void shale_options_init(shale_options *options);

/* Sets a named option from text, as the environment would: shale_options_set(&o, "heap", "64M", &error).
 * Sizes take K, M, G. Returns SHALE_OK or SHALE_ERROR_OPTION. Any thread. `error` may be NULL. */
SHALE_API shale_status shale_options_set(shale_options *options, const char *name, const char *value,
                                         shale_error *error);

/* Describes option number `index` for a --help text: name, unit, default, one line of documentation.
 * Returns false past the last. Any thread. Static storage. */
typedef struct shale_option_description {
    const char *name;
    const char *unit;
    const char *default_value;
    const char *documentation;
} shale_option_description;
SHALE_API bool shale_option_describe(size_t index, shale_option_description *description);

/* ------------------------------------------------------------------------------------------------ */
/* Heaps                                                                                              */

/* Creates a heap. `options` may be NULL for the defaults. Returns NULL on failure, with everything it had
 * acquired given back and `error` (which may be NULL) filled in. Any thread. Starts the collector thread
 * and, in fault mode "thread", the fault server; both block all signals. */
SHALE_API shale_heap *shale_heap_create(const shale_options *options, shale_error *error);

/* Destroys a heap: waits for a cycle that runs, stops the heap's threads, gives all memory back. Fails with
 * SHALE_ERROR_BUSY, doing nothing, while mutators are attached. After success every type and handle of the
 * heap is gone. Any thread, attached to it or not. `heap` may be NULL. */
SHALE_API shale_status shale_heap_destroy(shale_heap *heap, shale_error *error);

typedef enum shale_collect_kind {
    SHALE_COLLECT_NORMAL = 0, /* evacuate sparse regions if that is expected to pay */
    SHALE_COLLECT_COMPACT,    /* evacuate sparse regions if that frees any: when idle, to give back memory */
    SHALE_COLLECT_MOVE_ALL    /* evacuate every region that can move, as far as free space allows */
} shale_collect_kind;

/* Runs a complete cycle and returns when it has ended. Objects that became unreachable before the call are
 * gone then. Any attached thread; may collect. */
SHALE_API shale_status shale_collect(shale_mutator *mutator, shale_collect_kind kind);

/* Asks for a cycle and returns at once. Any attached thread; does not collect by itself. */
SHALE_API shale_status shale_collect_start(shale_mutator *mutator, shale_collect_kind kind);

/* How the heap compacts, decided at creation. */
typedef enum shale_compaction {
    SHALE_COMPACTION_FAULT_THREAD = 0, /* concurrent; a dedicated thread answers faults */
    SHALE_COMPACTION_FAULT_SIGNAL,     /* concurrent; each thread answers its own faults */
    SHALE_COMPACTION_IN_PAUSE          /* no userfaultfd: pages are built inside the pause */
} shale_compaction;

/* Names it in a few words, such as "faults answered by a thread". Any thread. Static storage. */
SHALE_API const char *shale_compaction_name(shale_compaction compaction);

/* A distribution of durations, in nanoseconds. Percentiles are upper bounds of logarithmic classes that
 * are at most 7 % wide. */
typedef struct shale_durations {
    uint64_t count;
    uint64_t total;
    uint64_t p50;
    uint64_t p99;
    uint64_t maximum;
} shale_durations;

typedef struct shale_statistics {
    shale_compaction compaction;
    uint64_t cycles;              /* complete cycles */
    uint64_t flips;               /* cycles that moved objects */
    uint64_t objects_marked;      /* summed over cycles */
    uint64_t bytes_marked;        /* summed over cycles */
    uint64_t objects_moved;       /* summed over cycles */
    uint64_t bytes_moved;         /* summed over cycles */
    uint64_t pages_by_workers;    /* pages built in the background */
    uint64_t pages_by_server;     /* pages built by the fault server */
    uint64_t pages_by_mutators;   /* pages built by them: in signal handlers, and on their way out of flips */
    uint64_t pages_in_pause;      /* pages built inside a pause: no concurrent compaction */
    uint64_t pages_clean;         /* pages that needed no building: nothing they refer to had moved */
    uint64_t faults;              /* faults of mutators on stale pages; over flips: faults per cycle */
    uint64_t faults_last_cycle;   /* of them, in the last cycle that flipped */
    uint64_t faults_worst_cycle;  /* the most in one cycle */
    uint64_t allocation_stalls;   /* times a thread waited for a cycle before it got memory */
    uint64_t bytes_allocated;     /* by mutators since creation, counted by allocation chunks */
    uint64_t live_bytes;          /* found live by the last mark */
    uint64_t finalizers_waiting;  /* objects in the queue of shale_finalizer_take */
    uint64_t external_bytes;      /* held outside the heap because of objects in it */
    uint64_t flips_held_off;      /* cycles that would have moved objects, but for critical sections */
    uint64_t regions_held_back;   /* that were to move and stayed, pinned at the last moment; over cycles */
    uint64_t regions_pinned;      /* in which the last cycle found objects pinned */
    uint64_t regions_pinned_long; /* of them, those that were for 16 cycles in a row, or more */
    uint64_t bytes_pinned_long;   /* that are not live in those, and cannot be used while they are pinned */
    uint64_t heap_size;           /* bytes, the maximum; chosen at creation if it was 0 in the options */
    uint64_t goal_bytes;          /* what used_bytes is to stay within, by the target; see shale_options */
    uint64_t used_bytes;          /* in regions and large objects that are not free; at most heap_size */
    uint64_t committed_bytes;     /* memory the heap's file holds now; see shale_options.heap_size */
    uint64_t large_objects;       /* that are live, or were not found dead yet */
    uint64_t large_bytes;         /* of used_bytes, in pages of large objects that hold references */
    uint64_t data_bytes;          /* the same, in pages of pointer-free memory that does not move */
    shale_durations flip_pause;   /* the global stop that changes addresses, after all threads stopped */
    shale_durations mark_time;    /* marking, while the program runs */
    shale_durations handshake;    /* from asking all threads for something until the last has done it */
    shale_durations time_to_stop; /* from asking for a stop until the last thread stopped */
    shale_durations allocation_stall_time; /* how long each of allocation_stalls took */
    /* Of heaps with SHALE_BARRIER_PAGES: */
    shale_durations remark_pause; /* the global stop that ends marking, after all threads stopped */
    uint64_t mark_rounds;         /* searches for written pages while the program ran */
    uint64_t pages_rescanned;     /* pages looked at again, since they had been written to */
    uint64_t pinned_bytes;        /* of used_bytes: in blocks of objects that were allocated pinned */
    uint64_t pinned_free_bytes;   /* of pinned_bytes: free, for objects of the same sizes */
} shale_statistics;

/* Takes a snapshot of the heap's statistics. Any thread; neither waits for a stop nor for a cycle. */
SHALE_API shale_status shale_heap_statistics(shale_heap *heap, shale_statistics *statistics);

/* ------------------------------------------------------------------------------------------------ */
/* Events                                                                                             */

/* What happened when: phases of cycles, stops, and each time during which a mutator could not run. With the option `events`
 * the heap keeps the last so many, rounded up to a power of two, in memory that is taken at its creation: 64 bytes each. The program
 * takes them from time to time; what it does not take in time is overwritten, and counted as lost. */
typedef enum shale_event_kind {
    SHALE_EVENT_NONE = 0,
    /* Phases, on threads of Shale's, while the program runs. Those of one cycle lie within its CYCLE, one after the other, but for
     * HANDSHAKE, and WEAK, which is within MARK. */
    SHALE_EVENT_CYCLE, /* detail: the shale_collect_kind asked for; reason; values: used bytes before, after */
    SHALE_EVENT_MARK,  /* values: objects and bytes found live */
    SHALE_EVENT_WEAK,  /* the end of it: weak references, finalizers */
    SHALE_EVENT_PLAN, /* what is dead is freed, and what is to move chosen. Values: regions freed, regions to move */
    SHALE_EVENT_HOLD_OFF, /* waits for critical sections to end. detail: 1 if it gave up, so that nothing moves */
    SHALE_EVENT_FLIP,     /* values: bytes that move, and 1 if pages are built while the program runs */
    SHALE_EVENT_COMPACT,   /* values: faults of mutators in it, and pages that were built or found clean */
    SHALE_EVENT_RECLAIM,   /* gives memory back. Values: regions evacuated, and of them held back by pins */
    SHALE_EVENT_HANDSHAKE, /* from asking all mutators for something until the last has done it */
    /* A mutator could not run. From here on: see shale_minimum_utilisation. */
    SHALE_EVENT_STOP, /* all, from when the last had stopped. detail: shale_stop_cause; values: ns it took to stop them */
    SHALE_EVENT_STOPPED, /* one, waiting for a stop to end, and updating its roots after a flip */
    SHALE_EVENT_SERVED,  /* one, doing what a handshake asks for */
    SHALE_EVENT_STALL,   /* one, waiting for a cycle to free memory. Values: the cycle it waits for */
    SHALE_EVENT_WAIT,  /* one, in shale_collect; or under the option stress. Values: the cycle it waits for */
    SHALE_EVENT_FAULT, /* one, waiting for a page. detail: shale_fault_answer; values: the address */
    SHALE_EVENT_CRITICAL,  /* one, that wants to enter a critical section, waiting for a compaction to end */
    SHALE_EVENT_KIND_COUNT /* not an event: later versions may have more kinds */
} shale_event_kind;

/* Why a cycle ran; the first reason, if there were several. */
typedef enum shale_cycle_reason {
    SHALE_REASON_NONE = 0,
    SHALE_REASON_PACE,     /* so much was allocated as the option `target` allows */
    SHALE_REASON_EXTERNAL, /* the same with memory outside the heap */
    SHALE_REASON_STALL,    /* a mutator found no memory */
    SHALE_REASON_ASKED,    /* by shale_collect or shale_collect_start */
    SHALE_REASON_STRESS    /* the option `stress` */
} shale_cycle_reason;

/* What a global stop was for. */
typedef enum shale_stop_cause {
    SHALE_STOP_FLIP = 0,
    SHALE_STOP_REMARK,  /* of heaps with SHALE_BARRIER_PAGES */
    SHALE_STOP_GIVE_UP, /* nothing was to move after all */
    SHALE_STOP_VERIFY   /* the option `verify` */
} shale_stop_cause;

/* How a page fault was answered. */
typedef enum shale_fault_answer {
    SHALE_FAULT_BUILT = 0, /* the page, and with it some others, by who answered */
    SHALE_FAULT_MAPPED,    /* it had been published in the meantime */
    SHALE_FAULT_WAITED /* another thread was building it. Where a thread answers faults: how long the mutator waited for that is
                            * not known, and not part of the event */
} shale_fault_answer;

typedef struct shale_event {
    uint32_t kind;    /* shale_event_kind */
    uint16_t detail;  /* see the kinds; else 0 */
    uint16_t reason;  /* of cycles: shale_cycle_reason */
    uint64_t mutator; /* its number; 0: all, or, of a fault, one that is not known */
    uint64_t
        cycle; /* that was running when it was recorded; 0: none. Counted as in shale_statistics.cycles */
    uint64_t begin;     /* nanoseconds of CLOCK_MONOTONIC */
    uint64_t end;       /* the same */
    uint64_t values[2]; /* see the kinds; else 0 */
} shale_event;

/* Takes up to `count` events, in about the order in which they ended, and puts them into `events`, which lies outside the heap.
 * Returns how many. Each is returned once, whichever thread takes it, and whole. `lost`, which may be NULL, is set to how
 * many were overwritten since the last call that asked. Any thread; does not collect, nor wait for anything; 0 when the heap
 * keeps no events. */
SHALE_API size_t shale_events_take(shale_heap *heap, shale_event *events, size_t count, uint64_t *lost);

/* The name of a kind, such as "flip"; of reasons, such as "stall". "unknown" when there is none. Any thread. Static storage. */
SHALE_API const char *shale_event_name(shale_event_kind kind);
SHALE_API const char *shale_cycle_reason_name(shale_cycle_reason reason);

/* The number by which events name a mutator: 1 for the first that is attached to the heap, and never given to another. 0 for
 * misuse. Any attached thread; does not collect. */
SHALE_API uint64_t shale_mutator_number(shale_mutator *mutator);

/* The minimum mutator utilisation (Cheng and Blelloch, PLDI 2001): the smallest share of any `window` nanoseconds from `begin` to
 * `end` in which the mutator could run, from 0 to 1. Events that are not of its own or of all, or not of a kind in which a mutator
 * could not run, are left out; the rest may overlap, nest and reach over either end. With `mutator` 0 only those of all count. A window that is longer than the
 * whole time is the whole time. Returns -1 when `begin` is not before `end`, or memory is out. A pure function; any thread.
 * Takes time for sorting the events. */
SHALE_API double shale_minimum_utilisation(const shale_event *events, size_t count, uint64_t mutator,
                                           uint64_t begin, uint64_t end, uint64_t window);

/* ------------------------------------------------------------------------------------------------ */
/* Types                                                                                              */

/* Objects with more payload bytes are *large*: each has whole pages of its own and never moves, the references in it are
 * kept up to date page by page, and it is freed by the first cycle that finds it dead. They may be as large as the heap. */
#define SHALE_OBJECT_MAX ((size_t)32768)

/* Shows slots to the collector; see shale_type_spec.visit and shale_root_visitor. */
SHALE_API void shale_visit_pointers(shale_visitor *visitor, void *slots, size_t count);
SHALE_API void shale_visit_values(shale_visitor *visitor, shale_value *slots, size_t count);

/* A custom visitor of one object's slots, for layouts that offsets cannot describe. `object` is where the
 * object can be read *by the visitor*, which need not be its address; `length` is its number of array
 * elements. It must show every slot, always the same ones for the same object: which slots there are may
 * depend only on `length` and on fields that do not change once they are set, right after allocation, and that
 * never held anything else in between: even a store may fault, and have the page built just then. It may
 * read nothing but the object, must not follow references, allocate, lock or call anything but
 * shale_visit_*, since it also runs in the fault server, in a signal handler, and at the same time as other
 * visits of the same object. Of a large object it is called for each page that is brought up to date, so that is better
 * described by offsets. */
typedef void (*shale_object_visitor)(void *object, size_t length, shale_visitor *visitor);

/* Describes an object type: a fixed part of `size` bytes, then, when `element_size` is not 0, an array of
 * elements whose number is given at allocation. All offsets are in bytes and multiples of 8. Slots of kind
 * pointer hold NULL or an object's address; slots of kind value are encoded as the heap's options say. An
 * address outside the heap is left alone, so slots may also point at static data. Unless `visit` is given,
 * a type without any slots is pointer-free: its objects are never scanned. The fixed part plus the array is
 * zeroed at allocation. */
typedef struct shale_type_spec {
    const char *name;         /* for messages; copied */
    size_t size;              /* bytes of the fixed part, at most 1 GiB; may be 0 for arrays */
    const uint32_t *pointers; /* offsets of pointer slots in the fixed part */
    size_t pointer_count;
    const uint32_t *values; /* offsets of value slots in the fixed part */
    size_t value_count;
    size_t element_size; /* bytes of one array element; 0: no array. The array starts at `size`. */
    const uint32_t *element_pointers; /* offsets of pointer slots within an element */
    size_t element_pointer_count;
    const uint32_t *element_values; /* offsets of value slots within an element */
    size_t element_value_count;
    shale_object_visitor visit; /* instead of all offsets */
} shale_type_spec;

/* Registers a type. Returns NULL with `error` filled in when the description makes no sense or there are
 * 65,535 types already. Any thread. The result lives as long as the heap. */
SHALE_API const shale_type *shale_type_register(shale_heap *heap, const shale_type_spec *spec,
                                                shale_error *error);

/* The type, the number of array elements and the payload bytes of an object. Any attached thread; do not
 * collect. `object` must be the address of an object. */
SHALE_API const shale_type *shale_type_of(shale_mutator *mutator, const void *object);
static inline size_t shale_length_of(const void *object);
SHALE_API size_t shale_size_of(shale_mutator *mutator, const void *object);

/* The object's identity hash: a number that it keeps for life, wherever it moves, and however often it is asked
 * for; never 0. Two objects seldom have the same. An object that was never asked for it takes no room for it; one
 * that was becomes 16 bytes larger when it moves, at most. An address outside the heap has a hash that
 * follows from the address. Returns 0 for NULL, and in case of misuse. Any attached thread; several may ask for
 * the same object's at once. Does not collect. While a collection plans which objects to move, asking for the
 * first time may wait for the plan: milliseconds. */
SHALE_API uint64_t shale_identity_hash(shale_mutator *mutator, const void *object);

/* The name a type was registered with. Any thread. */
SHALE_API const char *shale_type_name(const shale_type *type);

/* ------------------------------------------------------------------------------------------------ */
/* Mutators                                                                                           */

/* Attaches the calling thread. Returns NULL with `error` filled in on failure. Any thread; waits while a
 * global stop is under way. */
SHALE_API shale_mutator *shale_attach(shale_heap *heap, shale_error *error);

/* How a thread is attached. Initialise with shale_attach_options_init. */
typedef struct shale_attach_options {
    size_t struct_size;
    /* Its native stacks and registers are scanned: each word that points at an object, into it or right behind its last byte
     * keeps it alive and in place for the cycle; so does a word that is a value that refers to one. Everything else still
     * moves. So the thread needs no frames, scopes or handles for what is on its stacks; it may use them. What it keeps
     * elsewhere - in static or thread-local variables, in malloc's memory - needs roots as ever.
     *
     * It need not poll: it is stopped by a signal, SIGURG, wherever it is; so it must not block that for long, and system
     * calls may be interrupted as by any signal. (They are restarted where the kernel does so.) Every call and every
     * instruction of its "may collect"; but objects that it has an address of do not move, and first
     * writes into a new object are plain until its next allocation, as said at the head of this file. While it is held so it may
     * have any of the program's locks. So what runs on Shale's threads then, visitors of roots and of objects, must not wait for a lock
     * that such a thread takes. Its own signal handlers must not use the heap.
     *
     * Coroutines and fibres: see shale_stack_register. A thread whose compiler keeps addresses only in disguise - as
     * an offset from something else, say - is none for this. */
    bool conservative;
} shale_attach_options;
SHALE_API void shale_attach_options_init(shale_attach_options *options);

/* The same as shale_attach with options; NULL: none. Fails with SHALE_ERROR_MISUSE when the thread blocks the signal. The
 * first conservative mutator of a heap waits for a cycle that runs. */
SHALE_API shale_mutator *shale_attach_with(shale_heap *heap, const shale_attach_options *options,
                                           shale_error *error);

/* Detaches the calling thread. All its frames must have been popped and its scopes closed. The mutator must not be used again.
 * On the thread that attached it. */
SHALE_API shale_status shale_detach(shale_mutator *mutator);

/* A safepoint: where the collector may stop this thread. One load and a branch when it does not want to.
 * Any attached thread; may collect. */
static inline void shale_poll(shale_mutator *mutator);

/* Enters and leaves a section in which the thread does not touch the heap, and in which the collector does
 * not wait for it. Leaving may wait for a stop to end. Sections do not nest. Any attached thread; both may
 * collect (addresses in frames change while inside). */
SHALE_API shale_status shale_enter_native(shale_mutator *mutator);
SHALE_API shale_status shale_leave_native(shale_mutator *mutator);

/* Enters and leaves a critical section, in which nothing moves and all memory of the heap may be handed to system calls: read
 * and write may use an object's bytes where they are. Sections nest; each is to be left. Entering waits for a compaction that runs, as
 * in a native section; leaving does not wait.
 *
 * Handshakes and stops are served inside as everywhere, so a system call that may block belongs into a native section
 * within the critical one. Cycles run and free what is dead, but move nothing: one that is about to waits for all sections to
 * end, while threads that want to enter wait for it, for as many milliseconds as the option `critical` says; then it ends without
 * having moved anything, and the log names the threads. One that is asked for inside a section, by shale_collect or
 * an allocation that finds no memory, moves nothing at once. So allocating is allowed inside, but a heap that would have to be
 * compacted for it counts as full.
 *
 * Any attached thread; entering may collect (before the section begins), leaving does not. */
SHALE_API shale_status shale_enter_critical(shale_mutator *mutator);
SHALE_API shale_status shale_leave_critical(shale_mutator *mutator);

/* Stacks of coroutines and fibres, for a conservative mutator. Its thread's own stack is known; every other that it is going to run on is
 * registered first: [low, high). All registered stacks are scanned, those that do not run from where they were left, and those
 * that have not run yet from end to end, so that may hold a coroutine's arguments. A stack belongs to one mutator: unregister it, and
 * register it with another, to have another thread run it. It must not be given back before it is unregistered, which is refused
 * for the one that runs; detaching unregisters all. Return NULL or an error for misuse and when memory is out. On the
 * mutator's thread; neither touches what is on the stack. */
typedef struct shale_stack shale_stack;
SHALE_API shale_stack *shale_stack_register(shale_mutator *mutator, void *low, void *high);
SHALE_API shale_status shale_stack_unregister(shale_mutator *mutator, shale_stack *stack);

/* Leaves the stack that it is called on: notes where, and calls leave(argument), which goes to another registered stack by the
 * program's own means (swapcontext, say); returns when `leave` does, that is when something has come back. A
 * switch that does not go through it leaves objects unseen. */
SHALE_API shale_status shale_stack_switch(shale_mutator *mutator, void (*leave)(void *argument),
                                          void *argument);

/* The last failure of a call on this mutator. Any attached thread. Lives until the next failing call. */
SHALE_API const shale_error *shale_last_error(const shale_mutator *mutator);

/* ------------------------------------------------------------------------------------------------ */
/* Allocation                                                                                         */

/* Allocates one object, zeroed. Returns its address, or NULL when the heap is full (shale_last_error says
 * so) or the arguments are misuse. Bump allocation, inline. A large object is cleared before the call returns where its
 * memory was used before; fresh memory is taken from the system as it is written. Any attached thread; may collect. */
static inline void *shale_allocate(shale_mutator *mutator, const shale_type *type);

/* Allocates an object with an array of `length` elements, zeroed. As shale_allocate; also NULL, with
 * SHALE_ERROR_TOO_LARGE, when the object would be larger than the heap may be. */
static inline void *shale_allocate_array(shale_mutator *mutator, const shale_type *type, size_t length);

/* The same for objects that never move: their address is good for as long as they are alive, and plain C variables may hold
 * it across calls that may collect as long as something else keeps them alive. They are not kept alive by being pinned, and
 * what they refer to moves like anything else. Objects of pointer-free types may be handed to system calls at any time, also ones
 * that work on them while others collect, and registered with io_uring; the object must be kept alive meanwhile.
 * From memory of their own: blocks of 32 KiB (64 to 256 KiB for objects of more than 2 KiB) for each size of object, of which each
 * thread has one for each size that it uses; so a few of them take more memory than their sizes, and memory that they leave
 * behind is used for objects of the same size only, unless a whole block is empty. Objects with more than SHALE_OBJECT_MAX
 * bytes never move anyway. The first is inline. Any attached thread; may collect.
 * In a heap without a write barrier (SHALE_BARRIER_PAGES) a type's own visitor may be shown an object before its fields
 * are set, all zero. */
static inline void *shale_allocate_pinned(shale_mutator *mutator, const shale_type *type);
static inline void *shale_allocate_pinned_array(shale_mutator *mutator, const shale_type *type,
                                                size_t length);

/* ------------------------------------------------------------------------------------------------ */
/* Stores                                                                                             */

/* Stores `value` (NULL, an object's address or an address outside the heap) into a pointer slot of `object`,
 * with the write barrier. Any attached thread; does not collect. `slot` is &object->field. Threads that race
 * on one slot see one of the stored values. */
static inline void shale_store(shale_mutator *mutator, void *object, void *slot, void *value);

/* The same for a slot of kind value. */
static inline void shale_store_value(shale_mutator *mutator, void *object, shale_value *slot,
                                     shale_value value);

/* The same for a slot outside the heap that a root visitor of the heap shows. */
static inline void shale_store_root(shale_mutator *mutator, void *slot, void *value);
static inline void shale_store_root_value(shale_mutator *mutator, shale_value *slot, shale_value value);

/* Moves `count` neighbouring pointer or value slots within or between objects, as memmove would, with the
 * write barrier for the destination. Any attached thread; does not collect, however many there are: about a
 * millisecond for a million slots, for which this thread keeps a collector waiting that wants it to stop. So where there
 * may be very many, move them in parts, with shale_poll in between. */
SHALE_API void shale_move_slots(shale_mutator *mutator, void *object, void *to, const void *from,
                                size_t count);

/* Stores `value` into `count` neighbouring pointer slots of `object`, the first of them `slots`, as shale_store would one after
 * the other, with one pass of the write barrier over all. `value` is as for shale_store. Any attached thread; does not collect,
 * however many there are: as for shale_move_slots, fill very many in parts. */
SHALE_API void shale_fill_slots(shale_mutator *mutator, void *object, void *slots, size_t count, void *value);

/* The same for slots of kind value. */
SHALE_API void shale_fill_values(shale_mutator *mutator, void *object, shale_value *slots, size_t count,
                                 shale_value value);

/* ------------------------------------------------------------------------------------------------ */
/* Roots                                                                                              */

/* A frame of local variables: `count` consecutive pointer-sized locals that the collector reads and
 * rewrites. Frames are pushed and popped like C blocks, by the thread that owns the mutator. The frame and
 * the locals belong to the caller and must outlive the pop. Neither collects. */
typedef struct shale_frame {
    struct shale_frame *outer;
    void *slots;
    size_t count;
    bool values; /* the locals are shale_values rather than plain pointers */
} shale_frame;
static inline void shale_frame_push(shale_mutator *mutator, shale_frame *frame, void *locals, size_t count);
static inline void shale_frame_push_values(shale_mutator *mutator, shale_frame *frame, shale_value *locals,
                                           size_t count);
static inline void shale_frame_pop(shale_mutator *mutator, shale_frame *frame);

/* Registers a function that shows roots which are not in frames: an interpreter's value stack, globals. It must show
 * every slot by shale_visit_*, and must not touch objects, allocate or call anything else of Shale's. Returns
 * NULL when memory is out. Unregister by the returned token; a mutator's are unregistered by shale_detach.
 *
 * A mutator's visitor (register on its thread) shows roots that only this thread uses. It runs on this thread in calls
 * that may collect, or on a thread of Shale's while this one is stopped or in a native section. The roots
 * are written plainly.
 *
 * A heap's visitor (register on any thread) shows roots that any thread may use. It runs on a thread of Shale's, while
 * the program runs, or while it is stopped; and in the calls that add and remove it. The roots are written by
 * shale_store_root; one that is not shown any more, such as a stack's when it is popped, is first set to NULL that
 * way. If what it walks over can change shape, it may take a lock of the program's for it, which then nobody may hold
 * in a call that may collect, or that adds or removes a visitor. */
typedef void (*shale_root_function)(void *context, shale_visitor *visitor);
typedef struct shale_root_visitor shale_root_visitor;
SHALE_API shale_root_visitor *shale_root_visitor_add(shale_mutator *mutator, shale_root_function visit,
                                                     void *context);
SHALE_API shale_root_visitor *shale_heap_root_visitor_add(shale_heap *heap, shale_root_function visit,
                                                          void *context);
SHALE_API shale_status shale_root_visitor_remove(shale_root_visitor *visitor);

/* A handle keeps an object alive and knows where it is, until it is dropped. Any attached thread may create,
 * read, change and drop any handle of its heap. Two threads that use one handle at the same time must order
 * themselves. None of them collects. shale_handle_create returns NULL when memory is out; `object` may be
 * NULL. What shale_handle_get returns is a plain address: good until the next call that may collect. */
SHALE_API shale_handle *shale_handle_create(shale_mutator *mutator, void *object);
static inline void *shale_handle_get(const shale_handle *handle);
SHALE_API shale_status shale_handle_set(shale_mutator *mutator, shale_handle *handle, void *object);
SHALE_API shale_status shale_handle_drop(shale_mutator *mutator, shale_handle *handle);

/* ------------------------------------------------------------------------------------------------ */
/* Handle scopes                                                                                      */

/* A local handle is a handle that ends with a scope: for code that calls into the collector through bindings, where frames
 * are not to be had. Scopes are opened and closed like C blocks, by the thread that owns the mutator; they nest. The scope
 * belongs to the caller and must outlive its closing. A local handle is read by shale_handle_get and changed by
 * shale_handle_set like any, but only by its own thread; shale_handle_drop refuses it. */
typedef struct shale_scope {
    struct shale_scope *outer;
    shale_handle *next;
    shale_handle *limit;
} shale_scope;

/* Opens a scope. Inline. Does not collect. */
static inline void shale_scope_open(shale_mutator *mutator, shale_scope *scope);

/* A handle to `object`, which may be NULL, until the scope that is now the innermost is closed. Returns NULL when memory is
 * out, and when no scope is open (misuse). Inline. Does not collect. */
static inline shale_handle *shale_local(shale_mutator *mutator, void *object);

/* Closes the innermost scope; its handles must not be used again. SHALE_ERROR_MISUSE, doing nothing, when `scope` is
 * another one. Inline. Does not collect. */
static inline shale_status shale_scope_close(shale_mutator *mutator, shale_scope *scope);

/* The same, but what `handle` refers to is returned in a new handle of the scope around it. `handle` may be of any kind.
 * Returns NULL, with the scope still open, when memory is out, or there is no scope around it (misuse). Does not collect. */
SHALE_API shale_handle *shale_scope_close_keep(shale_mutator *mutator, shale_scope *scope,
                                               const shale_handle *handle);

/* ------------------------------------------------------------------------------------------------ */
/* Pins                                                                                               */

/* A pinned object does not move: its address stays what it is, for code that keeps addresses where the collector does not
 * see them. It is kept alive as well. What it refers to moves as ever, and is kept right in it. Pins cost other objects their
 * place to go: while one object of a 256 KiB region is pinned the whole region stays where it is, and what dies in it is
 * not used again. So pin few objects, or for a short time; where objects stay pinned for many cycles the log says how
 * much memory that costs. A pin does not make memory safe for system calls: see the head of this file. */

/* Pins an object once more, until shale_unpin was called as often. Any attached thread, also another than the one that
 * unpins; constant time; does not collect. Fails, with nothing pinned, with SHALE_ERROR_MEMORY, and with SHALE_ERROR_ARGUMENT when
 * `object` is not one of the heap. Pins stay when the thread that made them detaches. */
SHALE_API shale_status shale_pin(shale_mutator *mutator, void *object);

/* Takes one pin back. Fails with SHALE_ERROR_MISUSE, doing nothing, when the object is not pinned by shale_pin. Any attached
 * thread; constant time; does not collect. */
SHALE_API shale_status shale_unpin(shale_mutator *mutator, void *object);

/* A pin that ends like a C block, by the thread that owns the mutator. It belongs to the caller and must outlive its end. */
typedef struct shale_pin_scope {
    struct shale_pin_scope *outer;
    void *object;
} shale_pin_scope;

/* Pins an object until the scope is ended. Cannot run out of memory; SHALE_ERROR_ARGUMENT as above. Does not collect. */
SHALE_API shale_status shale_pin_begin(shale_mutator *mutator, shale_pin_scope *scope, void *object);

/* Ends the innermost scope. SHALE_ERROR_MISUSE, doing nothing, when `scope` is another one. Does not collect. */
SHALE_API shale_status shale_pin_end(shale_mutator *mutator, shale_pin_scope *scope);

/* ------------------------------------------------------------------------------------------------ */
/* Weak references, ephemerons, finalizers                                                            */

/* A weak reference does not keep its referent alive. It is an object of the heap itself: keep it in frames, handles and
 * slots like any other. Referents that are only weakly reachable when a cycle has marked are dead: from one moment on,
 * the same for all weak references and ephemerons, they read as NULL. A referent outside the heap is never dead. */

/* Creates a weak reference; NULL when the heap is full. Any attached thread; may collect. */
SHALE_API shale_weak *shale_weak_create(shale_mutator *mutator, void *object);

/* The referent, or NULL when it is dead. What is returned is a plain address, good until the next call that may collect,
 * like any; what is kept in a frame then is kept alive. Any attached thread; does not collect. `weak` may be NULL. */
SHALE_API void *shale_weak_get(shale_mutator *mutator, const shale_weak *weak);

/* An ephemeron refers weakly to its key, and to its value for as long as the key is alive otherwise, that is, not only by
 * way of the value. When the key is dead both read as NULL. A table from keys to values that is made of ephemerons loses
 * the entries of dead keys, even when a value refers to its own key. `key` and `value` may lie outside the heap.
 * Setting the value of an ephemeron whose key is dead does nothing.
 * Any attached thread; creating may collect, and returns NULL when the heap is full; the others do not collect. */
SHALE_API shale_ephemeron *shale_ephemeron_create(shale_mutator *mutator, void *key, void *value);
SHALE_API void *shale_ephemeron_key(shale_mutator *mutator, const shale_ephemeron *ephemeron);
SHALE_API void *shale_ephemeron_value(shale_mutator *mutator, const shale_ephemeron *ephemeron);
SHALE_API void shale_ephemeron_set_value(shale_mutator *mutator, shale_ephemeron *ephemeron, void *value);

/* Gives an object a finalizer: when a cycle finds it dead, it is queued, with everything that it leads to kept alive, for
 * the program to take and finalize on a thread of its own choice. `data` is handed back then. Weak references to it, and
 * ephemerons of which it is the key, are cleared before, unless they are dead as well and only kept by way of a queued
 * object. An object may have several finalizers; each counts once, and must be given again if it is to count again,
 * even if the object was made reachable again (which is allowed). Objects that are found dead in the same cycle are
 * queued in the order in which they were given their finalizers, also when one refers to the other; those of an earlier
 * cycle come first. What waits in the queue is alive, and so is what it leads to. Objects that are still alive when the
 * heap is destroyed are not finalized. Any attached thread; does not collect. Fails with SHALE_ERROR_MEMORY, or with
 * SHALE_ERROR_ARGUMENT when `object` is not one of the heap. */
SHALE_API shale_status shale_finalizer_add(shale_mutator *mutator, void *object, uintptr_t data);

/* Takes the next object from the queue; NULL when there is none. It is an ordinary object from then on. `data` may be
 * NULL. Any attached thread; does not collect. What is done with it may allocate. */
SHALE_API void *shale_finalizer_take(shale_mutator *mutator, uintptr_t *data);

/* ------------------------------------------------------------------------------------------------ */
/* Memory outside the heap                                                                            */

/* Tells that the program holds so many bytes more, or less, outside the heap because of objects in it: they count for when a cycle
 * starts, which is before they have grown to the option `target` times what the last cycle left of them, and not for
 * heap_size. Adding: any attached thread, does not collect. Removing: any thread; fails with SHALE_ERROR_ARGUMENT,
 * doing nothing, when less was added. */
SHALE_API shale_status shale_external_add(shale_mutator *mutator, size_t bytes);
SHALE_API shale_status shale_external_remove(shale_heap *heap, size_t bytes);

/* An external object owns memory outside the heap, of whatever kind: when a cycle finds it dead, `free_function` is called once, on
 * a thread of Shale's when the cycle has done its work, or on the thread that destroys the heap. It must not call into Shale, but
 * for shale_external_remove, and should be quick: the next cycle waits for it. It is a small object that moves like others, and
 * refers to none. The memory's bytes count as above until they are freed. For finalizers and weak references it is an object
 * like any; it is dead when it cannot be reached from what waits to be finalized either. Opaque. */
typedef struct shale_external shale_external;
typedef void (*shale_external_free_function)(void *context, void *memory, size_t bytes);

/* Creates one. Returns NULL when the heap is full or memory is out: `memory` is still the caller's then. Any attached thread;
 * may collect. */
SHALE_API shale_external *shale_external_create(shale_mutator *mutator, void *memory, size_t bytes,
                                                shale_external_free_function free_function, void *context);

/* The memory, and in `bytes`, which may be NULL, its size; NULL and 0 when it was released. It is there for as long as the caller
 * keeps the object alive, in a frame, say, and nobody releases it. Any attached thread; does not collect. */
SHALE_API void *shale_external_memory(shale_mutator *mutator, const shale_external *external, size_t *bytes);

/* Has the memory freed now, on this thread, rather than when the object is dead. SHALE_ERROR_MISUSE, doing nothing, when it was
 * before. Of threads that release at once, one does; those that use the memory meanwhile must order themselves. Any attached
 * thread; does not collect. */
SHALE_API shale_status shale_external_release(shale_mutator *mutator, shale_external *external);

/* ------------------------------------------------------------------------------------------------ */
/* Weak handles                                                                                       */

/* A weak handle knows where an object is without keeping it alive, until it is dropped: a handle to a weak reference. Any
 * attached thread may create, read and drop any of its heap; two threads that use one at the same time, of which one drops
 * it, must order themselves. Opaque. */
typedef struct shale_weak_handle shale_weak_handle;

/* Creates one; NULL when the heap is full or memory is out. `object` may be NULL. May collect. */
SHALE_API shale_weak_handle *shale_weak_handle_create(shale_mutator *mutator, void *object);

/* The object, or NULL when it is dead; as shale_weak_get. Does not collect. `handle` may be NULL. */
SHALE_API void *shale_weak_handle_get(shale_mutator *mutator, const shale_weak_handle *handle);

/* Drops it. Does not collect. */
SHALE_API shale_status shale_weak_handle_drop(shale_mutator *mutator, shale_weak_handle *handle);

/* ------------------------------------------------------------------------------------------------ */
/* Tables with weak entries                                                                           */

/* Tables are objects of the heap: keep them in frames, handles and slots like any other; they move, and die with the last
 * reference to them. They grow and shrink little by little, so no call takes long because a table is large. An entry whose
 * object is dead reads as if it were not there, and its memory is given back as other entries are added.
 *
 * Threads that use one table must order themselves: whoever adds, sets or removes excludes all others, while any number may
 * look up. Nothing need be done about the collector: looking up is safe at any time, and what is found stays alive
 * for as long as the caller keeps it, like what shale_weak_get returns. A call that may collect must not be made with
 * a lock held for which others do not wait in native sections, see the head of this file. */

/* An intern table finds objects by their content, without keeping them alive: of strings that are equal, say, there is one. */
typedef struct shale_intern_table shale_intern_table;

/* Creates a table; NULL when the heap is full. Any attached thread; may collect. */
SHALE_API shale_intern_table *shale_intern_create(shale_mutator *mutator);

/* The object that was added with this hash, is alive, and of which `matches(context, object)` is true; or NULL. `matches` is
 * called on this thread with objects of the same hash; it reads them, and must not call anything that may collect.
 * Any attached thread; does not collect. */
SHALE_API void *shale_intern_find(shale_mutator *mutator, const shale_intern_table *table, uint32_t hash,
                                  bool (*matches)(void *context, const void *object), void *context);

/* Adds an object, without looking whether there is one like it: find first, and do not let others add in between. All 32 bits
 * of the hash are compared and used. Fails, with nothing added, with SHALE_ERROR_OUT_OF_HEAP, and with
 * SHALE_ERROR_ARGUMENT when `object` is NULL. Any attached thread; may collect. */
SHALE_API shale_status shale_intern_add(shale_mutator *mutator, shale_intern_table *table, uint32_t hash,
                                        void *object);

/* How many entries there are: at least as many as can be found. Any attached thread; does not collect. */
SHALE_API size_t shale_intern_count(shale_mutator *mutator, const shale_intern_table *table);

/* A weak map has a value for each of its keys, which are objects of the heap, told apart by their identity. It does not keep
 * its keys alive, and a value only for as long as its key is alive otherwise, as an ephemeron does; so entries
 * whose values lead to their own keys go too. */
typedef struct shale_weak_map shale_weak_map;

/* Creates a map; NULL when the heap is full. Any attached thread; may collect. */
SHALE_API shale_weak_map *shale_weak_map_create(shale_mutator *mutator);

/* Whether the map has the key; if so, its value is put into `value`, which may be NULL. Any attached thread; does
 * not collect. Asks for the key's identity hash, as the following do. */
SHALE_API bool shale_weak_map_get(shale_mutator *mutator, const shale_weak_map *map, const void *key,
                                  void **value);

/* Gives a key its value: NULL, an object's address or an address outside the heap. Fails, with nothing changed, with
 * SHALE_ERROR_OUT_OF_HEAP, and with SHALE_ERROR_ARGUMENT when `key` is no object of the heap. Any attached thread; may
 * collect, unless the map has the key. */
SHALE_API shale_status shale_weak_map_set(shale_mutator *mutator, shale_weak_map *map, void *key,
                                          void *value);

/* Takes a key out. Returns whether the map had it. Any attached thread; does not collect. */
SHALE_API bool shale_weak_map_remove(shale_mutator *mutator, shale_weak_map *map, const void *key);

/* How many entries there are, those with dead keys that still take memory included. Any attached thread; does not
 * collect. */
SHALE_API size_t shale_weak_map_count(shale_mutator *mutator, const shale_weak_map *map);

/* Where an iteration is. Zeroed before the first step, and not looked into. It holds no address, so it needs no frame. */
typedef struct shale_weak_map_cursor {
    uint32_t bucket;
    uint32_t left;
    bool begun;
} shale_weak_map_cursor;

/* The next entry whose key is alive, in no order; false when there is none. `value` may be NULL. Between two steps keys
 * may be removed and values of keys that are there changed: each entry that stays is seen, and seen once if only the entry
 * returned last is removed. After a key was added, entries may be missed or seen twice. What was returned is alive for as long
 * as the caller keeps it. Any attached thread; does not collect. */
SHALE_API bool shale_weak_map_next(shale_mutator *mutator, const shale_weak_map *map,
                                   shale_weak_map_cursor *cursor, void **key, void **value);

#ifdef __cplusplus
}
#endif

#include <shale/inline.h>

#endif
