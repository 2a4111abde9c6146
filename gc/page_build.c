#include "gc/page_build.h"

#include "heap/live_bits.h"
#include "heap/object.h"

#include <string.h>

#define CACHE_LINE ((size_t)64)

/* Up to this many bytes are copied inline. */
#define COPY_INLINE ((size_t)128)

/* What building a page needs, copied out of the plan and its memory: see struct forwarding. */
struct build {
    size_t start; /* the bytes [start, end) of the heap that the page covers */
    size_t end;
    char *alias;
    const uint64_t *live_bits;
    struct type *const *types;
    struct forwarding forwarding;
    shale_encoding encoding;
    const struct plan *plan;
};

static inline __attribute__((always_inline)) struct build build_of(const struct plan *plan, page_number page)
{
    const struct memory *memory = plan->memory;
    size_t start = (size_t)page << memory->views.page_shift;
    return (struct build){
        .start = start,
        .end = start + memory->views.page_size,
        .alias = memory->views.alias,
        .live_bits = memory->live_bits,
        .types = memory->types.types,
        .forwarding = plan->forwarding,
        .encoding = memory->encoding,
        .plan = plan,
    };
}

static inline uint64_t header_at(const struct build *build, size_t offset)
{
    return *(const uint64_t *)(build->alias + offset - HEADER_SIZE);
}

static inline const struct type *type_at(const struct build *build, uint64_t header)
{
    return build->types[header_type_number(header)];
}

/* ---- references ------------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void rewrite_slots(void *context, uint64_t *slots, size_t count,
                                                                bool value)
{
    const struct build *build = context;
    if (!value) {
        for (size_t i = 0; i < count; i++)
            slots[i] = forward(&build->forwarding, slots[i]);
        return;
    }
    const shale_encoding *encoding = &build->encoding;
    for (size_t i = 0; i < count; i++) {
        if (value_is_reference(encoding, slots[i])) {
            uint64_t address = forward(&build->forwarding, value_address(encoding, slots[i]));
            slots[i] = value_with_address(encoding, slots[i], address);
        }
    }
}

/* Apart from the others, since here the address of `build` leaves the function. */
static __attribute__((noinline)) void rewrite_custom(struct build build, const struct type *type,
                                                     uint64_t header, size_t at, size_t readable, size_t from,
                                                     size_t to)
{
    object_visit_custom(type, header, build.alias + at, build.alias + readable, from, to, rewrite_slots,
                        &build);
}

/* Rewrites the slots of an object that lie on the page. `at` is the offset at which the object is being built;
 * `readable` the offset at which all of it can be read. */
static inline __attribute__((always_inline)) void rewrite_object(const struct build *build,
                                                                 const struct type *type, uint64_t header,
                                                                 size_t at, size_t readable, size_t size)
{
    if (type->shape == SHAPE_POINTER_FREE)
        return;
    size_t from = at < build->start ? build->start - at : 0;
    size_t to = at + size > build->end ? build->end - at : SIZE_MAX;
    if (__builtin_expect(type->shape == SHAPE_CUSTOM, 0))
        rewrite_custom(*build, type, header, at, readable, from, to);
    /* Two loops: most objects lie inside, and need not compare each slot with the page's ends. */
    else if (__builtin_expect(from == 0 && to == SIZE_MAX, 1))
        object_visit_listed(type, header, build->alias + at, 0, SIZE_MAX, rewrite_slots, (void *)build);
    else
        object_visit_listed(type, header, build->alias + at, from, to, rewrite_slots, (void *)build);
}

/* ---- pages of regions that stay -------------------------------------------------------------------- */

/* The live object that begins before the page and ends on or after it; GRANULE_NONE if there is none. Headers
 * lie in front of addresses, so an object whose address is the page's start belongs here. */
static granule_number object_across(const struct plan *plan, size_t page_start)
{
    granule_number first = granule_of(region_start(region_of(page_start)));
    granule_number granule = bits_previous(plan->memory->live_bits, first, granule_of(page_start));
    if (granule == GRANULE_NONE)
        return GRANULE_NONE;
    size_t at = granule_start(granule);
    return at - HEADER_SIZE + memory_object_size(plan->memory, at) > page_start ? granule : GRANULE_NONE;
}

static inline __attribute__((always_inline)) void rewrite_at(const struct build *build,
                                                             granule_number granule)
{
    size_t at = granule_start(granule);
    uint64_t header = header_at(build, at);
    const struct type *type = type_at(build, header);
    rewrite_object(build, type, header, at, at, object_size(type, header));
}

/* Asks for many lines at once: they are needed one after the other, each only known to be when the object before
 * it has been looked at, and memory that was not in use for a while is in no cache. */
static inline __attribute__((always_inline)) void prefetch(const char *start, size_t size)
{
    for (size_t i = 0; i < size; i += CACHE_LINE)
        __builtin_prefetch(start + i);
}

static inline __attribute__((always_inline)) void build_in_place(const struct build *build)
{
    prefetch(build->alias + build->start, build->end - build->start);
    granule_number across = object_across(build->plan, build->start);
    if (across != GRANULE_NONE)
        rewrite_at(build, across);
    chunk_number first = (chunk_number)(build->start >> CHUNK_SHIFT);
    chunk_number end = (chunk_number)(build->end >> CHUNK_SHIFT);
    for (chunk_number chunk = first; chunk < end; chunk++) {
        /* The page's first granule is an address whose object is the one across. */
        uint64_t starts = build->live_bits[chunk] & (chunk == first ? ~UINT64_C(1) : ~UINT64_C(0));
        for (; starts != 0; starts &= starts - 1)
            rewrite_at(build, (chunk << 6) + (granule_number)__builtin_ctzll(starts));
    }
}

