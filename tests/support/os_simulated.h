/*
 * An operating system without userfaultfd: the simulated twin of os_linux.
 *
 * Memory is real (a file and its two mappings, by os_linux), so that both views hold what they should and
 * tools see every access. The mutator view's page table and the waiters on it are books kept here: which
 * pages have an entry, whether the view is registered, who sleeps on which page. So a test can step through
 * flip, publish and reclaim on one thread, on any machine, under any tool, and see every wake-up.
 *
 * CONTINUE answers as the kernel does: 0 when all pages were mapped; -EAGAIN with `done` when only some were;
 * otherwise nothing was mapped, nobody woken, and it is -ENOENT (not registered), -EEXIST (the first page has
 * an entry) or -EFAULT (the first page has no memory). A different answer can be injected.
 *
 * A breach of the protocol that the collector has to follow is remembered in `violation`.
 */
#ifndef SHALE_TESTS_OS_SIMULATED_H
#define SHALE_TESTS_OS_SIMULATED_H

#include "heap/os.h"

enum { SIMULATED_WAITERS_MAX = 4096, SIMULATED_ANSWERS_MAX = 64 };

struct simulated_waiter {
    size_t page;
    bool asleep;
    bool reported; /* its event was read */
};

/* What a CONTINUE is to answer instead. */
struct simulated_answer {
    int error;    /* EAGAIN, EEXIST, EFAULT, ENOENT, ENOMEM, or anything else */
    size_t pages; /* mapped, with their waiters woken, before the error; never all that were asked for */
};

struct os_simulated {
    struct os os; /* first */
    pthread_mutex_t lock;
    size_t page_size;
    int file;
    char *view; /* the first mapping of the file */
    size_t view_size;
    size_t pages;
    bool *entries;
    bool *armed;   /* pages that were not written since a search for written ones armed them */
    bool *tracked; /* registered for such searches */
    bool registered;
    bool sources_open;
    char *graveyard;
    struct simulated_waiter waiters[SIMULATED_WAITERS_MAX];
    size_t waiter_count;
    struct simulated_answer answers[SIMULATED_ANSWERS_MAX];
    size_t answer_first;
    size_t answer_count;
    /* A thread that joins the queue while its page's registration ends, after the waking. */
    bool late_waiter;
    size_t late_page;
    /* The next reader of events is held up once it has some: until the view is registered again, which then
     * waits for what the reader does, or for at most this many milliseconds. */
    unsigned hold_reader;
    bool reader_held;
    /* Called, if set, with each page that is about to be mapped. */
    void (*on_map)(void *context, size_t page);
    /* Called, if set, after each CONTINUE, without the lock. */
    void (*after_continue)(void *context);
    void *context;
    unsigned continues;
    unsigned wakes;
    unsigned moves;
    const char *violation;
};

void os_simulated_init(struct os_simulated *simulated, size_t page_size);
void os_simulated_destroy(struct os_simulated *simulated);

/* A mutator touches a page. True: it has an entry now. False: it faults, and sleeps on the page as waiter
 * number `*waiter` (unless that is NULL: then it got a signal). */
bool os_simulated_touch(struct os_simulated *simulated, size_t page, size_t *waiter);
bool os_simulated_asleep(struct os_simulated *simulated, size_t waiter);
size_t os_simulated_sleepers(struct os_simulated *simulated);
bool os_simulated_has_entry(struct os_simulated *simulated, size_t page);
/* Gives a page an entry behind the collector's back, waking nobody. */
void os_simulated_set_entry(struct os_simulated *simulated, size_t page);

/* A mutator writes to the memory at an address of the mutator view: what the kernel notes of it. */
void os_simulated_write(struct os_simulated *simulated, const void *address);

void os_simulated_inject(struct os_simulated *simulated, int error, size_t pages);

#endif
