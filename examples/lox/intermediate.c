#include "intermediate.h"

#include <stdlib.h>
#include <string.h>

void *append(void **array, size_t count, size_t *room, size_t element_size)
{
    if (count == *room) {
        size_t fresh_room = *room == 0 ? 16 : *room * 2;
        void *fresh = realloc(*array, fresh_room * element_size);
        if (fresh == NULL)
            return NULL;
        *array = fresh;
        *room = fresh_room;
    }
    return (char *)*array + count * element_size;
}

bool intermediate_add(struct intermediate_code *code, struct intermediate operation)
{
    struct intermediate *place =
        append((void **)&code->operations, code->count, &code->room, sizeof operation);
    if (place == NULL)
        return false;
    *place = operation;
    code->count++;
    return true;
}

bool intermediate_add_variable(struct intermediate_code *code, struct variable variable)
{
    struct variable *place =
        append((void **)&code->variables, code->variable_count, &code->variable_room, sizeof variable);
    if (place == NULL)
        return false;
    *place = variable;
    code->variable_count++;
    return true;
}

bool intermediate_add_captures(struct intermediate_code *code, const struct capture *captures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct capture *place =
            append((void **)&code->captures, code->capture_count, &code->capture_room, sizeof *place);
        if (place == NULL)
            return false;
        *place = captures[i];
        code->capture_count++;
    }
    return true;
}

bool intermediate_move_to_end(struct intermediate_code *code, size_t from, size_t to)
{
    size_t moved = to - from;
    if (moved == 0)
        return true;
    struct intermediate *kept = malloc(moved * sizeof *kept);
    if (kept == NULL)
        return false;
    memcpy(kept, code->operations + from, moved * sizeof *kept);
    memmove(code->operations + from, code->operations + to, (code->count - to) * sizeof *kept);
    memcpy(code->operations + code->count - moved, kept, moved * sizeof *kept);
    free(kept);
    return true;
}

static bool is_jump(enum intermediate_kind kind)
{
    switch (kind) {
    case INTER_JUMP:
    case INTER_LOOP:
    case INTER_JUMP_IF_FALSE:
    case INTER_JUMP_IF_TRUE:
    case INTER_BRANCH_IF_FALSE:
    case INTER_BRANCH_IF_TRUE:
        return true;
    default:
        return false;
    }
}

bool intermediate_copy_to_end(struct intermediate_code *code, size_t from, size_t to)
{
    size_t start = code->count;
    for (size_t i = from; i < to; i++)
        if (!intermediate_add(code, code->operations[i]))
            return false;
    for (size_t i = start; i < start + (to - from); i++) {
        if (code->operations[i].kind != INTER_LABEL)
            continue;
        uint32_t old = code->operations[i].a, fresh = code->label_count++;
        for (size_t j = start; j < start + (to - from); j++) {
            struct intermediate *operation = &code->operations[j];
            if (operation->a == old && (is_jump(operation->kind) || operation->kind == INTER_LABEL))
                operation->a = fresh;
        }
    }
    return true;
}

void intermediate_free(struct intermediate_code *code)
{
    free(code->operations);
    free(code->variables);
    free(code->captures);
    *code = (struct intermediate_code){0};
}
