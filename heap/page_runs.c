#include "heap/page_runs.h"

#include <string.h>

static struct page_run *run_at(const struct page_runs *runs, page_number first)
{
    return &runs->runs[first];
}

static page_number pages_of(const struct page_runs *runs, page_number first)
{
    return atomic_u32_load(&run_at(runs, first)->pages);
}

static enum run_state state_of(const struct page_runs *runs, page_number first)
{
    return (enum run_state)atomic_u8_load(&run_at(runs, first)->state);
}

/* ---- where runs begin ------------------------------------------------------------------------------ */

static size_t words_for(size_t bits)
{
    return (bits + 63) >> RUN_BITS;
}

size_t page_runs_bitmap_words(page_number count)
{
    size_t all = 0;
    for (size_t words = words_for(count);; words = words_for(words)) {
        all += words;
        if (words == 1)
            return all;
    }
}

static void set_start(struct page_runs *runs, page_number page)
{
    for (unsigned level = 0; level < runs->levels; level++) {
        atomic_u64 *word = &runs->starts[level][page >> RUN_BITS];
        uint64_t before = atomic_u64_load(word);
        atomic_u64_store_release(word, before | UINT64_C(1) << (page & 63));
        if (before != 0)
            return;
        page >>= RUN_BITS;
    }
}

static void clear_start(struct page_runs *runs, page_number page)
{
    for (unsigned level = 0; level < runs->levels; level++) {
        atomic_u64 *word = &runs->starts[level][page >> RUN_BITS];
        uint64_t after = atomic_u64_load(word) & ~(UINT64_C(1) << (page & 63));
        atomic_u64_store_release(word, after);
        if (after != 0)
            return;
        page >>= RUN_BITS;
    }
}

static page_number highest(uint64_t bits)
{
    return 63 - (page_number)__builtin_clzll(bits);
}

/* The last page at which a run begins that is not behind `page`. */
static page_number start_before(const struct page_runs *runs, page_number page)
{
    page_number index = page;
    uint64_t below = ~UINT64_C(0) >> (63 - (page & 63)); /* the page's own bit too */
    for (unsigned level = 0; level < runs->levels; level++) {
        uint64_t bits = atomic_u64_load_acquire(&runs->starts[level][index >> RUN_BITS]) & below;
        index >>= RUN_BITS;
        if (bits != 0) {
            index = index << RUN_BITS | highest(bits);
            while (level-- != 0) {
                bits = atomic_u64_load_acquire(&runs->starts[level][index]);
                if (bits == 0)
                    return RUN_NONE; /* just changed: then it was not of a run in use */
                index = index << RUN_BITS | highest(bits);
            }
            return index;
        }
        below = (UINT64_C(1) << (index & 63)) - 1;
    }
    return RUN_NONE;
}

/* ---- free runs, by length and place ---------------------------------------------------------------- */

static bool comes_before(const struct page_runs *runs, page_number a, page_number b)
{
    page_number pages_a = pages_of(runs, a);
    page_number pages_b = pages_of(runs, b);
    return pages_a != pages_b ? pages_a < pages_b : a < b;
}

static uint32_t priority(page_number first)
{
    uint32_t mixed = (first ^ first >> 16) * UINT32_C(0x7feb352d);
    mixed = (mixed ^ mixed >> 15) * UINT32_C(0x846ca68b);
    return mixed ^ mixed >> 16;
}

/* The link at which `first` is, or below which it belongs. */
static page_number *descend(struct page_runs *runs, page_number *link, page_number first, bool insert)
{
    while (*link != RUN_NONE && *link != first && !(insert && priority(*link) < priority(first))) {
        struct page_run *run = run_at(runs, *link);
        link = comes_before(runs, *link, first) ? &run->right : &run->left;
    }
    return link;
}

static void tree_insert(struct page_runs *runs, page_number *root, page_number first)
{
    page_number *link = descend(runs, root, first, true);
    page_number rest = *link;
    *link = first;
    /* What was there becomes the subtrees on both sides. */
    page_number *left = &run_at(runs, first)->left;
    page_number *right = &run_at(runs, first)->right;
    while (rest != RUN_NONE) {
        if (comes_before(runs, rest, first)) {
            *left = rest;
            left = &run_at(runs, rest)->right;
            rest = *left;
        } else {
            *right = rest;
            right = &run_at(runs, rest)->left;
            rest = *right;
        }
    }
    *left = RUN_NONE;
    *right = RUN_NONE;
}

