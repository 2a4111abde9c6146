#include "tests/support/litmus_explorer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const operation_names[] = {"end",        "load",       "store",       "move",
                                              "allocate",   "initialise", "forget",      "load-root",
                                              "store-root", "write-root", "add-visitor", "remove-visitor",
                                              "fill",       "attach",     "detach"};

/* ---- objects --------------------------------------------------------------------------------------- */

uint64_t litmus_address(const struct explorer *explorer, enum litmus_object object)
{
    if (object == NONE)
        return 0;
    return (uint64_t)(uintptr_t)views_mutator(&explorer->memory.views, 0) + REGION_FIRST_OBJECT +
           (size_t)(object - 1) * OBJECT_BYTES;
}

/* A slot of an object that is known by its address. */
atomic_u64 *litmus_slot(const struct explorer *explorer, uint64_t address, int slot)
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

void litmus_init_local(struct mutator_local *local)
{
    bump_init(&local->bump, BUMP_CHUNK_SIZE);
    cell_caches_init(&local->cells, &local->bump.api, BUMP_CHUNK_SIZE);
}

uint64_t litmus_allocate(struct explorer *explorer, struct mutator_state *mutator)
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
    assert_true(views_offset(&explorer->memory.views, address) % SMALL_BLOCK_SIZE + OBJECT_BYTES <=
                LOOKED_AT_BYTES);
    note_write(explorer, address - HEADER_SIZE);
    return address;
}

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
        litmus_serve(explorer, mutator);
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
            registers[step->b] != 0 ? atomic_u64_load(litmus_slot(explorer, registers[step->b], step->c)) : 0;
        break;
    case ALLOCATE:
        registers[step->a] = litmus_allocate(explorer, mutator);
        break;
    case INITIALISE:
        atomic_u64_store(litmus_slot(explorer, registers[step->a], step->b), registers[step->c]);
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
        litmus_init_local(&mutator->local);
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

void litmus_take_step(struct explorer *explorer, unsigned m)
{
    struct mutator_state *mutator = &explorer->mutators[m];
    const struct litmus_step *step = step_of(explorer, m);
    litmus_say(explorer, " %u:%s", m + 1, operation_names[step->operation]);
    if (mutator->part != 0)
        litmus_say(explorer, "+%u", mutator->part);
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
            stored = atomic_u64_load(litmus_slot(explorer, stored, 0));
        store_part(explorer, mutator, litmus_slot(explorer, object, step->b), stored, move);
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

bool litmus_can_step(const struct explorer *explorer, unsigned m)
{
    enum litmus_operation operation = step_of(explorer, m)->operation;
    bool changes_roots = operation == ADD_VISITOR || operation == REMOVE_VISITOR;
    return operation != END && !(changes_roots && explorer->roots_locked);
}

/* Not within a store, nor before all plain stores into a new object are done, unless it is stopped by a signal. */
bool litmus_at_safepoint(const struct explorer *explorer, unsigned m)
{
    return explorer->mutators[m].part == 0 &&
           (explorer->program->conservative || step_of(explorer, m)->operation != INITIALISE);
}
