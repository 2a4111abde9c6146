#include "runtime/externals.h"

#include "runtime/mutator.h"

#include <inttypes.h>

/* What there is in the heap of an external object. */
struct external_object {
    atomic_u64 record; /* 0: released */
};

static struct external_record *record_of(uint64_t word)
{
    return (struct external_record *)(uintptr_t)word; // NOLINT(performance-no-int-to-ptr)
}

/* Records that the collector goes through without letting anybody else in. */
enum { AT_ONCE = 1024 };

static size_t block_size(unsigned block)
{
    return (size_t)EXTERNAL_FIRST_BLOCK << block;
}

bool externals_init(struct externals *externals, struct memory *memory)
{
    *externals = (struct externals){.memory = memory};
    shale_type_spec spec = {.name = "external memory", .size = sizeof(struct external_object)};
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    externals->type = type_register(&memory->types, &spec, &status, message, sizeof message);
    if (externals->type == NULL)
        return false;
    pthread_mutex_init(&externals->lock, NULL);
    return true;
}

/* ---- records; the lock is held --------------------------------------------------------------------- */

/* The record with a number below `used`. */
static struct external_record *record_at(const struct externals *externals, size_t number)
{
    unsigned block = 63 - (unsigned)__builtin_clzll(number / EXTERNAL_FIRST_BLOCK + 1);
    return &externals->blocks[block][number - (block_size(block) - EXTERNAL_FIRST_BLOCK)];
}

static bool grow(struct externals *externals)
{
    if (externals->block_count == EXTERNAL_BLOCKS)
        return false;
    void *block;
    const struct os *os = externals->memory->os;
    size_t size = block_size(externals->block_count) * sizeof(struct external_record);
    if (os->map_table(os, size, &block) != 0)
        return false;
    externals->blocks[externals->block_count++] = block;
    return true;
}

static struct external_record *take(struct externals *externals)
{
    struct external_record *record = externals->free;
    if (record != NULL) {
        externals->free = record->next;
        return record;
    }
    size_t capacity = block_size(externals->block_count) - EXTERNAL_FIRST_BLOCK;
    if (externals->used == capacity && !grow(externals))
        return NULL;
    return record_at(externals, externals->used++);
}

static void give_back(struct externals *externals, struct external_record *record)
{
    record->object = 0;
    record->next = externals->free;
    externals->free = record;
}

/* Lets others in between two steps of a long loop. */
static void let_in(struct externals *externals, size_t step)
{
    if (step % AT_ONCE != AT_ONCE - 1)
        return;
    pthread_mutex_unlock(&externals->lock);
    pthread_mutex_lock(&externals->lock);
}

/* ---- the collector --------------------------------------------------------------------------------- */

void externals_find_dead(struct externals *externals, bool (*is_dead)(void *argument, uint64_t address),
                         void *argument)
{
    pthread_mutex_lock(&externals->lock);
    /* What is made meanwhile is alive. */
    for (size_t i = 0, used = externals->used; i < used; i++) {
        let_in(externals, i);
        struct external_record *record = record_at(externals, i);
        if (record->object == 0 || !is_dead(argument, record->object))
            continue;
        record->object = 0;
        record->next = externals->dead;
        externals->dead = record;
    }
    pthread_mutex_unlock(&externals->lock);
}

uint64_t externals_free_dead(struct externals *externals)
{
    uint64_t bytes = 0;
    pthread_mutex_lock(&externals->lock);
    while (externals->dead != NULL) {
        struct external_record *record = externals->dead;
        struct external_record dead = *record;
        externals->dead = dead.next;
        give_back(externals, record);
        pthread_mutex_unlock(&externals->lock);
        dead.free_function(dead.context, dead.memory, dead.bytes);
        bytes += dead.bytes;
        pthread_mutex_lock(&externals->lock);
    }
    pthread_mutex_unlock(&externals->lock);
    return bytes;
}

void externals_settle(struct externals *externals, struct shale_visitor *visitor)
{
    pthread_mutex_lock(&externals->lock);
    for (size_t i = 0; i < externals->used; i++) {
        let_in(externals, i);
        shale_visit_pointers(visitor, &record_at(externals, i)->object, 1);
    }
    pthread_mutex_unlock(&externals->lock);
}

void externals_destroy(struct externals *externals)
{
    externals_free_dead(externals);
    for (size_t i = 0; i < externals->used; i++) {
        struct external_record *record = record_at(externals, i);
        if (record->object != 0)
            record->free_function(record->context, record->memory, record->bytes);
    }
    const struct os *os = externals->memory->os;
    for (unsigned block = 0; block < externals->block_count; block++)
        os->unmap(os, externals->blocks[block], block_size(block) * sizeof(struct external_record));
    pthread_mutex_destroy(&externals->lock);
}

/* ---- bytes ----------------------------------------------------------------------------------------- */

static void add_bytes(shale_heap *heap, uint64_t bytes)
{
    struct collector *collector = &heap->collector;
    atomic_u64_fetch_add(&collector->external_added, bytes);
    if (atomic_u64_fetch_add(&collector->external_bytes, bytes) + bytes >
        atomic_u64_load(&collector->external_trigger))
        collector_suggest(collector, SHALE_REASON_EXTERNAL);
}

