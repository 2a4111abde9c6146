#include "bench/support/graph.h"

#include "gc/flip.h"
#include "gc/page_contents.h"
#include "heap/live_bits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MAX = 64, EVACUATE_PERCENT = 75 };

/* ---- the world: nobody is there -------------------------------------------------------------------- */

static void nothing(void *context)
{
    (void)context;
}

static void no_roots(void *context, struct shale_visitor *visitor)
{
    (void)context;
    (void)visitor;
}

static void show_roots(void *context, struct shale_visitor *visitor)
{
    struct graph *graph = context;
    shale_visit_pointers(visitor, graph->roots, GRAPH_ROOTS);
}

static void no_handshake(void *context, enum mark_stage stage, local_function function, void *argument)
{
    (void)context;
    (void)stage;
    (void)function;
    (void)argument;
}

static void no_mutator_roots(void *context, struct mutator_local *local, struct shale_visitor *visitor)
{
    (void)context;
    (void)local;
    (void)visitor;
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

static void no_mutators(void *context, local_function function, void *argument)
{
    (void)context;
    (void)function;
    (void)argument;
}

static void no_stage(void *context, enum mark_stage stage)
{
    (void)context;
    (void)stage;
}

static bool print(void *context, shale_log_level level, const char *line)
{
    (void)context;
    bool printed = level <= SHALE_LOG_WARNING;
    if (printed)
        fprintf(stderr, "bench: %s\n", line);
    return printed;
}

/* ---- contents -------------------------------------------------------------------------------------- */

static uint64_t register_type(struct graph *graph, const struct graph_shape *shape)
{
    uint32_t pointers[SLOTS_MAX];
    bench_require(shape->references <= SLOTS_MAX, "an object with so many references is not foreseen");
    for (uint32_t i = 0; i < shape->references; i++)
        pointers[i] = i * (uint32_t)sizeof(uint64_t);
    shale_type_spec spec = {.name = "node",
                            .size = shape->object_size - HEADER_SIZE,
                            .pointers = pointers,
                            .pointer_count = shape->references};
    shale_status status;
    char message[SHALE_ERROR_MESSAGE_MAX];
    const struct type *type = type_register(&graph->memory.types, &spec, &status, message, sizeof message);
    bench_require(type != NULL, message);
    return type->api.header;
}

/* Fills a region with objects. Their payload is not zero, so that every page has memory of its own. */
static void fill_region(struct graph *graph, const struct graph_shape *shape, uint64_t header,
                        uint32_t live_percent)
{
    struct memory *memory = &graph->memory;
    region_number number = region_take(&memory->regions, REGION_USED, 0);
    struct region *region = &memory->regions.regions[number];
    size_t at = region_start(number) + REGION_FIRST_OBJECT;
    size_t end = region_start(number) + REGION_FIRST_OBJECT + REGION_CAPACITY;
    for (; at + shape->object_size <= end; at += shape->object_size) {
        uint64_t *object = (uint64_t *)views_alias(&memory->views, at);
        memset(object, 0x55, shape->object_size - HEADER_SIZE);
        object[-1] = header;
        if (shape->hashed_percent != 0 && random_below(&graph->random, 100) < shape->hashed_percent) {
            object[-1] |= HEADER_ASKED | HEADER_SETTLED;
            atomic_u8_store(&region->asked, 1);
        }
        if (random_below(&graph->random, 100) >= live_percent)
            continue;
        bits_set(memory->live_bits, granule_of(at));
        region->live_bytes += shape->object_size;
        region->largest = shape->object_size;
        graph->objects[graph->object_count++] = granule_of(at);
    }
    region->top = (uint32_t)(at - HEADER_SIZE - region_start(number));
    atomic_u8_store(&region->marked, 1);
    region->dirty = true;
    if (live_percent == 100)
        graph->dense[graph->dense_count++] = number;
}

/* The address of a random one of `count` live objects, in order of their addresses. */
static uint64_t random_object(struct graph *graph, size_t first, size_t count)
{
    granule_number object = graph->objects[first + random_below(&graph->random, count)];
    return (uint64_t)(uintptr_t)views_mutator(&graph->memory.views, granule_start(object));
}

static uint64_t near_object(struct graph *graph, size_t object)
{
    size_t first = object < GRAPH_NEAR ? 0 : object - GRAPH_NEAR;
    size_t end = object + GRAPH_NEAR < graph->object_count ? object + GRAPH_NEAR : graph->object_count;
    return random_object(graph, first, end - first);
}

static void fill_regions(struct graph *graph, const struct graph_shape *shape)
{
    uint64_t header = register_type(graph, shape);
    uint32_t total = shape->sparse_regions + shape->dense_regions;
    size_t most = (size_t)total * (REGION_SIZE / shape->object_size);
    graph->objects = malloc(most * sizeof *graph->objects);
    graph->dense = malloc((shape->dense_regions + 1) * sizeof *graph->dense);
    bench_require(graph->objects != NULL && graph->dense != NULL, "there is no memory for the object list");
    uint32_t dense = 0;
    for (uint32_t i = 0; i < total; i++) {
        /* Spread evenly among each other. */
        bool is_dense = (uint64_t)(i + 1) * shape->dense_regions / total > dense;
        dense += is_dense;
        fill_region(graph, shape, header, is_dense ? 100 : shape->live_percent);
    }
    for (size_t i = 0; i < graph->object_count; i++) {
        uint64_t *object = (uint64_t *)views_alias(&graph->memory.views, granule_start(graph->objects[i]));
        for (uint32_t slot = 0; slot < shape->references; slot++)
            object[slot] =
                slot < shape->near ? near_object(graph, i) : random_object(graph, 0, graph->object_count);
    }
    for (size_t i = 0; i < GRAPH_ROOTS; i++)
        graph->roots[i] = random_object(graph, 0, graph->object_count);
}

static void keep_first_contents(struct graph *graph)
{
    graph->first_contents = malloc(graph->dense_count * REGION_SIZE + 1);
    bench_require(graph->first_contents != NULL, "there is no memory for a copy of the heap");
    for (region_number i = 0; i < graph->dense_count; i++)
        memcpy(graph->first_contents + i * REGION_SIZE,
               views_alias(&graph->memory.views, region_start(graph->dense[i])), REGION_SIZE);
}

/* Every page has memory, and both views show it, as in a heap that has been in use. */
static void touch_pages(const struct graph *graph, const page_number *pages, size_t count)
{
    const struct views *views = &graph->memory.views;
    for (size_t i = 0; i < count; i++) {
        size_t offset = (size_t)pages[i] << views->page_shift;
        *(volatile char *)views_alias(views, offset) = *(volatile char *)views_mutator(views, offset);
    }
}

static size_t list_pages(struct graph *graph, const region_number *regions, region_number count,
                         page_number **list)
{
    page_number per_region = memory_page(&graph->memory, REGION_SIZE);
    *list = malloc(((size_t)count * per_region + 1) * sizeof **list);
    bench_require(*list != NULL, "there is no memory for a list of pages");
    size_t found = 0;
    for (region_number i = 0; i < count; i++) {
        page_number first = memory_page(&graph->memory, region_start(regions[i]));
        for (page_number page = first; page < first + per_region; page++) {
            if (page_has_contents(&graph->collector.plan, page))
                (*list)[found++] = page;
        }
    }
    touch_pages(graph, *list, found);
    return found;
}

/* ---- creation -------------------------------------------------------------------------------------- */

static enum os_fault_delivery delivery_of(enum shale_compaction compaction)
{
    return compaction == SHALE_COMPACTION_FAULT_SIGNAL ? OS_FAULTS_BY_SIGNAL : OS_FAULTS_BY_READ;
}

bool graph_can_compact(enum shale_compaction compaction, const char **reason)
{
    const char *how;
    int faults = os_linux()->faults_open(os_linux(), delivery_of(compaction), &how);
    if (faults < 0) {
        *reason = strerror(-faults);
        return false;
    }
    os_linux()->faults_close(os_linux(), faults);
    return true;
}

static void create_collector(struct graph *graph, enum shale_compaction compaction)
{
    graph->world = (struct world){.context = graph,
                                  .handshake = no_handshake,
                                  .visit_mutator_roots = no_mutator_roots,
                                  .visit_heap_roots = show_roots,
                                  .queue_finalizable = no_finalizers,
                                  .find_dead_external = no_external,
                                  .await_root_changes = nothing,
                                  .stop = nothing,
                                  .resume = nothing,
                                  .visit_mutators = no_mutators,
                                  .set_stage = no_stage,
                                  .visit_roots = show_roots,
                                  .begin_root_update = no_roots,
                                  .settle_roots = nothing,
                                  .log = print};
    struct collector_options options = {.compaction = compaction,
                                        .faults = -1,
                                        .evacuate_percent = EVACUATE_PERCENT,
                                        .target_percent = 200,
                                        .workers = 1};
    const char *failed;
    if (compaction != SHALE_COMPACTION_IN_PAUSE)
        options.faults = os_linux()->faults_open(os_linux(), delivery_of(compaction), &failed);
    bench_require(collector_create(&graph->collector, &graph->memory, &graph->world, &options, &failed) == 0,
                  "the collector cannot be created");
}

void graph_create(struct graph *graph, const struct graph_shape *shape)
{
    static const shale_encoding plain = SHALE_ENCODING_PLAIN;
    *graph = (struct graph){.random = 1};
    /* The destinations need no more room than what is evacuated; two more for what groups leave free. */
    size_t regions = (size_t)shape->sparse_regions * 2 + shape->dense_regions + 2;
    const char *failed;
    bench_require(memory_create(&graph->memory, os_linux(), round_up(regions * REGION_SIZE, HEAP_UNIT),
                                &plain, &failed) == 0,
                  "the memory cannot be created");
    create_collector(graph, shape->compaction);
    fill_regions(graph, shape);
    keep_first_contents(graph);
    struct plan *plan = &graph->collector.plan;
    plan_make(plan, PLAN_SPARSE, EVACUATE_PERCENT, 0);
    bench_require(plan->evacuated_count == shape->sparse_regions, "the plan is not the one expected");
    graph->moved_count = list_pages(graph, plan->destinations, plan->destination_count, &graph->moved_pages);
    graph->staying_count = list_pages(graph, graph->dense, graph->dense_count, &graph->staying_pages);
}

void graph_destroy(struct graph *graph)
{
    int faults = graph->collector.options.faults;
    collector_destroy(&graph->collector);
    if (faults >= 0)
        os_linux()->faults_close(os_linux(), faults);
    memory_destroy(&graph->memory);
    free(graph->objects);
    free(graph->dense);
    free(graph->first_contents);
    free(graph->moved_pages);
    free(graph->staying_pages);
}

/* ---- the phases ------------------------------------------------------------------------------------ */

void graph_forget_plan(struct graph *graph)
{
    struct plan *plan = &graph->collector.plan;
    struct region_table *regions = &graph->memory.regions;
    for (region_number i = 0; i < plan->destination_count; i++)
        region_free(regions, plan->destinations[i]);
    for (region_number i = 0; i < plan->evacuated_count; i++)
        region_set_state(regions, plan->evacuated[i], REGION_USED);
    plan_clear(plan);
}

void graph_note_leads(struct graph *graph)
{
    struct memory *memory = &graph->memory;
    struct plan *plan = &graph->collector.plan;
    graph_forget_plan(graph);
    for (size_t i = 0; i < graph->object_count; i++) {
        size_t offset = granule_start(graph->objects[i]);
        const struct type *type = memory_type(memory, memory_header(memory, offset));
        for (uint32_t slot = 0; slot < type->pointers.count; slot++) {
            size_t at = offset + type->pointers.offsets[slot];
            size_t to = views_offset(&memory->views, *(const uint64_t *)views_alias(&memory->views, at));
            if (to < memory->views.regions && region_of(to) != region_of(at))
                leads_add(&memory->leads, memory_page(memory, at), leads_name(&memory->leads, region_of(to)));
        }
    }
    memory->leads.complete = true;
    plan_make(plan, PLAN_SPARSE, EVACUATE_PERCENT, 0);
}

void graph_restore(struct graph *graph)
{
    for (region_number i = 0; i < graph->dense_count; i++)
        memcpy(views_alias(&graph->memory.views, region_start(graph->dense[i])),
               graph->first_contents + i * REGION_SIZE, REGION_SIZE);
}

void graph_flip(struct graph *graph)
{
    bench_require(flip(&graph->collector), "the mutator view could not be emptied");
}

static void *work(void *argument)
{
    struct collector *collector = argument;
    while (compact_next_unit(&collector->compaction, &collector->builders[0]))
        continue;
    return NULL;
}

void graph_start_worker(struct graph *graph)
{
    bench_require(
        os_linux()->thread_start(os_linux(), &graph->worker, "bench-worker", work, &graph->collector) == 0,
        "a thread could not be started");
    graph->working = true;
}

/* What reclaim does, except that it would free the evacuation set and forget the plan. */
void graph_finish(struct graph *graph)
{
    struct collector *collector = &graph->collector;
    struct memory *memory = &graph->memory;
    const struct views *views = &memory->views;
    if (graph->working)
        pthread_join(graph->worker, NULL);
    graph->working = false;
    work(collector);
    compact_end(&collector->compaction, &collector->builders[0]);
    const struct os *os = memory->os;
    int status = os->faults_unregister(os, collector->options.faults, views->mutator, views->span);
    if (status == 0 && collector->options.compaction == SHALE_COMPACTION_FAULT_THREAD)
        status = os->faults_wake(os, collector->options.faults, views->mutator, views->span);
    bench_require(status == 0, "the compaction could not be ended");
    page_states_settle(&memory->pages);
    os->reserve_again(os, views->graveyard, views->span);
    bench_require(atomic_u32_load(&collector->compaction.failure) == 0, "pages could not be published");
}
