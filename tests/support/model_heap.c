#include "tests/support/model_heap.h"

#include "heap/announce.h"
#include "heap/identity_hash.h"
#include "heap/live_bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void model_create(struct model *model, const struct os *os, size_t size, struct test_random *random)
{
    *model = (struct model){.random = random};
    model->encoding = (enum model_encoding)test_random_below(random, MODEL_ENCODINGS);
    shale_encoding encoding = model_encoding_of(model->encoding);
    const char *failed = NULL;
    assert_int_equal(memory_create(&model->memory, os, size, &encoding, &failed), 0);
    /* Objects are written without an allocator that would announce them to a checking tool. */
    announce_object(views_mutator(&model->memory.views, 0), size);
    model_types_register(&model->memory.types, model->types);
    model->at = calloc(size / GRANULE_SIZE, sizeof *model->at);
    assert_non_null(model->at);
}

void model_destroy(struct model *model)
{
    memory_destroy(&model->memory);
    free(model->objects);
    free(model->at);
}

bool model_in_region(const struct model *model, const struct model_object *object)
{
    return object->offset < model->memory.views.regions;
}

char *model_payload(const struct model *model, size_t offset)
{
    return views_alias(&model->memory.views, offset);
}

uint64_t model_address(const struct model *model, const struct model_object *object)
{
    return (uint64_t)(uintptr_t)model->memory.views.mutator + object->offset;
}

struct model_object *model_find(const struct model *model, uint64_t address)
{
    uint64_t base = (uint64_t)(uintptr_t)model->memory.views.mutator;
    /* The last, since memory is used again. */
    for (size_t i = model->large_count; i-- != 0;) {
        if (address == base + model->objects[model->larges[i]].offset)
            return &model->objects[model->larges[i]];
    }
    if (address < base || address >= base + model->memory.views.regions || address % GRANULE_SIZE != 0)
        return NULL;
    uint32_t index = model->at[(address - base) / GRANULE_SIZE];
    return index != 0 ? &model->objects[index - 1] : NULL;
}

struct model_object *model_target(const struct model *model, uint64_t word, bool value)
{
    if (!value)
        return model_find(model, word);
    if (!model_value_is_reference(model->encoding, word))
        return NULL;
    return model_find(model, model_value_address(model->encoding, word));
}

uint64_t model_with_address(const struct model *model, uint64_t word, bool value, uint64_t address)
{
    uint64_t before = value ? model_value_address(model->encoding, word) : word;
    return word - before + address;
}

struct model_object *model_add(struct model *model, enum model_type type, size_t length, size_t offset)
{
    if (model->count == model->capacity) {
        model->capacity = model->capacity * 2 + 1024;
        model->objects = realloc(model->objects, model->capacity * sizeof *model->objects);
        assert_non_null(model->objects);
    }
    struct model_object *object = &model->objects[model->count++];
    *object = (struct model_object){
        .type = type, .length = length, .offset = offset, .size = model_size(type, length)};
    object->moved_to = offset;
    object->moved_size = object->size;
    if (model_in_region(model, object)) {
        model->at[offset / GRANULE_SIZE] = (uint32_t)model->count;
    } else {
        assert_true(model->large_count < MODEL_LARGE_MAX);
        model->larges[model->large_count++] = (uint32_t)(model->count - 1);
    }
    return object;
}

/* ---- filling ------------------------------------------------------------------------------------------ */

static struct model_object *random_object(const struct model *model, bool live)
{
    for (int tries = 0; tries < 50 && model->count != 0; tries++) {
        struct model_object *object = &model->objects[test_random_below(model->random, model->count)];
        if (object->live || !live)
            return object;
    }
    return NULL;
}

/* An address that is not a live object's, such as may stand in a slot all the same. */
static uint64_t outside(const struct model *model)
{
    const struct views *views = &model->memory.views;
    uint64_t candidates[] = {0, (uintptr_t)views->mutator - 16, (uintptr_t)views->mutator + views->size,
                             (uintptr_t)views->alias + 4096 + 16, test_random_next(model->random) >> 20 << 4};
    uint64_t address = candidates[test_random_below(model->random, 5)];
    return views_offset(views, address) < views->size ? 0 : address;
}

static uint64_t random_slot_word(struct model *model, bool value, bool live)
{
    if (value && test_random_chance(model->random, 30))
        return model_value_immediate(model->encoding, model->random);
    struct model_object *target = test_random_chance(model->random, 85) ? random_object(model, live) : NULL;
    uint64_t address = target != NULL ? model_address(model, target) : outside(model);
    if (!value)
        return address;
    return model_value_make(model->encoding, model->random, address & UINT64_C(0x0000fffffffffff0));
}

void model_fill_object(struct model *model, const struct model_object *object)
{
    static struct model_slot slots[MODEL_SLOTS_MAX];
    uint64_t *words = (uint64_t *)model_payload(model, object->offset);
    size_t word_count = (object->size - HEADER_SIZE) / 8 - (object->hash == MODEL_STORED);
    for (size_t i = 0; i < word_count; i++) {
        words[i] = test_random_next(model->random);
        /* Data that looks like a reference and must be left alone. */
        struct model_object *lookalike = i % 8 == 7 ? random_object(model, false) : NULL;
        if (lookalike != NULL)
            words[i] = model_address(model, lookalike);
    }
    size_t slot_count = model_slots(object->type, object->length, words, slots);
    for (size_t i = 0; i < slot_count; i++)
        words[slots[i].offset / 8] = random_slot_word(model, slots[i].value, object->live);
}

