/*
 * Asking for an identity hash, which mutators may do while a plan is made.
 *
 * The plan must know which objects grow before it can say where any of them goes, and mutators go on asking for
 * hashes meanwhile, until the flip. For an object that moves and has to grow for its hash [hash] there are
 * two answers. If the plan saw ASKED in its header, the object grows: its hash is that of its old place, which
 * the copy stores. If the plan did not, there is no room: then the hash is that of its *new* place, where the
 * copy arrives as an object that has not moved since it was asked. The plan's record of what grows decides
 * (growth.h), for everybody who asks: so all get the same answer.
 *
 * A mutator has to know whether a plan is being made. It looks only after it has set ASKED, and the plan looks at
 * headers only after it has said that it begins:
 *
 *     mutator                                   plan
 *     1  region's asked = 1, if it is not       A  stage = PLAN_MAKING
 *     2  ASKED into the header, if it is not    B  full fence
 *     3  full fence                             C  read the region's asked, and if set
 *     4  read stage                             D  read the header; record growth if ASKED
 *
 * If 4 reads the stage from before A, the mutator answers with the old place. Then its fence came before the
 * plan's, so C and D see what 1 and 2 wrote, or found written by another mutator: the object grows if it moves.
 * If 4 reads PLAN_MAKING, the mutator does not know what C and D saw; it waits for PLAN_MADE, stored with
 * release when all is placed, and goes by what was recorded. That it waits for is milliseconds, and for no
 * mutator; it is not asked of those that have been told the hash before (SETTLED), nor where no region can be
 * evacuated that holds the object. This holds for regions that are not USED: a region becomes USED when a cycle begins,
 * or when a mutator that was not scanned yet leaves it, and this thread has served a handshake between those and the
 * plan; or when no plan is made any more.
 *
 * If the region is held back in the flip, its objects keep the hashes of their new places, where nothing comes to be: what
 * mutators were told is kept in a table for that [hash].
 *
 * tests/model/identity_hash.pml runs through all of this.
 *
 * No flip can come in between: the mutator is not at a safepoint. After the flip no mutator holds an address in
 * an EVACUATED region [view], so those are only met before it, when the plan and its tables are complete.
 */
#ifndef SHALE_GC_HASH_WINDOW_H
#define SHALE_GC_HASH_WINDOW_H

#include "gc/plan.h"

/* The identity hash of the object at `offset`; `object` is its address, or its place in the alias view. Any mutator
 * between safepoints. Waits while a plan is made. */
uint64_t identity_hash_ask(const struct plan *plan, const void *object, size_t offset);

/* The same of an object whose header has ASKED and no other bit, so that it has to grow, after a full fence. `settled`: it is that of the
 * place where the object is, and is stored if the object moves. Also the collector while the world is stopped. */
uint64_t identity_hash_resolve(const struct plan *plan, size_t offset, bool *settled);

#endif
