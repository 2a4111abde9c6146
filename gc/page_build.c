#include "gc/page_build.h"

#include "gc/page_contents.h"

#include "heap/identity_hash.h"
#include "heap/live_bits.h"
#include "heap/object.h"

#include <string.h>

#define CACHE_LINE ((size_t)64)

/* Up to this many bytes are copied inline. */
#define COPY_INLINE ((size_t)128)

/* What building a page needs, copied out of the plan and its memory, and never passed on by its address, so that
 * the compiler can keep it in registers: see struct forwarding. */
struct build {
    size_t start; /* the bytes [start, end) of the heap that the page covers */
    size_t end;
    char *alias;
    const uint64_t *live_bits;
    struct type *const *types;
    struct forwarding forwarding;
    const struct plan *plan;
};

static inline __attribute__((always_inline)) struct build build_of(const struct plan *plan, page_number page,
                                                                   const uint64_t *growers)
{
    const struct memory *memory = plan->memory;
    size_t start = (size_t)page << memory->views.page_shift;
    return (struct build){
        .start = start,
        .end = start + memory->views.page_size,
        .alias = memory->views.alias,
        .live_bits = memory->live_bits,
        .types = memory->types.types,
        .forwarding = {.base = plan->forwarding.base,
                       .size = plan->forwarding.size,
                       .chunks = plan->forwarding.chunks,
                       .growers = growers},
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

/* Asks for many lines at once: they are needed one after the other, each only known to be when the object before
 * it has been looked at, and memory that was not in use for a while is in no cache. */
static inline __attribute__((always_inline)) void prefetch(const char *start, size_t size)
{
    for (size_t i = 0; i < size; i += CACHE_LINE)
        __builtin_prefetch(start + i);
}

/* ---- references ------------------------------------------------------------------------------------ */

struct rewriting {
    struct forwarding forwarding;
    shale_encoding encoding;
};

static inline __attribute__((always_inline)) void rewrite_slots(void *context, uint64_t *slots, size_t count,
                                                                bool value)
{
    const struct rewriting *rewriting = context;
    if (!value) {
        for (size_t i = 0; i < count; i++)
            slots[i] = forward(&rewriting->forwarding, slots[i]);
        return;
    }
    const shale_encoding *encoding = &rewriting->encoding;
    for (size_t i = 0; i < count; i++) {
        if (value_is_reference(encoding, slots[i])) {
            uint64_t address = forward(&rewriting->forwarding, value_address(encoding, slots[i]));
            slots[i] = value_with_address(encoding, slots[i], address);
        }
    }
}

/* Rewrites the slots of any object whose offsets in it lie in [from, to). `at` is the offset at which the object is
 * being built; `readable` the offset at which all of it can be read. */
static __attribute__((noinline)) void rewrite_any(const struct plan *plan, uint64_t header, size_t at,
                                                  size_t readable, size_t from, size_t to)
{
    const struct type *type = memory_type(plan->memory, header);
    struct rewriting rewriting = {plan->forwarding, plan->memory->encoding};
    char *object = views_alias(&plan->memory->views, at);
    if (type->shape == SHAPE_CUSTOM) {
        struct rewriting escaping = rewriting; /* so that the other stays in registers */
        object_visit_custom(type, header, object, views_alias(&plan->memory->views, readable), from, to,
                            rewrite_slots, &escaping);
    } else if (type->shape != SHAPE_POINTER_FREE) {
        object_visit_listed(type, object_length(header, views_alias(&plan->memory->views, readable)), object,
                            from, to, rewrite_slots, &rewriting);
    }
}

/* The same for all slots of an object that lies on the page as a whole: nearly all do, and of those nearly all
 * have pointers in their fixed part, or none. */
static inline __attribute__((always_inline)) void rewrite_whole(const struct build *build,
                                                                const struct type *type, uint64_t header,
                                                                size_t at, size_t readable)
{
    if (type->shape == SHAPE_POINTERS) {
        const uint32_t *offsets = type->pointers.offsets;
        for (uint32_t i = 0; i < type->pointers.count; i++) {
            /* Read where it was, not where it has just been copied to, which would wait for the copy. */
            uint64_t reference = *(const uint64_t *)(build->alias + readable + offsets[i]);
            *(uint64_t *)(build->alias + at + offsets[i]) = forward(&build->forwarding, reference);
        }
    } else if (type->shape != SHAPE_POINTER_FREE) {
        rewrite_any(build->plan, header, at, readable, 0, SIZE_MAX);
    }
}

/* The same for an object that reaches beyond the page. */
static __attribute__((noinline)) void rewrite_part(const struct plan *plan, size_t start, size_t end,
                                                   uint64_t header, size_t at, size_t readable)
{
    rewrite_any(plan, header, at, readable, at < start ? start - at : 0, at < end ? end - at : 0);
}

/* ---- pages of regions that stay -------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void rewrite_at(const struct build *build,
                                                             granule_number granule)
{
    size_t at = granule_start(granule);
    uint64_t header = header_at(build, at);
    const struct type *type = type_at(build, header);
    if (__builtin_expect(at - HEADER_SIZE + object_size(type, header) <= build->end, 1))
        rewrite_whole(build, type, header, at, at);
    else
        rewrite_part(build->plan, build->start, build->end, header, at, at);
}

static inline __attribute__((always_inline)) void build_in_place(const struct build *build)
{
    prefetch(build->alias + build->start, build->end - build->start);
    granule_number across = object_across(build->plan, build->start);
    if (across != GRANULE_NONE) {
        size_t at = granule_start(across);
        rewrite_part(build->plan, build->start, build->end, header_at(build, at), at, at);
    }
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

/* Objects are whole granules. Small ones are the rule, for which a call costs more than the copy. */
static inline __attribute__((always_inline)) void copy_words(char *to, const char *from, size_t size)
{
    if (size > COPY_INLINE) {
        memcpy(to, from, size);
        return;
    }
    for (size_t i = 0; i < size; i += GRANULE_SIZE)
        memcpy(to + i, from + i, GRANULE_SIZE);
}

/* Builds what an object has on the page, of one that reaches beyond it. `from` and `to` are the object's old and
 * new offset. */
static __attribute__((noinline)) void build_part(const struct plan *plan, size_t page_start, size_t page_end,
                                                 size_t from, size_t to, size_t size)
{
    const struct views *views = &plan->memory->views;
    size_t start = to - HEADER_SIZE > page_start ? to - HEADER_SIZE : page_start;
    size_t end = to - HEADER_SIZE + size < page_end ? to - HEADER_SIZE + size : page_end;
    if (start >= end)
        return; /* an object before the page */
    memcpy(views_alias(views, start), views_alias(views, start - to + from), end - start);
    rewrite_part(plan, page_start, page_end, memory_header(plan->memory, from), to, from);
}

/* One word of an object, if it belongs on the page. */
static void put_word(const struct plan *plan, size_t page_start, size_t page_end, size_t at, uint64_t word)
{
    if (at >= page_start && at < page_end)
        *(uint64_t *)views_alias(&plan->memory->views, at) = word;
}

/* Builds what an object has on the page, of one whose hash was asked for and is not stored [hash]. Returns the size
 * of its copy. */
static __attribute__((noinline)) size_t build_asked(const struct plan *plan, size_t page_start,
                                                    size_t page_end, size_t from, size_t to)
{
    const struct memory *memory = plan->memory;
    uint64_t header = memory_header(memory, from);
    const struct type *type = memory_type(memory, header);
    size_t size = object_size(type, header);
    build_part(plan, page_start, page_end, from, to, size);
    bool grows = identity_hash_grows(type, header);
    if (grows && !growth_test(&plan->growth, granule_of(from)))
        return size; /* asked for after the plan had decided that it does not grow: hash_window.h */
    put_word(plan, page_start, page_end, to - HEADER_SIZE, identity_hash_stored_header(header));
    if (grows) {
        put_word(plan, page_start, page_end, to - HEADER_SIZE + size, 0);
        size += GRANULE_SIZE;
    }
    put_word(plan, page_start, page_end, to + identity_hash_offset(size), identity_hash_at(memory, from));
    return size;
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
        if (__builtin_expect((header & HEADER_ASKED) != 0, 0)) {
            size = build_asked(build->plan, build->start, build->end, from, to);
        } else if (__builtin_expect(to - HEADER_SIZE >= build->start && to - HEADER_SIZE + size <= build->end,
                                    1)) {
            copy_words(build->alias + to - HEADER_SIZE, build->alias + from - HEADER_SIZE, size);
            rewrite_whole(build, type, header, to, from);
        } else {
            build_part(build->plan, build->start, build->end, from, to, size);
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
    const struct plan *plan = build->plan;
    chunk_number chunk = plan->page_source[page];
    region_number source = region_of((size_t)chunk << CHUNK_SHIFT);
    do {
        /* What is held back leaves a gap [hold-back]. */
        if (plan->roles[source] == ROLE_EVACUATED && !build_from_region(build, destination, chunk))
            break;
        source = plan->next_source[source];
        if (source == REGION_NONE)
            break;
        chunk = (chunk_number)(region_start(source) >> CHUNK_SHIFT);
    } while (plan->first_page[source] == page);
}

/* ---- pages of large objects ------------------------------------------------------------------------ */

static __attribute__((noinline)) void build_large(const struct plan *plan, size_t start, size_t end)
{
    size_t at = memory_fixed_object(plan->memory, start);
    if (at != OFFSET_NONE)
        rewrite_part(plan, start, end, memory_header(plan->memory, at), at, at);
}

/* ---- dispatch -------------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) void build_page_with(const struct plan *plan, page_number page,
                                                                  const uint64_t *growers)
{
    struct build build = build_of(plan, page, growers);
    if (__builtin_expect(build.start >= plan->memory->views.regions, 0)) {
        build_large(plan, build.start, build.end);
        return;
    }
    uint8_t role = plan->roles[region_of(build.start)];
    if (role == ROLE_STAY)
        build_in_place(&build);
    else if (role == ROLE_DESTINATION && destination_has_contents(plan, build.start))
        build_destination(&build, page);
}

/* In most cycles nothing grows, and then forwarding need not ask. */
static inline __attribute__((always_inline)) void build_page(const struct plan *plan, page_number page)
{
    if (__builtin_expect(plan->forwarding.growers == NULL, 1))
        build_page_with(plan, page, NULL);
    else
        build_page_with(plan, page, plan->forwarding.growers);
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