/* ---- pages of destination regions ------------------------------------------------------------------ */

/* Objects are whole granules, and what is copied of one begins at its header or at a page's start. Small
 * objects are the rule, for which a call costs more than the copy. */
static inline __attribute__((always_inline)) void copy_words(char *to, const char *from, size_t size)
{
    if (size > COPY_INLINE) {
        memcpy(to, from, size);
        return;
    }
    for (; size >= GRANULE_SIZE; size -= GRANULE_SIZE) {
        memcpy(to, from, GRANULE_SIZE);
        to += GRANULE_SIZE;
        from += GRANULE_SIZE;
    }
    if (size != 0)
        memcpy(to, from, sizeof(uint64_t));
}

/* Copies what an object has on the page. `from` and `to` are the object's old and new offset. */
static inline __attribute__((always_inline)) void copy_into(const struct build *build, size_t from, size_t to,
                                                            size_t size)
{
    size_t start = to - HEADER_SIZE;
    size_t end = start + size;
    if (start < build->start)
        start = build->start;
    if (end > build->end)
        end = build->end;
    copy_words(build->alias + start, build->alias + (start - to + from), end - start);
}

/* Builds from the group of one chunk, whose objects start at `starts` and go to `to`. Returns false when an object
 * lies behind the page. */
static inline __attribute__((always_inline)) bool build_from_group(const struct build *build,
                                                                   chunk_number chunk, uint64_t starts,
                                                                   size_t to)
{
    do {
        if (to - HEADER_SIZE >= build->end)
            return false;
        size_t from = granule_start((chunk << 6) + (granule_number)__builtin_ctzll(starts));
        uint64_t header = header_at(build, from);
        const struct type *type = type_at(build, header);
        size_t size = object_size(type, header);
        if (to - HEADER_SIZE + size > build->start) {
            copy_into(build, from, to, size);
            rewrite_object(build, type, header, to, from, size);
        }
        to += size;
        starts &= starts - 1;
    } while (starts != 0);
    return true;
}

/* Builds from one evacuated region, from a chunk on; false when the page, or its region, is complete. */
static inline __attribute__((always_inline)) bool build_from_region(const struct build *build,
                                                                    region_number destination,
                                                                    chunk_number chunk)
{
    chunk_number end = (chunk_number)((chunk / REGION_CHUNKS + 1) * REGION_CHUNKS);
    for (; chunk < end; chunk++) {
        if (chunk + 1 < end && build->live_bits[chunk + 1] != 0)
            prefetch(build->alias + ((size_t)(chunk + 1) << CHUNK_SHIFT), CHUNK_SIZE);
        uint64_t starts = build->live_bits[chunk];
        if (starts == 0)
            continue;
        granule_number first = (chunk << 6) + (granule_number)__builtin_ctzll(starts);
        size_t to = forward_offset(&build->forwarding, granule_start(first));
        /* A group may have gone to another region, before or after this one. */
        if (region_of(to) != destination || !build_from_group(build, chunk, starts, to))
            return false;
    }
    return true;
}

static inline __attribute__((always_inline)) void build_destination(const struct build *build,
                                                                    page_number page)
{
    region_number destination = region_of(build->start);
    chunk_number chunk = build->plan->page_source[page];
    region_number source = region_of((size_t)chunk << CHUNK_SHIFT);
    while (build_from_region(build, destination, chunk)) {
        source = build->plan->next_source[source];
        if (source == REGION_NONE)
            break;
        chunk = (chunk_number)(region_start(source) >> CHUNK_SHIFT);
    }
}

/* ---- dispatch -------------------------------------------------------------------------------------- */

static bool destination_has_contents(const struct plan *plan, size_t page_start)
{
    region_number region = region_of(page_start);
    return page_start - region_start(region) < plan->memory->regions.regions[region].top;
}

bool page_has_contents(const struct plan *plan, page_number page)
{
    const struct views *views = &plan->memory->views;
    size_t start = (size_t)page << views->page_shift;
    switch (plan->roles[region_of(start)]) {
    case ROLE_DESTINATION:
        return destination_has_contents(plan, start);
    case ROLE_STAY: {
        granule_number end = granule_of(start + views->page_size - 1) + 1;
        return bits_next(plan->memory->live_bits, granule_of(start), end) < end ||
               object_across(plan, start) != GRANULE_NONE;
    }
    default:
        return false;
    }
}

static inline __attribute__((always_inline)) void build_page(const struct plan *plan, page_number page)
{
    struct build build = build_of(plan, page);
    uint8_t role = plan->roles[region_of(build.start)];
    if (role == ROLE_STAY)
        build_in_place(&build);
    else if (role == ROLE_DESTINATION && destination_has_contents(plan, build.start))
        build_destination(&build, page);
}

/* Forwarding counts bits, for which the oldest x86-64 machines have no instructions. */
#if defined(__x86_64__)
__attribute__((target("popcnt,bmi,bmi2"))) static void build_with_bit_instructions(const struct plan *plan,
                                                                                   page_number page)
{
    build_page(plan, page);
}

void page_build(const struct plan *plan, page_number page)
{
    if (__builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
        build_with_bit_instructions(plan, page);
    else
        build_page(plan, page);
}
#else
void page_build(const struct plan *plan, page_number page)
{
    build_page(plan, page);
}
#endif
