/*
 * Pins: objects that neither move nor die until they are unpinned.
 *
 * [pins] The table has an entry for each object that is pinned by count, by its offset, which does not change. It is a root of
 * the heap that needs no rewriting, so a flip has nothing to do for pins, however many there are; that the objects stay is
 * their regions' business: a region is pinned once for each entry, and for each open scope [pin]. Scopes are their mutator's
 * roots, like frames.
 *
 * As a root, the table is used like the handles [heap-roots]: who adds an entry or takes one out shades the object.
 *
 * Two threads that pin one object: the entry is made, and its region pinned, under the lock; so who finds the entry finds the
 * region pinned, and who takes the entry out has the last of the object's pins.
 *
 * Who writes what: all under `lock`, under which nobody touches the heap; the region table's lock is taken inside of it.
 */
#ifndef SHALE_RUNTIME_PINS_H
#define SHALE_RUNTIME_PINS_H

#include "heap/memory.h"
#include "heap/object.h"

#include <pthread.h>

struct pin {
    uint64_t object; /* offset; 0: none */
    uint64_t count;
};

/* Open addressing, with entries as near to where they belong as can be. */
struct pins {
    pthread_mutex_t lock;
    struct memory *memory;
    struct pin *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

void pins_init(struct pins *pins, struct memory *memory);
void pins_destroy(struct pins *pins);

/* False: there is no memory for another entry. */
bool pins_add(struct pins *pins, size_t offset);

/* False: the object is not pinned. */
bool pins_remove(struct pins *pins, size_t offset);

/* Shows all objects. */
void pins_visit(struct pins *pins, struct shale_visitor *visitor);

struct mutator;

/* Shows the objects of a mutator's open scopes. */
void pins_visit_scopes(const struct mutator *mutator, struct shale_visitor *visitor);

#endif
