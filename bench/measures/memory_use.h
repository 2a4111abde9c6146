/*
 * How much memory this process has made the machine give it, and the most of it at any time.
 *
 * Counted are its private anonymous memory, page tables, and the blocks of the memory files that it has open,
 * mapped or not: each page once, in however many views it is mapped. Not counted are pages of files, which the
 * system can have back: programs, libraries, what was read. bench/README.md says why.
 *
 * [sampled] A thread looks every few milliseconds, so a peak that is over sooner may be missed. It allocates nothing, and
 * takes some microseconds each time.
 */
#ifndef BENCH_MEASURES_MEMORY_USE_H
#define BENCH_MEASURES_MEMORY_USE_H

#include <stdbool.h>
#include <stdint.h>

/* Now, in bytes. */
uint64_t memory_use_now(void);

/* Starts the thread that looks, and calls `tick`, which may be NULL, as often; false when it cannot be started. Once in a
 * process. */
bool memory_use_start(void (*tick)(void));

/* Stops it, looks once more, and returns the most that was seen since it was started. `tick` is not called again. */
uint64_t memory_use_stop(void);

#endif
