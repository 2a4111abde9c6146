#include "gc/page_build.h"

#include "heap/live_bits.h"
#include "heap/object.h"

#include <string.h>

#define CACHE_LINE ((size_t)64)

/* Up to this many bytes are copied inline. */
#define COPY_INLINE ((size_t)128)

/* The bytes [start, end) of the heap that a page covers. */
struct window {
    size_t start;
    size_t end;
};

static struct window page_window(const struct plan *plan, page_number page)
{
    size_t start = (size_t)page << plan->memory->views.page_shift;
    return (struct window){start, start + plan->memory->views.page_size};
}

/* Asks for a page's lines all at once: they are needed one after the other, each only known to be when the
 * object before it has been looked at, and a page that was not in use for a while is in no cache. */
static inline __attribute__((always_inline)) void prefetch(const char *start, size_t size)
{
    for (size_t i = 0; i < size; i += CACHE_LINE)
        __builtin_prefetch(start + i);
}

/* ---- references ------------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void rewrite_slots(void *context, uint64_t *slots, size_t count,
                                                                bool value)
{
    const struct plan *plan = context;
    if (!value) {
        for (size_t i = 0; i < count; i++)
            slots[i] = plan_forward(plan, slots[i]);
        return;
    }
    const shale_encoding *encoding = &plan->memory->encoding;
    for (size_t i = 0; i < count; i++) {
        if (value_is_reference(encoding, slots[i])) {
            uint64_t address = plan_forward(plan, value_address(encoding, slots[i]));
            slots[i] = value_with_address(encoding, slots[i], address);
        }
    }
}

/* Rewrites the slots of an object that lie in the window. `at` is the offset at which the object is being
 * built; `readable` the offset at which all of it can be read. */
static inline __attribute__((always_inline)) void rewrite_object(const struct plan *plan, uint64_t header,
                                                                 size_t at, size_t readable, size_t size,
                                                                 struct window window)
{
    const struct type *type = memory_type(plan->memory, header);
    char *object = views_alias(&plan->memory->views, at);
    char *copy = views_alias(&plan->memory->views, readable);
    /* Two loops: most objects lie inside, and need not compare each slot with the window. */
    if (at >= window.start && at - HEADER_SIZE + size <= window.end) {
        object_visit_slots(type, header, object, copy, 0, SIZE_MAX, rewrite_slots, (void *)plan);
        return;
    }
    size_t from = at < window.start ? window.start - at : 0;
    size_t to = at + size > window.end ? window.end - at : SIZE_MAX;
    object_visit_slots(type, header, object, copy, from, to, rewrite_slots, (void *)plan);
}

/* ---- pages of regions that stay -------------------------------------------------------------------- */

/* The live object that begins before the window and ends inside or after it; GRANULE_NONE if there is
 * none. Headers lie in front of addresses, so an object whose address is the window's start belongs here. */
static granule_number object_across(const struct plan *plan, struct window window)
{
    granule_number first = granule_of(region_start(region_of(window.start)));
    granule_number granule = bits_previous(plan->memory->live_bits, first, granule_of(window.start));
    if (granule == GRANULE_NONE)
        return GRANULE_NONE;
    size_t at = granule_start(granule);
    return at - HEADER_SIZE + memory_object_size(plan->memory, at) > window.start ? granule : GRANULE_NONE;
}

static inline __attribute__((always_inline)) void rewrite_at(const struct plan *plan, granule_number granule,
                                                             struct window window)
{
    size_t at = granule_start(granule);
    uint64_t header = memory_header(plan->memory, at);
    size_t size = object_size(memory_type(plan->memory, header), header);
    rewrite_object(plan, header, at, at, size, window);
}

static inline __attribute__((always_inline)) void build_in_place(const struct plan *plan,
                                                                 struct window window)
{
    prefetch(views_alias(&plan->memory->views, window.start), window.end - window.start);
    granule_number across = object_across(plan, window);
    if (across != GRANULE_NONE)
        rewrite_at(plan, across, window);
    granule_number end = granule_of(window.end);
    granule_number granule = bits_next(plan->memory->live_bits, granule_of(window.start) + 1, end);
    while (granule < end) {
        rewrite_at(plan, granule, window);
        granule = bits_next(plan->memory->live_bits, granule + 1, end);
    }
}

/* ---- pages of destination regions ------------------------------------------------------------------ */

/* Objects are whole granules, and windows whole pages: what is copied is a multiple of 8 bytes. Small objects
 * are the rule, for which a call costs more than the copy. */
