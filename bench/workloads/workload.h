/*
 * One program over several memory managers. Each workload is compiled once for each manager, with MANAGER_HEADER defined
 * as the header of that one: all that is called often is inline, so that a manager is used as directly as by a program
 * that was written for it.
 *
 * [same-work] Whatever the manager, a workload allocates the same objects in the same order, writes the same words and
 * computes the same checksum from what it reads back. It keeps references that live across an allocation in a frame, as a
 * moving collector wants; polls in loops that do not allocate; and frees an object where it knows that to be dead,
 * as malloc wants. What a manager does not want costs nothing there. README.md beside this says what each
 * workload does, exactly enough to write it once more in another language.
 *
 * Every manager's header defines, as static inline functions unless said otherwise,
 *
 *   MEMORY_CLEARED          1: the references in a new record are NULL. What else is in new objects a workload
 *                           always writes before it reads it, but for arrays of references
 *   MEMORY_EXPLICIT         1: what is dead must be freed
 *   memory_frame            a type: some consecutive local variables that hold references
 *   memory_record           (memory, type, size): an object of a kind of manager_record. Never NULL, as the following: a program
 *                           that gets no memory ends as one that failed
 *   memory_references       (memory, type, length): an array of references, all NULL
 *   memory_words            (memory, type, length): an array of uint64_t
 *   memory_bytes            (memory, type, length): an array of unsigned char
 *   memory_initialize       (slot, value): the first write of a reference into an object just allocated
 *   memory_store            (memory, object, slot, value): any other
 *   memory_push, memory_pop (memory, frame, locals, count), (memory, frame)
 *   memory_poll             (memory): where the collector may stop this thread
 *   memory_free             (memory, object): nothing unless MEMORY_EXPLICIT
 */
#ifndef BENCH_WORKLOADS_WORKLOAD_H
#define BENCH_WORKLOADS_WORKLOAD_H

#include "bench/managers/manager.h"
#include "bench/measures/clock.h"
#include "bench/measures/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef MANAGER_HEADER
#include MANAGER_HEADER
#endif

enum scale { SCALE_TINY, SCALE_QUICK, SCALE_FULL, SCALES };

/* What objects take by arithmetic, whatever the memory manager. */
struct live {
    uint64_t bytes; /* as requested */
    uint64_t
        heap_bytes; /* with a word in front of each, rounded up to granules: what a heap needs at least */
};

struct corpus;

/* What a workload is asked to do, and what it tells. */
struct run {
    enum scale scale;
    unsigned threads;
    uint64_t seed;
    const struct corpus *corpus; /* NULL unless the workload wants one */

    uint64_t operations;
    uint64_t checksum;
    struct live live;          /* where most is live */
    struct histogram *latency; /* counted if latency->count is not 0 */
    uint64_t last;             /* when the operation that runs began */
};

/* Every workload defines these. */
extern const char workload_name[];
extern const char workload_about[]; /* a sentence or two for --help */
extern const unsigned workload_threads_max;
void workload_run(struct memory *memory, struct run *run);

/* A workload that works on real text defines how much of it. */
extern const uint32_t workload_corpus_bytes[SCALES] __attribute__((weak));

/* Makes a reference in a new record NULL. */
#ifdef MANAGER_HEADER
static inline void memory_null(void *slot)
{
    if (!MEMORY_CLEARED)
        *(void **)slot = NULL;
}
#endif

/* ---- random numbers and checksums ------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014): the sequence depends on the first state only. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* For limits of at most 2^32. */
static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
    return (random_next(state) >> 32) * limit >> 32;
}

/* Depends on all values and their order. */
static inline uint64_t checksum_add(uint64_t checksum, uint64_t value)
{
    uint64_t mixed = (checksum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return mixed ^ (mixed >> 32);
}

/* ---- live bytes ------------------------------------------------------------------------------------- */

enum { LIVE_HEADER = 8, LIVE_GRANULE = 16 };

static inline uint64_t live_with_header(uint64_t size)
{
    return (size + LIVE_HEADER + LIVE_GRANULE - 1) / LIVE_GRANULE * LIVE_GRANULE;
}

static inline void live_add(struct live *live, uint64_t count, uint64_t size)
{
    live->bytes += count * size;
    live->heap_bytes += count * live_with_header(size);
}

static inline void live_remove(struct live *live, uint64_t count, uint64_t size)
{
    live->bytes -= count * size;
    live->heap_bytes -= count * live_with_header(size);
}

static inline void live_note_most(struct live *most, const struct live *now)
{
    if (now->bytes > most->bytes)
        *most = *now;
}

/* ---- latency ---------------------------------------------------------------------------------------- */

/* An operation begins where the last one ended, so that nothing that holds the program up falls between them. */
static inline void latency_begin(struct run *run)
{
    run->last = clock_wall();
}

static inline void latency_operation(struct run *run)
{
    uint64_t now = clock_wall();
    histogram_record(run->latency, now - run->last);
    run->last = now;
}

/* ---- threads ---------------------------------------------------------------------------------------- */

/* Runs work(memory, argument, index) on `threads` threads, the calling one being the last, each with memory of its own, and
 * waits for all of them. */
void workload_threads(struct memory *memory, unsigned threads,
                      void (*work)(struct memory *memory, void *argument, unsigned index), void *argument);

#endif
