#include "gc/hash_window.h"

#include "heap/identity_hash.h"

#include <sched.h>

/* Whether the object will be copied without room for its hash. */
static bool moves_without_growing(const struct plan *plan, size_t offset)
{
    const struct memory *memory = plan->memory;
    for (;;) {
        uint32_t stage = atomic_u32_load_acquire(&plan->stage);
        enum region_state state = region_get_state(&memory->regions, region_of(offset));
        if (stage == PLAN_NONE || (state != REGION_USED && state != REGION_EVACUATED))
            return false;
        if (stage == PLAN_MADE)
            return state == REGION_EVACUATED && !growth_test(&plan->growth, granule_of(offset));
        sched_yield(); /* the plan may need this core */
    }
}

uint64_t identity_hash_resolve(const struct plan *plan, size_t offset, bool *settled)
{
    struct memory *memory = plan->memory;
    *settled = !moves_without_growing(plan, offset);
    if (*settled)
        return identity_hash_at(memory, offset);
    size_t to = forward_offset(&plan->forwarding, offset);
    /* There the next plan has to see it. */
    atomic_u8_store(&memory->regions.regions[region_of(to)].asked, 1);
    uint64_t hash = identity_hash_of_place(memory, to);
    /* And should the object be held back, it has to be found by its old place. */
    atomic_u64_store(&memory->promises[granule_of(offset)], hash);
    atomic_u8_store(&memory->regions.regions[region_of(offset)].promised, 1);
    return hash;
}

static void set_bits(atomic_u64 *header, uint64_t bits)
{
    uint64_t before;
    do {
        before = atomic_u64_load(header);
        if ((before & bits) == bits)
            return;
    } while (!atomic_u64_cas_full(header, before, before | bits));
}

/* For the first time, or before it was settled. The numbers are those of the header's race. */
static uint64_t ask(const struct plan *plan, atomic_u64 *header, size_t offset)
{
    struct memory *memory = plan->memory;
    uint64_t now = atomic_u64_load(header);
    if (!identity_hash_grows(memory_type(memory, now), now)) {
        /* There is room for it wherever the object moves, whatever the plan knows. */
        set_bits(header, HEADER_ASKED | HEADER_SETTLED);
        return identity_hash_at(memory, offset);
    }
    atomic_u8 *asked = &memory->regions.regions[region_of(offset)].asked;
    if (atomic_u8_load(asked) == 0)
        atomic_u8_store(asked, 1);  /* 1 */
    set_bits(header, HEADER_ASKED); /* 2 */
    atomic_fence_full();            /* 3 */
    bool settled;
    uint64_t hash = identity_hash_resolve(plan, offset, &settled);
    if (settled)
        set_bits(header, HEADER_SETTLED);
    return hash;
}

uint64_t identity_hash_ask(const struct plan *plan, const void *object, size_t offset)
{
    const struct memory *memory = plan->memory;
    atomic_u64 *header = (atomic_u64 *)((uintptr_t)object - HEADER_SIZE);
    uint64_t now = atomic_u64_load(header);
    if ((now & HEADER_STORED) != 0) {
        size_t size = object_size(memory_type(memory, now), now);
        return *(const uint64_t *)((uintptr_t)object + identity_hash_offset(size));
    }
    if ((now & HEADER_SETTLED) != 0)
        return identity_hash_at(memory, offset);
    return ask(plan, header, offset);
}