static inline __attribute__((always_inline)) void copy_words(char *to, const char *from, size_t size)
{
    if (size > COPY_INLINE) {
        memcpy(to, from, size);
        return;
    }
    for (size_t i = 0; i < size; i += sizeof(uint64_t))
        memcpy(to + i, from + i, sizeof(uint64_t));
}

/* Copies what an object has in the window. `from` and `to` are the object's old and new offset. */
static inline __attribute__((always_inline)) void copy_into(const struct plan *plan, size_t from, size_t to,
                                                            size_t size, struct window window)
{
    const struct views *views = &plan->memory->views;
    size_t start = to - HEADER_SIZE;
    size_t end = start + size;
    if (start < window.start)
        start = window.start;
    if (end > window.end)
        end = window.end;
    copy_words(views_alias(views, start), views_alias(views, start - to + from), end - start);
}

/* Builds from the group of one chunk, whose first object starts at granule `first` of it. Returns false when
 * an object lies behind the window. */
static inline __attribute__((always_inline)) bool build_from_group(const struct plan *plan,
                                                                   struct window window, chunk_number chunk,
                                                                   uint64_t starts, size_t to)
{
    do {
        if (to - HEADER_SIZE >= window.end)
            return false;
        size_t from = granule_start(((granule_number)chunk << 6) + (granule_number)__builtin_ctzll(starts));
        uint64_t header = memory_header(plan->memory, from);
        size_t size = object_size(memory_type(plan->memory, header), header);
        if (to - HEADER_SIZE + size > window.start) {
            copy_into(plan, from, to, size, window);
            rewrite_object(plan, header, to, from, size, window);
        }
        to += size;
        starts &= starts - 1;
    } while (starts != 0);
    return true;
}

/* Builds from one evacuated region, from a chunk on; false when the page, or its region, is complete. */
static inline __attribute__((always_inline)) bool build_from_region(const struct plan *plan,
                                                                    region_number destination,
                                                                    struct window window, chunk_number chunk)
{
    chunk_number end = (chunk_number)((chunk / REGION_CHUNKS + 1) * REGION_CHUNKS);
    for (; chunk < end; chunk++) {
        uint64_t starts = plan->memory->live_bits[chunk];
        if (starts == 0)
            continue;
        granule_number first = ((granule_number)chunk << 6) + (granule_number)__builtin_ctzll(starts);
        size_t to = granule_start(plan_forward_granule(plan, first));
        /* A group may have gone to another region, before or after this one. */
        if (region_of(to) != destination || !build_from_group(plan, window, chunk, starts, to))
            return false;
    }
    return true;
}

static inline __attribute__((always_inline)) void build_destination(const struct plan *plan, page_number page,
                                                                    struct window window)
{
    region_number destination = region_of(window.start);
    chunk_number chunk = plan->page_source[page];
    region_number source = region_of((size_t)chunk << CHUNK_SHIFT);
    while (build_from_region(plan, destination, window, chunk)) {
        source = plan->next_source[source];
        if (source == REGION_NONE)
            break;
        chunk = (chunk_number)(region_start(source) >> CHUNK_SHIFT);
    }
}

/* ---- dispatch -------------------------------------------------------------------------------------- */

static bool destination_has_contents(const struct plan *plan, struct window window)
{
    region_number region = region_of(window.start);
    return window.start - region_start(region) < plan->memory->regions.regions[region].top;
}

bool page_has_contents(const struct plan *plan, page_number page)
{
    struct window window = page_window(plan, page);
    switch (plan->roles[region_of(window.start)]) {
    case ROLE_DESTINATION:
        return destination_has_contents(plan, window);
    case ROLE_STAY: {
        granule_number end = granule_of(window.end - 1) + 1;
        return bits_next(plan->memory->live_bits, granule_of(window.start), end) < end ||
               object_across(plan, window) != GRANULE_NONE;
    }
    default:
        return false;
    }
}

static inline __attribute__((always_inline)) void build(const struct plan *plan, page_number page)
{
    struct window window = page_window(plan, page);
    uint8_t role = plan->roles[region_of(window.start)];
    if (role == ROLE_STAY)
        build_in_place(plan, window);
    else if (role == ROLE_DESTINATION && destination_has_contents(plan, window))
        build_destination(plan, page, window);
}

/* Forwarding counts bits; the instruction for it is not in the oldest x86-64 machines. */
#if defined(__x86_64__)
__attribute__((target("popcnt"))) static void build_with_popcnt(const struct plan *plan, page_number page)
{
    build(plan, page);
}

void page_build(const struct plan *plan, page_number page)
{
    if (__builtin_cpu_supports("popcnt"))
        build_with_popcnt(plan, page);
    else
        build(plan, page);
}
#else
void page_build(const struct plan *plan, page_number page)
{
    build(plan, page);
}
#endif
