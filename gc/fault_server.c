#include "gc/fault_server.h"

#include <sched.h>

enum { EVENTS_AT_ONCE = 16, NEIGHBOURS = 16 };

/* Answers all faults that wait now. */
static void serve(void *context)
{
    struct fault_server *server = context;
    const struct memory *memory = server->compaction->memory;
    uintptr_t addresses[EVENTS_AT_ONCE];
    for (;;) {
        int count = memory->os->faults_read(memory->os, server->faults, addresses, EVENTS_AT_ONCE);
        if (count <= 0) {
            if (count < 0)
                atomic_u32_store(&server->failure, (uint32_t)-count);
            return;
        }
        /* The page may be one of those that this thread has built and not published. */
        compact_publish_run(server->compaction, &server->builder);
        for (int i = 0; i < count; i++) {
            size_t offset = views_offset(&memory->views, addresses[i]);
            if (offset >= memory->views.size)
                continue;
            page_number page = memory_page(memory, offset);
            uint64_t built = compact_fault(server->compaction, page) == COMPACT_BUILT;
            atomic_u64_store(&server->builder.pages, atomic_u64_load(&server->builder.pages) + built);
            server->neighbours_first = page + 1;
        }
        atomic_u64_store(&server->builder.faults, atomic_u64_load(&server->builder.faults) + (uint64_t)count);
        server->neighbours_count = NEIGHBOURS;
    }
}

/* The pages after a fault, up to the end of their region. */
static bool build_neighbours(struct fault_server *server)
{
    const struct memory *memory = server->compaction->memory;
    if (server->neighbours_count == 0)
        return false;
    page_number first = server->neighbours_first;
    page_number per_region = memory_page(memory, REGION_SIZE);
    page_number left = per_region - first % per_region;
    page_number count = server->neighbours_count < left ? server->neighbours_count : left;
    server->neighbours_count = 0;
    if (first % per_region != 0)
        compact_pages(server->compaction, &server->builder, first, count, serve, server);
    return true;
}

static void work(struct fault_server *server)
{
    while (atomic_u32_load_acquire(&server->serving) != 0) {
        if (!page_states_active(&server->compaction->memory->pages)) {
            sched_yield(); /* the stop is still to come */
            continue;
        }
        serve(server);
        if (build_neighbours(server) ||
            compact_next_region(server->compaction, &server->builder, serve, server))
            continue;
        /* Others are at their last pages: a fault may still come, but they may also need this core. */
        sched_yield();
    }
}

static void *fault_server_main(void *argument)
{
    struct fault_server *server = argument;
    pthread_mutex_lock(&server->lock);
    while (!server->quit) {
        if (atomic_u32_load(&server->serving) == 0) {
            server->idle = true;
            pthread_cond_broadcast(&server->changed);
            pthread_cond_wait(&server->changed, &server->lock);
            continue;
        }
        server->idle = false;
        pthread_mutex_unlock(&server->lock);
        work(server);
        pthread_mutex_lock(&server->lock);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

int fault_server_start(struct fault_server *server, const struct os *os, struct compaction *compaction,
                       int faults)
{
    *server = (struct fault_server){.compaction = compaction, .faults = faults};
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    int status = os->thread_start(os, &server->thread, "shale-faults", fault_server_main, server);
    if (status != 0) {
        pthread_cond_destroy(&server->changed);
        pthread_mutex_destroy(&server->lock);
    }
    return status;
}

void fault_server_stop(struct fault_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->quit = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->thread, NULL);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
}

void fault_server_begin(struct fault_server *server)
{
    pthread_mutex_lock(&server->lock);
    atomic_u32_store_release(&server->serving, 1);
    server->idle = false;
    server->neighbours_count = 0;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

void fault_server_end(struct fault_server *server)
{
    pthread_mutex_lock(&server->lock);
    atomic_u32_store_release(&server->serving, 0);
    while (!server->idle)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
}
