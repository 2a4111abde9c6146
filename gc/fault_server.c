#include "gc/fault_server.h"

#include "gc/durations.h"

#include <sched.h>

enum { EVENTS_AT_ONCE = 16 };

static void answer(struct fault_server *server, const struct os_fault *fault, uint64_t read_at)
{
    const struct memory *memory = server->compaction->memory;
    size_t offset = views_offset(&memory->views, fault->address);
    if (offset >= memory->views.flipped)
        return;
    enum compact_answer answer =
        compact_fault(server->compaction, &server->builder, memory_page(memory, offset));
    if (events_on(server->compaction->events))
        compact_record_fault(server->compaction, fault, answer, read_at);
}

static void *fault_server_main(void *argument)
{
    struct fault_server *server = argument;
    const struct os *os = server->compaction->memory->os;
    while (atomic_u32_load(&server->quitting) == 0) {
        struct os_fault waiting[EVENTS_AT_ONCE] = {{0}};
        int status = os->faults_wait(os, server->faults, server->quit);
        atomic_u32_store_full(&server->answering, 1);
        if (status == 0)
            status = os->faults_read(os, server->faults, waiting, EVENTS_AT_ONCE);
        if (status < 0)
            atomic_u32_store(&server->failure, (uint32_t)-status);
        uint64_t read_at = events_on(server->compaction->events) ? clock_nanoseconds() : 0;
        for (int i = 0; i < status; i++)
            answer(server, &waiting[i], read_at);
        atomic_u32_store_release(&server->answering, 0);
    }
    return NULL;
}

int fault_server_start(struct fault_server *server, const struct os *os, struct compaction *compaction,
                       int faults)
{
    *server = (struct fault_server){.compaction = compaction, .faults = faults};
    server->quit = os->event_create(os);
    if (server->quit < 0)
        return server->quit;
    int status = os->thread_start(os, &server->thread, "shale-faults", fault_server_main, server);
    if (status != 0)
        os->event_close(os, server->quit);
    return status;
}

void fault_server_settle(struct fault_server *server)
{
    while (atomic_u32_load_acquire(&server->answering) != 0)
        sched_yield();
}

void fault_server_stop(struct fault_server *server)
{
    const struct os *os = server->compaction->memory->os;
    atomic_u32_store(&server->quitting, 1);
    os->event_set(os, server->quit);
    pthread_join(server->thread, NULL);
    os->event_close(os, server->quit);
}
