#include "runtime/barrier.h"

#include <inttypes.h>
#include <string.h>

/* NULL, or what is wrong with a reference about to be stored. Reads through the alias view, so it never
 * faults [fault-free]. */
static const char *check_reference(const struct memory *memory, uint64_t address)
{
    size_t offset = views_offset(&memory->views, address);
    if (offset >= memory->views.size)
        return NULL; /* NULL, or something outside the heap */
    if (offset >= memory->views.regions)
        return memory_fixed_object(memory, offset) == offset ? NULL
                                                             : "the value is not the address of an object";
    if (offset % GRANULE_SIZE != 0 || offset % REGION_SIZE < REGION_FIRST_OBJECT)
        return "the value is not the address of an object";
    if (region_get_state(&memory->regions, region_of(offset)) == REGION_FREE)
        return "the value is the address of an object that was collected or moved away";
    return NULL;
}

static bool is_slot_of(const struct memory *memory, size_t object, size_t slot)
{
    if (object >= memory->views.regions)
        return memory_fixed_object(memory, slot) == object && slot >= object;
    return slot >= object && slot < object + SHALE_OBJECT_MAX;
}

static const char *check_store(const struct memory *memory, const void *object, const void *slot,
                               uint64_t word, bool value)
{
    size_t at = views_offset(&memory->views, (uintptr_t)object);
    size_t slot_at = views_offset(&memory->views, (uintptr_t)slot);
    bool root = object == NULL;
    if (!root && (at >= memory->views.size || at % GRANULE_SIZE != 0))
        return "the object is not in this heap";
    if (!root && !is_slot_of(memory, at, slot_at))
        return "the slot is not in the object";
    if (root && slot_at < memory->views.size)
        return "the root is inside the heap";
    if (!value)
        return check_reference(memory, word);
    return value_is_reference(&memory->encoding, word)
               ? check_reference(memory, value_address(&memory->encoding, word))
               : NULL;
}

/* Stores into `count` slots from the first on. False: they must not be made. */
static bool may_store(struct mutator *mutator, void *object, uint64_t *slot, size_t count, uint64_t word,
                      bool value)
{
    if (mutator_check(mutator, "shale_store") != SHALE_OK)
        return false;
    const struct memory *memory = &mutator->heap->memory;
    const char *wrong = check_store(memory, object, slot, word, value);
    if (wrong == NULL && count > 1)
        wrong = check_store(memory, object, slot + count - 1, word, value);
    if (wrong == NULL)
        return true;
    log_line(&mutator->heap->log, SHALE_LOG_ERROR, "shale_store: %s (object %p, slot %p, value %#" PRIx64 ")",
             wrong, object, (void *)slot, word);
    mutator_fail(mutator, SHALE_ERROR_MISUSE, "shale_store: %s", wrong);
    return true;
}

static void shade_word(struct mutator *mutator, uint64_t word, bool value)
{
    struct mark *mark = &mutator->heap->collector.mark;
    if (!value)
        mark_shade(mark, &mutator->local, word);
    else if (value_is_reference(&mark->memory->encoding, word))
        mark_shade(mark, &mutator->local, value_address(&mark->memory->encoding, word));
}

/* Returns what its caller does, so that nothing is left to do after it. */
static __attribute__((noinline)) bool shade_old(struct mutator *mutator, uint64_t old)
{
    mark_shade(&mutator->heap->collector.mark, &mutator->local, old);
    return false;
}

static __attribute__((noinline)) void barrier_any(struct mutator *mutator, void *object, void *slot,
                                                  uint64_t word, bool value)
{
    const shale_mutator *api = &mutator->local.bump.api;
    if (SHALE_UNLIKELY((api->barrier & (BARRIER_CHECK | BARRIER_REFUSE)) != 0) &&
        !may_store(mutator, object, slot, 1, word, value))
        return;
    if ((api->barrier & BARRIER_OLD) != 0)
        shade_word(mutator, atomic_u64_load_dependent(slot), value);
    if ((api->barrier & BARRIER_NEW) != 0)
        shade_word(mutator, word, value);
    if ((api->barrier & BARRIER_PAGES) != 0)
        memory_note_store(&mutator->heap->memory, slot);
}

/* Of a conservative mutator: its thread is not stopped between this look at the barrier and the store. */
static inline bool store_inside(struct mutator *mutator, void *object, void *slot, uint64_t word, bool value)
{
    INSIDE();
    uint32_t barrier = mutator->local.bump.api.barrier;
    if (SHALE_UNLIKELY(barrier != BARRIER_STORE)) {
        if ((barrier & BARRIER_REFUSE) != 0)
            return false;
        barrier_any(mutator, object, slot, word, value);
    }
    atomic_u64_store_release(slot, word);
    return true;
}

static __attribute__((noinline)) bool barrier_rest(struct mutator *mutator, void *object, void *slot,
                                                   uint64_t word, bool value)
{
    if ((mutator->local.bump.api.barrier & BARRIER_STORE) != 0)
        return store_inside(mutator, object, slot, word, value);
    barrier_any(mutator, object, slot, word, value);
    return false;
}

bool shale_barrier_slow(shale_mutator *api, void *object, void *slot, uint64_t word, bool value)
{
    struct mutator *mutator = mutator_of(api);
    /* While objects are traced, nearly all stores: of a pointer, over something that needs no shading. All else is out
     * of the way, so that nothing is saved on the stack for it. */
    if (SHALE_LIKELY(api->barrier == (BARRIER_OLD | BARRIER_PAGES) && !value)) {
        struct memory *memory = &mutator->heap->memory;
        uint64_t old = atomic_u64_load_dependent(slot);
        memory_note_store(memory, slot);
        return SHALE_UNLIKELY(shade_is_needed(memory, old)) ? shade_old(mutator, old) : false;
    }
    return barrier_rest(mutator, object, slot, word, value);
}

