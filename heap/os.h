/*
 * [os] All that Shale asks of the operating system for memory, page faults and threads goes through one
 * table of functions, so that tests can make any call fail (tests/support/os_failing.c) or replace the
 * kernel altogether (tests/support/os_simulated.c). os_linux.c holds the only real system calls.
 *
 * Functions return 0 (or what is stated) on success and a negative errno value on failure; they leave
 * nothing behind when they fail. All are thread-safe. Those marked (signal) are also called in signal
 * handlers.
 */
#ifndef SHALE_HEAP_OS_H
#define SHALE_HEAP_OS_H

#include "heap/atomic.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How faults of mutators are delivered. */
enum os_fault_delivery {
    OS_FAULTS_BY_READ,  /* the faulting thread sleeps; a message comes to whoever reads */
    OS_FAULTS_BY_SIGNAL /* the faulting thread gets SIGBUS */
};

enum { OS_THREAD_NAME_SIZE = 16 };

/* A source of writes: which pages of a range were written [written]. */
struct os_writes {
    int source; /* what ranges are registered with */
    int map;    /* what tells of their pages */
};

/* A fault of a mutator. */
struct os_fault {
    uintptr_t address;
    int thread; /* that waits, as the system numbers it; 0: not known */
};

/* Pages that lie side by side. */
struct os_range {
    uintptr_t start;
    uintptr_t end;
};

/* The signal by which threads are stopped, see runtime/signal_stop.h. */
#define OS_STOP_SIGNAL SIGURG

#define OS_FOREVER UINT64_MAX

struct os {
    const char *name;

    size_t (*page_size)(const struct os *os);
    /* Bytes of memory that this process may use: what the machine has, or what its cgroups leave it. */
    int (*memory_limit)(const struct os *os, uint64_t *bytes);

    /* Creates an anonymous file of `size` bytes, all holes. Returns a descriptor. */
    int (*file_create)(const struct os *os, size_t size);
    int (*file_close)(const struct os *os, int file);
    /* Bytes of memory that the file holds now. */
    int (*file_memory)(const struct os *os, int file, uint64_t *bytes);
    /* Gives the memory of a range of the file back; it reads as zeros afterwards. */
    int (*file_discard)(const struct os *os, int file, size_t offset, size_t size);

    /* Reserves inaccessible address space; nothing is ever put there by anyone else. */
    int (*reserve)(const struct os *os, size_t size, size_t alignment, void **start);
    /* Ends any mapping or reservation. */
    int (*unmap)(const struct os *os, void *start, size_t size);
    /* Turns a mapped range back into a reservation. */
    int (*reserve_again)(const struct os *os, void *start, size_t size);
    /* Reserves a range that nothing is mapped in; -EEXIST if something is. */
    int (*reserve_at)(const struct os *os, void *start, size_t size);
    /* Maps a file, from `offset` on, over a reservation, readable and writable, shared, not inherited by fork. */
    int (*map_file)(const struct os *os, void *start, size_t size, int file, size_t offset);
    /* Zeroed private memory for tables, committed as it is touched. */
    int (*map_table)(const struct os *os, size_t size, void **start);
    /* Gives the memory of a table back; it reads as zeros afterwards. */
    int (*discard_table)(const struct os *os, void *start, size_t size);
    /* Gives all pages of a range of a view memory and entries, as writing to each would, but fails where that would end the
     * process. Pages that were had before a failure stay. -EINVAL: the kernel cannot (before Linux 5.14). */
    int (*populate)(const struct os *os, void *start, size_t size);
    /* Makes a range of a view inaccessible, or accessible again. */
    int (*protect)(const struct os *os, void *start, size_t size, bool accessible);

    /* Moves all page table entries of a view to a reservation of the same size, which becomes a mapping
     * of the same file. The view stays mapped, with no entries. Constant time when no page is registered
     * for faults and both are VIEW_ALIGNMENT-aligned. */
    int (*move_entries)(const struct os *os, void *view, void *to, size_t size);
    /* Drops page table entries; the mapping stays. */
    int (*drop_entries)(const struct os *os, void *start, size_t size);

