/*
 * Building a page: producing its up-to-date contents through the alias view.
 *
 * [pure] A page's new contents follow from the plan, the live bits and the old contents; building reads
 * nothing else, writes nothing but the page, and may be run by any thread, on any page, in any order, and in
 * a signal handler. The caller has claimed the page [claim]. What it reads of other pages does not change
 * meanwhile: evacuated regions are seen by nobody, and of headers type, length and size never change [type].
 *
 *  - A page of a region that stays: the references in its live objects are rewritten in place.
 *  - A page of a destination region: the parts of objects that belong on it are copied from the evacuated
 *    regions, and the references in them rewritten. Identity hashes that the old places stood for are stored
 *    [hash].
 */
#ifndef SHALE_GC_PAGE_BUILD_H
#define SHALE_GC_PAGE_BUILD_H

#include "gc/plan.h"

/* Brings what building a page will look at into the cache, all at once. Worth its instructions for a page that was
 * not expected, as in a fault, when next to nothing of it is there; a worker goes through pages in order.
 * (signal) */
void page_warm(const struct plan *plan, page_number page);

/* Builds a page; does nothing to one without contents. (signal) */
void page_build(const struct plan *plan, page_number page);

#endif
