#include "runtime/heap.h"

#include "heap/announce.h"
#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/mutator.h"
#include "runtime/options.h"
#include "runtime/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STRING(x) #x
#define VERSION(major, minor, patch) STRING(major) "." STRING(minor) "." STRING(patch)

const char *shale_version(void)
{
    return VERSION(SHALE_VERSION_MAJOR, SHALE_VERSION_MINOR, SHALE_VERSION_PATCH);
}

shale_status heap_check(shale_heap *heap, const char *function, shale_error *error)
{
    if (!registry_has(heap))
        return error_set(error, SHALE_ERROR_MISUSE, "%s: this is not a heap, or it was destroyed", function);
    if (atomic_u32_load(&heap->forked) == 0)
        return SHALE_OK;
    log_line(&heap->log, SHALE_LOG_ERROR, "%s: the heap belongs to the parent process", function);
    return error_set(error, SHALE_ERROR_FORKED,
                     "%s: this process is a child of the one that owns the heap; create a heap of its own",
                     function);
}

/* ---- what the collector asks of the runtime -------------------------------------------------------- */

/* A thread that is not attached may register visitors of the heap at any time, but not between two looks at the
 * roots during one stop. */
static void world_stop(void *context)
{
    shale_heap *heap = context;
    safepoint_stop(&heap->safepoint);
    pthread_mutex_lock(&heap->roots.lock);
}

static void world_resume(void *context)
{
    shale_heap *heap = context;
    pthread_mutex_unlock(&heap->roots.lock);
    safepoint_resume(&heap->safepoint);
}

static void world_visit_roots(void *context, struct shale_visitor *visitor)
{
    roots_visit(context, visitor);
}

static void world_begin_root_update(void *context, struct shale_visitor *visitor)
{
    roots_begin_update(context, visitor);
    finalizers_begin_update(&((shale_heap *)context)->finalizers, visitor);
}

static void world_settle_roots(void *context)
{
    roots_settle(context);
    externals_settle(&((shale_heap *)context)->externals, ((shale_heap *)context)->root_update);
    finalizers_settle(&((shale_heap *)context)->finalizers);
}

static void world_handshake(void *context, enum mark_stage stage, local_function function, void *argument)
{
    shale_heap *heap = context;
    uint64_t began = clock_nanoseconds();
    safepoint_handshake(&heap->safepoint, stage, function, argument);
    uint64_t ended = clock_nanoseconds();
    durations_record(&heap->collector.statistics.handshake, ended - began);
    events_span(&heap->events, SHALE_EVENT_HANDSHAKE, 0, began, ended);
}

static void world_visit_mutator_roots(void *context, struct mutator_local *local,
                                      struct shale_visitor *visitor)
{
    (void)context;
    roots_visit_own((struct mutator *)local, visitor);
}

static void world_visit_stacks(void *context, struct mutator_local *local, words_function function,
                               void *argument)
{
    (void)context;
    stacks_visit(&((struct mutator *)local)->stacks, function, argument);
}

static void world_visit_heap_roots(void *context, struct shale_visitor *visitor)
{
    roots_visit_heap(context, visitor);
}

static uint64_t world_queue_finalizable(void *context, bool (*is_dead)(void *argument, uint64_t address),
                                        void *argument)
{
    shale_heap *heap = context;
    return finalizers_queue_dead(&heap->finalizers, is_dead, argument);
}

static void world_visit_queued(void *context, struct shale_visitor *visitor)
{
    finalizers_visit_queued(&((shale_heap *)context)->finalizers, visitor);
}

static void world_publish_finalizable(void *context)
{
    shale_heap *heap = context;
    finalizers_publish(&heap->finalizers);
    if (heap->options.finalizers_queued != NULL)
        heap->options.finalizers_queued(heap->options.finalizers_queued_context);
}

static void world_find_dead_external(void *context, bool (*is_dead)(void *argument, uint64_t address),
                                     void *argument)
{
    externals_find_dead(&((shale_heap *)context)->externals, is_dead, argument);
}

