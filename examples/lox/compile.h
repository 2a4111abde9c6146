/*
 * The compiler: one pass over the text, which reports errors in the order in which it meets them.
 *
 *   compile.c             functions, from their beginning to their lowered end
 *   compile_code.c        appending intermediate code; its limits
 *   compile_names.c       scopes, local variables, captured variables, globals
 *   compile_expression.c  expressions
 *   compile_statement.c   statements, declarations, classes
 *
 * Limits are those of the language's reference implementation. Some of them follow from its instruction format, so
 * each function counts the bytes that its code would have there.
 */
#ifndef LOX_COMPILE_H
#define LOX_COMPILE_H

#include "intermediate.h"
#include "objects.h"
#include "parser.h"

/* ---- for the rest of the program ------------------------------------------------------------------ */

enum compile_result { COMPILE_DONE, COMPILE_ERRORS, COMPILE_OUT_OF_MEMORY };

/* Compiles a program. What keeps it from that has been reported. There must be a NUL behind the text.
 * *closure is what to run: it is a plain address. May collect. */
enum compile_result compile(struct thread *thread, const char *text, size_t length, struct closure **closure);

/* ---- for the compiler itself ------------------------------------------------------------------------ */

/* All that follow may collect, as each may report an error: what they keep is in frames. */

enum { LOCALS_MAX = 256, CAPTURES_MAX = 256, CONSTANTS_MAX = 256, ARGUMENTS_MAX = 255, JUMP_MAX = 65535 };

enum function_role { ROLE_SCRIPT, ROLE_FUNCTION, ROLE_METHOD, ROLE_INITIALIZER };

enum { DEPTH_UNINITIALISED = -1 };

struct local {
    struct token name;
    int depth; /* of the scope it is in */
    uint32_t variable;
};

/* A function that is being compiled. Functions inside of it are compiled meanwhile. */
struct function_state {
    struct function_state *enclosing;
    enum function_role role;
    struct {
        struct values *constants;
        struct string *name;
        struct function *function; /* when it is lowered */
    } roots;
    shale_frame frame;
    unsigned constant_count;
    unsigned arity;
    struct intermediate_code code;
    size_t bytes; /* in the reference implementation */
    int scope_depth;
    struct local *locals;
    size_t local_count, local_room;
    struct capture *captures;
    size_t capture_count, capture_room;
};

struct class_state {
    struct class_state *enclosing;
    bool has_superclass;
};

/* A jump whose label is not there yet. */
struct pending_jump {
    uint32_t label;
    size_t from; /* byte behind it */
};

/* compile.c */
void compile_function(struct parser *parser, enum function_role role);

/* compile_code.c */
void emit(struct parser *parser, enum intermediate_kind kind, uint32_t a, uint32_t b);
void emit_nothing(struct parser *parser, unsigned bytes); /* counts them */
struct pending_jump emit_jump(struct parser *parser, enum intermediate_kind kind);
void emit_target(struct parser *parser, struct pending_jump jump);
uint32_t emit_label(struct parser *parser);
void emit_return(struct parser *parser);
void check_loop(struct parser *parser,
                size_t start); /* that a jump back to byte `start` is possible from here */
uint32_t add_constant(struct parser *parser, value constant);
uint32_t add_name(struct parser *parser, const struct token *name);
struct string *token_string(struct parser *parser, const char *text, size_t length);

/* compile_names.c */
void scope_begin(struct parser *parser);
void scope_end(struct parser *parser);
void local_add(struct parser *parser, struct token name);
void local_initialise(struct parser *parser);
void variable_declare(struct parser *parser); /* one named by the token before, if it is local */
uint32_t variable_parse(struct parser *parser, const char *message); /* returns the name of a global one */
void variable_define(struct parser *parser, uint32_t global);
void variable_use(struct parser *parser, struct token name, bool can_assign);
struct token synthetic_token(const char *text);
bool same_name(const struct token *a, const struct token *b);

/* compile_expression.c */
void compile_expression(struct parser *parser);

/* compile_statement.c */
void compile_declaration(struct parser *parser);
void compile_block(struct parser *parser);

#endif
