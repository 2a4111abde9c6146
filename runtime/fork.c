#include "runtime/fork.h"

#include "gc/fault_signal.h"
#include "runtime/mutator.h"
#include "runtime/registry.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct sigaction former_segv;

static bool in_a_parents_heap(uintptr_t address)
{
    for (size_t i = 0; i < REGISTRY_MAX; i++) {
        const shale_heap *heap = registry_get(i);
        if (heap != NULL && atomic_u32_load(&heap->forked) != 0 &&
            views_offset(&heap->memory.views, address) < heap->memory.views.size)
            return true;
    }
    return false;
}

static void explain(int number, siginfo_t *information, void *machine)
{
    (void)machine;
    static const char line[] =
        "shale: a child process touched a heap of its parent: after fork a child may only "
        "exec or _exit, or create heaps of its own\n";
    if (in_a_parents_heap((uintptr_t)information->si_addr)) {
        ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
        (void)written;
        signal(number, SIG_DFL); /* the access happens again, and ends the process as it would have */
    } else {
        sigaction(number, &former_segv, NULL);
    }
}

static void before(void)
{
    inside_enter();
    registry_lock();
    fault_signal_lock();
    for (size_t i = 0; i < REGISTRY_MAX; i++) {
        shale_heap *heap = registry_get(i);
        if (heap != NULL)
            safepoint_lock_to_fork(&heap->safepoint);
    }
}

static void unlock_all(void)
{
    for (size_t i = 0; i < REGISTRY_MAX; i++) {
        shale_heap *heap = registry_get(i);
        if (heap != NULL)
            pthread_mutex_unlock(&heap->safepoint.lock);
    }
    fault_signal_unlock();
    registry_unlock();
}

static void in_parent(void)
{
    unlock_all();
    inside_leave(NULL);
}

static void abandon(shale_heap *heap)
{
    atomic_u32_store(&heap->forked, 1);
    const struct views *views = &heap->memory.views;
    views->os->reserve_at(views->os, views->mutator, views->size);
    for (struct mutator *mutator = heap->safepoint.mutators; mutator != NULL; mutator = mutator->next) {
        /* The inline fast paths now take the slow path, which refuses. */
        mutator->local.bump.api.limit = 0;
        cell_caches_abandon(&mutator->local.cells);
        mutator->local.bump.api.barrier = BARRIER_REFUSE;
        atomic_u32_store((atomic_u32 *)&mutator->local.bump.api.poll, 1);
    }
}

static void in_child(void)
{
    bool any = false;
    for (size_t i = 0; i < REGISTRY_MAX; i++) {
        shale_heap *heap = registry_get(i);
        if (heap != NULL) {
            abandon(heap);
            any = true;
        }
    }
    unlock_all();
    inside.mutators = NULL; /* nobody asks anything of them here */
    inside_leave(NULL);
    if (!any)
        return;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = explain;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    /* In a child's child ours is there already; it must not become its own predecessor. */
    struct sigaction now;
    if (sigaction(SIGSEGV, NULL, &now) == 0 &&
        ((now.sa_flags & SA_SIGINFO) == 0 || now.sa_sigaction != explain))
        sigaction(SIGSEGV, &action, &former_segv);
}

static void watch(void)
{
    pthread_atfork(before, in_parent, in_child);
}

void fork_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
}
