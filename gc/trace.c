#include "gc/shade.h"
#include "gc/trace_parts.h"
#include "heap/object.h"

#include <string.h>

/* With this many references in hand a tracer gives some to one that is idle. */
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
    tracer->differing = ((size_t)2 << (63 - __builtin_clzl(tracer->end))) - REGION_SIZE;
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
        struct region_tally *tally = &tracer->tally[r];
        if (tally->largest == 0 && tally->bytes == 0)
            continue;
        region_add_live(regions, r, tally->bytes, tally->largest);
        tracer->bytes += (uint64_t)(int32_t)tally->bytes;
        *tally = (struct region_tally){.bytes = 0};
    }
}

/* ---- live bits ------------------------------------------------------------------------------------- */

/* Objects that another tracer marked as well, or somebody in place, and was first. */
static __attribute__((noinline)) void count_off(struct tracer *tracer, size_t word, uint64_t bits)
{
    for (; bits != 0; bits &= bits - 1) {
        size_t offset = granule_start((granule_number)(word * 64 + (unsigned)__builtin_ctzl(bits)));
        tracer->tally[region_of(offset)].bytes -= (uint32_t)memory_object_size(tracer->memory, offset);
        tracer->objects--;
    }
}

static __attribute__((noinline)) void look_for_keys(struct tracer *tracer, size_t word, uint64_t bits)
{
    for (; bits != 0; bits &= bits - 1)
        weak_key_marked(tracer->weak, (word * 64 + (unsigned)__builtin_ctzl(bits)) << GRANULE_SHIFT,
                        trace_look_at, tracer);
}

/* [held] All at once: between two locked instructions no memory is asked for. */
static __attribute__((noinline)) void write_held(struct tracer *tracer)
{
    struct held_bits *held = &tracer->held;
    for (unsigned i = 0; i < held->count; i++) {
        unsigned place = held->used[i];
        size_t word = held->words[place];
        uint64_t bits = held->bits[place];
        uint64_t twice = bits_add_shared(tracer->memory->live_bits, word, bits);
        held->bits[place] = 0;
        if (__builtin_expect(twice != 0, 0))
            count_off(tracer, word, twice);
        if (__builtin_expect(weak_any_waiting(tracer->weak), 0))
            look_for_keys(tracer, word, bits);
    }
    held->count = 0;
}

/* Marks what was reached, as far as it is not marked already, as most of it is. Which are is not guessed, since in most
 * graphs that is often wrong. */
static inline void mark_batch(struct tracer *tracer, const granule_number *reached, unsigned count)
{
    const struct region_table *regions = &tracer->memory->regions;
    const uint64_t *live_bits = tracer->memory->live_bits;
    struct held_bits *held = &tracer->held;
    granule_number *top = tracer->stack + tracer->stack_count;
    unsigned unmarked = 0;
    for (unsigned i = 0; i < count; i++) {
        granule_number granule = reached[i];
        top[unmarked] = granule;
        unmarked += !bits_test_shared(live_bits, granule);
    }
    unsigned marked = 0;
    for (unsigned i = 0; i < unmarked; i++) {
        granule_number granule = top[i];
        if (region_born_at(regions, granule_start(granule)))
            continue;
        enum held_outcome outcome = held_take(held, granule);
        if (outcome == HELD_FULL) {
            write_held(tracer);
            outcome = held_take(held, granule);
        }
        top[marked] = granule;
        marked += outcome == HELD_TAKEN;
    }
    tracer->stack_count += marked;
}

/* ---- objects in hand ------------------------------------------------------------------------------- */

static inline void count_object(struct tracer *tracer, size_t offset, uint32_t size)
{
    struct region_tally *tally = &tracer->tally[region_of(offset)];
    tally->bytes += size;
    if (size > tally->largest)
        tally->largest = size;
}

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
        tracer->objects += count;
        for (unsigned i = 0; i < count; i++) {
            size_t offset = granule_start(tracer->stack[i]);
            count_object(tracer, offset, (uint32_t)memory_object_size(tracer->memory, offset));
            shade_note(tracer->work, tracer->memory, tracer->stack[i]);
        }
    }
    tracer->stack_count -= count;
    memmove(tracer->stack, tracer->stack + count, tracer->stack_count * sizeof *tracer->stack);
}

__attribute__((noinline)) void trace_mark_reached(struct tracer *tracer)
{
    if (tracer->stack_count > TRACE_STACK - TRACE_REACHED)
        pass_on(tracer);
    unsigned count = tracer->reached_count;
    tracer->reached_count = 0;
    mark_batch(tracer, tracer->reached, count);
}

/* Without room its region is noted: it is marked. */
void trace_look_at(void *argument, granule_number granule)
{
    struct tracer *tracer = argument;
    if (tracer->again_count < TRACE_AGAIN)
        tracer->again[tracer->again_count++] = granule;
    else
        shade_note(tracer->work, tracer->memory, granule);
}

/* Fixed objects are never evacuated, so they are no leads. */
__attribute__((noinline)) void trace_reach_elsewhere(struct tracer *tracer, size_t offset)
{
    uint64_t bytes;
    if (!shade_fixed(tracer->work, tracer->memory, offset, &bytes))
        return;
    tracer->objects++;
    tracer->bytes += bytes;
    if (weak_any_waiting(tracer->weak))
        weak_key_marked(tracer->weak, offset, trace_look_at, tracer);
}

/* ---- the loop -------------------------------------------------------------------------------------- */

