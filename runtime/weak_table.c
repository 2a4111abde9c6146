#include "runtime/weak_table.h"

_Static_assert(offsetof(struct weak_object, hash) + sizeof(uint32_t) == WEAK_TABLE_OF_WEAK &&
                   offsetof(struct ephemeron_object, hash) + sizeof(uint32_t) == WEAK_TABLE_OF_EPHEMERONS,
               "the hash is in front of the link");

/* The most buckets that a directory has segments for. */
enum {
    BUCKETS_MAX = (WEAK_TABLE_DIRECTORY_MAX - WEAK_TABLE_DOUBLING_SEGMENTS + 1) * WEAK_TABLE_SEGMENT_MAX,
    SHRINK_BELOW = 4, /* this many buckets for an entry are too many */
    SHRINK_STEPS = 4, /* buckets that one addition takes away */
    GROW_STEPS = 2    /* and adds: more than one, to catch up when there was no memory for some time */
};

/* ---- creation -------------------------------------------------------------------------------------- */

static const struct type *register_type(struct type_table *table, const shale_type_spec *spec)
{
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    return type_register(table, spec, &status, message, sizeof message);
}

bool weak_table_types_register(struct weak_table_types *types, struct type_table *table)
{
    static const uint32_t first[] = {0};
    _Static_assert(offsetof(struct weak_table, directory) == 0, "the first word is the slot");
    shale_type_spec spec = {
        .name = "intern table", .size = sizeof(struct weak_table), .pointers = first, .pointer_count = 1};
    types->intern_table = register_type(table, &spec);
    spec.name = "weak map";
    types->weak_map = register_type(table, &spec);
    shale_type_spec array = {.name = "part of a table",
                             .element_size = sizeof(uint64_t),
                             .element_pointers = first,
                             .element_pointer_count = 1};
    types->array = register_type(table, &array);
    return types->intern_table != NULL && types->weak_map != NULL && types->array != NULL;
}

static void *allocate_array(struct mutator *mutator, size_t length)
{
    return shale_allocate_array(&mutator->local.bump.api, &mutator->heap->weak_table_types.array->api,
                                length);
}

static uint64_t word_of(const void *address)
{
    return (uint64_t)(uintptr_t)address;
}

static uint64_t cycles_completed(const struct mutator *mutator)
{
    return atomic_u64_load(&mutator->heap->collector.completed);
}

struct weak_table *weak_table_create(struct mutator *mutator, const struct type *type,
                                     enum weak_table_link link)
{
    shale_mutator *api = &mutator->local.bump.api;
    atomic_u64 *parts[2] = {NULL, NULL};
    shale_frame frame;
    shale_frame_push(api, &frame, parts, 2);
    parts[0] = allocate_array(mutator, WEAK_TABLE_DIRECTORY_FIRST);
    if (parts[0] != NULL)
        parts[1] = allocate_array(mutator, WEAK_TABLE_SEGMENT_FIRST);
    struct weak_table *table = NULL;
    if (parts[1] != NULL) {
        shale_store(api, parts[0], parts[0], parts[1]);
        table = shale_allocate(api, &type->api);
    }
    if (table != NULL) {
        atomic_u64_store(&table->directory, word_of(parts[0]));
        table->link = link;
        table->bucket_count = WEAK_TABLE_SEGMENT_FIRST;
        table->swept = cycles_completed(mutator);
    }
    shale_frame_pop(api, &frame);
    return table;
}

struct weak_table *weak_table_check(struct mutator *mutator, const void *table, const struct type *type,
                                    const char *function)
{
    if (table != NULL && header_type_number(atomic_u64_load((const atomic_u64 *)table - 1)) ==
                             header_type_number(type->api.header))
        return (struct weak_table *)(uintptr_t)table; // NOLINT(performance-no-int-to-ptr)
    mutator_misuse(mutator, SHALE_ERROR_MISUSE, function,
                   table == NULL ? "the table is NULL" : "what was passed is not such a table");
    return NULL;
}

/* ---- chains ---------------------------------------------------------------------------------------- */

static void store(struct mutator *mutator, const struct weak_table_place *place,
                  struct weak_table_entry *entry)
{
    shale_store(&mutator->local.bump.api, place->holder, (void *)place->slot, entry);
}

void weak_table_add(struct mutator *mutator, struct weak_table *table, struct weak_table_entry *entry,
                    uint32_t hash)
{
    struct weak_table_place place = weak_table_place_of(table, weak_table_bucket(table, hash));
    *weak_table_hash(table, entry) = hash;
    atomic_u64_store(weak_table_next(table, entry),
                     word_of(weak_table_at(&place))); /* it is new: no barrier */
    store(mutator, &place, entry);
    table->entry_count++;
}

void weak_table_unlink(struct mutator *mutator, struct weak_table *table,
                       const struct weak_table_place *place)
{
    struct weak_table_place next = weak_table_place_after(table, weak_table_at(place));
    store(mutator, place, weak_table_at(&next));
    table->entry_count--;
}

/* [sweep] */
static void sweep_bucket(struct mutator *mutator, struct weak_table *table, uint32_t bucket)
{
    struct weak_table_place place = weak_table_place_of(table, bucket);
    struct weak_table_entry *entry;
    while ((entry = weak_table_at(&place)) != NULL) {
        if (weak_table_is_dead(entry))
            weak_table_unlink(mutator, table, &place);
        else
            place = weak_table_place_after(table, entry);
    }
}

