#include "tests/support/litmus.h"

#include "gc/mark_pages.h"
#include "heap/announce.h"
#include "tests/support/os_simulated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    CHOICES_MAX = 1024, /* in one run */
    REGIONS_USED = 8,   /* no program comes near */
    OBJECT_BYTES = 32,
    LOOKED_AT_BYTES = 1024 /* of each region's start: all objects are there */
};

const char *const litmus_breach_names[LITMUS_BREACHES] = {"none",
                                                          "no-old",
                                                          "no-new",
                                                          "one-handshake",
                                                          "no-passing",
                                                          "record-early",
                                                          "record-late",
                                                          "no-scan",
                                                          "remove-unseen",
                                                          "active-late",
                                                          "attach-plain",
                                                          "detach-drops",
                                                          "lose-offered",
                                                          "forget-noted",
                                                          "no-flush",
                                                          "flush-once",
                                                          "new-unseen",
                                                          "move-shades-target",
                                                          "remark-no-roots",
                                                          "remark-no-search",
                                                          "arm-late",
                                                          "handshake-first",
                                                          "round-no-record"};

static const char *const operation_names[] = {"end",        "load",       "store",       "move",
                                              "allocate",   "initialise", "forget",      "load-root",
                                              "store-root", "write-root", "add-visitor", "remove-visitor",
                                              "fill",       "attach",     "detach"};

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

    uint64_t *seen; /* a hash table of states at choices */
    size_t seen_size;
    size_t seen_count;
};

/* The visitor of an object is given no context of the embedder's. */
static struct explorer *current;

static void say(struct explorer *explorer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct explorer *explorer, const char *format, ...)
{
    size_t room = sizeof explorer->result->schedule - explorer->schedule_length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(explorer->result->schedule + explorer->schedule_length, room, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < room)
        explorer->schedule_length += (size_t)length;
}

/* ---- objects --------------------------------------------------------------------------------------- */

static uint64_t address_of(const struct explorer *explorer, enum litmus_object object)
{
    if (object == NONE)
        return 0;
    return (uint64_t)(uintptr_t)views_mutator(&explorer->memory.views, 0) + REGION_FIRST_OBJECT +
           (size_t)(object - 1) * OBJECT_BYTES;
}

/* A slot of an object that is known by its address. */
static atomic_u64 *slot_of(const struct explorer *explorer, uint64_t address, int slot)
{
    size_t offset = views_offset(&explorer->memory.views, address);
    assert_true(offset < REGIONS_USED * REGION_SIZE);
    return (atomic_u64 *)views_alias(&explorer->memory.views, offset) + slot;
}

/* A mutator has written to the memory at an address. */
static void note_write(struct explorer *explorer, uint64_t address)
{
    if (explorer->program->pages)
        os_simulated_write(&explorer->os,
                           (const void *)(uintptr_t)address); // NOLINT(performance-no-int-to-ptr)
}

static uint64_t mutator_address(const struct explorer *explorer, const atomic_u64 *slot)
{
    return (uint64_t)(uintptr_t)views_mutator(&explorer->memory.views,
                                              (size_t)((const char *)slot - explorer->memory.views.alias));
}

/* ---- the state, for telling whether it was seen before ------------------------------------------------ */

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 29;
}

static uint64_t mix_packet(uint64_t sum, const struct packet *packet)
{
    if (packet == NULL)
        return mix(sum, 1);
    sum = mix(sum, UINT64_C(2) + packet->count + (packet->shaded ? 1000 : 0));
    for (unsigned i = 0; i < packet->count; i++)
        sum = mix(sum, packet->entries[i]);
    return sum;
}

static uint64_t mix_mutators(const struct explorer *explorer, uint64_t sum)
{
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        const struct mutator_state *mutator = &explorer->mutators[m];
        sum = mix(sum, mutator->next * 64 + mutator->part * 16 + mutator->attached * 2 + mutator->asked);
        for (int r = 0; r < LITMUS_REGISTERS; r++)
            sum = mix(sum, mutator->registers[r]);
        sum = mix(sum, mutator->part != 0 ? mutator->old : 0);
        sum = mix(sum, mutator->part != 0 ? mutator->new : 0);
        sum = mix(sum, mutator->local.bump.api.cursor);
        sum = mix(sum, mutator->local.bump.api.barrier * 2 + mutator->local.bump.recording);
        const struct shale_cell_run *run = &mutator->local.bump.api.cells[cell_index(OBJECT_BYTES, false)];
        sum = mix(mix(sum, run->free), run->base);
        sum = mix_packet(sum, mutator->local.shaded);
    }
    return sum;
}

/* What is looked at of memory: there all objects are. */
static uint64_t mix_memory(const struct explorer *explorer, uint64_t sum, size_t start)
{
    sum = mix(sum, explorer->memory.live_bits[start >> CHUNK_SHIFT]);
    sum = mix(sum, atomic_u64_load(&explorer->memory.cells.taken[CELLS_WITH_SLOTS][start >> CHUNK_SHIFT]));
    const uint64_t *words = (const uint64_t *)views_alias(&explorer->memory.views, start);
    for (size_t i = 0; i < LOOKED_AT_BYTES / 8; i++)
        sum = mix(sum, words[i]);
    return sum;
}