static uint64_t world_free_external(void *context)
{
    return externals_free_dead(&((shale_heap *)context)->externals);
}

static void world_await_root_changes(void *context)
{
    roots_await_changes(context);
}

static void world_visit_mutators(void *context, local_function function, void *argument)
{
    shale_heap *heap = context;
    for (struct mutator *mutator = heap->safepoint.mutators; mutator != NULL; mutator = mutator->next)
        function(argument, &mutator->local);
}

static void world_set_stage(void *context, enum mark_stage stage)
{
    ((shale_heap *)context)->safepoint.stage = stage;
}

static bool world_begin_moving(void *context)
{
    shale_heap *heap = context;
    return critical_begin_moving(&heap->critical, &heap->safepoint);
}

static void world_end_moving(void *context)
{
    critical_end_moving(&((shale_heap *)context)->critical);
}

static unsigned world_count_busy(void *context)
{
    shale_heap *heap = context;
    return safepoint_count_busy(&heap->safepoint) + atomic_u32_load(&heap->clearing);
}

static bool world_log(void *context, shale_log_level level, const char *line)
{
    return log_line(&((shale_heap *)context)->log, level, "%s", line);
}

static const struct world world_functions = {
    .handshake = world_handshake,
    .visit_mutator_roots = world_visit_mutator_roots,
    .visit_stacks = world_visit_stacks,
    .visit_heap_roots = world_visit_heap_roots,
    .queue_finalizable = world_queue_finalizable,
    .visit_queued = world_visit_queued,
    .publish_finalizable = world_publish_finalizable,
    .find_dead_external = world_find_dead_external,
    .free_external = world_free_external,
    .await_root_changes = world_await_root_changes,
    .stop = world_stop,
    .resume = world_resume,
    .visit_roots = world_visit_roots,
    .begin_root_update = world_begin_root_update,
    .settle_roots = world_settle_roots,
    .visit_mutators = world_visit_mutators,
    .set_stage = world_set_stage,
    .begin_moving = world_begin_moving,
    .end_moving = world_end_moving,
    .count_busy = world_count_busy,
    .log = world_log,
};

/* ---- how to compact -------------------------------------------------------------------------------- */

/* Whether the kernel can do what a flip needs, tried on the still empty view. Returns the descriptor for page
 * faults or a negative errno value with `failed` naming the step. */
static int probe_faults(shale_heap *heap, const char **failed)
{
    const struct os *os = heap->memory.os;
    const struct views *views = &heap->memory.views;
    bool by_signal = heap->options.faults == SHALE_FAULTS_SIGNAL;
    *failed = "opening userfaultfd with minor faults for shared memory (Linux 5.14)";
    int faults =
        os->faults_open(os, by_signal ? OS_FAULTS_BY_SIGNAL : OS_FAULTS_BY_READ, &heap->fault_source);
    if (faults < 0)
        return faults;
    *failed = "moving page table entries with mremap(MREMAP_DONTUNMAP) (Linux 5.13)";
    int status = os->move_entries(os, views->mutator, views->graveyard, views->span);
    if (status == 0)
        status = os->reserve_again(os, views->graveyard, views->span);
    if (status == 0) {
        *failed = "registering the mutator view with userfaultfd";
        status = os->faults_register(os, faults, views->mutator, views->span);
    }
    if (status == 0)
        status = os->faults_unregister(os, faults, views->mutator, views->span);
    if (status != 0) {
        os->faults_close(os, faults);
        return status;
    }
    return faults;
}

static const char *advice_for(int errno_value)
{
    if (errno_value == EPERM || errno_value == EACCES)
        return "allow it with sysctl vm.unprivileged_userfaultfd=1, or give the process access to "
               "/dev/userfaultfd";
    return "use a kernel with CONFIG_USERFAULTFD, 5.14 or newer";
}