/* What dies while the buckets are gone through may be missed, hence the number of the cycle is taken at the beginning. */
static void sweep(struct mutator *mutator, struct weak_table *table)
{
    if (table->sweep_bucket == 0) {
        uint64_t completed = cycles_completed(mutator);
        if (table->swept == completed)
            return;
        table->sweeping = completed;
    }
    for (unsigned i = 0; i < WEAK_TABLE_SWEEP && table->sweep_bucket < table->bucket_count; i++)
        sweep_bucket(mutator, table, table->sweep_bucket++);
    if (table->sweep_bucket >= table->bucket_count) {
        table->swept = table->sweeping;
        table->sweep_bucket = 0;
    }
}

/* ---- size ------------------------------------------------------------------------------------------ */

/* The bucket from which another was split. */
static uint32_t parent_of(uint32_t bucket)
{
    return bucket & ~(UINT32_C(1) << (31 - __builtin_clz(bucket)));
}

static bool extend_directory(struct mutator *mutator, struct weak_table **root)
{
    size_t length = shale_length_of(weak_table_load(&(*root)->directory));
    size_t more = length * 2 < WEAK_TABLE_DIRECTORY_MAX ? length * 2 : WEAK_TABLE_DIRECTORY_MAX;
    atomic_u64 *directory = allocate_array(mutator, more);
    if (directory == NULL)
        return false;
    const atomic_u64 *old = weak_table_load(&(*root)->directory);
    for (size_t i = 0; i < length; i++) /* it is new: no barrier */
        atomic_u64_store(&directory[i], word_of(weak_table_load(&old[i])));
    shale_store(&mutator->local.bump.api, *root, (void *)&(*root)->directory, directory);
    return true;
}

/* Makes sure that there is a segment. */
static bool have_segment(struct mutator *mutator, struct weak_table **root, uint32_t segment)
{
    if (segment >= shale_length_of(weak_table_load(&(*root)->directory)) && !extend_directory(mutator, root))
        return false;
    const atomic_u64 *directory = weak_table_load(&(*root)->directory);
    if (weak_table_load(&directory[segment]) != NULL)
        return true;
    void *heads =
        allocate_array(mutator, weak_table_segment_start(segment + 1) - weak_table_segment_start(segment));
    if (heads == NULL)
        return false;
    directory = weak_table_load(&(*root)->directory);
    shale_store(&mutator->local.bump.api, (void *)directory, (void *)&directory[segment], heads);
    return true;
}

/* A sweep comes to the new bucket later, wherever it is. */
static void split(struct mutator *mutator, struct weak_table *table)
{
    uint32_t added = table->bucket_count;
    struct weak_table_place from = weak_table_place_of(table, parent_of(added));
    table->bucket_count = added + 1;
    struct weak_table_place to = weak_table_place_of(table, added);
    struct weak_table_entry *entry;
    while ((entry = weak_table_at(&from)) != NULL) {
        struct weak_table_place next = weak_table_place_after(table, entry);
        if (weak_table_bucket(table, *weak_table_hash(table, entry)) != added) {
            from = next;
            continue;
        }
        store(mutator, &from, weak_table_at(&next));
        store(mutator, &next, weak_table_at(&to));
        store(mutator, &to, entry);
    }
}

/* Grows by a bucket, if there is memory for it. */
static bool grow(struct mutator *mutator, struct weak_table **root)
{
    shale_error before = mutator->error;
    if (have_segment(mutator, root, weak_table_segment((*root)->bucket_count))) {
        (*root)->grow_above = 0;
        split(mutator, *root);
        return true;
    }
    mutator->error = before;
    (*root)->grow_above = (*root)->entry_count + (*root)->entry_count / 4;
    return false;
}

/* Shrinks by a bucket: its chain is put in front of its parent's, which a sweep may have gone past already. */
static void join(struct mutator *mutator, struct weak_table *table)
{
    uint32_t last = table->bucket_count - 1;
    sweep_bucket(mutator, table, last);
    struct weak_table_place from = weak_table_place_of(table, last);
    struct weak_table_place to = weak_table_place_of(table, parent_of(last));
    struct weak_table_entry *first = weak_table_at(&from);
    if (first != NULL) {
        struct weak_table_place end = from;
        for (struct weak_table_entry *entry = first; entry != NULL; entry = weak_table_at(&end))
            end = weak_table_place_after(table, entry);
        store(mutator, &end, weak_table_at(&to));
        store(mutator, &to, first);
        store(mutator, &from, NULL);
    }
    table->bucket_count = last;
    /* One segment more than there are buckets for stays. */
    const atomic_u64 *directory = weak_table_load(&table->directory);
    uint32_t unused = weak_table_segment(last) + 1;
    if (unused < shale_length_of(directory) && weak_table_load(&directory[unused]) != NULL)
        shale_store(&mutator->local.bump.api, (void *)directory, (void *)&directory[unused], NULL);
}

static bool wants_to_grow(const struct weak_table *table)
{
    return table->entry_count > table->bucket_count && table->entry_count > table->grow_above &&
           table->bucket_count < BUCKETS_MAX;
}

void weak_table_tend(struct mutator *mutator, struct weak_table **root)
{
    sweep(mutator, *root);
    for (unsigned i = 0; i < GROW_STEPS && wants_to_grow(*root); i++) {
        if (!grow(mutator, root))
            break;
    }
    struct weak_table *table = *root;
    for (unsigned i = 0; i < SHRINK_STEPS && table->bucket_count > WEAK_TABLE_SEGMENT_FIRST &&
                         table->entry_count < table->bucket_count / SHRINK_BELOW;
         i++)
        join(mutator, table);
}
