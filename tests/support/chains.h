/*
 * A small program over the public interface, with a shadow of everything it keeps in its heap: a table of
 * chains of objects. What a chain must hold follows from a seed outside the heap, so any lost, moved or mixed-up
 * byte is found.
 */
#ifndef SHALE_TESTS_CHAINS_H
#define SHALE_TESTS_CHAINS_H

#include "tests/support/test_random.h"

#include <shale/shale.h>

enum { CHAINS = 128 };

struct chains {
    shale_mutator *mutator;
    const shale_type *table_type;
    const shale_type *link_type;
    struct {
        void **table; /* an array of pointers to first links */
        void *chain;  /* being made */
    } locals;
    shale_frame frame;
    struct test_random random;
    uint64_t seeds[CHAINS]; /* 0: no chain */
    uint64_t links_made;
};

/* Attaches the calling thread. False, with nothing left behind, when something could not be had. */
bool chains_open(struct chains *chains, shale_heap *heap, uint64_t seed);
/* Detaches it. */
void chains_close(struct chains *chains);

/* Replaces or drops so many chains. False: no memory. */
bool chains_run(struct chains *chains, unsigned steps);

/* NULL, or what is wrong with the first chain that is not as it must be. */
const char *chains_check(struct chains *chains);

#endif