static void tree_remove(struct page_runs *runs, page_number *root, page_number first)
{
    page_number *link = descend(runs, root, first, false);
    page_number left = run_at(runs, first)->left;
    page_number right = run_at(runs, first)->right;
    while (left != RUN_NONE && right != RUN_NONE) {
        if (priority(left) > priority(right)) {
            *link = left;
            link = &run_at(runs, left)->right;
            left = *link;
        } else {
            *link = right;
            link = &run_at(runs, right)->left;
            right = *link;
        }
    }
    *link = left != RUN_NONE ? left : right;
}

/* The shortest run of at least `count` pages. */
static page_number tree_fit(const struct page_runs *runs, page_number root, page_number count)
{
    page_number best = RUN_NONE;
    while (root != RUN_NONE) {
        if (pages_of(runs, root) >= count) {
            best = root;
            root = run_at(runs, root)->left;
        } else {
            root = run_at(runs, root)->right;
        }
    }
    return best;
}

/* ---- runs that have memory, by time ---------------------------------------------------------------- */

static void list_unlink(struct page_runs *runs, page_number first)
{
    const struct page_run *run = run_at(runs, first);
    if (run->newer != RUN_NONE)
        run_at(runs, run->newer)->older = run->older;
    else
        runs->newest = run->older;
    if (run->older != RUN_NONE)
        run_at(runs, run->older)->newer = run->newer;
    else
        runs->oldest = run->newer;
}

static void list_add_newest(struct page_runs *runs, page_number first)
{
    struct page_run *run = run_at(runs, first);
    run->newer = RUN_NONE;
    run->older = runs->newest;
    if (runs->newest != RUN_NONE)
        run_at(runs, runs->newest)->newer = first;
    else
        runs->oldest = first;
    runs->newest = first;
}

/* ---- under the lock -------------------------------------------------------------------------------- */

static void change(atomic_u64 *counter, int64_t by)
{
    atomic_u64_store(counter, atomic_u64_load(counter) + (uint64_t)by);
}

/* A run begins here; it is in no tree yet. */
static void make_run(struct page_runs *runs, page_number first, page_number count, enum run_state state)
{
    atomic_u32_store(&run_at(runs, first)->pages, count);
    atomic_u8_store_release(&run_at(runs, first)->state, (uint8_t)state);
    set_start(runs, first);
}

static void unlink_free(struct page_runs *runs, page_number first)
{
    enum run_state state = state_of(runs, first);
    tree_remove(runs, &runs->trees[state], first);
    if (state != RUN_HOLE)
        list_unlink(runs, first);
}

/* Takes the last `count` pages of a free run that has memory, which keeps its place by time; or the first of a hole, so that
 * addresses are used from low ones on. */
static page_number cut(struct page_runs *runs, page_number first, page_number count)
{
    page_number pages = pages_of(runs, first);
    page_number left = pages - count;
    page_number taken = first;
    enum run_state state = state_of(runs, first);
    if (state != RUN_HOLE) {
        taken = first + left;
        change(&runs->idle_pages, -(int64_t)count);
        if (left == 0) {
            unlink_free(runs, first);
        } else {
            tree_remove(runs, &runs->trees[state], first);
            atomic_u32_store(&run_at(runs, first)->pages, left);
            tree_insert(runs, &runs->trees[state], first);
        }
    } else {
        unlink_free(runs, first);
        if (left != 0) {
            make_run(runs, first + count, left, RUN_HOLE);
            tree_insert(runs, &runs->trees[RUN_HOLE], first + count);
        }
    }
    make_run(runs, taken, count, RUN_TAKEN);
    if (taken + count > atomic_u32_load(&runs->touched))
        atomic_u32_store_release(&runs->touched, taken + count);
    return taken;
}

/* Puts back pages that are in no tree, as one run with the neighbours that are like them. */
static void put_back(struct page_runs *runs, page_number first, page_number count, enum run_state state)
{
    page_number next = first + count;
    page_number previous = first != 0 ? start_before(runs, first - 1) : RUN_NONE;
    if (next < runs->count && state_of(runs, next) == state) {
        unlink_free(runs, next);
        clear_start(runs, next);
        count += pages_of(runs, next);
    }
    if (previous != RUN_NONE && state_of(runs, previous) == state) {
        unlink_free(runs, previous);
        clear_start(runs, first);
        first = previous;
        count += pages_of(runs, previous);
    }
    make_run(runs, first, count, state);
    tree_insert(runs, &runs->trees[state], first);
    if (state != RUN_HOLE) {
        run_at(runs, first)->freed_at = runs->now;
        list_add_newest(runs, first);
    }
}

/* ---- the interface --------------------------------------------------------------------------------- */

