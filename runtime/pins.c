#include "runtime/pins.h"

#include "runtime/barrier.h"
#include "runtime/mutator.h"

enum { CAPACITY_LEAST = 256 };

void pins_init(struct pins *pins, struct memory *memory)
{
    *pins = (struct pins){.memory = memory};
    pthread_mutex_init(&pins->lock, NULL);
}

static void unmap_entries(const struct pins *pins, struct pin *entries, size_t capacity)
{
    if (capacity != 0)
        pins->memory->os->unmap(pins->memory->os, entries, capacity * sizeof *entries);
}

void pins_destroy(struct pins *pins)
{
    unmap_entries(pins, pins->entries, pins->capacity);
    pthread_mutex_destroy(&pins->lock);
}

/* ---- the table; its lock is held ------------------------------------------------------------------- */

static size_t place_of(const struct pins *pins, uint64_t object)
{
    return (size_t)((object >> GRANULE_SHIFT) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (pins->capacity - 1);
}

/* The object's entry, or the free one where it would be. There is one. */
static struct pin *find(const struct pins *pins, uint64_t object)
{
    size_t at = place_of(pins, object);
    while (pins->entries[at].object != 0 && pins->entries[at].object != object)
        at = (at + 1) & (pins->capacity - 1);
    return &pins->entries[at];
}

/* Makes room for one more. At most half of the table is in use. */
static bool make_room(struct pins *pins)
{
    if (2 * (pins->count + 1) <= pins->capacity)
        return true;
    struct pins larger = *pins;
    larger.capacity = pins->capacity != 0 ? 2 * pins->capacity : CAPACITY_LEAST;
    void *entries;
    const struct os *os = pins->memory->os;
    if (os->map_table(os, larger.capacity * sizeof *larger.entries, &entries) != 0)
        return false;
    larger.entries = entries;
    for (size_t i = 0; i < pins->capacity; i++) {
        if (pins->entries[i].object != 0)
            *find(&larger, pins->entries[i].object) = pins->entries[i];
    }
    unmap_entries(pins, pins->entries, pins->capacity);
    pins->entries = larger.entries;
    pins->capacity = larger.capacity;
    return true;
}

/* Takes an entry out, and moves those behind it that a search would not find any more. */
static void take_out(struct pins *pins, struct pin *entry)
{
    size_t mask = pins->capacity - 1;
    size_t gap = (size_t)(entry - pins->entries);
    for (size_t at = (gap + 1) & mask; pins->entries[at].object != 0; at = (at + 1) & mask) {
        size_t belongs = place_of(pins, pins->entries[at].object);
        if (((at - belongs) & mask) < ((at - gap) & mask))
            continue;
        pins->entries[gap] = pins->entries[at];
        gap = at;
    }
    pins->entries[gap] = (struct pin){0};
    pins->count--;
}

/* Objects that do not move need no region that stays. */
static void pin_place(struct memory *memory, size_t offset)
{
    if (offset < memory->views.regions)
        region_pin(&memory->regions, region_of(offset));
}

static void unpin_place(struct memory *memory, size_t offset)
{
    if (offset < memory->views.regions)
        region_unpin(&memory->regions, region_of(offset));
}

/* ---- pins ------------------------------------------------------------------------------------------ */

bool pins_add(struct pins *pins, size_t offset)
{
    pthread_mutex_lock(&pins->lock);
    bool room = make_room(pins);
    if (room) {
        struct pin *entry = find(pins, offset);
        if (entry->count++ == 0) {
            entry->object = offset;
            pins->count++;
            pin_place(pins->memory, offset);
        }
    }
    pthread_mutex_unlock(&pins->lock);
    return room;
}

bool pins_remove(struct pins *pins, size_t offset)
{
    pthread_mutex_lock(&pins->lock);
    struct pin *entry = pins->capacity != 0 ? find(pins, offset) : NULL;
    bool found = entry != NULL && entry->object != 0;
    if (found && --entry->count == 0) {
        take_out(pins, entry);
        unpin_place(pins->memory, offset);
    }
    pthread_mutex_unlock(&pins->lock);
    return found;
}

void pins_visit(struct pins *pins, struct shale_visitor *visitor)
{
    pthread_mutex_lock(&pins->lock);
    for (size_t i = 0; i < pins->capacity; i++) {
        if (pins->entries[i].object == 0)
            continue;
        uint64_t address = (uint64_t)(uintptr_t)views_mutator(&pins->memory->views, pins->entries[i].object);
        shale_visit_pointers(visitor, &address, 1);
    }
    pthread_mutex_unlock(&pins->lock);
}

void pins_visit_scopes(const struct mutator *mutator, struct shale_visitor *visitor)
{
    for (shale_pin_scope *scope = mutator->pin_scopes; scope != NULL; scope = scope->outer)
        shale_visit_pointers(visitor, &scope->object, 1);
}

/* ---- public ---------------------------------------------------------------------------------------- */

static bool is_object(const struct memory *memory, size_t offset)
{
    if (offset >= memory->views.regions)
        return offset < memory->views.size && memory_fixed_object(memory, offset) == offset;
    return offset % GRANULE_SIZE == 0 && offset % REGION_SIZE >= REGION_FIRST_OBJECT &&
           region_get_state(&memory->regions, region_of(offset)) != REGION_FREE;
}

/* Whether a call may go on, with the object's offset. */
static shale_status check(struct mutator *mutator, const void *object, size_t *offset, const char *function)
{
    shale_status status = mutator_check(mutator, function);
    if (status != SHALE_OK)
        return status;
    const struct memory *memory = &mutator->heap->memory;
    *offset = views_offset(&memory->views, (uintptr_t)object);
    if (!is_object(memory, *offset))
        return mutator_misuse(mutator, SHALE_ERROR_ARGUMENT, function,
                              "this is not the address of an object of the heap");
    return SHALE_OK;
}

shale_status shale_pin(shale_mutator *api, void *object)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    size_t offset;
    shale_status status = check(mutator, object, &offset, "shale_pin");
    if (status != SHALE_OK)
        return status;
    barrier_shade(mutator, NULL, object);
    if (pins_add(&mutator->heap->pins, offset))
        return SHALE_OK;
    return mutator_fail(mutator, SHALE_ERROR_MEMORY, "shale_pin: there is no memory for another pin");
}

