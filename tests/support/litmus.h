/*
 * Litmus tests for marking: small programs of mutators run against the real marking through all interleavings, one
 * thread playing everybody.
 *
 * The collector runs on the test's stack. Wherever it lets others go on - in handshakes, before each root of the heap,
 * before each slot that a tracer reads - the explorer chooses who is next: the collector, a mutator's next step, or a
 * mutator serving the handshake. Each choice not taken is taken in a later run, unless everything is then as it was at
 * a choice seen before. A store is three steps: the slot is read, both contents are shaded, the new one is stored.
 *
 * A program may be one for a heap without a write barrier: then it is marked by mark_pages.h, a store is one step, and
 * others also go on before and after each written page that a search finds, and before the stop.
 *
 * When marking is complete, all that the mutators' registers and the heap's roots lead to must be live.
 *
 * A program can also be run with one part of the protocol left out (enum litmus_breach), to show that the program would
 * notice.
 */
#ifndef SHALE_TESTS_LITMUS_H
#define SHALE_TESTS_LITMUS_H

#include <stdbool.h>
#include <stdint.h>

enum { LITMUS_MUTATORS = 3, LITMUS_REGISTERS = 3, LITMUS_SLOTS = 2, LITMUS_ROOTS = 2, LITMUS_STEPS = 12 };

/* Objects that are there from the beginning. */
enum litmus_object { NONE, A, B, C, X, Y, LITMUS_OBJECTS };

/* What a mutator does; see litmus.c for the operands. Objects are named by the registers that hold them; a step whose
 * object is NULL does nothing. */
enum litmus_operation {
    END,
    LOAD,           /* register a = slot c of the object in register b */
    STORE,          /* slot b of the object in register a = register c; c NOTHING: NULL */
    MOVE,           /* the same as shale_move_slots does it: from slot 0 of the object in register c */
    ALLOCATE,       /* register a = a new object */
    INITIALISE,     /* slot b of the object in register a, which is new, = register c; plainly */
    FORGET,         /* register a = NULL */
    LOAD_ROOT,      /* register a = root b of the heap */
    STORE_ROOT,     /* root a of the heap = register b, as a handle is set or dropped */
    WRITE_ROOT,     /* the same plainly, while no visitor shows it */
    ADD_VISITOR,    /* of root a */
    REMOVE_VISITOR, /* of root a */
    FILL,           /* room for one more in the packet of what was shaded, if there is one */
    ATTACH,
    DETACH
};
enum { NOTHING = LITMUS_REGISTERS };

struct litmus_step {
    enum litmus_operation operation;
    int a, b, c;
};

enum litmus_breach {
    BREACH_NONE,
    NO_OLD,        /* stores do not shade what they overwrite */
    NO_NEW,        /* nor, before the scan, what they store */
    ONE_HANDSHAKE, /* barriers go on only as the mutator is scanned */
    NO_PASSING,    /* roots are scanned before all stores are over that began before all barriers were on */
    RECORD_EARLY,  /* what is allocated is born since BEGUN */
    RECORD_LATE,   /* what is allocated is never born */
    NO_SCAN,       /* a mutator's roots are not shaded */
    REMOVE_UNSEEN, /* a visitor of the heap is removed without shading */
    ACTIVE_LATE,   /* the same until the heap's roots are visited */
    ATTACH_PLAIN,  /* one that attaches knows nothing of the marking */
    DETACH_DROPS,  /* one that detaches does not offer what it shaded */
    LOSE_OFFERED,  /* full packets go astray */
    FORGET_NOTED,  /* regions noted for another look are not looked at */
    NO_FLUSH,      /* mutators are not asked for what they shaded */
    FLUSH_ONCE,    /* they are, but what they offer is not traced */
    NEW_UNSEEN,    /* what the object that was allocated last holds does not count as the stack's */
    MOVE_SHADES_TARGET, /* moving slots shades what is in them after the store */
    /* Of programs without a barrier: */
    REMARK_NO_ROOTS,  /* roots are not read again in the remark */
    REMARK_NO_SEARCH, /* nor are written pages searched for */
    ARM_LATE,         /* pages are armed after they were looked at again, not before */
    HANDSHAKE_FIRST,  /* live bits of what was born are set before the search, not after it */
    ROUND_NO_RECORD,  /* or only in the remark */
    LITMUS_BREACHES
};
extern const char *const litmus_breach_names[LITMUS_BREACHES];

struct litmus_program {
    const char *name;
    unsigned mutators;
    bool pages;                     /* marked without a barrier, */
    unsigned rounds;                /* with so many rounds before the remark */
    bool conservative;              /* mutators: any step may be followed by a stop [conservative] */
    bool no_packets;                /* all are in use: everything is shaded in place */
    bool cells;                     /* objects are allocated pinned */
    bool detached[LITMUS_MUTATORS]; /* at first */
    bool hidden[LITMUS_ROOTS];      /* roots that no visitor shows at first */
    enum litmus_object slots[LITMUS_OBJECTS][LITMUS_SLOTS];
    enum litmus_object registers[LITMUS_MUTATORS][LITMUS_REGISTERS];
    enum litmus_object roots[LITMUS_ROOTS];
    struct litmus_step steps[LITMUS_MUTATORS][LITMUS_STEPS];
};

struct litmus_result {
    bool lost;           /* some schedule loses an object: the first that does is described */
    bool complete;       /* all schedules were tried */
    unsigned long runs;  /* schedules, many of them cut short */
    unsigned long marks; /* of these, markings that were run to their end and judged */
    char schedule[4096];
};

/* Explores all schedules, or as many as fit `runs_max` runs, or up to the first that loses an object. */
void litmus_explore(const struct litmus_program *program, enum litmus_breach breach, unsigned long runs_max,
                    struct litmus_result *result);

#endif