    /* Opens a source of page faults. Returns a descriptor; `how` is set to the way it was had. */
    int (*faults_open)(const struct os *os, enum os_fault_delivery delivery, const char **how);
    int (*faults_close)(const struct os *os, int faults);
    /* From now on a touch of a page of the range without an entry is a fault. */
    int (*faults_register)(const struct os *os, int faults, void *start, size_t size);
    int (*faults_unregister)(const struct os *os, int faults, void *start, size_t size);
    /* Maps pages that have memory into the range and wakes who waits for them. Sets `done` to the bytes
     * mapped before a failure. -EEXIST: the next one is mapped; -EAGAIN: try the rest again; -EFAULT: the
     * next one has no memory; -ENOENT: the range is not registered. (signal) */
    int (*faults_continue)(const struct os *os, int faults, void *start, size_t size, size_t *done);
    /* Wakes who waits for a page of the range; they touch it again. (signal) */
    int (*faults_wake)(const struct os *os, int faults, void *start, size_t size);
    /* Sleeps until a fault waits or `event` is set. */
    int (*faults_wait)(const struct os *os, int faults, int event);
    /* Takes up to `maximum` faults that are waiting. Returns their number, 0 when there is none. */
    int (*faults_read)(const struct os *os, int faults, struct os_fault *waiting, size_t maximum);

    /* Opens a source of writes; -EOPNOTSUPP when the kernel cannot tell. */
    int (*writes_open)(const struct os *os, struct os_writes *writes);
    int (*writes_close)(const struct os *os, const struct os_writes *writes);
    /* The range may be asked about from now on. Not while it is registered for faults. Takes constant time; unregistering
     * takes time for each page that was armed. */
    int (*writes_register)(const struct os *os, const struct os_writes *writes, void *start, size_t size);
    int (*writes_unregister)(const struct os *os, const struct os_writes *writes, void *start, size_t size);
    /* Arms all pages: they count as not written. */
    int (*writes_arm)(const struct os *os, const struct os_writes *writes, void *start, size_t size);
    /* Finds the pages that were written through this range since they were armed last, or never were armed, or of which the
     * system has forgotten whether they were; with `rearm`, each is armed as it is found, so that no later write is missed.
     * Writes through other mappings do not count. Returns how many ranges of them were put into `ranges`, in order, with
     * `end` set to where the search ended: when there is no room, before the end of what was to be searched. */
    int (*writes_find)(const struct os *os, const struct os_writes *writes, const struct os_range *among,
                       bool rearm, struct os_range *ranges, size_t maximum, uintptr_t *end);

    /* A descriptor that is set once and then stays so. */
    int (*event_create)(const struct os *os);
    int (*event_set)(const struct os *os, int event);
    int (*event_close)(const struct os *os, int event);

    /* How many processors the calling thread may run on; at least 1. */
    unsigned (*processors)(const struct os *os);
    /* The calling thread, as the system numbers it. (signal) */
    int (*thread_id)(const struct os *os);
    /* The name of a thread of this process, "?" when there is none. */
    void (*thread_name)(const struct os *os, int id, char name[OS_THREAD_NAME_SIZE]);

    /* Sends a thread of this process the signal that stops it. */
    int (*thread_signal)(const struct os *os, int id);
    /* The calling thread's stack: [low, high). */
    int (*thread_stack)(const struct os *os, uintptr_t *low, uintptr_t *high);
    /* Sleeps while a word holds a value, until it is woken, or the monotonic clock reads so many nanoseconds. May
     * return early. (signal) */
    void (*word_wait)(const struct os *os, const atomic_u32 *word, uint32_t value, uint64_t until);
    /* Wakes all who sleep so. (signal) */
    void (*word_wake)(const struct os *os, const atomic_u32 *word);

    /* Starts a thread with all signals blocked but those that report its own faults. */
    int (*thread_start)(const struct os *os, pthread_t *thread, const char *thread_name, void *(*run)(void *),
                        void *argument);
};

/* The real one. */
const struct os *os_linux(void);

#endif
