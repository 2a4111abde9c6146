/* What the model says a cycle must do: where objects go and what memory then holds. */
#include "tests/support/model_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int by_offset(const void *a, const void *b)
{
    size_t left = (*(struct model_object *const *)a)->offset;
    size_t right = (*(struct model_object *const *)b)->offset;
    return left < right ? -1 : left > right;
}

/* The live objects of the evacuation set, in the order of their addresses. */
static size_t list_moving(struct model *model, const struct plan *plan, struct model_object **moving)
{
    size_t count = 0;
    for (size_t i = 0; i < model->count; i++) {
        struct model_object *object = &model->objects[i];
        object->moves = false;
        object->moved_to = object->offset;
        object->moved_size = object->size;
        for (region_number e = 0; object->live && e < plan->evacuated_count; e++) {
            if (object->offset / REGION_SIZE == plan->evacuated[e])
                object->moves = true;
        }
        if (!object->moves)
            continue;
        moving[count++] = object;
        if (object->hash == MODEL_ASKED)
            object->moved_size = model_stored_size(object->type, object->length);
    }
    qsort(moving, count, sizeof *moving, by_offset);
    return count;
}

void model_place(struct model *model, const struct plan *plan)
{
    struct model_object **moving = malloc((model->count + 1) * sizeof(*moving));
    assert_non_null(moving);
    size_t count = list_moving(model, plan, moving);
    region_number destination = 0;
    size_t used = 16; /* of the destination region */
    for (size_t first = 0; first < count;) {
        /* A group: what starts in one KiB. It stays together. */
        size_t last = first;
        size_t bytes = 0;
        while (last < count && moving[last]->offset / 1024 == moving[first]->offset / 1024)
            bytes += moving[last++]->moved_size;
        if (used + bytes > REGION_SIZE) {
            destination++;
            used = 16;
        }
        assert_true(destination < plan->destination_count);
        for (; first < last; first++) {
            moving[first]->moved_to = (size_t)plan->destinations[destination] * REGION_SIZE + used;
            used += moving[first]->moved_size;
        }
    }
    free(moving);
    for (size_t i = 0; i < model->count; i++) {
        struct model_object *object = &model->objects[i];
        if (!object->moves || plan->roles[object->offset / REGION_SIZE] == ROLE_EVACUATED)
            continue;
        object->moves = false; /* held back */
        object->moved_to = object->offset;
        object->moved_size = object->size;
    }
}

/* One live object, at its new place, with its references changed. */
static void expect_object(const struct model *model, const struct model_object *object, char *image)
{
    static struct model_slot slots[MODEL_SLOTS_MAX];
    const char *old = model_payload(model, object->offset);
    char *new = image + object->moved_to;
    memcpy(new - 8, old - 8, object->size);
    if (object->moves && object->hash == MODEL_ASKED) {
        uint64_t header = *(const uint64_t *)(old - 8);
        memset(new - 8 + object->size, 0, object->moved_size - object->size);
        *(uint64_t *)(new - 8) = (header & UINT64_C(0xffffffff0000ffff)) | HEADER_STORED;
        *(uint64_t *)(new - 16 + object->moved_size) = object->hash_value;
    }
    size_t slot_count = model_slots(object->type, object->length, old, slots);
    for (size_t i = 0; i < slot_count; i++) {
        uint64_t word = *(const uint64_t *)(old + slots[i].offset);
        const struct model_object *target = model_target(model, word, slots[i].value);
        if (target == NULL || !target->moves)
            continue;
        uint64_t address = (uint64_t)(uintptr_t)model->memory.views.mutator + target->moved_to;
        *(uint64_t *)(new + slots[i].offset) = model_with_address(model, word, slots[i].value, address);
    }
}

size_t model_end(const struct model *model)
{
    return model->memory.views.flipped;
}

/* Of the large space only what is in use: reading the rest would take memory for it. */
static void expect_large_runs(const struct model *model, char *image)
{
    for (size_t i = 0; i < model->large_count; i++) {
        const struct model_object *object = &model->objects[model->larges[i]];
        if (!object->live || object->offset >= model->memory.views.flipped)
            continue;
        size_t start = object->offset - 16;
        memcpy(image + start, model->memory.views.alias + start,
               round_up(object->size + 8, model->memory.views.page_size));
    }
}

void model_expect(const struct model *model, char *image)
{
    memcpy(image, model->memory.views.alias, model->memory.views.regions);
    expect_large_runs(model, image);
    for (size_t i = 0; i < model->count; i++) {
        if (model->objects[i].live && model->objects[i].offset < model->memory.views.flipped)
            expect_object(model, &model->objects[i], image);
    }
}

void model_pages_with_contents(const struct model *model, bool *has)
{
    size_t page_size = model->memory.views.page_size;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_object *object = &model->objects[i];
        if (!object->live || object->offset >= model->memory.views.flipped)
            continue;
        /* The copy of an object takes its header along; one that stays has a header that needs nothing. */
        size_t first = object->moved_to - (object->moves ? 8 : 0);
        size_t last = object->moved_to - 8 + object->moved_size - 1;
        if (last < first)
            last = first;
        for (size_t page = first / page_size; page <= last / page_size; page++)
            has[page] = true;
    }
}

size_t model_first_difference(const struct model *model, const char *image)
{
    const char *heap = model->memory.views.alias;
    size_t size = model->memory.views.regions;
    if (memcmp(heap, image, size) == 0)
        return SIZE_MAX;
    size_t at = 0;
    while (heap[at] == image[at])
        at++;
    return at;
}

void model_advance(struct model *model)
{
    size_t kept = 0;
    memset(model->at, 0, model->memory.views.regions / GRANULE_SIZE * sizeof *model->at);
    model->large_count = 0;
    for (size_t i = 0; i < model->count; i++) {
        struct model_object object = model->objects[i];
        if (!object.live)
            continue;
        object.offset = object.moved_to;
        object.size = object.moved_size;
        if (object.hash == MODEL_LATE)
            object.hash = MODEL_ASKED;
        else if (object.hash == MODEL_ASKED && object.moves)
            object.hash = MODEL_STORED;
        object.moves = false;
        model->objects[kept++] = object;
        if (model_in_region(model, &object))
            model->at[object.offset / GRANULE_SIZE] = (uint32_t)kept;
        else
            model->larges[model->large_count++] = (uint32_t)(kept - 1);
    }
    model->count = kept;
}
