/*
 * The real operating system with calls that fail on demand, and with books about everything that was acquired
 * through it and not yet given back.
 *
 * A failing call does nothing but return its error. What is outstanding counts exactly: it is 0 again when
 * whoever used the table has given everything back.
 *
 * Put `failing.os` where a struct os is wanted. Calls may come from any thread and from signal handlers.
 */
#ifndef SHALE_TESTS_OS_FAILING_H
#define SHALE_TESTS_OS_FAILING_H

#include "heap/os.h"

#include <stdatomic.h>

enum os_call {
    OS_MEMORY_LIMIT,
    OS_FILE_CREATE,
    OS_FILE_CLOSE,
    OS_FILE_MEMORY,
    OS_FILE_DISCARD,
    OS_RESERVE,
    OS_UNMAP,
    OS_RESERVE_AGAIN,
    OS_RESERVE_AT,
    OS_MAP_FILE,
    OS_MAP_TABLE,
    OS_DISCARD_TABLE,
    OS_POPULATE,
    OS_PROTECT,
    OS_MOVE_ENTRIES,
    OS_DROP_ENTRIES,
    OS_FAULTS_OPEN,
    OS_FAULTS_CLOSE,
    OS_FAULTS_REGISTER,
    OS_FAULTS_UNREGISTER,
    OS_FAULTS_CONTINUE,
    OS_FAULTS_WAKE,
    OS_FAULTS_WAIT,
    OS_FAULTS_READ,
    OS_WRITES_OPEN,
    OS_WRITES_CLOSE,
    OS_WRITES_REGISTER,
    OS_WRITES_UNREGISTER,
    OS_WRITES_ARM,
    OS_WRITES_FIND,
    OS_EVENT_CREATE,
    OS_EVENT_SET,
    OS_EVENT_CLOSE,
    OS_THREAD_STACK,
    OS_THREAD_START,
    OS_CALLS,
    OS_ANY = OS_CALLS /* for os_failing_plan: whichever comes */
};

struct os_failing {
    struct os os;                    /* first: the functions find the rest through it */
    atomic_uint calls[OS_CALLS + 1]; /* made so far; the last: in all */
    /* What is to fail; may change while other threads call. */
    atomic_uint kind;
    atomic_uint first; /* the first call of that kind that fails, counted from 1; 0: none */
    atomic_uint last;
    atomic_int error; /* errno; 0: one that fits the call */
    atomic_uint failed;
    atomic_uint failed_kind; /* of the first that failed */
    /* Outstanding. */
    atomic_int files;
    atomic_int fault_sources;
    atomic_int events;
    atomic_int registrations;
    atomic_int write_sources;
    atomic_int mappings; /* reservations and tables */
    atomic_long mapped_bytes;
    atomic_int threads_started;
};

/* Over os_linux; nothing fails yet. */
void os_failing_init(struct os_failing *failing);

/* Calls number `first` to `last` of a kind, counted from the table's creation, fail with `error`. */
void os_failing_plan(struct os_failing *failing, enum os_call kind, unsigned first, unsigned last, int error);

/* The same, counted from now on. */
void os_failing_plan_from_now(struct os_failing *failing, enum os_call kind, unsigned first, unsigned last,
                              int error);

/* What the real call would typically fail with. */
int os_failing_typical_error(enum os_call kind);
const char *os_failing_name(enum os_call kind);

/* NULL when nothing is outstanding, otherwise what is. */
const char *os_failing_leak(const struct os_failing *failing);

/* The same as the kernel sees it, of the whole process. */
struct process_resources {
    unsigned descriptors;
    unsigned mappings;
    unsigned heap_mappings; /* of files named as the heap's are */
    unsigned threads;
};
struct process_resources process_resources_now(void);

#endif
