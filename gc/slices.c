#include "gc/slices.h"

/* Bytes of a slice: enough to be worth the lock, few enough that its references fit into some packets. */
#define SLICE_SIZE ((size_t)64 << 10)

void slices_init(struct slices *slices)
{
    *slices = (struct slices){.first = RUN_NONE};
    pthread_mutex_init(&slices->lock, NULL);
}

void slices_destroy(struct slices *slices)
{
    pthread_mutex_destroy(&slices->lock);
}

void slices_add(struct slices *slices, struct memory *memory, size_t offset)
{
    struct fixed *fixed = &memory->fixed;
    page_number run = fixed_page(fixed, &fixed->large, offset);
    pthread_mutex_lock(&slices->lock);
    *page_runs_link(&fixed->large, run) = slices->first;
    slices->first = run;
    atomic_u32_store_full(&slices->waiting, 1);
    pthread_mutex_unlock(&slices->lock);
}

/* The lock is held. */
static void begin_object(struct slices *slices, struct memory *memory)
{
    struct fixed *fixed = &memory->fixed;
    size_t object = fixed_page_start(fixed, &fixed->large, slices->first) + FIXED_FIRST_OBJECT;
    uint64_t header = memory_header(memory, object);
    slices->first = *page_runs_link(&fixed->large, slices->first);
    slices->next = (struct slice){.object = object, .header = header};
    slices->end = object_payload(memory_type(memory, header), header, views_alias(&memory->views, object));
}

bool slices_take(struct slices *slices, struct memory *memory, struct slice *slice)
{
    pthread_mutex_lock(&slices->lock);
    if (slices->next.object == 0 && slices->first != RUN_NONE)
        begin_object(slices, memory);
    bool any = slices->next.object != 0;
    if (any) {
        *slice = slices->next;
        /* Slices end with pages. A visitor shows all slots each time: it is asked once. */
        size_t to = round_up(slice->object + slice->from + 1, SLICE_SIZE) - slice->object;
        bool custom = memory_type(memory, slice->header)->shape == SHAPE_CUSTOM;
        slice->to = custom || to > slices->end ? slices->end : to;
        slices->next.from = slice->to;
        if (slice->to == slices->end)
            slices->next.object = 0;
    }
    atomic_u32_store_full(&slices->waiting, slices->next.object != 0 || slices->first != RUN_NONE);
    pthread_mutex_unlock(&slices->lock);
    return any;
}

void slices_drop(struct slices *slices)
{
    slices->first = RUN_NONE;
    slices->next.object = 0;
    atomic_u32_store(&slices->waiting, 0);
}
