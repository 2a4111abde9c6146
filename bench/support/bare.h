/*
 * Page faults on a file mapped twice, with nothing done about them but UFFDIO_CONTINUE: the least that any
 * fault served by userfaultfd costs on this machine. The physical limit beside which Shale's are put.
 */
#ifndef BENCH_SUPPORT_BARE_H
#define BENCH_SUPPORT_BARE_H

#include "heap/os.h"

#include "bench/support/samples.h"

enum bare_server {
    BARE_POLL,  /* a thread that sleeps in poll, then reads one event and maps one page */
    BARE_SPIN,  /* a thread that reads all the time */
    BARE_SIGNAL /* the faulting thread's SIGBUS handler */
};

struct bare {
    enum bare_server server;
    size_t page_size;
    size_t pages;
    int file;
    int faults;
    char *view;
    char *alias;
    char *graveyard;  /* takes the view's page tables, as in a flip */
    uint32_t *order;  /* in which pages are touched */
    size_t next;      /* in `order` */
    size_t to_answer; /* faults that the server answers before it ends */
    uint64_t random;
};

void bare_create(struct bare *bare, enum bare_server server, size_t pages);
void bare_destroy(struct bare *bare);

/* Has every page of the view mapped; empties the view as a flip does, so that its page tables are as new as
 * there, and registers it; both. Then the next touch of each page faults. */
void bare_populate(struct bare *bare);
void bare_empty(struct bare *bare);
void bare_arm(struct bare *bare);
void bare_disarm(struct bare *bare);

/* Touches `count` pages that were not touched since bare_arm and adds each touch's nanoseconds to the
 * samples. */
void bare_touch(struct bare *bare, size_t count, struct samples *samples);

/* Nanoseconds that reading one word takes. */
uint64_t touch_nanoseconds(const char *at);

#endif