/* Sets how to compact. Only fails when concurrency is required. */
static shale_status choose_compaction(shale_heap *heap, struct collector_options *options, shale_error *error)
{
    options->faults = -1;
    options->compaction = SHALE_COMPACTION_IN_PAUSE;
    if (heap->options.concurrent == SHALE_CONCURRENT_NEVER)
        return SHALE_OK;
    const char *failed =
        "running under Valgrind, which does not know the system calls of concurrent compaction";
    int faults = announce_kernel_calls_unknown() ? -EOPNOTSUPP : probe_faults(heap, &failed);
    if (faults >= 0) {
        options->faults = faults;
        options->compaction = heap->options.faults == SHALE_FAULTS_SIGNAL ? SHALE_COMPACTION_FAULT_SIGNAL
                                                                          : SHALE_COMPACTION_FAULT_THREAD;
        return SHALE_OK;
    }
    if (heap->options.concurrent == SHALE_CONCURRENT_REQUIRE) {
        error_set(error, SHALE_ERROR_CONCURRENT,
                  "concurrent compaction is required but not possible: %s: %s; %s", failed, strerror(-faults),
                  advice_for(-faults));
        if (error != NULL)
            error->errno_value = -faults;
        return SHALE_ERROR_CONCURRENT;
    }
    log_line(&heap->log, SHALE_LOG_WARNING, "compacting inside the pause: %s: %s; %s", failed,
             strerror(-faults), advice_for(-faults));
    return SHALE_OK;
}

/* ---- how to learn of stores ------------------------------------------------------------------------ */

/* Whether the kernel can tell which pages were written, tried on the still empty view. Returns 0, with `writes` open, or a
 * negative errno value with `failed` naming the step. */
static int probe_writes(const struct memory *memory, struct os_writes *writes, const char **failed)
{
    const struct os *os = memory->os;
    const struct views *views = &memory->views;
    *failed = "opening userfaultfd with asynchronous write protection, and PAGEMAP_SCAN (Linux 6.7)";
    int status = os->writes_open(os, writes);
    if (status != 0)
        return status;
    *failed = "registering the mutator view for the tracking of writes";
    status = os->writes_register(os, writes, views->mutator, views->span);
    if (status == 0) {
        *failed = "searching the mutator view for written pages";
        status = os->writes_arm(os, writes, views->mutator, views->page_size);
        int unregistered = os->writes_unregister(os, writes, views->mutator, views->span);
        status = status != 0 ? status : unregistered;
    }
    if (status != 0)
        os->writes_close(os, writes);
    return status;
}

static shale_status choose_barrier(shale_heap *heap, struct collector_options *options, shale_error *error)
{
    if (heap->options.barrier != SHALE_BARRIER_PAGES)
        return SHALE_OK;
    const char *failed =
        "running under Valgrind, which does not know the system calls that find written pages";
    int status = announce_kernel_calls_unknown() ? -EOPNOTSUPP
                                                 : probe_writes(&heap->memory, &options->writes, &failed);
    options->no_barrier = status == 0;
    if (status == 0)
        return SHALE_OK;
    bool permission = status == -EPERM || status == -EACCES;
    error_set(
        error, SHALE_ERROR_CONCURRENT, "a heap without a write barrier is not possible: %s: %s; %s", failed,
        strerror(-status),
        permission
            ? "allow it with sysctl vm.unprivileged_userfaultfd=1, or use barrier=stores and shale_store"
            : "use Linux 6.7 or newer, or barrier=stores and shale_store");
    if (error != NULL)
        error->errno_value = -status;
    return SHALE_ERROR_CONCURRENT;
}

/* ---- creation -------------------------------------------------------------------------------------- */

static void close_sources(const struct os *os, const struct collector_options *options)
{
    if (options->faults >= 0)
        os->faults_close(os, options->faults);
    if (options->no_barrier)
        os->writes_close(os, &options->writes);
}

/* Of workers that nobody asked for. */
enum { AUTO_WORKERS_MAX = 8 };

