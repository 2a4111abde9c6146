/*
 * The fault server: a thread that answers the page faults of mutators while a compaction runs.
 *
 * [server] The fault server takes no lock that a mutator or marker can hold, and allocates nothing. A fault
 * is always answered: event read -> page built or already mapped -> CONTINUE or WAKE. While a compaction runs
 * the server neither sleeps nor idles: between faults it is a worker that looks for events after every page.
 *
 * Why no wake-up is lost. A mutator M that faults puts itself on the kernel's wait queue, looks at its page
 * table entry once more and sleeps only if there is none. A builder B maps the page and then wakes the
 * queue. If M looks after B maps, M does not sleep; if M looks before, it is on the queue when B wakes it.
 * Hence the server may drop an event for a page that somebody else is building, and must wake (not only map)
 * when it finds a page mapped; page_state.c does so whenever the kernel says that the page has an entry.
 *
 * Who writes what: `serving` and `quit` the collector, under `lock`; `serving` also by relaxed store, read by
 * the server between pages; `idle` the server, under `lock`. No mutator ever takes `lock`.
 */
#ifndef SHALE_GC_FAULT_SERVER_H
#define SHALE_GC_FAULT_SERVER_H

#include "gc/compact.h"

#include <pthread.h>

struct fault_server {
    struct compaction *compaction;
    int faults;
    struct builder builder;
    page_number neighbours_first; /* pages after the last fault, which are probably wanted next */
    page_number neighbours_count;
    atomic_u32 serving;
    atomic_u32 failure; /* errno of a read that failed; 0 */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool idle;
    bool quit;
    pthread_t thread;
};

/* Starts the thread. Returns 0 or a negative errno value. */
int fault_server_start(struct fault_server *server, const struct os *os, struct compaction *compaction,
                       int faults);
void fault_server_stop(struct fault_server *server);

/* Before the flip: the server gets going. It answers faults until fault_server_end has returned. */
void fault_server_begin(struct fault_server *server);

/* After the mutator view was unregistered. Returns when the server no longer looks at the plan. */
void fault_server_end(struct fault_server *server);

#endif