static uint64_t mix_heap(const struct explorer *explorer, uint64_t sum)
{
    for (region_number r = 0; r < REGIONS_USED; r++) {
        const struct region *region = &explorer->memory.regions.regions[r];
        sum = mix(sum, atomic_u8_load(&region->state) + atomic_u8_load(&region->rescan) * 16u);
        sum = mix(sum, atomic_u32_load(&region->born_from));
        if (atomic_u8_load(&region->state) == REGION_FREE)
            continue;
        sum = mix(sum, explorer->mark.conservative.pointed[r * REGION_CHUNKS]);
        /* Each mutator has a block of its own. */
        size_t parts = explorer->program->cells ? LITMUS_MUTATORS : 1;
        for (size_t part = 0; part < parts; part++)
            sum = mix_memory(explorer, sum, region_start(r) + part * SMALL_BLOCK_SIZE);
    }
    return sum;
}

/* All that is known of written pages; objects are on the first page of a region. */
static uint64_t mix_pages(const struct explorer *explorer, uint64_t sum)
{
    if (!explorer->program->pages)
        return sum;
    for (region_number r = 0; r < REGIONS_USED; r++) {
        size_t page = region_start(r) / explorer->os.page_size;
        sum = mix(sum, explorer->os.armed[page] + explorer->os.tracked[page] * 2u);
        sum = mix(sum, atomic_u64_load(&explorer->pages.written.pages[r]));
    }
    return mix(sum, explorer->pages.rounds * 4 + explorer->pages.written.armed * 2u + explorer->stopped);
}

static uint64_t mix_work(const struct explorer *explorer, uint64_t sum)
{
    const struct packet_pool *pool = &explorer->mark.work.pool;
    for (uint32_t p = (uint32_t)atomic_u64_load(&pool->full.head); p != 0;
         p = atomic_u32_load(&pool->packets[p - 1].next))
        sum = mix_packet(sum, &pool->packets[p - 1]);
    sum = mix(sum, atomic_u32_load(&explorer->mark.work.noted));
    const struct tracer *tracer = &explorer->mark.tracers[0];
    sum = mix(sum, (tracer->stack_count * 64 + tracer->reached_count) * 64 + tracer->marked_count);
    for (unsigned i = 0; i < tracer->stack_count; i++)
        sum = mix(sum, tracer->stack[i]);
    for (unsigned i = 0; i < tracer->reached_count; i++)
        sum = mix(sum, tracer->reached[i]);
    for (unsigned i = 0; i < tracer->marked_count; i++)
        sum = mix(sum, tracer->marked[i]);
    return sum;
}

static uint64_t state_of(const struct explorer *explorer, enum site site, uint64_t place)
{
    uint64_t sum = mix(site, place);
    sum = mix(sum, explorer->handshakes <= SCAN || explorer->stage == STAGE_DECIDED ? explorer->handshakes
                                                                                    : SCAN + 1);
    sum = mix(sum, explorer->stage * 4 + explorer->roots_locked * 2 + explorer->roots_visited);
    sum = mix(sum, explorer->slots_looked_at);
    for (int r = 0; r < LITMUS_ROOTS; r++)
        sum = mix(sum, explorer->roots[r] * 2 + explorer->shown[r]);
    sum = mix_mutators(explorer, sum);
    sum = mix_heap(explorer, sum);
    sum = mix_pages(explorer, sum);
    return mix_work(explorer, sum) | 1;
}

static bool seen_add(struct explorer *explorer, uint64_t state);

static void seen_grow(struct explorer *explorer)
{
    uint64_t *before = explorer->seen;
    size_t size = explorer->seen_size;
    explorer->seen_size = size != 0 ? size * 4 : 4096;
    explorer->seen = calloc(explorer->seen_size, sizeof *explorer->seen);
    assert_non_null(explorer->seen);
    explorer->seen_count = 0;
    for (size_t i = 0; i < size; i++) {
        if (before[i] != 0)
            seen_add(explorer, before[i]);
    }
    free(before);
}

/* Whether it is new. */
static bool seen_add(struct explorer *explorer, uint64_t state)
{
    if (explorer->seen_count * 2 >= explorer->seen_size)
        seen_grow(explorer);
    size_t i = (state >> 1) % explorer->seen_size;
    while (explorer->seen[i] != 0 && explorer->seen[i] != state)
        i = (i + 1) % explorer->seen_size;
    if (explorer->seen[i] == state)
        return false;
    explorer->seen[i] = state;
    explorer->seen_count++;
    return true;
}

/* ---- steps of mutators ------------------------------------------------------------------------------ */

static const struct litmus_step *step_of(const struct explorer *explorer, unsigned m)
{
    return &explorer->program->steps[m][explorer->mutators[m].next];
}