static shale_status create_collector(shale_heap *heap, shale_error *error)
{
    struct collector_options options = {
        .verify = heap->options.verify,
        .evacuate_percent = heap->options.evacuate,
        .reserve = evacuation_reserve(heap->options.heap_size),
        .target_percent = heap->options.target,
        .release_delay = heap->options.release * UINT64_C(1000000),
        .workers = heap->options.workers,
        .events = &heap->events,
    };
    if (options.workers == 0) {
        options.processors = heap->memory.os->processors(heap->memory.os);
        options.workers = options.processors < AUTO_WORKERS_MAX ? options.processors : AUTO_WORKERS_MAX;
    }
    shale_status status = choose_compaction(heap, &options, error);
    if (status != SHALE_OK)
        return status;
    status = choose_barrier(heap, &options, error);
    if (status != SHALE_OK) {
        close_sources(heap->memory.os, &options);
        return status;
    }
    heap->world = world_functions;
    heap->world.context = heap;
    const char *failed;
    int result = collector_create(&heap->collector, &heap->memory, &heap->world, &options, &failed);
    if (result != 0) {
        close_sources(heap->memory.os, &options);
        return error_set_system(error, -result, failed, "check the process's limits on threads and memory");
    }
    return SHALE_OK;
}

/* Where the system does not say how much memory there is. */
#define HEAP_SIZE_UNKNOWN ((size_t)256 << 20)

/* "auto": a quarter of what this process may use. */
static size_t size_for_this_machine(const struct log *log, const struct os *os)
{
    uint64_t limit = 0;
    int status = os->memory_limit(os, &limit);
    if (status != 0) {
        log_line(
            log, SHALE_LOG_WARNING,
            "the heap may grow to %zu MiB: how much memory there is could not be found out (%s); set the "
            "option heap",
            HEAP_SIZE_UNKNOWN >> 20, strerror(-status));
        return HEAP_SIZE_UNKNOWN;
    }
    uint64_t size = limit / 4 & ~(uint64_t)(HEAP_UNIT - 1);
    if (size < HEAP_SIZE_MIN)
        return HEAP_SIZE_MIN;
    return size < HEAP_SIZE_MAX ? (size_t)size : HEAP_SIZE_MAX;
}

/* What must be there before mutators can be. */
static void init_parts(shale_heap *heap, const struct os *os)
{
    safepoint_init(&heap->safepoint, os, &heap->log, &heap->events,
                   heap->options.poll_warning * UINT64_C(1000000));
    handles_init(&heap->handles);
    finalizers_init(&heap->finalizers);
    pins_init(&heap->pins, &heap->memory);
    critical_init(&heap->critical, heap->options.critical * UINT64_C(1000000));
    root_list_init(&heap->roots, heap, NULL);
}

static void destroy_inner_parts(shale_heap *heap)
{
    root_list_destroy(&heap->roots);
    externals_destroy(&heap->externals);
    critical_destroy(&heap->critical);
    pins_destroy(&heap->pins);
    finalizers_destroy(&heap->finalizers);
    handles_destroy(&heap->handles);
    safepoint_destroy(&heap->safepoint);
    events_destroy(&heap->events);
    memory_destroy(&heap->memory);
}

static shale_status create_parts(shale_heap *heap, const struct os *os, shale_error *error)
{
    const char *failed;
    heap->size_chosen = heap->options.heap_size == 0;
    heap->options.heap_size = heap->size_chosen ? size_for_this_machine(&heap->log, os)
                                                : round_up(heap->options.heap_size, HEAP_UNIT);
    /* All that was asked for is the program's; what evacuation needs comes on top. */
    size_t size = heap->options.heap_size + region_start(evacuation_reserve(heap->options.heap_size));
    int result = memory_create(&heap->memory, os, size, &heap->options.encoding, &failed);
    if (result != 0)
        return error_set_system(error, -result, failed,
                                "ask for a smaller heap, or raise the process's limits");
    if (!weak_table_types_register(&heap->weak_table_types, &heap->memory.types) ||
        !externals_init(&heap->externals, &heap->memory)) {
        memory_destroy(&heap->memory);
        return error_set(error, SHALE_ERROR_MEMORY, "there is no memory for the types of tables");
    }
    init_parts(heap, os);
    result = events_create(&heap->events, os, heap->options.events);
    shale_status status =
        result == 0 ? create_collector(heap, error)
                    : error_set_system(error, -result, "reserving memory for events (mmap)", "ask for fewer");
    if (status != SHALE_OK)
        destroy_inner_parts(heap);
    return status;
}