/* As a cycle before this one would have left it. */
static void store_hash(struct model *model, struct model_object *object)
{
    char *payload = model_payload(model, object->offset);
    object->hash = MODEL_STORED;
    object->size = object->moved_size = model_stored_size(object->type, object->length);
    /* Of any place. */
    size_t place = test_random_between(model->random, REGION_FIRST_OBJECT, REGION_SIZE - 1);
    object->hash_value = identity_hash_of_place(&model->memory, place);
    *(uint64_t *)(payload - 8) |= HEADER_STORED;
    *(uint64_t *)(payload - 8 + object->size - 8) = object->hash_value;
}

/* Fills one region back to back, up to a random height. */
static void fill_region(struct model *model, const struct model_fill *fill)
{
    struct memory *memory = &model->memory;
    region_number region = region_take(&memory->regions, REGION_ALLOCATING, 0);
    assert_int_not_equal(region, REGION_NONE);
    size_t height = REGION_SIZE;
    if (test_random_chance(model->random, 30))
        height = test_random_between(model->random, 64, REGION_SIZE);
    unsigned live_percent = (unsigned)test_random_below(model->random, fill->live_percent + 1);
    size_t at = region_start(region) + 16;
    size_t end = region_start(region) + height;
    for (;;) {
        enum model_type type = (enum model_type)test_random_below(model->random, MODEL_TYPES);
        if (type == MODEL_WIDE && test_random_chance(model->random, 80))
            type = MODEL_PAIR;
        size_t length = model_random_length(model->random, type);
        if (at - 8 + model_stored_size(type, length) > end)
            break;
        struct model_object *object = model_add(model, type, length, at);
        object->live = test_random_chance(model->random, live_percent);
        *(uint64_t *)(model_payload(model, at) - 8) = model->types[type]->api.header | (uint64_t)length << 32;
        if (test_random_chance(model->random, fill->hash_percent)) {
            if (test_random_chance(model->random, 30))
                store_hash(model, object);
            else
                object->hash = MODEL_ASKED;
        }
        at += object->size;
    }
    memory->regions.regions[region].top = (uint32_t)(at - 8 - region_start(region));
    if (test_random_chance(model->random, fill->stuck_percent)) {
        if (test_random_chance(model->random, 50))
            region_set_state(&memory->regions, region, REGION_BORN);
    } else {
        region_set_state(&memory->regions, region, REGION_USED);
    }
}

void model_fill(struct model *model, const struct model_fill *fill)
{
    for (unsigned i = 0; i < fill->regions; i++)
        fill_region(model, fill);
    for (size_t i = 0; i < model->count; i++) {
        model_fill_object(model, &model->objects[i]);
        if (model->objects[i].hash == MODEL_ASKED)
            model_ask(model, NULL, &model->objects[i]);
    }
    for (int i = 0; i < MODEL_ROOTS; i++)
        model->roots[i] = random_slot_word(model, i % 2 != 0, true);
}

/* ---- liveness ----------------------------------------------------------------------------------------- */

struct trace {
    struct model *model;
    uint32_t *work;
    size_t count;
};

static void reach(struct trace *trace, uint64_t word, bool value)
{
    struct model_object *target = model_target(trace->model, word, value);
    if (target == NULL || target->live)
        return;
    target->live = true;
    trace->work[trace->count++] = (uint32_t)(target - trace->model->objects);
}

void model_trace(struct model *model)
{
    static struct model_slot slots[MODEL_SLOTS_MAX];
    struct trace trace = {.model = model, .work = malloc((model->count + 1) * sizeof(uint32_t))};
    assert_non_null(trace.work);
    for (size_t i = 0; i < model->count; i++)
        model->objects[i].live = false;
    for (int i = 0; i < MODEL_ROOTS; i++)
        reach(&trace, model->roots[i], i % 2 != 0);
    while (trace.count != 0) {
        const struct model_object *object = &model->objects[trace.work[--trace.count]];
        const char *payload = model_payload(model, object->offset);
        size_t slot_count = model_slots(object->type, object->length, payload, slots);
        for (size_t i = 0; i < slot_count; i++)
            reach(&trace, *(const uint64_t *)(payload + slots[i].offset), slots[i].value);
    }
    free(trace.work);
}

void model_set_live_bits(struct model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct model_object *object = &model->objects[i];
        if (!object->live)
            continue;
        size_t granule = object->offset / 16;
        model->memory.live_bits[granule / 64] |= UINT64_C(1) << granule % 64;
        struct region *region = &model->memory.regions.regions[object->offset / REGION_SIZE];
        atomic_u8_store(&region->marked, 1);
        region->live_bytes += (uint32_t)object->size;
        if (object->size > region->largest)
            region->largest = (uint32_t)object->size;
    }
}