static uint32_t barrier_of(const struct explorer *explorer, const struct mutator_state *mutator)
{
    uint32_t barrier = mutator->local.bump.api.barrier;
    if (explorer->breach == NO_OLD)
        barrier &= ~(uint32_t)BARRIER_OLD;
    if (explorer->breach == NO_NEW)
        barrier &= ~(uint32_t)BARRIER_NEW;
    return barrier;
}

static void shade_one(struct explorer *explorer, struct mutator_state *mutator, uint64_t address)
{
    mark_shade(&explorer->mark, &mutator->local, address);
    if (explorer->breach == LOSE_OFFERED) {
        struct packet *packet = packet_take_full(&explorer->mark.work.pool);
        if (packet != NULL)
            packet_give_free(&explorer->mark.work.pool, packet);
    }
    if (explorer->breach == FORGET_NOTED)
        atomic_u32_store(&explorer->mark.work.noted, 0);
}

static bool in_heap(const struct explorer *explorer, const atomic_u64 *slot)
{
    size_t offset = (size_t)((uintptr_t)slot - (uintptr_t)explorer->memory.views.alias);
    return offset < explorer->memory.views.size;
}

/* As runtime/barrier.c stores, in up to three parts. */
static void store_part(struct explorer *explorer, struct mutator_state *mutator, atomic_u64 *slot,
                       uint64_t stored, bool move)
{
    uint32_t barrier = barrier_of(explorer, mutator);
    bool late = move && explorer->breach == MOVE_SHADES_TARGET;
    switch (mutator->part++) {
    case 0:
        mutator->old = atomic_u64_load(slot);
        mutator->new = stored;
        if (barrier != 0)
            return;
        break;
    case 1:
        if ((barrier & BARRIER_OLD) != 0)
            shade_one(explorer, mutator, mutator->old);
        if ((barrier & BARRIER_NEW) != 0 && !late)
            shade_one(explorer, mutator, mutator->new);
        return;
    case 2:
        break;
    default:
        if ((barrier & BARRIER_NEW) != 0)
            shade_one(explorer, mutator, atomic_u64_load(slot));
        mutator->part = 0;
        mutator->next++;
        return;
    }
    atomic_u64_store_release(slot, mutator->new);
    if (in_heap(explorer, slot))
        note_write(explorer, mutator_address(explorer, slot));
    if (late && barrier != 0)
        return;
    mutator->part = 0;
    mutator->next++;
}

static void init_local(struct mutator_local *local)
{
    bump_init(&local->bump, BUMP_CHUNK_SIZE);
    cell_caches_init(&local->cells, &local->bump.api, BUMP_CHUNK_SIZE);
}

static uint64_t allocate(struct explorer *explorer, struct mutator_state *mutator)
{
    struct mutator_local *local = &mutator->local;
    uint64_t header = explorer->type->api.header;
    bool fresh;
    uintptr_t address =
        explorer->program->cells
            ? cell_caches_allocate(&local->cells, &explorer->memory, cell_index(OBJECT_BYTES, false), header,
                                   0, local->bump.recording, &fresh)
            : bump_allocate(&mutator->local.bump, &explorer->memory, OBJECT_BYTES, explorer->type->api.header,
                            0);
    assert_int_not_equal(address, 0);
    note_write(explorer, address - HEADER_SIZE);
    return address;
}

static void serve(struct explorer *explorer, struct mutator_state *mutator);

/* runtime/mutator.c: shale_detach. */
static void detach_part(struct explorer *explorer, struct mutator_state *mutator)
{
    if (mutator->part++ == 0) {
        bump_close(&mutator->local.bump, &explorer->memory);
        cell_caches_close(&mutator->local.cells, &explorer->memory);
        if (explorer->breach == DETACH_DROPS)
            shade_drop(&explorer->mark.work, &mutator->local.shaded);
        mark_detach(&explorer->mark, &mutator->local);
        return;
    }
    if (mutator->asked)
        serve(explorer, mutator);
    mutator->attached = false;
    mutator->part = 0;
    mutator->next++;
}

/* runtime/roots.c: shade_shown. */
static void shade_shown(struct explorer *explorer, int root)
{
    if (atomic_u32_load(&explorer->mark.active) == 0)
        return;
    struct packet *packet = NULL;
    shade(&explorer->mark.work, &explorer->memory, &packet, explorer->roots[root]);
    shade_offer(&explorer->mark.work, &packet);
}

static void change_visitor(struct explorer *explorer, int root, bool shown)
{
    bool unseen =
        explorer->breach == REMOVE_UNSEEN || (explorer->breach == ACTIVE_LATE && !explorer->roots_visited);
    if (shown || !unseen)
        shade_shown(explorer, root);
    explorer->shown[root] = shown;
}

/* All of a packet's room but one entry is taken up by references to an object that is live anyhow. */
static void fill_packet(struct mutator_state *mutator)
{
    struct packet *packet = mutator->local.shaded;
    if (packet == NULL || packet->count == 0)
        return;
    while (packet->count < PACKET_ENTRIES - 1) {
        packet->entries[packet->count] = packet->entries[0];
        packet->count++;
    }
}

