#include "tests/support/litmus.h"

#include "heap/announce.h"
#include "tests/support/litmus_explorer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

void litmus_say(struct explorer *explorer, const char *format, ...)
{
    if (!explorer->describing)
        return;
    size_t room = sizeof explorer->result->schedule - explorer->schedule_length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(explorer->result->schedule + explorer->schedule_length, room, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < room)
        explorer->schedule_length += (size_t)length;
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
    region_number touched = region_touched(&memory->regions);
    assert_true(touched <= REGIONS_USED);
    if (explorer->program->cells)
        memory_unseal_all(memory); /* the sweep gives regions back */
    region_table_destroy(&memory->regions);
    for (region_number r = 0; r < touched; r++) {
        for (size_t part = 0; part < LITMUS_MUTATORS && region_get_state(&memory->regions, r) != REGION_FREE;
             part++)
            memset(views_alias(&memory->views, region_start(r) + part * SMALL_BLOCK_SIZE), 0,
                   LOOKED_AT_BYTES);
        memory_clear_marks(memory, r);
    }
    if (explorer->program->cells)
        forget_cells(&memory->cells);
    memset(memory->regions.regions, 0, touched * sizeof *memory->regions.regions);
    region_table_init(&memory->regions, memory->regions.regions, memory->regions.count);
    for (region_number r = 0; r < REGIONS_USED; r++)
        atomic_u32_store(&memory->regions.regions[r].born_from, REGION_SIZE);
}

static void forget_work(struct explorer *explorer)
{
    struct packet_pool *pool = &explorer->mark.work.pool;
    atomic_u64_store(&pool->free.head, 0);
    atomic_u64_store(&pool->full.head, 0);
    atomic_u32_store(&pool->untouched, explorer->program->no_packets ? pool->limit : 0);
    work_drop(&explorer->mark.work);
    struct tracer *tracer = &explorer->mark.tracers[0];
    tracer->reached_count = 0;
    tracer->stack_count = 0;
    tracer->ahead_count = 0;
    tracer->again_count = 0;
    tracer->held = (struct held_bits){.count = 0};
}

static void set_up_objects(struct explorer *explorer)
{
    const struct litmus_program *program = explorer->program;
    region_number region = region_take(&explorer->memory.regions, REGION_ALLOCATING, 0);
    assert_int_equal(region, 0);
    for (int i = A; i < LITMUS_OBJECTS; i++) {
        uint64_t address = litmus_address(explorer, (enum litmus_object)i);
        atomic_u64 *slots = litmus_slot(explorer, address, 0);
        atomic_u64_store(slots - 1, explorer->type->api.header);
        for (int s = 0; s < LITMUS_SLOTS; s++)
            atomic_u64_store(&slots[s], litmus_address(explorer, program->slots[i][s]));
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
        explorer->roots[r] = litmus_address(explorer, program->roots[r]);
        explorer->shown[r] = !program->hidden[r];
    }
    for (unsigned m = 0; m < program->mutators; m++) {
        struct mutator_state *mutator = &explorer->mutators[m];
        *mutator = (struct mutator_state){.attached = !program->detached[m]};
        litmus_init_local(&mutator->local);
        mutator->local.bump.conservative = program->conservative;
        mark_attach(&mutator->local, STAGE_IDLE);
        if (!mutator->attached)
            continue;
        litmus_allocate(explorer, mutator); /* so that there is a region with something in it */
        for (int r = 0; r < LITMUS_REGISTERS; r++)
            mutator->registers[r] = litmus_address(explorer, program->registers[m][r]);
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
        if (!all_live(explorer, atomic_u64_load(litmus_slot(explorer, address, s)), depth - 1))
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
        .name = "litmus", .size = LITMUS_SLOTS * sizeof(uint64_t), .visit = litmus_visit_object};
    shale_status status;
    char message[256];
    explorer->type = type_register(&explorer->memory.types, &spec, &status, message, sizeof message);
    assert_non_null(explorer->type);
    assert_int_equal(explorer->type->api.size, OBJECT_BYTES);
    litmus_world_init(explorer);
    assert_int_equal(workers_create(&explorer->workers, &explorer->os.os, 1), 0);
    assert_int_equal(
        mark_create(&explorer->mark, &explorer->memory, &explorer->world, &explorer->workers, 16), 0);
    if (!explorer->program->pages)
        return;
    struct os_writes writes = {0};
    assert_int_equal(mark_pages_create(&explorer->pages, &explorer->mark, &writes), 0);
    litmus_watch_searches(explorer);
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
}

/* The same run once more, with its schedule written down, which takes longer than the run. */
static void describe(struct explorer *explorer)
{
    explorer->fixed = explorer->depth;
    explorer->describing = true;
    set_up(explorer);
    run_collector(explorer);
    assert_false(nothing_lost(explorer));
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
            if (result->lost) {
                describe(explorer);
                break;
            }
        }
        result->complete = !litmus_next_path(explorer);
    }
    close(explorer);
    free(explorer);
}
