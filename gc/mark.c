#include "gc/mark.h"

#include "gc/durations.h"
#include "gc/sweep_large.h"

/* Memory for packets is this fraction of the heap, at least. Graphs with random references need most: a quarter of that was too
 * little for them, and looking again at whole regions took as long as marking (bench_mark_plan). */
enum { PACKET_MEMORY_DIVISOR = 64, PACKETS_LEAST = 512 };

static uint32_t default_packets(const struct memory *memory)
{
    size_t packets = memory->views.regions / PACKET_MEMORY_DIVISOR / sizeof(struct packet);
    return packets > PACKETS_LEAST ? (uint32_t)packets : PACKETS_LEAST;
}

static void destroy_tracers(struct mark *mark, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        tracer_destroy(&mark->tracers[i]);
    mark->memory->os->unmap(mark->memory->os, mark->table.start, mark->table.size);
}

int mark_create(struct mark *mark, struct memory *memory, const struct world *world, struct workers *workers,
                uint32_t packet_limit)
{
    *mark = (struct mark){.memory = memory, .world = world, .workers = workers};
    const struct os *os = memory->os;
    mark->table.size = workers->limit * sizeof *mark->tracers;
    int status = os->map_table(os, mark->table.size, &mark->table.start);
    if (status != 0)
        return status;
    mark->tracers = mark->table.start;
    for (unsigned i = 0; i < workers->limit; i++) {
        status = tracer_create(&mark->tracers[i], memory, &mark->work, &mark->weak);
        if (status != 0) {
            destroy_tracers(mark, i);
            return status;
        }
    }
    status = work_create(&mark->work, os, packet_limit != 0 ? packet_limit : default_packets(memory));
    if (status == 0) {
        status = weak_create(&mark->weak, memory);
        if (status == 0) {
            status = conservative_create(&mark->conservative, memory);
            if (status == 0)
                return 0;
            weak_destroy(&mark->weak);
        }
        work_destroy(&mark->work);
    }
    destroy_tracers(mark, workers->limit);
    return status;
}

void mark_destroy(struct mark *mark)
{
    conservative_destroy(&mark->conservative);
    weak_destroy(&mark->weak);
    work_destroy(&mark->work);
    destroy_tracers(mark, mark->workers->limit);
}

/* ---- what mutators do ------------------------------------------------------------------------------ */

static void begin_local(void *context, struct mutator_local *local)
{
    (void)context;
    local_set_barrier(local, BARRIER_OLD | BARRIER_NEW | BARRIER_PAGES);
}

/* A store that a mutator had begun is over. */
static void settle_local(void *context, struct mutator_local *local)
{
    (void)context;
    (void)local;
}

void mark_reserve_births(struct mark *mark, struct mutator_local *local)
{
    enum { SHARE = 8 };
    /* What mutators keep for themselves may be what others wait for. */
    const struct region_table *regions = &mark->memory->regions;
    bool give_all = region_free_count(regions) <= regions->count / SHARE;
    cell_caches_start_recording(&local->cells, mark->memory, give_all);
}

void mark_scan_local(struct mark *mark, struct mutator_local *local)
{
    struct shading shading = {&mark->work, mark->memory, &local->shaded};
    struct shale_visitor visitor = visitor_make(shade_slots, &shading);
    mark->world->visit_mutator_roots(mark->world->context, local, &visitor);
    conservative_scan(&mark->conservative, mark->world, local);
    shade_offer(&mark->work, &local->shaded);
}

static void scan_local(void *context, struct mutator_local *local)
{
    struct mark *mark = context;
    mark_scan_local(mark, local);
    bump_start_recording(&local->bump, mark->memory);
    mark_reserve_births(mark, local);
    local_set_barrier(local, BARRIER_OLD | BARRIER_PAGES);
}

static void flush_local(void *context, struct mutator_local *local)
{
    struct mark *mark = context;
    shade_offer(&mark->work, &local->shaded);
}

static void finish_local(void *context, struct mutator_local *local)
{
    struct mark *mark = context;
    shade_drop(&mark->work, &local->shaded);
    local_set_barrier(local, BARRIER_PAGES);
}

void mark_end_local(struct mutator_local *local)
{
    local_set_barrier(local, 0);
}

void mark_attach(struct mutator_local *local, enum mark_stage stage)
{
    static const uint32_t barriers[] = {
        [STAGE_IDLE] = 0,
        [STAGE_BEGUN] = BARRIER_OLD | BARRIER_NEW | BARRIER_PAGES,
        [STAGE_TRACING] = BARRIER_OLD | BARRIER_PAGES, /* it has no roots: so it is scanned */
        [STAGE_DECIDED] = BARRIER_PAGES,
        [STAGE_RECORDING] = BARRIER_PAGES,
        [STAGE_TRACKED] = 0,
    };
    local->shaded = NULL;
    local->bump.recording = stage >= STAGE_TRACING;
    local->bump.eager = stage >= STAGE_RECORDING;
    local_set_barrier(local, barriers[stage]);
}

void mark_detach(struct mark *mark, struct mutator_local *local)
{
    shade_offer(&mark->work, &local->shaded);
    shade_drop(&mark->work, &local->shaded);
}

/* ---- phases ---------------------------------------------------------------------------------------- */