/* Steps that are over at once. */
static void simple_step(struct explorer *explorer, struct mutator_state *mutator,
                        const struct litmus_step *step)
{
    uint64_t *registers = mutator->registers;
    mutator->next++;
    switch (step->operation) {
    case LOAD:
        registers[step->a] =
            registers[step->b] != 0 ? atomic_u64_load(slot_of(explorer, registers[step->b], step->c)) : 0;
        break;
    case ALLOCATE:
        registers[step->a] = allocate(explorer, mutator);
        break;
    case INITIALISE:
        atomic_u64_store(slot_of(explorer, registers[step->a], step->b), registers[step->c]);
        note_write(explorer, registers[step->a]);
        break;
    case FORGET:
        registers[step->a] = 0;
        break;
    case LOAD_ROOT:
        registers[step->a] = explorer->roots[step->b];
        break;
    case WRITE_ROOT:
        explorer->roots[step->a] = step->b == NOTHING ? 0 : registers[step->b];
        break;
    case ADD_VISITOR:
    case REMOVE_VISITOR:
        change_visitor(explorer, step->a, step->operation == ADD_VISITOR);
        break;
    case FILL:
        fill_packet(mutator);
        break;
    case ATTACH:
        init_local(&mutator->local);
        mark_attach(&mutator->local, explorer->breach == ATTACH_PLAIN ? STAGE_IDLE : explorer->stage);
        mutator->attached = true;
        break;
    default:
        break;
    }
}

static uint64_t operand(const struct mutator_state *mutator, int number)
{
    return number == NOTHING ? 0 : mutator->registers[number];
}

static void take_step(struct explorer *explorer, unsigned m)
{
    struct mutator_state *mutator = &explorer->mutators[m];
    const struct litmus_step *step = step_of(explorer, m);
    say(explorer, " %u:%s", m + 1, operation_names[step->operation]);
    if (mutator->part != 0)
        say(explorer, "+%u", mutator->part);
    switch (step->operation) {
    case STORE:
    case MOVE: {
        uint64_t object = mutator->registers[step->a];
        if (object == 0) {
            mutator->next++;
            return;
        }
        bool move = step->operation == MOVE;
        uint64_t stored = operand(mutator, step->c);
        if (move && stored != 0)
            stored = atomic_u64_load(slot_of(explorer, stored, 0));
        store_part(explorer, mutator, slot_of(explorer, object, step->b), stored, move);
        return;
    }
    case STORE_ROOT:
        store_part(explorer, mutator, (atomic_u64 *)&explorer->roots[step->a], operand(mutator, step->b),
                   false);
        return;
    case DETACH:
        detach_part(explorer, mutator);
        return;
    default:
        simple_step(explorer, mutator, step);
    }
}

static bool can_step(const struct explorer *explorer, unsigned m)
{
    enum litmus_operation operation = step_of(explorer, m)->operation;
    bool changes_roots = operation == ADD_VISITOR || operation == REMOVE_VISITOR;
    return operation != END && !(changes_roots && explorer->roots_locked);
}

/* Not within a store, nor before all plain stores into a new object are done, unless it is stopped by a signal. */
static bool at_safepoint(const struct explorer *explorer, unsigned m)
{
    return explorer->mutators[m].part == 0 &&
           (explorer->program->conservative || step_of(explorer, m)->operation != INITIALISE);
}

/* ---- choosing --------------------------------------------------------------------------------------- */

enum { CONTINUE, SERVE, STEP = SERVE + LITMUS_MUTATORS, ALTERNATIVES = STEP + LITMUS_MUTATORS };

static unsigned alternatives(const struct explorer *explorer, bool may_continue,
                             unsigned char found[ALTERNATIVES])
{
    unsigned count = 0;
    if (may_continue)
        found[count++] = CONTINUE;
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        const struct mutator_state *mutator = &explorer->mutators[m];
        if (mutator->attached && mutator->asked && at_safepoint(explorer, m))
            found[count++] = (unsigned char)(SERVE + m);
    }
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        if (can_step(explorer, m))
            found[count++] = (unsigned char)(STEP + m);
    }
    return count;
}

static unsigned choose(struct explorer *explorer, bool may_continue, enum site site, uint64_t place)
{
    unsigned char found[ALTERNATIVES];
    unsigned count = alternatives(explorer, may_continue, found);
    assert_int_not_equal(count, 0);
    if (count == 1 || explorer->cut)
        return found[0];
    assert_true(explorer->depth < CHOICES_MAX);
    struct choice *choice = &explorer->path[explorer->depth];
    if (explorer->depth >= explorer->fixed) {
        if (!seen_add(explorer, state_of(explorer, site, place))) {
            explorer->cut = true;
            return found[0];
        }
        *choice = (struct choice){.taken = 0, .count = (unsigned char)count};
    }
    assert_int_equal(choice->count, count);
    explorer->depth++;
    return found[choice->taken];
}

