#include "gc/events.h"

#include <string.h>

enum { STATE_WRITING = 1, STATE_WHOLE = 2, STATE_TAKEN = 3, STATE_MASK = 3 };

enum { ATTEMPTS = 16 };

/* Places for threads, and how many of them a thread is looked for in. */
enum { THREADS = 1024, THREAD_PLACES = 32 };

static size_t threads_size(void)
{
    return THREADS * sizeof(atomic_u64);
}

static size_t slots_size(const struct events *events)
{
    return (size_t)(events->mask + 1) * sizeof(struct event_slot);
}

int events_create(struct events *events, const struct os *os, uint32_t count)
{
    *events = (struct events){.os = os};
    if (count == 0)
        return 0;
    uint64_t slots = 1;
    while (slots < count)
        slots *= 2;
    events->mask = slots - 1;
    void *start;
    int status = os->map_table(os, threads_size(), &start);
    if (status != 0)
        return status;
    events->threads = start;
    status = os->map_table(os, slots_size(events), &start);
    if (status != 0) {
        os->unmap(os, events->threads, threads_size());
        return status;
    }
    events->slots = start;
    /* Ticket 0 would begin at state 0, which is what a slot is that was never used. */
    atomic_u64_store(&events->next, slots);
    atomic_u64_store(&events->taken, slots);
    return 0;
}

void events_destroy(struct events *events)
{
    if (events->slots == NULL)
        return;
    events->os->unmap(events->os, events->slots, slots_size(events));
    events->os->unmap(events->os, events->threads, threads_size());
    events->slots = NULL;
}

/* ---- writing --------------------------------------------------------------------------------------- */

/* False: another ticket is needed. */
static bool claim(struct events *events, uint64_t ticket)
{
    atomic_u64 *state = &events->slots[ticket & events->mask].state;
    uint64_t found = atomic_u64_load(state);
    if ((found & STATE_MASK) == STATE_WRITING || found >= 4 * ticket)
        return false;
    if (!atomic_u64_cas_full(state, found, 4 * ticket + STATE_WRITING))
        return false;
    if ((found & STATE_MASK) == STATE_WHOLE)
        atomic_u64_fetch_add(&events->lost, 1);
    return true;
}

static void write_words(struct event_slot *slot, const shale_event *event, uint64_t cycle)
{
    const uint64_t words[EVENT_WORDS] = {
        event->kind | (uint64_t)event->detail << 32 | (uint64_t)event->reason << 48,
        event->mutator,
        cycle,
        event->begin,
        event->end,
        event->values[0],
        event->values[1],
    };
    atomic_fence_full(); /* after WRITING */
    for (int i = 0; i < EVENT_WORDS; i++)
        atomic_u64_store(&slot->words[i], words[i]);
}

void events_write(struct events *events, const shale_event *event)
{
    if (!events_on(events)) /* NULL, or none are kept */
        return;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint64_t ticket = atomic_u64_fetch_add(&events->next, 1);
        if (!claim(events, ticket))
            continue;
        struct event_slot *slot = &events->slots[ticket & events->mask];
        write_words(slot, event, atomic_u64_load(&events->cycle));
        atomic_u64_store_release(&slot->state, 4 * ticket + STATE_WHOLE);
        return;
    }
    atomic_u64_fetch_add(&events->lost, 1);
}

void events_span(struct events *events, shale_event_kind kind, uint64_t mutator, uint64_t begin, uint64_t end)
{
    events_write(events, &(shale_event){.kind = kind, .mutator = mutator, .begin = begin, .end = end});
}

/* ---- taking ---------------------------------------------------------------------------------------- */

static void copy_words(const struct event_slot *slot, shale_event *event)
{
    uint64_t words[EVENT_WORDS];
    for (int i = 0; i < EVENT_WORDS; i++)
        words[i] = atomic_u64_load(&slot->words[i]);
    atomic_fence_full(); /* before TAKEN */
    *event = (shale_event){
        .kind = (uint32_t)words[0],
        .detail = (uint16_t)(words[0] >> 32),
        .reason = (uint16_t)(words[0] >> 48),
        .mutator = words[1],
        .cycle = words[2],
        .begin = words[3],
        .end = words[4],
        .values = {words[5], words[6]},
    };
}

