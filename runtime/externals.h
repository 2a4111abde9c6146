/*
 * Memory outside the heap that belongs to objects: it counts for the pace, and that of external objects is given back when they
 * die.
 *
 * [external] An external object is a word in the heap that refers to its record outside of it, which knows the memory, how to
 * give it back, and where the object is. Each record's memory is given back exactly once:
 *
 *  - by who releases it: whoever takes the record's address out of the object, by an atomic exchange;
 *  - or by the collector, when a marking found the object dead. Then no thread has a way to it, nor will have, so
 *    nobody releases it any more. It is put on a list, and given back when the cycle has ended, with no lock held;
 *  - or when the heap is destroyed.
 *
 * A record whose object is not allocated yet is on no list and has no object: it is nobody's business but its maker's. After a
 * flip the collector rewrites the objects' addresses, before the plan is forgotten; those that are made meanwhile have new ones
 * already, which forwarding leaves as they are.
 *
 * Who writes what: records and lists under `lock`, under which nobody touches the heap or waits; the collector lets others in between two
 * slices of its loops, in which the table may grow, and records in front of where it is may change hands.
 */
#ifndef SHALE_RUNTIME_EXTERNALS_H
#define SHALE_RUNTIME_EXTERNALS_H

#include "heap/memory.h"
#include "heap/object.h"

#include <pthread.h>

struct external_record {
    uint64_t object; /* its address; 0: none */
    void *memory;
    size_t bytes;
    shale_external_free_function free_function;
    void *context;
    struct external_record *next; /* on the list that it is on */
};

/* Each block has twice as many records as the one before. */
enum { EXTERNAL_BLOCKS = 24, EXTERNAL_FIRST_BLOCK = 1024 };

struct externals {
    pthread_mutex_t lock;
    struct memory *memory;
    const struct type *type;
    struct external_record *blocks[EXTERNAL_BLOCKS];
    unsigned block_count;
    size_t used; /* records that were ever taken: all of the others follow in the last block */
    struct external_record *free;
    struct external_record *dead;
};

/* False: memory is out. */
bool externals_init(struct externals *externals, struct memory *memory);
/* Gives all memory back that is left. */
void externals_destroy(struct externals *externals);

/* The collector, when marking is complete: finds the dead. */
void externals_find_dead(struct externals *externals, bool (*is_dead)(void *argument, uint64_t address),
                         void *argument);

/* The collector, when the cycle has ended: gives their memory back. Returns how many bytes. */
uint64_t externals_free_dead(struct externals *externals);

/* The collector: rewrites where objects are, with the visitor of a root update. */
void externals_settle(struct externals *externals, struct shale_visitor *visitor);

#endif
