/*
 * How the explorer of litmus programs is made: what its parts share. litmus_steps.c has what mutators do, litmus_world.c what the
 * collector sees of them, and where a part of the protocol is left out; litmus_choices.c which paths are taken; litmus.c a run.
 *
 * All is one thread's.
 */
#ifndef SHALE_TESTS_LITMUS_EXPLORER_H
#define SHALE_TESTS_LITMUS_EXPLORER_H

#include "gc/mark_pages.h"
#include "tests/support/litmus.h"
#include "tests/support/os_simulated.h"

enum {
    CHOICES_MAX = 1024, /* in one run */
    REGIONS_USED = 8,   /* no program comes near */
    OBJECT_BYTES = 32,
    LOOKED_AT_BYTES = 512 /* of each region's start: all objects are there */
};

struct mutator_state {
    struct mutator_local local; /* first */
    uint64_t registers[LITMUS_REGISTERS];
    unsigned next; /* step */
    unsigned part; /* of a store or detach that has begun */
    uint64_t old;
    uint64_t new;
    bool attached;
    bool asked;
};

/* Handshakes by number: those after SCAN ask for what was shaded, and the last says that marking is complete. */
enum { BEGIN = 1, PASS, SCAN };

/* Where the collector is. */
enum site { SITE_HANDSHAKE, SITE_ROOT, SITE_SLOT, SITE_SEARCH, SITE_STOP };

struct choice {
    unsigned char taken;
    unsigned char count;
};

struct explorer {
    const struct litmus_program *program;
    enum litmus_breach breach;
    struct os_simulated os;
    struct memory memory;
    struct workers workers;
    struct world world;
    struct mark mark;
    struct mark_pages pages;
    struct os os_beneath; /* what the simulated system does */
    bool stopped;
    const struct type *type;
    struct litmus_result *result;

    /* Of a run. */
    struct mutator_state mutators[LITMUS_MUTATORS];
    uint64_t roots[LITMUS_ROOTS];
    bool shown[LITMUS_ROOTS];
    bool roots_locked;
    bool roots_visited;
    enum mark_stage stage;
    unsigned handshakes;
    local_function function;
    unsigned slots_looked_at; /* since the last handshake */
    size_t schedule_length;

    /* The path of choices: followed up to `fixed`, then extended, unless the run is cut short. */
    struct choice path[CHOICES_MAX];
    unsigned fixed;
    unsigned depth;
    bool cut;
    bool describing; /* the schedule is written down */

    uint64_t *seen; /* a hash table of states at choices */
    size_t seen_size;
    size_t seen_count;
};

/* Adds to the schedule, if it is being written down. */
void litmus_say(struct explorer *explorer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- choices --------------------------------------------------------------------------------------- */

enum { CONTINUE, SERVE, STEP = SERVE + LITMUS_MUTATORS, ALTERNATIVES = STEP + LITMUS_MUTATORS };

/* Who is next: the collector, if it may continue; a mutator that serves the handshake; or a step of one. */
unsigned litmus_choose(struct explorer *explorer, bool may_continue, enum site site, uint64_t place);

/* The collector lets others go on. */
void litmus_let_go_on(struct explorer *explorer, enum site site, uint64_t place);

/* To the next path that was not tried; false: there is none. */
bool litmus_next_path(struct explorer *explorer);

/* ---- mutators -------------------------------------------------------------------------------------- */

uint64_t litmus_address(const struct explorer *explorer, enum litmus_object object);

/* A slot of an object that is known by its address. */
atomic_u64 *litmus_slot(const struct explorer *explorer, uint64_t address, int slot);

void litmus_init_local(struct mutator_local *local);
uint64_t litmus_allocate(struct explorer *explorer, struct mutator_state *mutator);

bool litmus_can_step(const struct explorer *explorer, unsigned m);
void litmus_take_step(struct explorer *explorer, unsigned m);

/* Not within a store, nor before all plain stores into a new object are done, unless it is stopped by a signal. */
bool litmus_at_safepoint(const struct explorer *explorer, unsigned m);

/* ---- the world ------------------------------------------------------------------------------------- */

/* Before the heap is marked without a barrier. */
void litmus_world_init(struct explorer *explorer);
/* And when that is prepared. */
void litmus_watch_searches(struct explorer *explorer);

/* A mutator does what the handshake asks for. */
void litmus_serve(struct explorer *explorer, struct mutator_state *mutator);

/* The visitor of all objects. */
void litmus_visit_object(void *object, size_t length, shale_visitor *visitor);

#endif
