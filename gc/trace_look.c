#include "gc/trace_parts.h"
#include "heap/object.h"

/* ---- references ------------------------------------------------------------------------------------ */

static inline void reach(struct tracer *tracer, uint64_t address)
{
    size_t offset = address - tracer->base;
    if (offset >= tracer->size) {
        if (__builtin_expect(offset < tracer->end, 0))
            trace_reach_elsewhere(tracer, offset);
        return;
    }
    if (region_of(offset) != tracer->region && tracer->leads != LEADS_ANYWHERE)
        tracer->leads = leads_with(tracer->leads, leads_name(&tracer->memory->leads, region_of(offset)));
    if (__builtin_expect(tracer->reached_count == TRACE_REACHED, 0))
        trace_mark_reached(tracer);
    tracer->reached[tracer->reached_count++] = granule_of(offset);
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

/* ---- objects -------------------------------------------------------------------------------------- */

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

/* Whether the tracer holds the live bit of what an address refers to. */
static bool holds(const struct tracer *tracer, uint64_t address)
{
    size_t offset = address - tracer->base;
    return offset < tracer->size && held_test(&tracer->held, granule_of(offset));
}

/* [weak] Looks at the first slots of an object of which not all are like others; returns from where on they are. What these
 * lead to is noted like that of others, since their page must be built when it moves [clean]. */
static size_t look_at_first(struct tracer *tracer, enum type_strength strength, size_t offset)
{
    const struct weak_object *weak = (const struct weak_object *)views_alias(&tracer->memory->views, offset);
    if (strength == STRENGTH_WEAK) {
        note(tracer, &weak->referent);
        weak_look(tracer->weak, &tracer->weak_list, granule_of(offset));
        return WEAK_STRONG_FROM;
    }
    const struct ephemeron_object *ephemeron = (const struct ephemeron_object *)weak;
    note(tracer, &ephemeron->key);
    note(tracer, &ephemeron->value);
    if (holds(tracer, atomic_u64_load(&ephemeron->key)) || ephemeron_look(tracer->weak, granule_of(offset)))
        reach(tracer, atomic_u64_load_dependent(&ephemeron->value));
    return EPHEMERON_STRONG_FROM;
}

void trace_page(struct tracer *tracer, size_t offset, uint64_t header, page_number page, size_t from,
                size_t to)
{
    struct memory *memory = tracer->memory;
    char *object = views_alias(&memory->views, offset);
    uint64_t before = memory->leads.wanted ? atomic_u64_load(&memory->leads.pages[page]) : LEADS_ANYWHERE;
    tracer->region = region_of(offset);
    tracer->leads = before;
    object_visit_slots(memory_type(memory, header), header, object, object, from, to, reach_slots, tracer);
    if (tracer->leads != before)
        leads_grow(&memory->leads, page, before, tracer->leads);
}

void trace_object(struct tracer *tracer, granule_number granule)
{
    const struct memory *memory = tracer->memory;
    size_t offset = granule_start(granule);
    uint64_t header = memory_header(memory, offset);
    const struct type *type = memory_type(memory, header);
    size_t from = 0;
    if (__builtin_expect(type->strength != STRENGTH_STRONG, 0))
        from = look_at_first(tracer, type->strength, offset);
    page_number page = memory_page(memory, offset);
    page_number last = memory_page(memory, offset - HEADER_SIZE + object_size(type, header) - 1);
    for (; page < last; page++) {
        size_t to = ((size_t)(page + 1) << memory->views.page_shift) - offset;
        trace_page(tracer, offset, header, page, from < to ? from : to, to);
        from = from < to ? to : from;
    }
    trace_page(tracer, offset, header, page, from, SIZE_MAX);
}

/* What a visitor shows is not known page by page. */
void trace_slice(struct tracer *tracer, const struct slice *slice)
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
