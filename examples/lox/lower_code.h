/*
 * The instructions of a function while they are being written: appending them, their constants, jumps and lines, and
 * making the function of them. Memory that could not be had is noted in `failed`.
 */
#ifndef LOX_LOWER_CODE_H
#define LOX_LOWER_CODE_H

#include "compile.h"

enum constant_kind { CONSTANT_VALUE, CONSTANT_GLOBAL, CONSTANT_CACHE, CONSTANT_IMMEDIATE };

/* What element of K is to be. */
struct planned_constant {
    enum constant_kind kind;
    uint32_t index; /* of the function's constants; of an immediate value, its low bits */
};

/* A jump to a label that is to be filled in. */
struct jump_site {
    size_t word;
    uint32_t label;
    bool near; /* its distance has 16 bits */
};

struct code_writer {
    union word *words;
    size_t count, room;
    uint32_t *lines;
    size_t line_room;
    struct planned_constant *constants;
    size_t constant_count, constant_room;
    struct jump_site *jumps;
    size_t jump_count, jump_room;
    size_t *labels; /* the word that each is before */
    unsigned line;  /* of what is written now */
    bool far;       /* jumps that compare do so around jumps, as the distance has more than 16 bits */
    bool failed;
};

bool writer_start(struct code_writer *writer, uint32_t label_count, bool far);
void writer_free(struct code_writer *writer);

/* Append an instruction, or a word that follows one. */
void write_abc(struct code_writer *writer, enum operation operation, uint32_t a, uint32_t b, uint32_t c);
void write_offset(struct code_writer *writer, enum operation operation, uint32_t a, int32_t offset);
void write_word(struct code_writer *writer, union word word);

/* Jumps to a label, and the label. `opposite` jumps when `operation` does not. */
void write_jump(struct code_writer *writer, enum operation operation, uint32_t a, uint32_t label);
void write_compared_jump(struct code_writer *writer, enum operation operation, enum operation opposite,
                         uint32_t a, uint32_t b, uint32_t label);
void write_label(struct code_writer *writer, uint32_t label);

/* The element of K that is this; the same one again if that has been asked for before. */
uint32_t writer_constant(struct code_writer *writer, enum constant_kind kind, uint32_t index);
/* A name, with an element behind it for a cache, of its own. */
uint32_t writer_cached_name(struct code_writer *writer, uint32_t index);

/* Fills in the jumps. False: some are too far, and all must be written again with `far`. */
bool writer_link(struct code_writer *writer);

/* Makes function->roots.function. False when memory is out. May collect. */
bool writer_finish(struct code_writer *writer, struct thread *thread, struct function_state *function,
                   uint32_t registers);

#endif