void page_runs_init(struct page_runs *runs, struct page_run *table, atomic_u64 *bitmaps, page_number count)
{
    *runs = (struct page_runs){.runs = table, .count = count, .newest = RUN_NONE, .oldest = RUN_NONE};
    pthread_mutex_init(&runs->lock, NULL);
    for (int state = RUN_HOLE; state <= RUN_DIRTY; state++)
        runs->trees[state] = RUN_NONE;
    size_t words = count;
    do {
        words = words_for(words);
        runs->starts[runs->levels++] = bitmaps;
        bitmaps += words;
    } while (words > 1);
    make_run(runs, 0, count, RUN_HOLE);
    tree_insert(runs, &runs->trees[RUN_HOLE], 0);
}

void page_runs_destroy(struct page_runs *runs)
{
    pthread_mutex_destroy(&runs->lock);
}

page_number page_runs_take(struct page_runs *runs, page_number count, enum run_state *was)
{
    static const enum run_state order[] = {RUN_ZERO, RUN_DIRTY, RUN_HOLE};
    page_number first = RUN_NONE;
    pthread_mutex_lock(&runs->lock);
    for (int i = 0; i < 3 && first == RUN_NONE; i++) {
        *was = order[i];
        first = tree_fit(runs, runs->trees[order[i]], count);
    }
    if (first != RUN_NONE)
        first = cut(runs, first, count);
    pthread_mutex_unlock(&runs->lock);
    return first;
}

void page_runs_free(struct page_runs *runs, page_number first, enum run_state state)
{
    pthread_mutex_lock(&runs->lock);
    page_number count = pages_of(runs, first);
    if (state != RUN_HOLE)
        change(&runs->idle_pages, count);
    put_back(runs, first, count, state);
    pthread_mutex_unlock(&runs->lock);
}

static page_number cut_up_to(struct page_runs *runs, page_number first, page_number maximum,
                             page_number *count)
{
    if (first == RUN_NONE)
        return RUN_NONE;
    *count = pages_of(runs, first) < maximum ? pages_of(runs, first) : maximum;
    return cut(runs, first, *count);
}

page_number page_runs_take_dirty(struct page_runs *runs, page_number maximum, page_number *count)
{
    pthread_mutex_lock(&runs->lock);
    page_number first = cut_up_to(runs, runs->trees[RUN_DIRTY], maximum, count);
    pthread_mutex_unlock(&runs->lock);
    return first;
}

void page_runs_set_state(struct page_runs *runs, page_number first, enum run_state state)
{
    pthread_mutex_lock(&runs->lock);
    atomic_u8_store_release(&run_at(runs, first)->state, (uint8_t)state);
    pthread_mutex_unlock(&runs->lock);
}

page_number page_runs_find(const struct page_runs *runs, page_number page)
{
    if (page >= runs->count)
        return RUN_NONE;
    page_number first = start_before(runs, page);
    if (first == RUN_NONE || page_runs_state(runs, first) < RUN_TAKEN ||
        page - first >= page_runs_pages(runs, first))
        return RUN_NONE;
    return first;
}

page_number page_runs_next(struct page_runs *runs, page_number from, enum run_state state)
{
    page_number found = RUN_NONE;
    pthread_mutex_lock(&runs->lock);
    page_number page = from < runs->count ? start_before(runs, from) : runs->count;
    if (page < from)
        page += pages_of(runs, page);
    /* No two free runs of a kind are beside each other, so these are few steps. */
    for (; page < runs->count && found == RUN_NONE; page += pages_of(runs, page)) {
        if (state_of(runs, page) == state)
            found = page;
    }
    pthread_mutex_unlock(&runs->lock);
    return found;
}

void page_runs_set_time(struct page_runs *runs, uint64_t now)
{
    pthread_mutex_lock(&runs->lock);
    runs->now = now;
    pthread_mutex_unlock(&runs->lock);
}

bool page_runs_oldest(struct page_runs *runs, uint64_t *freed_at)
{
    pthread_mutex_lock(&runs->lock);
    page_number oldest = runs->oldest;
    if (oldest != RUN_NONE)
        *freed_at = run_at(runs, oldest)->freed_at;
    pthread_mutex_unlock(&runs->lock);
    return oldest != RUN_NONE;
}

page_number page_runs_take_oldest(struct page_runs *runs, uint64_t time, page_number maximum,
                                  page_number *count)
{
    pthread_mutex_lock(&runs->lock);
    page_number first = runs->oldest;
    if (first != RUN_NONE && run_at(runs, first)->freed_at > time)
        first = RUN_NONE;
    first = cut_up_to(runs, first, maximum, count);
    pthread_mutex_unlock(&runs->lock);
    return first;
}
