/*
 * The instructions of the virtual machine.
 *
 * A function's code is an array of 64-bit words: instructions and, behind some, a word that belongs to them. It never moves.
 * R is the function's registers, K its constants. R[0] is the receiver, or the function itself; then come arguments,
 * local variables and intermediate results, each where it would be on the operand stack.
 *
 * K also holds what instructions have found and want to find again. An instruction that names a property has the name in K[c] and a
 * cache of its own in K[c + 1].
 */
#ifndef LOX_CODE_H
#define LOX_CODE_H

#include <stdint.h>

/* name, what it does */
#define OPERATIONS(X)                                                                          \
    X(MOVE)       /* R[a] = R[b] */                                                            \
    X(CONSTANT)   /* R[a] = K[b] */                                                            \
    X(IMMEDIATE)  /* R[a] = the immediate value `offset` */                                    \
    X(GET_GLOBAL) /* R[a] = global K[b] */                                                     \
    X(SET_GLOBAL) /* global K[b] = R[a] */                                                     \
    X(DEFINE_GLOBAL)                                                                           \
    X(GET_CAPTURED) /* R[a] = what cell b of the closure holds */                              \
    X(SET_CAPTURED)                                                                            \
    X(NEW_CELL)       /* R[a] = a cell that holds R[a] */                                      \
    X(NEW_EMPTY_CELL) /* R[a] = a cell that holds nil */                                       \
    X(GET_CELL)       /* R[a] = what cell R[b] holds */                                        \
    X(SET_CELL)       /* cell R[b] holds R[a] from now on */                                   \
    X(ADD)            /* R[a] = R[b] + R[c] */                                                 \
    X(SUBTRACT)                                                                                \
    X(MULTIPLY)                                                                                \
    X(DIVIDE)                                                                                  \
    X(ADD_CONSTANT) /* R[a] = R[b] + K[c], a number */                                         \
    X(SUBTRACT_CONSTANT)                                                                       \
    X(MULTIPLY_CONSTANT)                                                                       \
    X(DIVIDE_CONSTANT)                                                                         \
    X(NEGATE)                                                                                  \
    X(NOT)                                                                                     \
    X(EQUAL) /* R[a] = R[b] == R[c] */                                                         \
    X(NOT_EQUAL)                                                                               \
    X(LESS)                                                                                    \
    X(NOT_LESS)                                                                                \
    X(JUMP)          /* ip += offset */                                                        \
    X(LOOP)          /* the same, backwards */                                                 \
    X(JUMP_IF_FALSE) /* if R[a] is false or nil, ip += offset */                               \
    X(JUMP_IF_TRUE)                                                                            \
    X(JUMP_IF_EQUAL) /* if R[a] == R[b], ip += near */                                         \
    X(JUMP_IF_NOT_EQUAL)                                                                       \
    X(JUMP_IF_LESS)                                                                            \
    X(JUMP_IF_NOT_LESS)                                                                        \
    X(JUMP_IF_EQUAL_CONSTANT) /* if R[a] == K[b], ip += near */                                \
    X(JUMP_IF_NOT_EQUAL_CONSTANT)                                                              \
    X(JUMP_IF_LESS_CONSTANT)                                                                   \
    X(JUMP_IF_NOT_LESS_CONSTANT)                                                               \
    X(JUMP_IF_GREATER_CONSTANT)                                                                \
    X(JUMP_IF_NOT_GREATER_CONSTANT)                                                            \
    X(CALL)         /* R[a] = R[a](R[a + 1] ... R[a + b]) */                                   \
    X(INVOKE)       /* R[a] = R[a].K[c](R[a + 1] ... R[a + b]) */                              \
    X(INVOKE_SUPER) /* the same, of the class in register `extra` of the next word */          \
    X(RETURN)       /* return R[a] */                                                          \
    X(RETURN_NIL)                                                                              \
    X(CLOSURE)   /* R[a] = a closure of function K[b]; c words with what it captures follow */ \
    X(CLASS)     /* R[a] = a class named K[b] */                                               \
    X(INHERIT)   /* class R[b] has the methods of R[a] */                                      \
    X(METHOD)    /* class R[a] has method K[c], R[b] */                                        \
    X(GET_FIELD) /* R[a] = R[b].K[c]; a cache word follows */                                  \
    X(SET_FIELD) /* R[a].K[c] = R[b]; a cache word follows */                                  \
    X(GET_SUPER) /* R[a] = method K[c] of class R[b], bound to R[a] */                         \
    X(PRINT)

#define OPERATION_NAME(name) OP_##name,
enum operation { OPERATIONS(OPERATION_NAME) OPERATION_COUNT };
#undef OPERATION_NAME

struct instruction {
    uint16_t operation;
    uint16_t a;
    union {
        struct {
            uint16_t b;
            union {
                uint16_t c;
                int16_t near; /* distance from the next instruction, in words */
            };
        };
        int32_t offset;
    };
};

/* A shape's id and the slot in which its instances have the field. Read and written as one, so that threads that share the
 * instruction never see half of one. */
struct slot_cache {
    uint32_t id;
    uint32_t slot;
};

union word {
    struct instruction instruction;
    struct slot_cache cache;
    uint64_t bits;
    struct {
        uint32_t from_local; /* a register of the function that makes the closure, or a cell of its own */
        uint32_t index;
    } capture;
    uint64_t extra;
};

#define NO_SHAPE UINT32_MAX             /* no shape's id */
#define CHANGING_SHAPE (UINT32_MAX - 1) /* nor this: another thread is giving the instance a field */

#endif
