/*
 * A heap's memory: the two views, and what is known about them in tables outside of them. It has no
 * knowledge of threads, roots or cycles.
 */
#ifndef SHALE_HEAP_MEMORY_H
#define SHALE_HEAP_MEMORY_H

#include "heap/cells.h"
#include "heap/fixed.h"
#include "heap/leads.h"
#include "heap/live_bits.h"
#include "heap/page_state.h"
#include "heap/region.h"
#include "heap/type.h"
#include "heap/views.h"

/* Tables that are not those of fixed objects. */
enum { TABLES_BESIDE = 7 };

/* Debug builds fill freed memory with it. No address, no small number and no header: a reference read from there is caught
 * by every check. */
enum { MEMORY_POISON = 0xdb };

struct memory {
    const struct os *os;
    struct views views;
    struct region_table regions;
    struct fixed fixed;
    struct page_states pages;
    struct type_table types;
    uint64_t *live_bits; /* see live_bits.h */
    /* Per granule: a hash that was promised to the object there; 0: none. Only of regions with `promised` [hash] */
    atomic_u64 *promises;
    struct leads leads;
    struct cells cells;
    shale_encoding encoding;
    /* Debug builds: freed regions are filled with a pattern and made inaccessible. */
    bool poison;
    /* A checking tool watches: every allocation takes the slow path, which announces the object. */
    bool announce;
    atomic_u64 bytes_allocated;
    /* Types that every heap has; see weak_object.h. */
    struct type *weak_type;
    struct type *ephemeron_type;

    /* The blocks behind the tables, for memory_destroy. */
    struct memory_table {
        void *start;
        size_t size;
    } tables[TABLES_BESIDE + FIXED_TABLES + CELL_TABLES];
};

/* `regions` bytes of region space; the other spaces come beside it. `faults` is the descriptor that the mutator view is registered with during compaction, -1 for none; it
 * stays the caller's. Returns 0 or a negative errno value, with `failed` naming the step. */
int memory_create(struct memory *memory, const struct os *os, size_t regions, const shale_encoding *encoding,
                  const char **failed);
void memory_destroy(struct memory *memory);

/* The header of the object at `offset`, through the alias view. Mutators may be setting bits of it [type]. */
static inline uint64_t memory_header(const struct memory *memory, size_t offset)
{
    return atomic_u64_load((const atomic_u64 *)(views_alias(&memory->views, offset) - HEADER_SIZE));
}

static inline const struct type *memory_type(const struct memory *memory, uint64_t header)
{
    return type_of_header(&memory->types, header);
}

static inline size_t memory_object_size(const struct memory *memory, size_t offset)
{
    uint64_t header = memory_header(memory, offset);
    return object_size(memory_type(memory, header), header);
}

static inline page_number memory_page(const struct memory *memory, size_t offset)
{
    return (page_number)(offset >> memory->views.page_shift);
}

/* Whether the object at `offset` is live: marking reached it, or it was born in the cycle. From when marking is
 * complete until the flip; before, objects of which it is false may yet be reached. Any thread. */
static inline bool memory_is_live(const struct memory *memory, size_t offset)
{
    if (__builtin_expect(offset >= memory->views.regions, 0))
        return fixed_is_marked(&memory->fixed, offset);
    return bits_test_shared(memory->live_bits, granule_of(offset)) ||
           region_born_at(&memory->regions, offset);
}

/* [clean] A mutator stores a word into `slot`, which may also be a root outside the heap. One write, and no look at
 * what is there or is stored: it is made for every store while a cycle marks. */
static inline void memory_note_store(struct memory *memory, const void *slot)
{
    size_t at = views_offset(&memory->views, (uintptr_t)slot);
    if (at < memory->views.flipped)
        atomic_u8_store(&memory->leads.stored[memory_page(memory, at)], 1);
}

/* Sets the live bits of objects that lie back to back or with gaps of zeros between them, from the one at offset `object`
 * up to `end`, where the next one would be. While markers are at work. */
void memory_set_live_bits(struct memory *memory, size_t object, size_t end);

/* Sets those of all objects that were born in a region that its mutator has left [born-live]. */
void memory_record_births(struct memory *memory, region_number region);

/* The fixed object that the byte at `offset` belongs to, header and unused end included; OFFSET_NONE when there is none. Any offset.
 * Objects that are being allocated or freed meanwhile may or may not be seen. (signal) */
size_t memory_fixed_object(const struct memory *memory, size_t offset);

/* Bytes that the fixed object at `offset` takes up. */
size_t memory_fixed_size(const struct memory *memory, size_t offset);

/* The first large object, of either space, whose address is `offset` or behind it; OFFSET_NONE after the last. */
size_t memory_next_large(struct memory *memory, size_t offset);
/* Forgets the hashes that were promised to the objects of a region that is about to be freed. */
void memory_forget_promises(struct memory *memory, region_number region);

/* Bytes of the mutator view that one read maps: what the system puts around the page that is read, if it has memory. */
#define MEMORY_MAPPED_AROUND ((size_t)64 << 10)

/* While no page is stale: has the pages of [start, end) mapped that have memory, which the mutator is about to write to; 16 for
 * little more than the price of one, see there. Those that are mapped already cost nothing. */
void memory_map_around(const struct memory *memory, size_t start, size_t end);

/* While pages are stale: has the pages [start, end), which hold nothing of a mutator's yet and are up to date, mapped. */
void memory_publish_fresh(struct memory *memory, size_t start, size_t end);

/* Clears a region's live bits, and the leads of its pages. */
void memory_clear_marks(struct memory *memory, region_number region);

/* Debug builds: makes the memory of a region that was just freed, or is about to be used, tell when it is
 * used after it was freed. */
void memory_seal_region(struct memory *memory, region_number region);
void memory_unseal_region(struct memory *memory, region_number region);
/* Before a flip: makes the mutator view one mapping again, as moving its entries needs. */
void memory_unseal_all(struct memory *memory);

#endif
