#include "thread.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

/* Room for all calls with as many registers as there can be, so that calling need not look for the end. Memory is
 * only taken for what is used. */
static const size_t stack_bytes = (size_t)CALLS_MAX * (REGISTERS_MAX + TOUCHED_STEP) * sizeof(value);

static void show_roots(void *context, shale_visitor *visitor)
{
    struct thread *thread = context;
    value *top = thread->registers;
    for (struct call *call = thread->calls + 1; call <= thread->call; call++) {
        shale_visit_pointers(visitor, &call->closure, 1);
        top = call->top;
    }
    shale_visit_values(visitor, thread->registers, (size_t)(top - thread->registers));
    if (thread->touched > top)
        memset(top, 0, (size_t)(thread->touched - top) * sizeof *top);
    thread->touched = top;
}

bool thread_start(struct thread *thread, struct world *world, shale_error *error)
{
    thread->world = world;
    thread->alone = true;
    thread->registers =
        mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (thread->registers == MAP_FAILED) {
        error->status = SHALE_ERROR_MEMORY;
        error->errno_value = errno;
        snprintf(error->message, sizeof error->message, "no memory for the registers: %s", strerror(errno));
        return false;
    }
    thread->call = thread->calls;
    thread->touched = thread->registers;
    thread->mutator = shale_attach(world->heap, error);
    if (thread->mutator != NULL) {
        if (shale_root_visitor_add(thread->mutator, show_roots, thread) != NULL)
            return true;
        *error = *shale_last_error(thread->mutator);
        shale_detach(thread->mutator);
    }
    munmap(thread->registers, stack_bytes);
    return false;
}

void thread_end(struct thread *thread)
{
    shale_detach(thread->mutator);
    munmap(thread->registers, stack_bytes);
}