shale_status shale_external_add(shale_mutator *api, size_t bytes)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = mutator_check(mutator, "shale_external_add");
    if (status == SHALE_OK)
        add_bytes(mutator->heap, bytes);
    return status;
}

shale_status shale_external_remove(shale_heap *heap, size_t bytes)
{
    INSIDE();
    shale_status status = heap_check(heap, "shale_external_remove", NULL);
    if (status != SHALE_OK)
        return status;
    atomic_u64 *held = &heap->collector.external_bytes;
    uint64_t before;
    do {
        before = atomic_u64_load(held);
        if (before < bytes) {
            log_line(&heap->log, SHALE_LOG_ERROR,
                     "shale_external_remove: %zu bytes are to go, but only %" PRIu64 " were added", bytes,
                     before);
            return SHALE_ERROR_ARGUMENT;
        }
    } while (!atomic_u64_cas_full(held, before, before - bytes));
    return SHALE_OK;
}

/* ---- external objects ------------------------------------------------------------------------------ */

static struct external_record *make_record(struct mutator *mutator, const struct external_record *content)
{
    struct externals *externals = &mutator->heap->externals;
    pthread_mutex_lock(&externals->lock);
    struct external_record *record = take(externals);
    if (record != NULL)
        *record = *content;
    pthread_mutex_unlock(&externals->lock);
    if (record == NULL)
        mutator_fail(mutator, SHALE_ERROR_MEMORY,
                     "shale_external_create: there is no memory for another external object");
    return record;
}

shale_external *shale_external_create(shale_mutator *api, void *memory, size_t bytes,
                                      shale_external_free_function free_function, void *context)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_external_create") != SHALE_OK)
        return NULL;
    if (free_function == NULL) {
        mutator_fail(mutator, SHALE_ERROR_ARGUMENT, "shale_external_create: the function that frees is NULL");
        return NULL;
    }
    struct externals *externals = &mutator->heap->externals;
    struct external_record *record = make_record(
        mutator, &(struct external_record){
                     .memory = memory, .bytes = bytes, .free_function = free_function, .context = context});
    if (record == NULL)
        return NULL;
    struct external_object *object = shale_allocate(api, &externals->type->api);
    if (object != NULL)
        atomic_u64_store(&object->record, (uint64_t)(uintptr_t)record);
    pthread_mutex_lock(&externals->lock);
    if (object != NULL)
        record->object = (uint64_t)(uintptr_t)object;
    else
        give_back(externals, record);
    pthread_mutex_unlock(&externals->lock);
    if (object != NULL)
        add_bytes(mutator->heap, bytes);
    return (shale_external *)object;
}

/* Whether a call may go on. */
static shale_status check(struct mutator *mutator, const shale_external *external, const char *function)
{
    shale_status status = mutator_check(mutator, function);
    if (status != SHALE_OK)
        return status;
    const shale_heap *heap = mutator->heap;
    size_t offset = views_offset(&heap->memory.views, (uintptr_t)external);
    if (offset >= heap->memory.views.regions || offset % GRANULE_SIZE != 0 ||
        offset % REGION_SIZE < REGION_FIRST_OBJECT ||
        header_type_number(atomic_u64_load((const atomic_u64 *)external - 1)) !=
            header_type_number(heap->externals.type->api.header))
        return mutator_misuse(mutator, SHALE_ERROR_ARGUMENT, function,
                              "this is not an external object of the heap");
    return SHALE_OK;
}

void *shale_external_memory(shale_mutator *api, const shale_external *external, size_t *bytes)
{
    const struct external_record *record = NULL;
    if (check(mutator_of(api), external, "shale_external_memory") == SHALE_OK)
        record = record_of(atomic_u64_load(&((const struct external_object *)external)->record));
    if (bytes != NULL)
        *bytes = record != NULL ? record->bytes : 0;
    return record != NULL ? record->memory : NULL;
}

/* Whoever takes the record out of the object has it. */
static struct external_record *take_record(struct external_object *object)
{
    uint64_t record;
    do {
        record = atomic_u64_load(&object->record);
    } while (record != 0 && !atomic_u64_cas_full(&object->record, record, 0));
    return record_of(record);
}

shale_status shale_external_release(shale_mutator *api, shale_external *external)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = check(mutator, external, "shale_external_release");
    if (status != SHALE_OK)
        return status;
    struct external_record *record = take_record((struct external_object *)external);
    if (record == NULL)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, "shale_external_release",
                              "the object's memory was released before");
    struct externals *externals = &mutator->heap->externals;
    pthread_mutex_lock(&externals->lock);
    struct external_record released = *record;
    give_back(externals, record);
    pthread_mutex_unlock(&externals->lock);
    atomic_u64_fetch_add(&mutator->heap->collector.external_bytes, -(uint64_t)released.bytes);
    released.free_function(released.context, released.memory, released.bytes);
    return SHALE_OK;
}
