#include "compile.h"

#include "strings.h"
#include "thread.h"

/* Bytes that the reference implementation's instructions for an operation have. */
static unsigned reference_bytes(enum intermediate_kind kind)
{
    switch (kind) {
    case INTER_DECLARE:
    case INTER_FORWARD:
    case INTER_LABEL:
        return 0;
    case INTER_NIL:
    case INTER_TRUE:
    case INTER_FALSE:
    case INTER_POP:
    case INTER_EQUAL:
    case INTER_LESS:
    case INTER_GREATER:
    case INTER_ADD:
    case INTER_SUBTRACT:
    case INTER_MULTIPLY:
    case INTER_DIVIDE:
    case INTER_NOT:
    case INTER_NEGATE:
    case INTER_PRINT:
    case INTER_RETURN:
    case INTER_INHERIT:
        return 1;
    case INTER_JUMP:
    case INTER_LOOP:
    case INTER_JUMP_IF_FALSE:
    case INTER_BRANCH_IF_FALSE: /* and the one that pops is counted when the jump's end is known */
    case INTER_BRANCH_IF_TRUE:
    case INTER_INVOKE:
    case INTER_INVOKE_SUPER:
        return 3;
    case INTER_JUMP_IF_TRUE: /* a jump around a jump */
        return 6;
    default: /* those with one operand, and closures without captured variables */
        return 2;
    }
}

void emit_nothing(struct parser *parser, unsigned bytes)
{
    parser->function->bytes += bytes;
}

void emit(struct parser *parser, enum intermediate_kind kind, uint32_t a, uint32_t b)
{
    struct intermediate operation = {kind, parser->previous.line, a, b};
    emit_nothing(parser, reference_bytes(kind));
    /* Once there was an error the code is not wanted any more. */
    if (!parser->failed && !intermediate_add(&parser->function->code, operation))
        parser_out_of_memory(parser);
}

struct pending_jump emit_jump(struct parser *parser, enum intermediate_kind kind)
{
    uint32_t label = parser->function->code.label_count++;
    emit(parser, kind, label, 0);
    return (struct pending_jump){label, parser->function->bytes};
}

void emit_target(struct parser *parser, struct pending_jump jump)
{
    if (parser->function->bytes - jump.from > JUMP_MAX)
        parser_error(parser, "Too much code to jump over.");
    emit(parser, INTER_LABEL, jump.label, 0);
}

uint32_t emit_label(struct parser *parser)
{
    uint32_t label = parser->function->code.label_count++;
    emit(parser, INTER_LABEL, label, 0);
    return label;
}

void check_loop(struct parser *parser, size_t start)
{
    /* The distance is to behind the jump, of which one byte is counted here. */
    if (parser->function->bytes + 1 - start + 2 > JUMP_MAX)
        parser_error(parser, "Loop body too large.");
}

void emit_return(struct parser *parser)
{
    if (parser->function->role == ROLE_INITIALIZER)
        emit(parser, INTER_GET_LOCAL, 0, 0);
    else
        emit(parser, INTER_NIL, 0, 0);
    emit(parser, INTER_RETURN, 0, 0);
}

uint32_t add_constant(struct parser *parser, value constant)
{
    struct function_state *function = parser->function;
    if (function->constant_count == CONSTANTS_MAX) {
        parser_error(parser, "Too many constants in one chunk.");
        return 0;
    }
    struct values *constants = function->roots.constants;
    if (constants != NULL) /* memory is out */
        shale_store_value(parser->thread->mutator, constants, &constants->slots[function->constant_count],
                          constant);
    return function->constant_count++;
}

struct string *token_string(struct parser *parser, const char *text, size_t length)
{
    if (parser->stopped)
        return NULL;
    struct string *string = string_make(parser->thread, text, length);
    if (string == NULL)
        parser_out_of_memory(parser);
    return string;
}

uint32_t add_name(struct parser *parser, const struct token *name)
{
    struct string *string = token_string(parser, name->text, name->length);
    return add_constant(parser, string == NULL ? VALUE_NIL : from_pointer(TAG_STRING, string));
}
