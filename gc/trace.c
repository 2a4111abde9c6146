#include "gc/trace_parts.h"

#include "gc/shade.h"
#include "heap/live_bits.h"
#include "heap/object.h"

#include <string.h>

/* With this many objects in hand a tracer gives some to one that is idle. */
enum { SHARE_FROM = 64 };

int tracer_create(struct tracer *tracer, struct memory *memory, struct work *work, struct weak *weak)
{
    *tracer = (struct tracer){.memory = memory,
                              .work = work,
                              .weak = weak,
                              .size = memory->views.regions,
                              .end = memory->views.size,
                              .weak_list = LINK_END};
    tracer->base = (uintptr_t)views_mutator(&memory->views, 0);
    tracer->table.size = memory->regions.count * sizeof *tracer->tally;
    int status = memory->os->map_table(memory->os, tracer->table.size, &tracer->table.start);
    if (status != 0)
        tracer->table.size = 0;
    tracer->tally = tracer->table.start;
    return status;
}

void tracer_destroy(struct tracer *tracer)
{
    if (tracer->table.size != 0)
        tracer->memory->os->unmap(tracer->memory->os, tracer->table.start, tracer->table.size);
}

void trace_begin(struct tracer *tracer)
{
    tracer->objects = 0;
    tracer->bytes = 0;
}

void trace_end(struct tracer *tracer)
{
    struct region_table *regions = &tracer->memory->regions;
    for (region_number r = 0, touched = region_touched(regions); r < touched; r++) {
        if (tracer->tally[r].bytes == 0)
            continue;
        region_add_live(regions, r, tracer->tally[r].bytes, tracer->tally[r].largest);
        tracer->tally[r] = (struct region_tally){.bytes = 0};
    }
}

/* ---- objects in hand ------------------------------------------------------------------------------- */

/* Passes on the objects that were found first, which are likely to lead to most. Without a packet for them, their
 * regions are noted. */
static void pass_on(struct tracer *tracer)
{
    unsigned count = tracer->stack_count / 2 < PACKET_ENTRIES ? tracer->stack_count / 2 : PACKET_ENTRIES;
    struct packet *packet = packet_take_free(&tracer->work->pool);
    if (packet != NULL) {
        memcpy(packet->entries, tracer->stack, count * sizeof *tracer->stack);
        packet->count = (uint16_t)count;
        work_offer(tracer->work, packet);
    } else {
        for (unsigned i = 0; i < count; i++)
            shade_in_place(tracer->work, tracer->memory, tracer->stack[i]);
    }
    tracer->stack_count -= count;
    memmove(tracer->stack, tracer->stack + count, tracer->stack_count * sizeof *tracer->stack);
}

static inline void push(struct tracer *tracer, granule_number granule)
{
    if (__builtin_expect(tracer->stack_count == TRACE_STACK, 0))
        pass_on(tracer);
    tracer->stack[tracer->stack_count++] = granule;
}

void trace_look_at(void *tracer, granule_number granule)
{
    push(tracer, granule);
}

/* Counts an object that was marked. */
static inline void count_object(struct tracer *tracer, granule_number granule, uint32_t size)
{
    size_t offset = granule_start(granule);
    struct region_tally *tally = &tracer->tally[region_of(offset)];
    tally->bytes += size;
    if (size > tally->largest)
        tally->largest = size;
    tracer->objects++;
    tracer->bytes += size;
    if (__builtin_expect(weak_any_waiting(tracer->weak), 0))
        weak_key_marked(tracer->weak, offset, trace_look_at, tracer);
}

/* Counts what was marked before, whose headers have arrived. */
static inline void count_marked(struct tracer *tracer)
{
    unsigned count = tracer->marked_count;
    tracer->marked_count = 0;
    for (unsigned i = 0; i < count; i++) {
        granule_number granule = tracer->marked[i];
        uint64_t header = memory_header(tracer->memory, granule_start(granule));
        const struct type *type = memory_type(tracer->memory, header);
        if (type->shape != SHAPE_POINTER_FREE)
            push(tracer, granule);
        count_object(tracer, granule, (uint32_t)object_size(type, header));
    }
}

/* ---- references ------------------------------------------------------------------------------------ */

/* Marks what was reached, as far as it is not marked already, as most of it is. Setting a bit orders memory, so that no two
 * loads on different sides of it overlap; hence first all bits, and then memory is asked for all the headers at once, to
 * be looked at when the next batch is full. */
static __attribute__((noinline)) void mark_reached(struct tracer *tracer)
{
    struct memory *memory = tracer->memory;
    unsigned reached = tracer->reached_count;
    tracer->reached_count = 0;
    count_marked(tracer);
    unsigned marked = 0;
    for (unsigned i = 0; i < reached; i++) {
        granule_number granule = tracer->reached[i];
        if (!memory_is_live(memory, granule_start(granule)) && bits_set_shared(memory->live_bits, granule))
            tracer->marked[marked++] = granule;
    }
    tracer->marked_count = marked;
    for (unsigned i = 0; i < marked; i++) {
        size_t offset = granule_start(tracer->marked[i]);
        __builtin_prefetch(views_alias(&memory->views, offset) - HEADER_SIZE);
        __builtin_prefetch(&memory->leads.pages[memory_page(memory, offset)]);
    }
}

