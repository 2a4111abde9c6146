/*
 * The store barrier's slow path.
 *
 * Marking stops the world, so no store needs to be remembered; the barrier's flag is set when verification is
 * on, and what it does is check the store: a reference that is no object's address is found where it is stored
 * rather than at the next cycle.
 */
#include "runtime/mutator.h"

#include <inttypes.h>
#include <string.h>

/* NULL, or what is wrong with a reference about to be stored. Reads through the alias view, so it never
 * faults [fault-free]. */
static const char *check_reference(const struct memory *memory, uint64_t address)
{
    size_t offset = views_offset(&memory->views, address);
    if (offset >= memory->views.size)
        return NULL; /* NULL, or something outside the heap */
    if (offset % GRANULE_SIZE != 0 || offset % REGION_SIZE < REGION_FIRST_OBJECT)
        return "the value is not the address of an object";
    if (region_get_state(&memory->regions, region_of(offset)) == REGION_FREE)
        return "the value is the address of an object that was collected or moved away";
    return NULL;
}

static const char *check_store(const struct memory *memory, const void *object, const void *slot,
                               uint64_t word, bool value)
{
    size_t at = views_offset(&memory->views, (uintptr_t)object);
    size_t slot_at = views_offset(&memory->views, (uintptr_t)slot);
    if (at >= memory->views.size || at % GRANULE_SIZE != 0)
        return "the object is not in this heap";
    if (slot_at < at || slot_at >= at + SHALE_OBJECT_MAX)
        return "the slot is not in the object";
    if (!value)
        return check_reference(memory, word);
    return value_is_reference(&memory->encoding, word)
               ? check_reference(memory, value_address(&memory->encoding, word))
               : NULL;
}

void shale_barrier_slow(shale_mutator *api, void *object, void *slot, uint64_t word, bool value)
{
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_store") != SHALE_OK)
        return;
    const char *wrong = check_store(&mutator->heap->memory, object, slot, word, value);
    if (wrong == NULL)
        return;
    log_line(&mutator->heap->log, SHALE_LOG_ERROR, "shale_store: %s (object %p, slot %p, value %#" PRIx64 ")",
             wrong, object, slot, word);
    mutator_fail(mutator, SHALE_ERROR_MISUSE, "shale_store: %s", wrong);
}

void shale_move_slots(shale_mutator *api, void *object, void *to, const void *from, size_t count)
{
    uint64_t *target = to;
    const uint64_t *source = from;
    /* Word by word, in memmove's direction: another thread that reads a slot sees an old or a new word. */
    bool backwards = target > source;
    for (size_t i = 0; i < count; i++) {
        size_t index = backwards ? count - 1 - i : i;
        /* Whether these slots hold pointers or values is not said. Taken as values, no word is found wrong that
         * is right as either. */
        if (api->barrier != 0)
            shale_barrier_slow(api, object, &target[index], source[index], true);
        atomic_u64_store_release((atomic_u64 *)&target[index], source[index]);
    }
}
