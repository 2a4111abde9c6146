#include "heap/page_state.h"

#include <errno.h>
#include <sched.h>

/* From 1 on. */
enum { FLIP_NUMBERS = 127 };

void page_states_init(struct page_states *states, const struct views *views, atomic_u8 *bytes, int faults)
{
    states->views = views;
    states->bytes = bytes;
    states->count = (page_number)(views->flipped >> views->page_shift);
    states->faults = faults;
    atomic_u32_store(&states->current, 0);
    atomic_u32_store(&states->active, 0);
}

void page_states_flip(struct page_states *states)
{
    atomic_u32_store_release(&states->current, atomic_u32_load(&states->current) % FLIP_NUMBERS + 1);
    atomic_u32_store_release(&states->active, 1);
}

void page_states_settle(struct page_states *states)
{
    atomic_u32_store_release(&states->active, 0);
}

static uint8_t building(const struct page_states *states)
{
    return (uint8_t)(atomic_u32_load(&states->current) << 1 | 1);
}

static uint8_t mapped(const struct page_states *states)
{
    return (uint8_t)(atomic_u32_load(&states->current) << 1);
}

bool page_claim(struct page_states *states, page_number page)
{
    uint8_t before = atomic_u8_load(&states->bytes[page]);
    return before >> 1 != atomic_u32_load_acquire(&states->current) &&
           atomic_u8_cas_acquire(&states->bytes[page], before, building(states));
}

/* Maps [start, start + size) of the mutator view. Each errno has one meaning and one answer; see os.h. */
static int map_pages(const struct page_states *states, size_t start, size_t size)
{
    const struct views *views = states->views;
    const struct os *os = views->os;
    while (size != 0) {
        size_t done = 0;
        int status = os->faults_continue(os, states->faults, views_mutator(views, start), size, &done);
        start += done;
        size -= done;
        switch (status) {
        case 0:
        case -EAGAIN: /* the kernel was changing the address space: the rest again */
            break;
        case -EEXIST:
            /* The page has an entry, so CONTINUE woke nobody: a thread that saw no entry a moment ago may
             * be asleep on it. */
            status = os->faults_wake(os, states->faults, views_mutator(views, start), views->page_size);
            if (status != 0 && status != -ENOENT)
                return status;
            start += views->page_size;
            size -= views->page_size;
            break;
        case -EFAULT:
            /* A hole in the file: reading it through the alias gives it memory. */
            (void)atomic_u8_load((const atomic_u8 *)views_alias(views, start));
            break;
        case -ENOENT:
            /* Compaction has ended meanwhile: the view shows all pages by itself. */
            return 0;
        case -ENOMEM: /* no memory for a page table: nothing to do but ask again */
            sched_yield();
            break;
        default:
            return status;
        }
    }
    return 0;
}

int page_publish(struct page_states *states, page_number first, page_number count)
{
    unsigned shift = states->views->page_shift;
    int status = 0;
    if (states->faults >= 0)
        status = map_pages(states, (size_t)first << shift, (size_t)count << shift);
    /* Even if that failed: the pages are up to date, so whoever touches one may have it, at the next attempt or
     * when the view is no longer registered; and the compaction can end and say what happened. */
    uint8_t value = mapped(states);
    for (page_number page = first; page < first + count; page++)
        atomic_u8_store_release(&states->bytes[page], value);
    return status;
}

int page_wake(struct page_states *states, page_number page)
{
    if (states->faults < 0)
        return 0;
    return map_pages(states, (size_t)page << states->views->page_shift, states->views->page_size);
}

void page_wait(struct page_states *states, page_number page)
{
    for (unsigned spins = 0; !page_is_mapped(states, page); spins++) {
        /* The builder may need this core. */
        if (spins % 64 == 63)
            sched_yield();
        else
            atomic_pause();
    }
}

void page_release_rest(struct page_states *states, page_number first, page_number count)
{
    uint8_t value = mapped(states);
    for (page_number page = first; page < first + count;) {
        /* Acquire, of each page by itself: whoever built it has finished reading the plan and the evacuated
         * regions, which may now be given up. */
        uint8_t before = atomic_u8_load_acquire(&states->bytes[page]);
        if (before == value)
            page++;
        else if (before == building(states))
            page_wait(states, page);
        else if (atomic_u8_cas_acquire(&states->bytes[page], before, value))
            page++;
    }
}
