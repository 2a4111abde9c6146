/*
 * Objects that threads pass to each other without any lock: through roots of the heap, through the slots of an array, and
 * through handles. All may read and overwrite all places at any time, so that stores race for one place with each other
 * and with the collector. What is passed never changes once it was passed, and can be checked by itself.
 */
#ifndef SHALE_TESTS_EXCHANGE_H
#define SHALE_TESTS_EXCHANGE_H

#include "tests/support/stress_random.h"

#include <shale/shale.h>

enum { EXCHANGE_ROOTS = 12, EXCHANGE_SLOTS = 24, EXCHANGE_HANDLES = 4 };

struct exchange {
    shale_heap *heap;
    const shale_type *parcel;
    const shale_type *array;
    shale_root_visitor *visitor;
    void *roots[EXCHANGE_ROOTS];             /* the first holds the array */
    shale_handle *handles[EXCHANGE_HANDLES]; /* atomic; NULL or a handle that is whoever's takes it */
    uint64_t serial;                         /* atomic */
};

void exchange_init(struct exchange *exchange, shale_heap *heap, shale_mutator *mutator);
/* Nobody uses it any more: drops everything. */
void exchange_end(struct exchange *exchange, shale_mutator *mutator);

/* A few random operations. Any attached thread; may collect. */
void exchange_use(struct exchange *exchange, shale_mutator *mutator, struct stress_random *random);

#endif
