#include "lower_code.h"

#include "thread.h"

#include <stdlib.h>
#include <string.h>

bool writer_start(struct code_writer *writer, uint32_t label_count, bool far)
{
    *writer = (struct code_writer){.far = far};
    writer->labels = calloc(label_count + 1, sizeof *writer->labels);
    return writer->labels != NULL;
}

void writer_free(struct code_writer *writer)
{
    free(writer->words);
    free(writer->lines);
    free(writer->constants);
    free(writer->jumps);
    free(writer->labels);
}

void write_word(struct code_writer *writer, union word word)
{
    union word *place = append((void **)&writer->words, writer->count, &writer->room, sizeof word);
    uint32_t *line = append((void **)&writer->lines, writer->count, &writer->line_room, sizeof *line);
    if (place == NULL || line == NULL) {
        writer->failed = true;
        return;
    }
    *place = word;
    *line = writer->line;
    writer->count++;
}

void write_abc(struct code_writer *writer, enum operation operation, uint32_t a, uint32_t b, uint32_t c)
{
    union word word = {.instruction = {.operation = (uint16_t)operation, .a = (uint16_t)a}};
    word.instruction.b = (uint16_t)b;
    word.instruction.c = (uint16_t)c;
    write_word(writer, word);
}

void write_offset(struct code_writer *writer, enum operation operation, uint32_t a, int32_t offset)
{
    union word word = {.instruction = {.operation = (uint16_t)operation, .a = (uint16_t)a}};
    word.instruction.offset = offset;
    write_word(writer, word);
}

/* ---- jumps -------------------------------------------------------------------------------------------- */

static void note_jump(struct code_writer *writer, uint32_t label, bool near)
{
    struct jump_site *site =
        append((void **)&writer->jumps, writer->jump_count, &writer->jump_room, sizeof *site);
    if (site == NULL) {
        writer->failed = true;
        return;
    }
    *site = (struct jump_site){writer->count, label, near};
    writer->jump_count++;
}

void write_jump(struct code_writer *writer, enum operation operation, uint32_t a, uint32_t label)
{
    note_jump(writer, label, false);
    write_offset(writer, operation, a, 0);
}

void write_compared_jump(struct code_writer *writer, enum operation operation, enum operation opposite,
                         uint32_t a, uint32_t b, uint32_t label)
{
    if (writer->far) {
        write_abc(writer, opposite, a, b, 1);
        write_jump(writer, OP_LOOP, 0, label); /* polls, whichever direction it is */
    } else {
        note_jump(writer, label, true);
        write_abc(writer, operation, a, b, 0);
    }
}

void write_label(struct code_writer *writer, uint32_t label)
{
    writer->labels[label] = writer->count;
}

bool writer_link(struct code_writer *writer)
{
    for (size_t i = 0; i < writer->jump_count; i++) {
        const struct jump_site *site = &writer->jumps[i];
        struct instruction *instruction = &writer->words[site->word].instruction;
        int64_t distance = (int64_t)writer->labels[site->label] - (int64_t)site->word - 1;
        if (!site->near)
            instruction->offset = (int32_t)distance;
        else if (distance >= INT16_MIN && distance <= INT16_MAX)
            instruction->near = (int16_t)distance;
        else
            return false;
    }
    return true;
}

/* ---- constants ------------------------------------------------------------------------------------------ */

static uint32_t add_planned(struct code_writer *writer, struct planned_constant constant)
{
    struct planned_constant *place =
        append((void **)&writer->constants, writer->constant_count, &writer->constant_room, sizeof *place);
    if (place == NULL) {
        writer->failed = true;
        return 0;
    }
    *place = constant;
    return (uint32_t)writer->constant_count++;
}

uint32_t writer_constant(struct code_writer *writer, enum constant_kind kind, uint32_t index)
{
    for (size_t i = 0; i < writer->constant_count; i++)
        if (writer->constants[i].kind == kind && writer->constants[i].index == index)
            return (uint32_t)i;
    return add_planned(writer, (struct planned_constant){kind, index});
}

uint32_t writer_cached_name(struct code_writer *writer, uint32_t index)
{
    uint32_t name = add_planned(writer, (struct planned_constant){CONSTANT_VALUE, index});
    add_planned(writer, (struct planned_constant){CONSTANT_CACHE, 0});
    return name;
}

static bool fill_constants(const struct code_writer *writer, struct thread *thread,
                           const struct function_state *function, value *constants)
{
    for (size_t i = 0; i < writer->constant_count; i++) {
        const struct planned_constant *planned = &writer->constants[i];
        value constant = VALUE_NIL;
        switch (planned->kind) {
        case CONSTANT_VALUE:
            constant = function->roots.constants->slots[planned->index];
            break;
        case CONSTANT_GLOBAL: {
            value name = function->roots.constants->slots[planned->index];
            struct global *global = world_global(thread, to_pointer(name));
            if (global == NULL)
                return false;
            constant = from_pointer(TAG_OBJECT, global);
            break;
        }
        case CONSTANT_CACHE:
            constant = from_pointer(TAG_OBJECT, shale_handle_get(thread->world->no_cache));
            break;
        case CONSTANT_IMMEDIATE:
            constant = VALUE_IMMEDIATE | planned->index;
            break;
        }
        shale_store_value(thread->mutator, constants, &constants[i], constant);
    }
    return true;
}

/* ---- the function --------------------------------------------------------------------------------------- */

bool writer_finish(struct code_writer *writer, struct thread *thread, struct function_state *function,
                   uint32_t registers)
{
    shale_mutator *mutator = thread->mutator;
    const struct types *types = &thread->world->types;
    struct {
        union word *code;
        value *constants;
        uint32_t *lines;
    } local = {NULL, NULL, NULL};
    shale_frame frame;
    struct function *made = NULL;
    shale_frame_push(mutator, &frame, &local, 3);
    local.code = shale_allocate_pinned_array(mutator, types->code, writer->count);
    if (local.code != NULL)
        local.constants = shale_allocate_pinned_array(mutator, types->values, writer->constant_count);
    if (local.constants != NULL)
        local.lines = shale_allocate_array(mutator, types->lines, writer->count);
    if (local.lines != NULL) {
        memcpy(local.code, writer->words, writer->count * sizeof *local.code);
        memcpy(local.lines, writer->lines, writer->count * sizeof *local.lines);
        if (fill_constants(writer, thread, function, local.constants))
            made = shale_allocate(mutator, types->function);
    }
    shale_frame_pop(mutator, &frame);
    if (made == NULL)
        return false;
    *made = (struct function){.kind = KIND_FUNCTION,
                              .arity = function->arity,
                              .registers = registers,
                              .captures = (uint32_t)function->capture_count,
                              .code = local.code,
                              .constants = local.constants,
                              .name = function->roots.name,
                              .lines = local.lines};
    function->roots.function = made;
    return true;
}
