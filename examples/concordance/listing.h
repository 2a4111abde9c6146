/* The finished concordance, copied out of the heap, to be sorted and printed at leisure. */
#ifndef CONCORDANCE_LISTING_H
#define CONCORDANCE_LISTING_H

#include "job.h"

struct listing_item {
    size_t letters; /* offset into listing.letters */
    size_t length;
    uint64_t count;
    uint64_t newest; /* posting */
};

struct listing {
    struct listing_item *items;
    size_t count;
    size_t capacity;
    char *letters;
    size_t letters_used;
    size_t letters_capacity;
    uint64_t postings; /* that the map held */
    uint64_t wrong;    /* postings that point outside their file: should be 0 */
    const struct job *job;
};

/* Copies all words. Returns false when memory (outside the heap) is out. */
bool listing_take(struct listing *listing, struct job *job, shale_mutator *mutator);

void listing_sort_by_word(struct listing *listing);
void listing_sort_by_count(struct listing *listing); /* the most frequent first, then by word */
void listing_free(struct listing *listing);

#endif