static void destroy_parts(shale_heap *heap)
{
    collector_destroy(&heap->collector);
    close_sources(heap->memory.os, &heap->collector.options);
    mutator_free_detached(heap);
    destroy_inner_parts(heap);
}

static void log_creation(const shale_heap *heap)
{
    enum shale_compaction compaction = heap->collector.options.compaction;
    bool in_pause = compaction == SHALE_COMPACTION_IN_PAUSE;
    log_line(&heap->log, SHALE_LOG_INFO, "heap of at most %zu MiB%s, %s%s%s%s", heap->options.heap_size >> 20,
             heap->size_chosen ? " (a quarter of what this process may use)" : "",
             shale_compaction_name(compaction), in_pause ? "" : ", by ", in_pause ? "" : heap->fault_source,
             heap->collector.options.no_barrier ? "; stores are found by written pages" : "");
}

shale_heap *heap_create(const struct os *os, const shale_options *options, bool log_asked, shale_error *error)
{
    shale_heap *heap = calloc(1, sizeof *heap);
    if (heap == NULL) {
        error_set(error, SHALE_ERROR_MEMORY, "there is no memory for another heap");
        return NULL;
    }
    heap->options = *options;
    log_init(&heap->log, options, log_asked);
    if (create_parts(heap, os, error) != SHALE_OK) {
        free(heap);
        return NULL;
    }
    fork_watch();
    if (!registry_add(heap)) {
        error_set(error, SHALE_ERROR_ARGUMENT, "this process has %d heaps already; destroy one first",
                  REGISTRY_MAX);
        destroy_parts(heap);
        free(heap);
        return NULL;
    }
    log_creation(heap);
    return heap;
}

shale_heap *shale_heap_create(const shale_options *given, shale_error *error)
{
    INSIDE();
    error_clear(error);
    shale_options options;
    shale_options_init(&options);
    if (given != NULL) {
        if (given->struct_size == 0 || given->struct_size > sizeof options) {
            error_set(error, SHALE_ERROR_ARGUMENT,
                      "the options were not initialized: call shale_options_init before setting any");
            return NULL;
        }
        memcpy(&options, given, given->struct_size);
    }
    bool log_asked;
    if (options_complete(&options, &log_asked, error) != SHALE_OK)
        return NULL;
    return heap_create(os_linux(), &options, log_asked, error);
}

shale_status shale_heap_destroy(shale_heap *heap, shale_error *error)
{
    INSIDE();
    error_clear(error);
    if (heap == NULL)
        return SHALE_OK;
    shale_status status = heap_check(heap, "shale_heap_destroy", error);
    if (status != SHALE_OK)
        return status;
    pthread_mutex_lock(&heap->safepoint.lock);
    unsigned attached = 0;
    for (struct mutator *mutator = heap->safepoint.mutators; mutator != NULL; mutator = mutator->next)
        attached++;
    pthread_mutex_unlock(&heap->safepoint.lock);
    if (attached != 0)
        return error_set(error, SHALE_ERROR_BUSY,
                         "the heap still has %u attached mutators; detach them first", attached);
    if (!registry_remove(heap))
        return error_set(error, SHALE_ERROR_MISUSE,
                         "shale_heap_destroy: the heap is being destroyed already");
    destroy_parts(heap);
    free(heap);
    return SHALE_OK;
}