/* ---- many slots ------------------------------------------------------------------------------------ */

/* Words that are read before any of them is stored. */
enum { MOVED_AT_ONCE = 64 };

/* Shades `count` words that are in the object's slots from `first` on, or are about to be stored there, and are to be
 * read at `words`. Which of them hold pointers and which values only the object's type tells. */
static void shade_words(struct mutator *mutator, void *object, const uint64_t *first, size_t count,
                        uint64_t *words)
{
    struct mark *mark = &mutator->heap->collector.mark;
    struct shading shading = {&mark->work, mark->memory, &mutator->local.shaded};
    uint64_t header = ((const uint64_t *)object)[-1];
    size_t from = (size_t)((const char *)first - (char *)object);
    /* Where the object would begin, were `words` its slots. */
    char *copy = (char *)((uintptr_t)words - from);
    object_visit_slots(memory_type(mark->memory, header), header, copy, object, from,
                       from + count * sizeof(uint64_t), shade_slots, &shading);
}

/* [clean] As memory_note_store, once for each page that the words lie on. */
static void note_stores(struct memory *memory, const uint64_t *words, size_t count)
{
    uintptr_t end = (uintptr_t)(words + count);
    for (uintptr_t at = (uintptr_t)words; at < end; at = round_up(at + 1, memory->views.page_size))
        memory_note_store(memory, (const void *)at);
}

/* Stores words that have been read. They are shaded before any is stored, and not read from the slots
 * afterwards: by then another mutator, which began before, may have overwritten them without having seen them. */
static void store_words(struct mutator *mutator, void *object, uint64_t *target, uint64_t *words,
                        size_t count, bool backwards)
{
    uint32_t barrier = mutator->local.bump.api.barrier;
    if ((barrier & BARRIER_NEW) != 0)
        shade_words(mutator, object, target, count, words);
    if ((barrier & BARRIER_PAGES) != 0)
        note_stores(&mutator->heap->memory, target, count);
    for (size_t i = 0; i < count; i++) {
        size_t index = backwards ? count - 1 - i : i;
        /* Whether these slots hold pointers or values is not said. Taken as values, no word is found wrong that
         * is right as either. */
        if ((barrier & BARRIER_CHECK) != 0)
            may_store(mutator, object, &target[index], 1, words[index], true);
        atomic_u64_store_release((atomic_u64 *)&target[index], words[index]);
    }
}

void shale_move_slots(shale_mutator *api, void *object, void *to, const void *from, size_t count)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    uint64_t *target = to;
    const uint64_t *source = from;
    if ((api->barrier & BARRIER_REFUSE) != 0) {
        mutator_check(mutator, "shale_move_slots");
        return;
    }
    if ((api->barrier & BARRIER_OLD) != 0)
        shade_words(mutator, object, target, count, target);
    /* Word by word, in memmove's direction: another thread that reads a slot sees an old or a new word. */
    bool backwards = target > source;
    uint64_t words[MOVED_AT_ONCE];
    for (size_t done = 0; done < count;) {
        size_t part = count - done < MOVED_AT_ONCE ? count - done : MOVED_AT_ONCE;
        size_t first = backwards ? count - done - part : done;
        for (size_t i = 0; i < part; i++)
            words[i] = atomic_u64_load_dependent((const atomic_u64 *)&source[first + i]);
        store_words(mutator, object, &target[first], words, part, backwards);
        done += part;
    }
}

/* What is overwritten is shaded before anything is stored, see store_words. False: nothing must be stored. */
static bool begin_fill(struct mutator *mutator, const char *function, void *object, uint64_t *slots,
                       size_t count, uint64_t word, bool value)
{
    uint32_t barrier = mutator->local.bump.api.barrier;
    if ((barrier & BARRIER_REFUSE) != 0) {
        mutator_check(mutator, function);
        return false;
    }
    if (count == 0)
        return false;
    if ((barrier & BARRIER_CHECK) != 0 && !may_store(mutator, object, slots, count, word, value))
        return false;
    if ((barrier & BARRIER_OLD) != 0)
        shade_words(mutator, object, slots, count, slots);
    if ((barrier & BARRIER_NEW) != 0)
        shade_word(mutator, word, value);
    if ((barrier & BARRIER_PAGES) != 0)
        note_stores(&mutator->heap->memory, slots, count);
    return true;
}

static void fill(struct mutator *mutator, const char *function, void *object, uint64_t *slots, size_t count,
                 uint64_t word, bool value)
{
    if (!begin_fill(mutator, function, object, slots, count, word, value))
        return;
    /* Word by word: another thread that reads a slot sees the old or the new one. */
    for (size_t i = 0; i < count; i++)
        atomic_u64_store_release((atomic_u64 *)&slots[i], word);
}

void shale_fill_slots(shale_mutator *api, void *object, void *slots, size_t count, void *value)
{
    INSIDE();
    fill(mutator_of(api), "shale_fill_slots", object, slots, count, (uint64_t)(uintptr_t)value, false);
}

void shale_fill_values(shale_mutator *api, void *object, shale_value *slots, size_t count, shale_value value)
{
    INSIDE();
    fill(mutator_of(api), "shale_fill_values", object, slots, count, value, true);
}