/* To the next path that was not tried; false: there is none. */
static bool next_path(struct explorer *explorer)
{
    while (explorer->depth != 0) {
        struct choice *last = &explorer->path[explorer->depth - 1];
        if (++last->taken < last->count) {
            explorer->fixed = explorer->depth;
            return true;
        }
        explorer->depth--;
    }
    return false;
}

/* The collector lets others go on. */
static void let_go_on(struct explorer *explorer, enum site site, uint64_t place)
{
    if (explorer->stopped)
        return;
    for (;;) {
        unsigned chosen = choose(explorer, true, site, place);
        if (chosen == CONTINUE)
            return;
        take_step(explorer, chosen - STEP);
    }
}

/* ---- the world -------------------------------------------------------------------------------------- */

static uint32_t born_in(const struct explorer *explorer, region_number region)
{
    return atomic_u32_load(&explorer->memory.regions.regions[region].born_from);
}

static void set_born_in(struct explorer *explorer, region_number region, uint32_t from)
{
    atomic_u32_store(&explorer->memory.regions.regions[region].born_from, from);
}

static void end_recording(struct explorer *explorer, struct mutator_state *mutator)
{
    struct bump *bump = &mutator->local.bump;
    bump_stop_recording(bump);
    if (bump->region != REGION_NONE)
        set_born_in(explorer, bump->region, REGION_SIZE);
}

static void serve_scan(struct explorer *explorer, struct mutator_state *mutator)
{
    if (explorer->breach == ONE_HANDSHAKE)
        local_set_barrier(&mutator->local, BARRIER_OLD | BARRIER_NEW);
    uint64_t registers[LITMUS_REGISTERS];
    memcpy(registers, mutator->registers, sizeof registers);
    if (explorer->breach == NO_SCAN)
        memset(mutator->registers, 0, sizeof registers);
    region_number region = mutator->local.bump.region;
    uint32_t born_from = region != REGION_NONE ? born_in(explorer, region) : 0;
    uintptr_t walk_from = mutator->local.bump.walk_from;
    if (explorer->breach == NEW_UNSEEN)
        mutator->local.bump.walk_from = mutator->local.bump.api.cursor;
    explorer->function(&explorer->mark, &mutator->local);
    mutator->local.bump.walk_from = walk_from;
    memcpy(mutator->registers, registers, sizeof registers);
    /* What was allocated since BEGUN stays born. */
    if (explorer->breach == RECORD_EARLY && region != REGION_NONE)
        set_born_in(explorer, region, born_from);
    if (explorer->breach == RECORD_LATE)
        end_recording(explorer, mutator);
}

/* The first handshake is that of mark_pages_begin, the others are those of rounds. */
static void serve_tracked(struct explorer *explorer, struct mutator_state *mutator)
{
    if (explorer->handshakes == 1 ||
        (explorer->breach != ROUND_NO_RECORD && explorer->breach != HANDSHAKE_FIRST))
        explorer->function(&explorer->mark, &mutator->local);
}

static void serve(struct explorer *explorer, struct mutator_state *mutator)
{
    say(explorer, " %u:SERVED", (unsigned)(mutator - explorer->mutators) + 1);
    mutator->asked = false;
    if (explorer->program->pages) {
        serve_tracked(explorer, mutator);
        return;
    }
    if (explorer->handshakes == BEGIN) {
        if (explorer->breach != ONE_HANDSHAKE)
            explorer->function(&explorer->mark, &mutator->local);
        if (explorer->breach == RECORD_EARLY) {
            bump_start_recording(&mutator->local.bump, &explorer->memory);
            cell_caches_start_recording(&mutator->local.cells, &explorer->memory, false);
        }
    } else if (explorer->handshakes == SCAN) {
        serve_scan(explorer, mutator);
    } else if (explorer->stage == STAGE_DECIDED || explorer->breach != NO_FLUSH) {
        explorer->function(&explorer->mark, &mutator->local);
    }
}

static void handshake(void *context, enum mark_stage stage, local_function function, void *argument)
{
    struct explorer *explorer = context;
    (void)argument;
    explorer->stage = stage;
    explorer->handshakes++;
    explorer->function = function;
    explorer->slots_looked_at = 0;
    say(explorer, " HANDSHAKE");
    if (explorer->handshakes == PASS && explorer->breach == NO_PASSING && !explorer->program->pages)
        return;
    unsigned asked = 0;
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        explorer->mutators[m].asked = explorer->mutators[m].attached;
        asked += explorer->mutators[m].attached;
    }
    while (asked != 0) {
        unsigned chosen = choose(explorer, false, SITE_HANDSHAKE, 0);
        if (chosen < STEP)
            serve(explorer, &explorer->mutators[chosen - SERVE]);
        else
            take_step(explorer, chosen - STEP);
        asked = 0;
        for (unsigned m = 0; m < explorer->program->mutators; m++)
            asked += explorer->mutators[m].asked;
    }
    if (explorer->breach == FORGET_NOTED)
        atomic_u32_store(&explorer->mark.work.noted, 0);
}

