#include "gc/shade.h"

#include "heap/live_bits.h"
#include "heap/object.h"

void shade_note(struct work *work, struct memory *memory, granule_number granule)
{
    atomic_u8_store_release(&memory->regions.regions[region_of(granule_start(granule))].rescan, 1);
    atomic_u32_store_release(&work->noted, 1);
}

void shade_in_place(struct work *work, struct memory *memory, granule_number granule)
{
    if (bits_set_shared(memory->live_bits, granule)) {
        uint32_t size = (uint32_t)memory_object_size(memory, granule_start(granule));
        region_add_live(&memory->regions, region_of(granule_start(granule)), size, size);
        atomic_u64_fetch_add(&work->placed_objects, 1);
        atomic_u64_fetch_add(&work->placed_bytes, size);
    }
    /* After the bit: whoever looks at the region again finds the object. */
    shade_note(work, memory, granule);
}

bool shade_fixed(struct work *work, struct memory *memory, size_t offset, uint64_t *bytes)
{
    if (fixed_is_marked(&memory->fixed, offset) || !fixed_mark(&memory->fixed, offset))
        return false;
    *bytes = memory_fixed_size(memory, offset);
    if (offset < memory->views.flipped)
        work_offer_large(work, memory, offset);
    return true;
}

static void shade_fixed_in_place(struct work *work, struct memory *memory, size_t offset)
{
    uint64_t bytes;
    if (shade_fixed(work, memory, offset, &bytes)) {
        atomic_u64_fetch_add(&work->placed_objects, 1);
        atomic_u64_fetch_add(&work->placed_bytes, bytes);
    }
}

void shade_offer(struct work *work, struct packet **packet)
{
    if (*packet != NULL && (*packet)->count != 0) {
        work_offer(work, *packet);
        *packet = NULL;
    }
}

void shade_drop(struct work *work, struct packet **packet)
{
    if (*packet != NULL)
        packet_give_free(&work->pool, *packet);
    *packet = NULL;
}

void shade(struct work *work, struct memory *memory, struct packet **packet, uint64_t address)
{
    if (!shade_is_needed(memory, address))
        return;
    size_t offset = views_offset(&memory->views, address);
    if (offset >= memory->views.regions) {
        shade_fixed_in_place(work, memory, offset);
        return;
    }
    granule_number granule = granule_of(offset);
    if (*packet != NULL && (*packet)->count == PACKET_ENTRIES)
        shade_offer(work, packet);
    if (*packet == NULL) {
        *packet = packet_take_free(&work->pool);
        if (*packet == NULL) {
            shade_in_place(work, memory, granule);
            return;
        }
        (*packet)->shaded = true;
    }
    (*packet)->entries[(*packet)->count++] = granule;
}

void shade_slots(void *context, uint64_t *slots, size_t count, bool value)
{
    struct shading *shading = context;
    const shale_encoding *encoding = &shading->memory->encoding;
    for (size_t i = 0; i < count; i++) {
        uint64_t word = atomic_u64_load_dependent((const atomic_u64 *)&slots[i]);
        if (!value)
            shade(shading->work, shading->memory, shading->packet, word);
        else if (value_is_reference(encoding, word))
            shade(shading->work, shading->memory, shading->packet, value_address(encoding, word));
    }
}