/* A reference from the object at `offset` leads out of its region. [clean] */
static inline void reach_beyond(struct tracer *tracer, size_t offset, size_t target)
{
    struct leads *leads = &tracer->memory->leads;
    if (target >= tracer->size) {
        if (target < tracer->end)
            trace_reach_elsewhere(tracer, target);
    } else if (leads->wanted) {
        leads_add(leads, memory_page(tracer->memory, offset), leads_name(leads, region_of(target)));
    }
}

/* trace_object for most objects: they lie on one page, and hold pointers at fixed places, for which there is room. A
 * word is taken for one before it is known whether it is a reference into the region space, since
 * guessing that is often wrong. */
static inline void look_at_pointers(struct tracer *tracer, size_t offset, const struct type *type)
{
    const char *object = views_alias(&tracer->memory->views, offset);
    const uintptr_t base = tracer->base;
    const size_t size = tracer->size;
    const size_t differing = tracer->differing;
    const uint32_t *offsets = type->pointers.offsets;
    unsigned reached = tracer->reached_count;
    for (const uint32_t *end = offsets + type->plain_slots; offsets < end; offsets++) {
        size_t target = atomic_u64_load_dependent((const atomic_u64 *)(object + *offsets)) - base;
        tracer->reached[reached] = granule_of(target);
        reached += target < size;
        /* Of what lies outside the heap the difference is large. */
        if (__builtin_expect((target ^ offset) - REGION_SIZE < differing, 0))
            reach_beyond(tracer, offset, target);
    }
    tracer->reached_count = reached;
}

static inline void look_at_marked(struct tracer *tracer, granule_number granule)
{
    const struct memory *memory = tracer->memory;
    size_t offset = granule_start(granule);
    uint64_t header = memory_header(memory, offset);
    const struct type *type = memory_type(memory, header);
    size_t size = object_size(type, header);
    count_object(tracer, offset, (uint32_t)size);
    /* One entry more, for what turns out to be no reference. */
    if (__builtin_expect(type->plain_slots < TRACE_REACHED - tracer->reached_count, 1) &&
        __builtin_expect((offset ^ (offset + size - HEADER_SIZE - 1)) < memory->views.page_size, 1))
        look_at_pointers(tracer, offset, type);
    else if (type->shape != SHAPE_POINTER_FREE)
        trace_object(tracer, granule);
}

/* At the first of those that memory was asked for. */
static void look_ahead(struct tracer *tracer, unsigned count)
{
    tracer->objects += count;
    for (unsigned i = 0; i < count; i++)
        look_at_marked(tracer, tracer->ahead[i]);
    tracer->ahead_count -= count;
    memmove(tracer->ahead, tracer->ahead + count, tracer->ahead_count * sizeof *tracer->ahead);
}

/* Most objects' slots come before so many bytes from the header. */
enum { MOST_SLOTS = 48 };

/* Takes objects from the stack and asks for their headers. */
static inline void ask_ahead(struct tracer *tracer)
{
    const char *headers = views_alias(&tracer->memory->views, 0) - HEADER_SIZE;
    granule_number *ahead = tracer->ahead + tracer->ahead_count;
    unsigned count = tracer->stack_count < TRACE_BATCH ? tracer->stack_count : TRACE_BATCH;
    const granule_number *top = tracer->stack + tracer->stack_count;
    for (unsigned i = 0; i < count; i++) {
        granule_number granule = *--top;
        ahead[i] = granule;
        __builtin_prefetch(headers + granule_start(granule));
        __builtin_prefetch(headers + granule_start(granule) + MOST_SLOTS);
        __builtin_prefetch(&tracer->memory->leads.pages[memory_page(tracer->memory, granule_start(granule))]);
    }
    tracer->stack_count -= count;
    tracer->ahead_count += count;
}

void trace_drain(struct tracer *tracer)
{
    for (;;) {
        if (tracer->reached_count != 0)
            trace_mark_reached(tracer);
        unsigned asked = tracer->ahead_count;
        ask_ahead(tracer);
        if (asked == 0 && tracer->stack_count != 0)
            continue;
        /* What was asked for before, or all when there is nothing else to do meanwhile. */
        if (asked != 0)
            look_ahead(tracer, asked);
        else if (tracer->ahead_count != 0)
            look_ahead(tracer, tracer->ahead_count);
        else if (tracer->again_count != 0)
            trace_object(tracer, tracer->again[--tracer->again_count]);
        else if (tracer->reached_count == 0)
            return;
        if (tracer->stack_count >= SHARE_FROM && work_is_wanted(tracer->work))
            pass_on(tracer);
    }
}

/* The same, and holds no bits any more. */
static void finish(struct tracer *tracer)
{
    do {
        trace_drain(tracer);
        write_held(tracer);
    } while (tracer->again_count != 0);
}

/* Nothing else is in hand. */
static void unpack(struct tracer *tracer, struct packet *packet)
{
    if (packet->shaded) {
        mark_batch(tracer, packet->entries, packet->count);
    } else {
        memcpy(tracer->stack, packet->entries, packet->count * sizeof *packet->entries);
        tracer->stack_count = packet->count;
    }
    packet_give_free(&tracer->work->pool, packet);
}

void trace(struct tracer *tracer)
{
    finish(tracer); /* what a rescan found */
    for (;;) {
        struct packet *packet = work_take(tracer->work);
        struct slice slice;
        if (packet != NULL)
            unpack(tracer, packet);
        else if (slices_take(&tracer->work->slices, tracer->memory, &slice))
            trace_slice(tracer, &slice);
        else if (work_is_over(tracer->work))
            return;
        finish(tracer);
    }
}