static void visit_mutator_roots(void *context, struct mutator_local *local, struct shale_visitor *visitor)
{
    if (!((struct explorer *)context)->program->conservative)
        shale_visit_pointers(visitor, ((struct mutator_state *)local)->registers, LITMUS_REGISTERS);
}

static void visit_stacks(void *context, struct mutator_local *local, words_function function, void *argument)
{
    (void)context;
    const uint64_t *registers = ((struct mutator_state *)local)->registers;
    function(argument, registers, registers + LITMUS_REGISTERS);
}

static void visit_heap_roots(void *context, struct shale_visitor *visitor)
{
    struct explorer *explorer = context;
    let_go_on(explorer, SITE_ROOT, LITMUS_ROOTS);
    explorer->roots_locked = true;
    for (int r = 0; r < LITMUS_ROOTS; r++) {
        if (!explorer->shown[r])
            continue;
        let_go_on(explorer, SITE_ROOT, (uint64_t)r);
        say(explorer, " ROOT%d", r);
        shale_visit_pointers(visitor, &explorer->roots[r], 1);
    }
    explorer->roots_locked = false;
    explorer->roots_visited = true;
}

/* ---- without a barrier ---------------------------------------------------------------------------------- */

static bool all_at_safepoints(const struct explorer *explorer)
{
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        if (explorer->mutators[m].attached && !at_safepoint(explorer, m))
            return false;
    }
    return true;
}

/* Pages that a round did not arm before they were looked at. */
static void arm_now(struct explorer *explorer)
{
    for (region_number r = 0; r < REGIONS_USED; r++)
        explorer->os_beneath.writes_arm(&explorer->os.os, &explorer->pages.written.writes,
                                        views_mutator(&explorer->memory.views, region_start(r)), REGION_SIZE);
}

static void stop(void *context)
{
    struct explorer *explorer = context;
    if (explorer->breach == ARM_LATE)
        arm_now(explorer);
    for (;;) {
        unsigned chosen = choose(explorer, all_at_safepoints(explorer), SITE_STOP, 0);
        if (chosen == CONTINUE)
            break;
        take_step(explorer, chosen - STEP);
    }
    say(explorer, " STOP");
    explorer->stopped = true;
}

static void resume(void *context)
{
    ((struct explorer *)context)->stopped = false;
}

static void visit_mutators(void *context, local_function function, void *argument)
{
    struct explorer *explorer = context;
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        if (explorer->mutators[m].attached)
            function(argument, &explorer->mutators[m].local);
    }
}

static void visit_roots(void *context, struct shale_visitor *visitor)
{
    struct explorer *explorer = context;
    if (explorer->breach == REMARK_NO_ROOTS)
        return;
    visit_heap_roots(explorer, visitor);
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        if (explorer->mutators[m].attached)
            visit_mutator_roots(explorer, &explorer->mutators[m].local, visitor);
    }
}

/* One written page after the other, with others going on in between. */
static int find_writes(const struct os *os, const struct os_writes *writes, const struct os_range *among,
                       bool rearm, struct os_range *ranges, size_t maximum, uintptr_t *end)
{
    struct explorer *explorer = current;
    (void)maximum;
    if (explorer->breach == REMARK_NO_SEARCH && explorer->stopped) {
        *end = among->end;
        return 0;
    }
    uint64_t place = among->start - (uintptr_t)explorer->memory.views.mutator;
    bool first = place == 0 && rearm && explorer->breach == HANDSHAKE_FIRST;
    for (unsigned m = 0; first && m < explorer->program->mutators; m++)
        bump_record(&explorer->mutators[m].local.bump, &explorer->memory);
    let_go_on(explorer, SITE_SEARCH, place);
    bool arm = rearm && explorer->breach != ARM_LATE;
    int found = explorer->os_beneath.writes_find(os, writes, among, arm, ranges, 1, end);
    say(explorer, " FOUND%d", found);
    let_go_on(explorer, SITE_SEARCH, place + 1);
    return found;
}

static void await_root_changes(void *context)
{
    (void)context;
}

static void no_external(void *context, bool (*is_dead)(void *argument, uint64_t address), void *argument)
{
    (void)context;
    (void)is_dead;
    (void)argument;
}

static uint64_t no_finalizers(void *context, bool (*is_dead)(void *argument, uint64_t address),
                              void *argument)
{
    (void)context;
    (void)is_dead;
    (void)argument;
    return 0;
}

/* The visitor of all objects: a tracer looks at one slot after the other. */
static void visit_object(void *object, size_t length, shale_visitor *visitor)
{
    (void)length;
    struct explorer *explorer = current;
    uint64_t *slots = object;
    uint64_t place = (uint64_t)((char *)object - explorer->memory.views.alias);
    for (unsigned i = 0; i < LITMUS_SLOTS; i++) {
        let_go_on(explorer, SITE_SLOT, place + i);
        say(explorer, " SLOT%zu.%u", (size_t)(place - REGION_FIRST_OBJECT) / OBJECT_BYTES + 1, i);
        explorer->slots_looked_at++;
        shale_visit_pointers(visitor, &slots[i], 1);
    }
}

