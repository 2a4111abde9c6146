#include "heap/large.h"

#include "heap/announce.h"

#include <string.h>

/* Bytes of a new object that are mapped before the program writes to them: few enough that nobody waits for it long. */
#define MAPPED_AT_ONCE ((size_t)1 << 20)

uint64_t large_run_size(const struct memory *memory, uint64_t payload)
{
    return round_up(FIXED_FIRST_OBJECT + payload, memory->views.page_size);
}

struct large_run large_take(struct memory *memory, const struct large_request *request, uint32_t reserve)
{
    struct fixed *fixed = &memory->fixed;
    bool pointer_free = request->type->shape == SHAPE_POINTER_FREE;
    struct large_run run = {.size = large_run_size(memory, request->payload)};
    run.start = fixed_take(fixed, pointer_free ? &fixed->data : &fixed->large,
                           (page_number)(run.size >> memory->views.page_shift), reserve, &run.was);
    if (run.start != OFFSET_NONE && run.was == RUN_DIRTY)
        memset(views_alias(&memory->views, run.start), 0, run.size);
    return run;
}

/* Marking will not look at it, so no page of it is clean. */
static void note_birth(struct memory *memory, const struct large_run *run, size_t offset)
{
    page_number end = memory_page(memory, run->start + run->size);
    for (page_number page = memory_page(memory, run->start); page < end && run->start < memory->views.flipped;
         page++)
        atomic_u8_store(&memory->leads.stored[page], 1);
    fixed_mark(&memory->fixed, offset);
}

uintptr_t large_complete(struct memory *memory, const struct large_request *request,
                         const struct large_run *run, bool born)
{
    const struct views *views = &memory->views;
    size_t offset = run->start + FIXED_FIRST_OBJECT;
    if (page_states_active(&memory->pages) && run->start < views->flipped)
        memory_publish_fresh(memory, run->start,
                             run->was != RUN_HOLE ? run->start + run->size : run->start + views->page_size);
    else if (run->was != RUN_HOLE && run->start < views->flipped)
        memory_map_around(memory, run->start,
                          run->start + (run->size < MAPPED_AT_ONCE ? run->size : MAPPED_AT_ONCE));
    uint64_t *object = (uint64_t *)views_mutator(views, offset);
    if (memory->announce)
        announce_object(object - 2, run->size);
    bool elsewhere = request->length >= LENGTH_ELSEWHERE;
    if (elsewhere)
        object[-2] = request->length;
    atomic_u64_store_release((atomic_u64 *)&object[-1],
                             request->type->api.header |
                                 (elsewhere ? LENGTH_ELSEWHERE : (uint64_t)request->length) << 32);
    if (born)
        note_birth(memory, run, offset);
    struct page_runs *runs = fixed_runs(&memory->fixed, offset);
    atomic_u64_fetch_add(&memory->fixed.large_objects, 1);
    page_runs_set_state(runs, fixed_page(&memory->fixed, runs, offset), RUN_OBJECT);
    atomic_u64_fetch_add(&memory->bytes_allocated, run->size);
    return (uintptr_t)object;
}

void large_free(struct memory *memory, size_t offset)
{
    size_t start = offset - FIXED_FIRST_OBJECT;
    if (memory->announce)
        announce_free(views_mutator(&memory->views, start), large_size(memory, offset));
    if (memory->poison) /* the rest tells less than it costs */
        memset(views_alias(&memory->views, start), MEMORY_POISON, memory->views.page_size);
    atomic_u64_fetch_add(&memory->fixed.large_objects, (uint64_t)-1);
    fixed_free(&memory->fixed, start);
}