void mark_prepare(struct mark *mark)
{
    struct region_table *regions = &mark->memory->regions;
    mark->memory->leads.complete = false;
    conservative_begin(&mark->conservative);
    cells_begin_cycle(mark->memory);
    /* A region that is taken meanwhile has nothing that the last cycle left. */
    for (region_number r = 0; r < region_touched(regions); r++) {
        conservative_keep(&mark->conservative, r);
        region_begin_cycle(regions, r);
        if (atomic_u8_load(&regions->regions[r].marked) != 0)
            memory_clear_marks(mark->memory, r);
    }
    large_clear_marks(mark->memory);
    for (unsigned i = 0; i < mark->workers->count; i++)
        trace_begin(&mark->tracers[i]);
    weak_begin(&mark->weak);
}

void mark_shade_shown(struct mark *mark, void (*show)(void *context, struct shale_visitor *visitor))
{
    struct packet *packet = NULL;
    struct shading shading = {&mark->work, mark->memory, &packet};
    struct shale_visitor visitor = visitor_make(shade_slots, &shading);
    show(mark->world->context, &visitor);
    shade_offer(&mark->work, &packet);
}

void mark_roots(struct mark *mark)
{
    const struct world *world = mark->world;
    world->handshake(world->context, STAGE_BEGUN, begin_local, mark);
    world->handshake(world->context, STAGE_BEGUN, settle_local, mark);
    /* Seen by whoever registers roots of the heap after they were visited below. */
    atomic_u32_store(&mark->active, 1);
    world->handshake(world->context, STAGE_TRACING, scan_local, mark);
    conservative_shade(&mark->conservative, &mark->work);
    mark_shade_shown(mark, world->visit_heap_roots);
}

struct tracer *mark_tracer(struct mark *mark, unsigned index)
{
    return index == 0 || work_join(&mark->work) ? &mark->tracers[index] : NULL;
}

static void trace_task(void *argument, unsigned index)
{
    struct mark *mark = argument;
    struct tracer *tracer = mark_tracer(mark, index);
    if (tracer != NULL)
        trace(tracer);
}

void mark_trace_with(struct mark *mark, worker_task task, void *argument)
{
    struct tracer *first = &mark->tracers[0];
    work_begin(&mark->work);
    workers_run(mark->workers, task, argument);
    while (trace_rescan(first) || weak_find_reached(&mark->weak, trace_look_at, first)) {
        work_begin(&mark->work);
        workers_run(mark->workers, trace_task, mark);
    }
}

void mark_trace(struct mark *mark)
{
    mark_trace_with(mark, trace_task, mark);
}

bool mark_flush(struct mark *mark)
{
    const struct world *world = mark->world;
    world->handshake(world->context, STAGE_TRACING, flush_local, mark);
    return packet_none_full(&mark->work.pool) && slices_none(&mark->work.slices) &&
           atomic_u32_load_acquire(&mark->work.noted) == 0;
}

void mark_decide(struct mark *mark)
{
    const struct world *world = mark->world;
    atomic_u32_store(&mark->active, 0);
    world->await_root_changes(world->context);
    world->handshake(world->context, STAGE_DECIDED, finish_local, mark);
}

static void clear_weak(struct mark *mark)
{
    for (unsigned i = 0; i < mark->workers->count; i++)
        weak_clear_list(&mark->weak, &mark->tracers[i].weak_list);
    weak_clear_waiting(&mark->weak);
}

static bool is_dead(void *argument, uint64_t address)
{
    const struct memory *memory = argument;
    return !memory_is_live(memory, views_offset(&memory->views, address));
}

/* Only when it was asked of all of them whether they are dead: one that is shaded may be marked at once, and an object
 * may have several finalizers. */
static void trace_queued(struct mark *mark)
{
    mark_shade_shown(mark, mark->world->visit_queued);
    mark_trace(mark);
}

void mark_weak(struct mark *mark)
{
    const struct world *world = mark->world;
    mark->weak_began = clock_nanoseconds();
    clear_weak(mark);
    mark->finalizable = world->queue_finalizable(world->context, is_dead, mark->memory);
    if (mark->finalizable != 0) {
        trace_queued(mark);
        clear_weak(mark);
    }
    weak_end(&mark->weak);
    if (mark->finalizable != 0)
        world->publish_finalizable(world->context);
    /* What is dead now stays so. */
    world->find_dead_external(world->context, is_dead, mark->memory);
    mark->weak_ended = clock_nanoseconds();
}

void mark_count(struct mark *mark)
{
    mark->memory->leads.complete = mark->memory->leads.wanted;
    mark->objects = atomic_u64_load(&mark->work.placed_objects);
    mark->bytes = atomic_u64_load(&mark->work.placed_bytes);
    for (unsigned i = 0; i < mark->workers->count; i++) {
        trace_end(&mark->tracers[i]);
        mark->objects += mark->tracers[i].objects;
        mark->bytes += mark->tracers[i].bytes;
    }
    /* Somebody who changed the heap's roots may have offered objects that were marked meanwhile. */
    work_drop(&mark->work);
    packet_pool_trim(&mark->work.pool);
}

void mark_run(struct mark *mark)
{
    mark_prepare(mark);
    mark_roots(mark);
    do {
        mark_trace(mark);
    } while (!mark_flush(mark) || !weak_decide(&mark->weak));
    mark_decide(mark);
    mark_weak(mark);
    mark_count(mark);
}
