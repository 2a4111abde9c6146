#include "gc/mark.h"

#include "heap/live_bits.h"

#include <string.h>

/* Work lists up to this size keep their memory. */
#define MARK_KEEP ((size_t)1 << 20)

int mark_create(struct mark *mark, struct memory *memory)
{
    size_t size = memory->views.size;
    *mark =
        (struct mark){.memory = memory, .base = (uintptr_t)views_mutator(&memory->views, 0), .size = size};
    mark->table.size = (size >> GRANULE_SHIFT) * sizeof *mark->work;
    int status = memory->os->map_table(memory->os, mark->table.size, &mark->table.start);
    if (status != 0)
        mark->table.size = 0;
    mark->work = mark->table.start;
    return status;
}

void mark_destroy(struct mark *mark)
{
    if (mark->table.size != 0)
        mark->memory->os->unmap(mark->memory->os, mark->table.start, mark->table.size);
}

void mark_prepare(struct mark *mark)
{
    struct region_table *regions = &mark->memory->regions;
    for (region_number r = 0; r < regions->count; r++) {
        region_begin_cycle(regions, r);
        if (regions->regions[r].marked)
            memory_clear_live_bits(mark->memory, r);
    }
}

/* Sets the bit of an object that has arrived in the cache; pushes it if it has slots. */
static inline void mark_object(struct mark *mark, granule_number granule)
{
    struct memory *memory = mark->memory;
    if (bits_test(memory->live_bits, granule))
        return;
    bits_set(memory->live_bits, granule);
    uint64_t header = memory_header(memory, granule_start(granule));
    const struct type *type = memory_type(memory, header);
    uint32_t size = (uint32_t)object_size(type, header);
    struct region *region = &memory->regions.regions[region_of(granule_start(granule))];
    region->marked = true;
    region->live_bytes += size;
    if (size > region->largest)
        region->largest = size;
    mark->objects++;
    mark->bytes += size;
    if (type->shape != SHAPE_POINTER_FREE)
        mark->work[mark->work_count++] = granule;
}

static inline granule_number take_pending(struct mark *mark)
{
    granule_number granule = mark->pending[mark->pending_first];
    mark->pending_first = (mark->pending_first + 1) % MARK_PREFETCH;
    mark->pending_count--;
    return granule;
}

static inline void reach(struct mark *mark, uint64_t address)
{
    size_t offset = address - mark->base;
    if (offset >= mark->size)
        return; /* NULL, or an address outside the heap */
    granule_number granule = granule_of(offset);
    __builtin_prefetch(views_alias(&mark->memory->views, offset) - HEADER_SIZE);
    __builtin_prefetch(&mark->memory->live_bits[granule >> 6]);
    if (mark->pending_count == MARK_PREFETCH)
        mark_object(mark, take_pending(mark));
    mark->pending[(mark->pending_first + mark->pending_count) % MARK_PREFETCH] = granule;
    mark->pending_count++;
}

static inline __attribute__((always_inline)) void mark_slots(void *context, uint64_t *slots, size_t count,
                                                             bool value)
{
    struct mark *mark = context;
    const shale_encoding *encoding = &mark->memory->encoding;
    for (size_t i = 0; i < count; i++) {
        if (!value)
            reach(mark, slots[i]);
        else if (value_is_reference(encoding, slots[i]))
            reach(mark, value_address(encoding, slots[i]));
    }
}

static void drain(struct mark *mark)
{
    while (mark->work_count != 0 || mark->pending_count != 0) {
        if (mark->work_count == 0) {
            mark_object(mark, take_pending(mark));
            continue;
        }
        if (mark->work_count > mark->work_peak)
            mark->work_peak = mark->work_count;
        size_t offset = granule_start(mark->work[--mark->work_count]);
        uint64_t header = memory_header(mark->memory, offset);
        char *object = views_alias(&mark->memory->views, offset);
        object_visit_slots(memory_type(mark->memory, header), header, object, object, 0, SIZE_MAX, mark_slots,
                           mark);
    }
}

void mark_run(struct mark *mark, const struct world *world)
{
    mark->objects = 0;
    mark->bytes = 0;
    struct shale_visitor visitor = visitor_make(mark_slots, mark);
    world->visit_roots(world->context, &visitor);
    drain(mark);
}

void mark_trim(struct mark *mark)
{
    size_t bytes = mark->work_peak * sizeof *mark->work;
    if (bytes > MARK_KEEP)
        mark->memory->os->discard_table(
            mark->memory->os, mark->work,
            round_up(bytes, HEAP_UNIT) < mark->table.size ? round_up(bytes, HEAP_UNIT) : mark->table.size);
    mark->work_peak = 0;
}
