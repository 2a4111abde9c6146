/*
 * Handle scopes: the local handles of a mutator.
 *
 * [scope] Local handles lie in blocks that never move, so that a handle's address is its identity, and are taken one after
 * the other. `local_next` and `local_limit` of shale_mutator say what is free in the last block; the blocks before it are
 * full. A scope remembers both as they were when it was opened, and closing it puts them back: what was
 * created in between is gone, with the blocks that it needed. The first block stays until the mutator detaches,
 * and one more is kept to be used again, so that a scope that is opened and closed at a block's end over and over
 * allocates nothing.
 *
 * Local handles are their mutator's own roots [roots], so they are written plainly.
 *
 * All fields are the owning thread's; the collector reads them, and rewrites the handles, while that is stopped or native.
 */
#ifndef SHALE_RUNTIME_SCOPES_H
#define SHALE_RUNTIME_SCOPES_H

#include <shale/shale.h>

struct mutator;
struct scope_block;

struct scope_blocks {
    struct scope_block *last; /* that in which handles are created; NULL: none yet */
    struct scope_block *spare;
};

/* Shows all local handles. */
void scopes_visit(struct mutator *mutator, struct shale_visitor *visitor);

/* The mutator detaches, with no scope open: gives back the blocks. */
void scopes_end(struct mutator *mutator);

#endif
