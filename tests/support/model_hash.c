/* Identity hashes in the model: what an answer must be, and that it stays. */
#include "gc/hash_window.h"
#include "heap/identity_hash.h"
#include "tests/support/model_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool is_evacuated(const struct plan *plan, size_t offset)
{
    return atomic_u32_load(&plan->stage) == PLAN_MADE && plan->roles[offset / REGION_SIZE] == ROLE_EVACUATED;
}

void model_ask(struct model *model, const struct plan *plan, struct model_object *object)
{
    if (!model_in_region(model, object))
        return; /* it follows from the place, and nothing is stored */
    struct plan none;
    memset(&none, 0, sizeof none);
    none.memory = &model->memory;
    if (plan == NULL)
        plan = &none;
    uint64_t hash = identity_hash_ask(plan, model_payload(model, object->offset), object->offset);
    assert_int_not_equal(hash, 0);
    if (object->hash_value != 0) {
        assert_int_equal(hash, object->hash_value);
        return;
    }
    bool grows = model_stored_size(object->type, object->length) != object->size;
    object->hash = grows && is_evacuated(plan, object->offset) ? MODEL_LATE : MODEL_ASKED;
    object->hash_value = hash;
    size_t place = object->offset;
    if (object->hash == MODEL_LATE)
        place = plan_forward(plan, model_address(model, object)) - (uintptr_t)model->memory.views.mutator;
    assert_int_equal(hash, identity_hash_of_place(&model->memory, place));
}

void model_ask_some(struct model *model, const struct plan *plan, unsigned percent)
{
    for (size_t i = 0; i < model->count; i++) {
        if (model->objects[i].live && test_random_chance(model->random, percent))
            model_ask(model, plan, &model->objects[i]);
    }
}

void model_check_hashes(struct model *model, const struct plan *plan)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct model_object *object = &model->objects[i];
        if (!object->live || object->hash_value == 0)
            continue;
        uint64_t hash = identity_hash_ask(plan, model_payload(model, object->moved_to), object->moved_to);
        assert_int_equal(hash, object->hash_value);
        uint64_t header = memory_header(&model->memory, object->moved_to);
        bool stored = object->hash == MODEL_STORED || (object->moves && object->hash == MODEL_ASKED);
        assert_int_equal((header & HEADER_STORED) != 0, stored);
    }
}