/* ---- a run ------------------------------------------------------------------------------------------ */

static void forget_cells(struct cells *cells)
{
    void *tables[CELL_TABLES];
    for (int kind = 0; kind < CELL_KINDS; kind++) {
        tables[2 * kind] = cells->slabs[kind];
        tables[2 * kind + 1] = cells->taken[kind];
    }
    struct cell_slab *slabs = cells->slabs[CELLS_WITH_SLOTS];
    for (region_number r = 0; r < REGIONS_USED; r++) {
        if (slabs[r].used == 0)
            continue;
        memset(&slabs[r], 0, sizeof slabs[r]);
        memset(&cells->taken[CELLS_WITH_SLOTS][r * REGION_CHUNKS], 0, REGION_CHUNKS * sizeof(atomic_u64));
    }
    cells_destroy(cells);
    cells_init(cells, tables);
}

static void forget_heap(struct explorer *explorer)
{
    struct memory *memory = &explorer->memory;
    region_number count = memory->regions.count;
    if (explorer->program->cells)
        memory_unseal_all(memory); /* the sweep gives regions back */
    region_table_destroy(&memory->regions);
    for (region_number r = 0; r < REGIONS_USED; r++) {
        for (size_t part = 0; part < LITMUS_MUTATORS && region_get_state(&memory->regions, r) != REGION_FREE;
             part++)
            memset(views_alias(&memory->views, region_start(r) + part * SMALL_BLOCK_SIZE), 0,
                   LOOKED_AT_BYTES);
        memory_clear_marks(memory, r);
    }
    forget_cells(&memory->cells);
    memset(memory->regions.regions, 0, count * sizeof *memory->regions.regions);
    region_table_init(&memory->regions, memory->regions.regions, count);
    for (region_number r = 0; r < count; r++)
        atomic_u32_store(&memory->regions.regions[r].born_from, REGION_SIZE);
}

static void forget_work(struct explorer *explorer)
{
    struct packet_pool *pool = &explorer->mark.work.pool;
    atomic_u64_store(&pool->free.head, 0);
    atomic_u64_store(&pool->full.head, 0);
    atomic_u32_store(&pool->untouched, explorer->program->no_packets ? pool->limit : 0);
    work_drop(&explorer->mark.work);
    explorer->mark.tracers[0].stack_count = 0;
    explorer->mark.tracers[0].reached_count = 0;
    explorer->mark.tracers[0].marked_count = 0;
}

static void set_up_objects(struct explorer *explorer)
{
    const struct litmus_program *program = explorer->program;
    region_number region = region_take(&explorer->memory.regions, REGION_ALLOCATING, 0);
    assert_int_equal(region, 0);
    for (int i = A; i < LITMUS_OBJECTS; i++) {
        uint64_t address = address_of(explorer, (enum litmus_object)i);
        atomic_u64 *slots = slot_of(explorer, address, 0);
        atomic_u64_store(slots - 1, explorer->type->api.header);
        for (int s = 0; s < LITMUS_SLOTS; s++)
            atomic_u64_store(&slots[s], address_of(explorer, program->slots[i][s]));
    }
    explorer->memory.regions.regions[region].top = LITMUS_OBJECTS * OBJECT_BYTES;
    region_set_state(&explorer->memory.regions, region, REGION_USED);
}

static void set_up(struct explorer *explorer)
{
    const struct litmus_program *program = explorer->program;
    forget_heap(explorer);
    forget_work(explorer);
    set_up_objects(explorer);
    explorer->stage = STAGE_IDLE;
    explorer->stopped = false;
    explorer->handshakes = 0;
    explorer->slots_looked_at = 0;
    explorer->roots_locked = false;
    explorer->roots_visited = false;
    explorer->schedule_length = 0;
    explorer->depth = 0;
    explorer->cut = false;
    atomic_u32_store(&explorer->mark.active, 0);
    atomic_u32_store(&explorer->mark.conservative.wanted, program->conservative);
    for (int r = 0; r < LITMUS_ROOTS; r++) {
        explorer->roots[r] = address_of(explorer, program->roots[r]);
        explorer->shown[r] = !program->hidden[r];
    }
    for (unsigned m = 0; m < program->mutators; m++) {
        struct mutator_state *mutator = &explorer->mutators[m];
        *mutator = (struct mutator_state){.attached = !program->detached[m]};
        init_local(&mutator->local);
        mutator->local.bump.conservative = program->conservative;
        mark_attach(&mutator->local, STAGE_IDLE);
        if (!mutator->attached)
            continue;
        allocate(explorer, mutator); /* so that there is a region with something in it */
        for (int r = 0; r < LITMUS_REGISTERS; r++)
            mutator->registers[r] = address_of(explorer, program->registers[m][r]);
    }
}

