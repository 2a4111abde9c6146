/*
 * What a program of bench/workloads asks of its memory manager now and then. (What it asks all the time is inline, in the
 * manager's own header; see bench/workloads/workload.h.) Each managers/NAME.c defines all of it.
 */
#ifndef BENCH_MANAGERS_MANAGER_H
#define BENCH_MANAGERS_MANAGER_H

#include "bench/measures/stops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A thread's way to its memory manager: what that likes, or NULL. */
struct memory;

/* A kind of object: what the manager likes. */
struct memory_kind;
typedef const struct memory_kind *memory_type;

enum manager_faults { FAULTS_THREAD, FAULTS_SIGNAL };

struct manager_options {
    size_t heap_bytes; /* 0: what the manager does by itself */
    enum manager_faults faults;
    bool incremental;
    unsigned markers; /* 0: as many as it likes */
};

/* Options that a manager does not have are refused by the command line. */
struct manager_abilities {
    bool heap;        /* keeps to heap_bytes */
    bool faults;      /* has a choice of fault modes */
    bool incremental; /* has an incremental mode */
};

enum { MANAGER_MODE_MAX = 32, MANAGER_DETAILS_MAX = 256 };

struct manager_stops {
    uint64_t count;
    uint64_t total; /* nanoseconds, as the following */
    uint64_t p50;
    uint64_t p99;
    uint64_t maximum;
};

/* Each with whether it is known. */
struct manager_measures {
    bool has_stops;
    struct manager_stops stops;
    bool has_mmu;
    double mmu[MMU_WINDOWS]; /* utilisations, 0 to 1 */
    bool has_faults;
    uint64_t faults;
    bool has_allocation_stalls;
    uint64_t allocation_stalls;
    bool has_cycles;
    uint64_t cycles;
    char details[MANAGER_DETAILS_MAX]; /* a remark for people, or empty */
};

extern const char manager_name[];
extern const struct manager_abilities manager_abilities;

/* What tells this use of the manager from others of it, such as "signal", or nothing. */
void manager_mode(const struct manager_options *options, char mode[MANAGER_MODE_MAX]);

/* The options are good until the program ends. */
void manager_open(const struct manager_options *options);
void manager_close(void);

/* On the thread that is to use memory, or has done so. */
struct memory *manager_attach(void);
void manager_detach(struct memory *memory);

/* Around what may block, such as waiting for a thread. */
void manager_enter_blocking(struct memory *memory);
void manager_leave_blocking(struct memory *memory);

/* A kind of record whose first words are references, at most MANAGER_REFERENCES_MAX, and three kinds of arrays: of references,
 * of words of 64 bits that are none, of bytes. */
enum { MANAGER_REFERENCES_MAX = 8 };
memory_type manager_record(const char *name, size_t size, size_t references);
memory_type manager_references(const char *name);
memory_type manager_words(const char *name);
memory_type manager_bytes(const char *name);

/* Called every few milliseconds, on a thread that is not attached, and once more before manager_measure. */
void manager_tick(void);

/* What it has to tell of the time since it was opened, [begin, end) by clock_wall. */
void manager_measure(struct manager_measures *measures, uint64_t begin, uint64_t end);

/* Ends the program as one that failed, with the sentence in its result. Any thread. */
_Noreturn void workload_fail(const char *message);

#endif
