/*
 * The fault server: a thread that answers the page faults of mutators while a compaction runs.
 *
 * [server] The fault server takes no lock that a mutator or marker can hold, and allocates nothing. A fault is
 * always answered: event read -> page built or already mapped -> CONTINUE or WAKE.
 *
 * It sleeps until there is a fault, and again right after it has answered, and leaves all other building to the
 * workers. A server that stays awake and builds pages in between answers later, not sooner: the faulting
 * mutator's core goes idle, and waking an idle core costs more than the mutator and a server that was asleep
 * taking turns on one (docs/design/pages.md has the figures).
 *
 * It need not be told that a compaction begins, since there are no faults outside of one. When one ends it must
 * have finished what it is doing, which fault_server_settle waits for. Otherwise: the server takes an event for
 * page P and finds P mapped; before it goes on to answer that with CONTINUE, the mutator is woken by somebody
 * else, the compaction ends, and the next flip empties the mutator view and registers it; now the CONTINUE maps P
 * with its old contents. `answering` is set before events are read; an event can only be read while its thread
 * waits; and when fault_server_settle looks, everyone has been woken and nobody can fault again.
 *
 * Why no wake-up is lost. A mutator M that faults puts itself on the kernel's wait queue, looks at its page
 * table entry once more and sleeps only if there is none. A builder B maps the page and then wakes the
 * queue. If M looks after B maps, M does not sleep; if M looks before, it is on the queue when B wakes it.
 * Hence the server may drop an event for a page that somebody else is building, and must wake (not only map)
 * when it finds a page mapped; page_state.c does so whenever the kernel says that the page has an entry.
 *
 * Who writes what: `answering`, `builder`'s counters and `failure` the server; the rest is set at the start.
 */
#ifndef SHALE_GC_FAULT_SERVER_H
#define SHALE_GC_FAULT_SERVER_H

#include "gc/compact.h"

#include <pthread.h>

struct fault_server {
    struct compaction *compaction;
    int faults;
    int quit; /* event */
    atomic_u32 quitting;
    atomic_u32 answering; /* not 0: events may have been read that are not answered yet */
    struct builder builder;
    atomic_u32 failure; /* errno of a wait or read that failed; 0 */
    pthread_t thread;
};

/* Starts the thread. Returns 0 or a negative errno value. */
int fault_server_start(struct fault_server *server, const struct os *os, struct compaction *compaction,
                       int faults);
/* The mutator view was unregistered, and everyone woken: returns when the server has no event in hand. */
void fault_server_settle(struct fault_server *server);

/* No mutator is attached. */
void fault_server_stop(struct fault_server *server);

#endif
