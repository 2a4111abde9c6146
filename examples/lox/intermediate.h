/*
 * Intermediate code: what the compiler writes while it reads a function, and what is then lowered to instructions.
 *
 * It is for a machine with an operand stack, whose depth at each operation follows from the text alone. A local variable is the
 * element of the stack that its initial value was; since only the end of a function tells whether closures captured it,
 * operations name variables by number, and the table of variables says where each is.
 */
#ifndef LOX_INTERMEDIATE_H
#define LOX_INTERMEDIATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum intermediate_kind {
    INTER_CONSTANT, /* push constant a */
    INTER_NIL,
    INTER_TRUE,
    INTER_FALSE,
    INTER_POP,
    INTER_DECLARE,    /* what is on top is local variable a from now on */
    INTER_FORWARD,    /* what is pushed next will be variable a, and may be captured before */
    INTER_GET_LOCAL,  /* push variable a */
    INTER_SET_LOCAL,  /* variable a = top, which stays */
    INTER_GET_GLOBAL, /* global named by constant a */
    INTER_SET_GLOBAL,
    INTER_DEFINE_GLOBAL,
    INTER_GET_CAPTURED, /* captured variable a */
    INTER_SET_CAPTURED,
    INTER_GET_PROPERTY, /* named by constant a */
    INTER_SET_PROPERTY,
    INTER_GET_SUPER,
    INTER_EQUAL,
    INTER_LESS,
    INTER_GREATER,
    INTER_ADD,
    INTER_SUBTRACT,
    INTER_MULTIPLY,
    INTER_DIVIDE,
    INTER_NOT,
    INTER_NEGATE,
    INTER_PRINT,
    INTER_JUMP,          /* to label a */
    INTER_LOOP,          /* the same, back */
    INTER_JUMP_IF_FALSE, /* if the top is; it stays */
    INTER_JUMP_IF_TRUE,
    INTER_BRANCH_IF_FALSE, /* if the top is; it is popped */
    INTER_BRANCH_IF_TRUE,
    INTER_LABEL,        /* a is here */
    INTER_CALL,         /* with a arguments */
    INTER_INVOKE,       /* property named by constant a, with b arguments */
    INTER_INVOKE_SUPER, /* the same, of the class on top */
    INTER_CLOSURE,      /* of function constant a, whose captured variables begin at b in the list */
    INTER_RETURN,
    INTER_CLASS,   /* push a class named by constant a */
    INTER_INHERIT, /* class on top, from the one in variable a */
    INTER_METHOD   /* closure on top, of the class below, which stays, named by constant a */
};

struct intermediate {
    enum intermediate_kind kind;
    unsigned line;
    uint32_t a, b;
};

/* A local variable. */
struct variable {
    uint32_t slot; /* in the operand stack */
    bool captured; /* by a closure: lives in a cell */
    bool forward;  /* its cell is made before its value */
};

/* What a closure of a function captures: a variable of the function around it, or what that has captured. */
struct capture {
    bool from_local;
    uint32_t index;
};

/* Arrays in memory of the compiler's own, which it gives back when the function is lowered. */
struct intermediate_code {
    struct intermediate *operations;
    size_t count, room;
    struct variable *variables;
    size_t variable_count, variable_room;
    struct capture *captures; /* of all closures that are made */
    size_t capture_count, capture_room;
    uint32_t label_count;
};

/* Appends to an array that `*room` elements fit into; returns where, or NULL when memory is out. */
void *append(void **array, size_t count, size_t *room, size_t element_size);

bool intermediate_add(struct intermediate_code *code, struct intermediate operation);
bool intermediate_add_variable(struct intermediate_code *code, struct variable variable);
bool intermediate_add_captures(struct intermediate_code *code, const struct capture *captures, size_t count);

/* Moves operations [from, to) to the end. False when memory is out. */
bool intermediate_move_to_end(struct intermediate_code *code, size_t from, size_t to);

/* Appends a copy of operations [from, to), with labels of its own for those that are in it. */
bool intermediate_copy_to_end(struct intermediate_code *code, size_t from, size_t to);

void intermediate_free(struct intermediate_code *code);

#endif