static void run_collector(struct explorer *explorer)
{
    struct mark *mark = &explorer->mark;
    if (explorer->program->pages) {
        mark_prepare(mark);
        mark_pages_begin(&explorer->pages);
        for (unsigned i = 0; i < explorer->program->rounds; i++)
            mark_pages_round(&explorer->pages);
        mark_pages_remark(&explorer->pages);
        mark_weak(mark);
        written_end(&explorer->pages.written);
        mark_count(mark);
        return;
    }
    if (explorer->breach != FLUSH_ONCE) {
        mark_run(mark);
        return;
    }
    mark_prepare(mark);
    mark_roots(mark);
    mark_trace(mark);
    mark_flush(mark);
    mark_decide(mark);
    mark_weak(mark);
    mark_count(mark);
}

/* Whether all is live that can be reached from an address. */
static bool all_live(const struct explorer *explorer, uint64_t address, unsigned depth)
{
    if (address == 0 || depth == 0)
        return true;
    size_t offset = views_offset(&explorer->memory.views, address);
    if (!memory_is_live(&explorer->memory, offset))
        return false;
    /* It has survived the sweep. */
    if (region_get_state(&explorer->memory.regions, region_of(offset)) == REGION_PINNED &&
        (cells_is_born(&explorer->memory, offset) || cells_object(&explorer->memory, offset) != offset))
        return false;
    for (int s = 0; s < LITMUS_SLOTS; s++) {
        if (!all_live(explorer, atomic_u64_load(slot_of(explorer, address, s)), depth - 1))
            return false;
    }
    return true;
}

static bool nothing_lost(struct explorer *explorer)
{
    cells_sweep(&explorer->memory);
    enum { DEPTH = 8 }; /* no path without a cycle is longer */
    for (int r = 0; r < LITMUS_ROOTS; r++) {
        if (explorer->shown[r] && !all_live(explorer, explorer->roots[r], DEPTH))
            return false;
    }
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        const struct mutator_state *mutator = &explorer->mutators[m];
        for (int r = 0; r < LITMUS_REGISTERS && mutator->attached; r++) {
            if (!all_live(explorer, mutator->registers[r], DEPTH))
                return false;
        }
    }
    return true;
}

static void open(struct explorer *explorer)
{
    static const shale_encoding plain = SHALE_ENCODING_PLAIN;
    os_simulated_init(&explorer->os, 4096);
    const char *failed;
    assert_int_equal(memory_create(&explorer->memory, &explorer->os.os, HEAP_SIZE_MIN, &plain, &failed), 0);
    announce_object(views_mutator(&explorer->memory.views, 0), HEAP_SIZE_MIN);
    const shale_type_spec spec = {
        .name = "litmus", .size = LITMUS_SLOTS * sizeof(uint64_t), .visit = visit_object};
    shale_status status;
    char message[256];
    explorer->type = type_register(&explorer->memory.types, &spec, &status, message, sizeof message);
    assert_non_null(explorer->type);
    assert_int_equal(explorer->type->api.size, OBJECT_BYTES);
    explorer->world = (struct world){.context = explorer,
                                     .handshake = handshake,
                                     .visit_mutator_roots = visit_mutator_roots,
                                     .visit_stacks = visit_stacks,
                                     .visit_heap_roots = visit_heap_roots,
                                     .queue_finalizable = no_finalizers,
                                     .find_dead_external = no_external,
                                     .await_root_changes = await_root_changes,
                                     .stop = stop,
                                     .resume = resume,
                                     .visit_mutators = visit_mutators,
                                     .visit_roots = visit_roots};
    assert_int_equal(workers_create(&explorer->workers, &explorer->os.os, 1), 0);
    assert_int_equal(
        mark_create(&explorer->mark, &explorer->memory, &explorer->world, &explorer->workers, 16), 0);
    current = explorer;
    if (!explorer->program->pages)
        return;
    struct os_writes writes = {0};
    assert_int_equal(mark_pages_create(&explorer->pages, &explorer->mark, &writes), 0);
    explorer->os_beneath = explorer->os.os;
    explorer->os.os.writes_find = find_writes;
}

static void close(struct explorer *explorer)
{
    if (explorer->program->pages)
        mark_pages_destroy(&explorer->pages);
    mark_destroy(&explorer->mark);
    workers_destroy(&explorer->workers);
    memory_destroy(&explorer->memory);
    os_simulated_destroy(&explorer->os);
    free(explorer->seen);
    current = NULL;
}

void litmus_explore(const struct litmus_program *program, enum litmus_breach breach, unsigned long runs_max,
                    struct litmus_result *result)
{
    struct explorer *explorer = calloc(1, sizeof *explorer);
    assert_non_null(explorer);
    *result = (struct litmus_result){.lost = false};
    explorer->program = program;
    explorer->breach = breach;
    explorer->result = result;
    open(explorer);
    while (result->runs < runs_max && !result->complete) {
        set_up(explorer);
        run_collector(explorer);
        result->runs++;
        if (!explorer->cut) {
            result->marks++;
            result->lost = !nothing_lost(explorer);
            if (result->lost)
                break;
        }
        result->complete = !next_path(explorer);
    }
    close(explorer);
    free(explorer);
}