static inline void reach_granule(struct tracer *tracer, granule_number granule)
{
    __builtin_prefetch(&tracer->memory->live_bits[granule >> 6]);
    tracer->reached[tracer->reached_count++] = granule;
    if (tracer->reached_count == TRACE_BATCH)
        mark_reached(tracer);
}

/* Fixed objects are never evacuated, so they are no leads. */
static __attribute__((noinline)) void reach_elsewhere(struct tracer *tracer, size_t offset)
{
    uint64_t bytes;
    if (!shade_fixed(tracer->work, tracer->memory, offset, &bytes))
        return;
    tracer->objects++;
    tracer->bytes += bytes;
    if (weak_any_waiting(tracer->weak))
        weak_key_marked(tracer->weak, offset, trace_look_at, tracer);
}

static inline void reach(struct tracer *tracer, uint64_t address)
{
    size_t offset = address - tracer->base;
    if (offset >= tracer->size) {
        if (__builtin_expect(offset < tracer->end, 0))
            reach_elsewhere(tracer, offset);
        return;
    }
    if (region_of(offset) != tracer->region && tracer->leads != LEADS_ANYWHERE)
        tracer->leads = leads_with(tracer->leads, leads_name(&tracer->memory->leads, region_of(offset)));
    reach_granule(tracer, granule_of(offset));
}

static inline __attribute__((always_inline)) void reach_slots(void *context, uint64_t *slots, size_t count,
                                                              bool value)
{
    struct tracer *tracer = context;
    const shale_encoding *encoding = &tracer->memory->encoding;
    for (size_t i = 0; i < count; i++) {
        uint64_t word = atomic_u64_load_dependent((const atomic_u64 *)&slots[i]);
        if (!value)
            reach(tracer, word);
        else if (value_is_reference(encoding, word))
            reach(tracer, value_address(encoding, word));
    }
}

/* [clean] What a slot that is not reached leads to. */
static void note(struct tracer *tracer, const atomic_u64 *slot)
{
    struct memory *memory = tracer->memory;
    if (!memory->leads.wanted)
        return;
    size_t target = views_offset(&memory->views, atomic_u64_load(slot));
    size_t at = (size_t)((const char *)slot - memory->views.alias);
    if (target < tracer->size && region_of(target) != region_of(at))
        leads_add(&memory->leads, memory_page(memory, at), leads_name(&memory->leads, region_of(target)));
}

/* [weak] Looks at the first slots of an object of which not all are like others; returns from where on they are. What these
 * lead to is noted like that of others, since their page must be built when it moves [clean]. */
static __attribute__((noinline)) size_t look_at_first(struct tracer *tracer, enum type_strength strength,
                                                      granule_number granule)
{
    const struct weak_object *weak =
        (const struct weak_object *)views_alias(&tracer->memory->views, granule_start(granule));
    if (strength == STRENGTH_WEAK) {
        note(tracer, &weak->referent);
        weak_look(tracer->weak, &tracer->weak_list, granule);
        return WEAK_STRONG_FROM;
    }
    const struct ephemeron_object *ephemeron = (const struct ephemeron_object *)weak;
    note(tracer, &ephemeron->key);
    note(tracer, &ephemeron->value);
    if (ephemeron_look(tracer->weak, granule))
        reach(tracer, atomic_u64_load_dependent(&ephemeron->value));
    return EPHEMERON_STRONG_FROM;
}

/* Looks at the slots of one page. */
static inline __attribute__((always_inline)) void look_at_slots(struct tracer *tracer, size_t offset,
                                                                uint64_t header, const struct type *type,
                                                                page_number page, size_t from, size_t to)
{
    struct memory *memory = tracer->memory;
    char *object = views_alias(&memory->views, offset);
    uint64_t before = memory->leads.wanted ? atomic_u64_load(&memory->leads.pages[page]) : LEADS_ANYWHERE;
    tracer->region = region_of(offset);
    tracer->leads = before;
    object_visit_slots(type, header, object, object, from, to, reach_slots, tracer);
    if (tracer->leads != before)
        leads_grow(&memory->leads, page, before, tracer->leads);
}

void trace_page(struct tracer *tracer, size_t offset, uint64_t header, page_number page, size_t from,
                size_t to)
{
    look_at_slots(tracer, offset, header, memory_type(tracer->memory, header), page, from, to);
}