shale_status shale_unpin(shale_mutator *api, void *object)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    size_t offset;
    shale_status status = check(mutator, object, &offset, "shale_unpin");
    if (status != SHALE_OK)
        return status;
    barrier_shade(mutator, object, NULL);
    if (pins_remove(&mutator->heap->pins, offset))
        return SHALE_OK;
    return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_unpin", "the object is not pinned");
}

shale_status shale_pin_begin(shale_mutator *api, shale_pin_scope *scope, void *object)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    size_t offset;
    shale_status status = check(mutator, object, &offset, "shale_pin_begin");
    if (status != SHALE_OK)
        return status;
    if (scope == NULL)
        return mutator_misuse(mutator, SHALE_ERROR_ARGUMENT, "shale_pin_begin", "the scope is NULL");
    pin_place(&mutator->heap->memory, offset);
    *scope = (shale_pin_scope){.outer = mutator->pin_scopes, .object = object};
    mutator->pin_scopes = scope;
    return SHALE_OK;
}

shale_status shale_pin_end(shale_mutator *api, shale_pin_scope *scope)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_pin_end");
    if (status != SHALE_OK)
        return status;
    if (scope == NULL || mutator->pin_scopes != scope)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_pin_end",
                              "this is not the innermost pin scope; end scopes in the reverse order");
    const struct views *views = &mutator->heap->memory.views;
    mutator->pin_scopes = scope->outer;
    unpin_place(&mutator->heap->memory, views_offset(views, (uintptr_t)scope->object));
    return SHALE_OK;
}