enum look { LOOK_TAKEN, LOOK_NOTHING, LOOK_UNFINISHED };

static enum look look(struct events *events, uint64_t ticket, shale_event *event)
{
    struct event_slot *slot = &events->slots[ticket & events->mask];
    for (;;) {
        uint64_t found = atomic_u64_load_acquire(&slot->state);
        if (found >= 4 * ticket + STATE_TAKEN)
            return LOOK_NOTHING;
        if ((found & STATE_MASK) == STATE_WRITING)
            return LOOK_UNFINISHED;
        bool whole = found == 4 * ticket + STATE_WHOLE;
        if (whole)
            copy_words(slot, event);
        /* If that fails somebody else got on: a writer, or another taker. */
        if (!atomic_u64_cas_full(&slot->state, found, 4 * ticket + STATE_TAKEN))
            continue;
        if (whole)
            return LOOK_TAKEN;
        if ((found & STATE_MASK) == STATE_WHOLE)
            atomic_u64_fetch_add(&events->lost, 1);
        return LOOK_NOTHING;
    }
}

/* Several may be at it: the hint goes forward only. */
static void advance(struct events *events, uint64_t ticket)
{
    uint64_t taken = atomic_u64_load(&events->taken);
    while (taken < ticket && !atomic_u64_cas_full(&events->taken, taken, ticket))
        taken = atomic_u64_load(&events->taken);
}

static uint64_t newly_lost(struct events *events)
{
    for (;;) {
        uint64_t reported = atomic_u64_load(&events->reported);
        uint64_t lost = atomic_u64_load_acquire(&events->lost);
        if (atomic_u64_cas_full(&events->reported, reported, lost))
            return lost - reported;
    }
}

size_t events_take(struct events *events, shale_event *taken, size_t count, uint64_t *lost)
{
    size_t got = 0;
    if (events_on(events)) {
        uint64_t ticket = atomic_u64_load(&events->taken);
        uint64_t next = atomic_u64_load_acquire(&events->next);
        if (next - ticket > events->mask + 1 && next > ticket)
            ticket = next - (events->mask + 1);
        for (; ticket < next && got < count; ticket++) {
            enum look found = look(events, ticket, &taken[got]);
            if (found == LOOK_UNFINISHED)
                break;
            got += found == LOOK_TAKEN;
        }
        advance(events, ticket);
    }
    if (lost != NULL)
        *lost = newly_lost(events);
    return got;
}

/* ---- which thread is which mutator ----------------------------------------------------------------- */

static atomic_u64 *place(const struct events *events, int thread, unsigned number)
{
    return &events->threads[((uint32_t)thread * UINT32_C(2654435769) / 4096 + number) % THREADS];
}

void events_add_thread(struct events *events, int thread, uint64_t mutator)
{
    if (!events_on(events))
        return;
    for (unsigned i = 0; i < THREAD_PLACES; i++) {
        atomic_u64 *word = place(events, thread, i);
        if (atomic_u64_load(word) == 0) {
            atomic_u64_store(word, mutator << 32 | (uint32_t)thread);
            return;
        }
    }
}

void events_remove_thread(struct events *events, int thread, uint64_t mutator)
{
    if (!events_on(events))
        return;
    for (unsigned i = 0; i < THREAD_PLACES; i++) {
        atomic_u64 *word = place(events, thread, i);
        if (atomic_u64_load(word) == (mutator << 32 | (uint32_t)thread))
            atomic_u64_store(word, 0);
    }
}

uint64_t events_mutator_of(const struct events *events, int thread)
{
    for (unsigned i = 0; i < THREAD_PLACES; i++) {
        uint64_t word = atomic_u64_load(place(events, thread, i));
        if ((uint32_t)word == (uint32_t)thread && word != 0)
            return word >> 32;
    }
    return 0;
}