/* Of an object that lies on several pages. */
static __attribute__((noinline)) void look_at_pages(struct tracer *tracer, size_t offset, uint64_t header,
                                                    page_number last, size_t from)
{
    struct memory *memory = tracer->memory;
    for (page_number page = memory_page(memory, offset); page <= last; page++) {
        size_t to = ((size_t)(page + 1) << memory->views.page_shift) - offset;
        trace_page(tracer, offset, header, page, from < to ? from : to, to);
        from = from < to ? to : from;
    }
}

static inline void look_at_object(struct tracer *tracer, granule_number granule, uint64_t header,
                                  const struct type *type, size_t size)
{
    const struct memory *memory = tracer->memory;
    size_t offset = granule_start(granule);
    size_t from = 0;
    if (__builtin_expect(type->strength != STRENGTH_STRONG, 0))
        from = look_at_first(tracer, type->strength, granule);
    size_t end = offset - HEADER_SIZE + size;
    page_number page = memory_page(memory, offset);
    if (memory_page(memory, end - 1) != page)
        look_at_pages(tracer, offset, header, memory_page(memory, end - 1), from);
    else if (from != 0)
        trace_page(tracer, offset, header, page, from, SIZE_MAX);
    else
        look_at_slots(tracer, offset, header, type, page, 0, SIZE_MAX);
}

void trace_object(struct tracer *tracer, granule_number granule)
{
    uint64_t header = memory_header(tracer->memory, granule_start(granule));
    const struct type *type = memory_type(tracer->memory, header);
    look_at_object(tracer, granule, header, type, object_size(type, header));
}

/* The part of a large object that lies in a slice. What a visitor shows is not known page by page. */
static void look_at_slice(struct tracer *tracer, const struct slice *slice)
{
    struct memory *memory = tracer->memory;
    page_number page = memory_page(memory, slice->object + slice->from);
    page_number end = memory_page(memory, slice->object + slice->to - 1) + 1;
    if (memory_type(memory, slice->header)->shape == SHAPE_CUSTOM) {
        trace_page(tracer, slice->object, slice->header, page, 0, SIZE_MAX);
        for (; page < end; page++)
            leads_grow(&memory->leads, page, 0, LEADS_ANYWHERE);
        return;
    }
    for (size_t from = slice->from; page < end; page++) {
        size_t to = ((size_t)(page + 1) << memory->views.page_shift) - slice->object;
        to = to < slice->to ? to : slice->to;
        trace_page(tracer, slice->object, slice->header, page, from, to);
        from = to;
    }
}

/* ---- the loop -------------------------------------------------------------------------------------- */

/* A reference is all that is in hand, as where a list is followed: there is nothing to do while its object is on its way into
 * the cache, so what it takes to put that off is saved. */
static __attribute__((noinline)) void follow(struct tracer *tracer)
{
    struct memory *memory = tracer->memory;
    do {
        granule_number granule = tracer->reached[0];
        tracer->reached_count = 0;
        /* Setting the bit would hold back the header's load. */
        __builtin_prefetch(views_alias(&memory->views, granule_start(granule)) - HEADER_SIZE);
        if (memory_is_live(memory, granule_start(granule)) || !bits_set_shared(memory->live_bits, granule))
            return;
        uint64_t header = memory_header(memory, granule_start(granule));
        const struct type *type = memory_type(memory, header);
        size_t size = object_size(type, header);
        count_object(tracer, granule, (uint32_t)size);
        look_at_object(tracer, granule, header, type, size);
    } while (tracer->reached_count == 1 && tracer->marked_count == 0 && tracer->stack_count == 0);
}

void trace_drain(struct tracer *tracer)
{
    for (;;) {
        if (tracer->stack_count != 0)
            trace_object(tracer, tracer->stack[--tracer->stack_count]);
        else if (tracer->reached_count == 1 && tracer->marked_count == 0)
            follow(tracer);
        else if (tracer->reached_count != 0)
            mark_reached(tracer);
        else if (tracer->marked_count != 0)
            count_marked(tracer);
        else
            return;
        if (tracer->stack_count >= SHARE_FROM && work_is_wanted(tracer->work))
            pass_on(tracer);
    }
}

static void unpack(struct tracer *tracer, struct packet *packet)
{
    if (packet->shaded) {
        for (unsigned i = 0; i < packet->count; i++)
            reach_granule(tracer, packet->entries[i]);
    } else {
        memcpy(tracer->stack, packet->entries, packet->count * sizeof *packet->entries);
        tracer->stack_count = packet->count;
    }
    packet_give_free(&tracer->work->pool, packet);
}

void trace(struct tracer *tracer)
{
    trace_drain(tracer); /* what a rescan found */
    for (;;) {
        struct packet *packet = work_take(tracer->work);
        struct slice slice;
        if (packet != NULL)
            unpack(tracer, packet);
        else if (slices_take(&tracer->work->slices, tracer->memory, &slice))
            look_at_slice(tracer, &slice);
        else if (work_is_over(tracer->work))
            return;
        trace_drain(tracer);
    }
}
