/*
 * Holding back: a region that was to be evacuated stays after all.
 *
 * [hold-back] From the end of planning up to and including the flip's stop a region of the evacuation set can be made one that
 * stays, in constant time. Nobody has acted on the plan by then, but for identity hashes that were asked for, which are kept
 * [hash]. Afterwards
 *
 *  - its state is USED, its role ROLE_STAY, and forwarding leaves addresses in it as they are;
 *  - its pages are built in place, like those of any region that stays. That they are not clean, or are, is known of
 *    them as of others: leads are noted for all pages, and a page that leads to it alone is taken for one that must
 *    be built, which does no harm [clean];
 *  - where its objects were to go, destination regions have *gaps*: bytes that nobody writes and nothing refers to. Page
 *    building passes over its chunks; a page that is nothing but gaps is published as it is. No finalizer, weak
 *    reference or hash is found there, since those are found by objects' addresses, and no object there has live bits: nobody
 *    walks a region from header to header. The next cycle moves what is beside the gaps like what is sparse otherwise,
 *    and frees a destination region that came to hold nothing;
 *  - it is still on the plan's list, by which reclaim frees regions, which looks at their roles.
 *
 * Who does it: the collector, while the world is stopped in the flip, before pages are stale.
 */
#ifndef SHALE_GC_HOLD_BACK_H
#define SHALE_GC_HOLD_BACK_H

#include "gc/plan.h"

/* Returns whether the region was to be evacuated. */
bool hold_back(struct plan *plan, region_number region);

/* Holds back what was pinned, or kept, since the plan was made [pin]. */
void hold_back_late(struct plan *plan);

#endif
