#include "tests/support/litmus_explorer.h"

#include <string.h>

/* The visitor of an object is given no context of the embedder's. */
static struct explorer *current;

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

void litmus_serve(struct explorer *explorer, struct mutator_state *mutator)
{
    litmus_say(explorer, " %u:SERVED", (unsigned)(mutator - explorer->mutators) + 1);
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
    litmus_say(explorer, " HANDSHAKE");
    if (explorer->handshakes == PASS && explorer->breach == NO_PASSING && !explorer->program->pages)
        return;
    unsigned asked = 0;
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        explorer->mutators[m].asked = explorer->mutators[m].attached;
        asked += explorer->mutators[m].attached;
    }
    while (asked != 0) {
        unsigned chosen = litmus_choose(explorer, false, SITE_HANDSHAKE, 0);
        if (chosen < STEP)
            litmus_serve(explorer, &explorer->mutators[chosen - SERVE]);
        else
            litmus_take_step(explorer, chosen - STEP);
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
    litmus_let_go_on(explorer, SITE_ROOT, LITMUS_ROOTS);
    explorer->roots_locked = true;
    for (int r = 0; r < LITMUS_ROOTS; r++) {
        if (!explorer->shown[r])
            continue;
        litmus_let_go_on(explorer, SITE_ROOT, (uint64_t)r);
        litmus_say(explorer, " ROOT%d", r);
        shale_visit_pointers(visitor, &explorer->roots[r], 1);
    }
    explorer->roots_locked = false;
    explorer->roots_visited = true;
}

/* ---- without a barrier ---------------------------------------------------------------------------------- */

static bool all_at_safepoints(const struct explorer *explorer)
{
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        if (explorer->mutators[m].attached && !litmus_at_safepoint(explorer, m))
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
        unsigned chosen = litmus_choose(explorer, all_at_safepoints(explorer), SITE_STOP, 0);
        if (chosen == CONTINUE)
            break;
        litmus_take_step(explorer, chosen - STEP);
    }
    litmus_say(explorer, " STOP");
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
    litmus_let_go_on(explorer, SITE_SEARCH, place);
    bool arm = rearm && explorer->breach != ARM_LATE;
    int found = explorer->os_beneath.writes_find(os, writes, among, arm, ranges, 1, end);
    litmus_say(explorer, " FOUND%d", found);
    litmus_let_go_on(explorer, SITE_SEARCH, place + 1);
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

/* A tracer looks at one slot after the other. */
void litmus_visit_object(void *object, size_t length, shale_visitor *visitor)
{
    (void)length;
    struct explorer *explorer = current;
    uint64_t *slots = object;
    uint64_t place = (uint64_t)((char *)object - explorer->memory.views.alias);
    for (unsigned i = 0; i < LITMUS_SLOTS; i++) {
        litmus_let_go_on(explorer, SITE_SLOT, place + i);
        litmus_say(explorer, " SLOT%zu.%u", (size_t)(place - REGION_FIRST_OBJECT) / OBJECT_BYTES + 1, i);
        explorer->slots_looked_at++;
        shale_visit_pointers(visitor, &slots[i], 1);
    }
}

void litmus_world_init(struct explorer *explorer)
{
    current = explorer;
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
}

void litmus_watch_searches(struct explorer *explorer)
{
    explorer->os_beneath = explorer->os.os;
    explorer->os.os.writes_find = find_writes;
}
