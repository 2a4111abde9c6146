#include "runtime/signal_stop.h"

#include "gc/durations.h"
#include "runtime/mutator.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static struct sigaction former;

/* ThreadSanitizer keeps signals back until the thread makes a call that it knows, which a thread that only computes never
 * does. It knows `sigaction`, but not by this name. */
#if defined(__SANITIZE_THREAD__)
int __sigaction(int number, const struct sigaction *action, struct sigaction *before);
#define REAL_SIGACTION __sigaction
#else
#define REAL_SIGACTION sigaction
#endif

/* ---- the thread ------------------------------------------------------------------------------------ */

static void hold(struct mutator *mutator, const void *machine)
{
    const struct os *os = mutator->heap->memory.os;
    struct events *events = &mutator->heap->events;
    if (mutator->native || atomic_u32_load_acquire(&mutator->hold) != HOLD_ASKED)
        return;
    if (!stacks_note_signal(&mutator->stacks, machine)) {
        atomic_u32_store_release(&mutator->astray, 1);
        safepoint_arrive(&mutator->heap->safepoint);
        return;
    }
    uint64_t began = events_on(events) ? clock_nanoseconds() : 0;
    if (!atomic_u32_cas_full(&mutator->hold, HOLD_ASKED, HOLD_HELD))
        return;
    safepoint_arrive(&mutator->heap->safepoint);
    while (atomic_u32_load_acquire(&mutator->hold) == HOLD_HELD)
        os->word_wait(os, &mutator->hold, HOLD_HELD, OS_FOREVER);
    if (events_on(events))
        events_span(events, SHALE_EVENT_STOPPED, mutator->number, began, clock_nanoseconds());
}

static void pass_on(int number, siginfo_t *information, void *machine)
{
    if ((former.sa_flags & SA_SIGINFO) != 0)
        former.sa_sigaction(number, information, machine);
    else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN)
        former.sa_handler(number);
}

static void handle(int number, siginfo_t *information, void *machine)
{
    int errno_before = errno;
    if (inside.depth == 0) {
        for (struct mutator *mutator = inside.mutators; mutator != NULL; mutator = mutator->next_of_thread)
            hold(mutator, machine);
    }
    /* Valgrind keeps no more than the lower half of the code. */
    if ((int16_t)information->si_code != SI_TKILL || information->si_pid != getpid())
        pass_on(number, information, machine);
    errno = errno_before;
}

bool signal_stop_reaches_this_thread(void)
{
    sigset_t mask;
    return pthread_sigmask(SIG_SETMASK, NULL, &mask) != 0 || sigismember(&mask, OS_STOP_SIGNAL) != 1;
}

/* ---- the collector --------------------------------------------------------------------------------- */

void signal_stop_ask(struct mutator *mutator)
{
    const struct os *os = mutator->heap->memory.os;
    bool again = atomic_u32_load_acquire(&mutator->astray) != 0;
    if (again)
        atomic_u32_store(&mutator->astray, 0);
    if (atomic_u32_cas_full(&mutator->hold, HOLD_NONE, HOLD_ASKED) || again)
        os->thread_signal(os, mutator->thread_id);
}

bool signal_stop_holds(const struct mutator *mutator)
{
    return atomic_u32_load_acquire(&mutator->hold) == HOLD_HELD;
}

bool signal_stop_is_astray(const struct mutator *mutator)
{
    return atomic_u32_load_acquire(&mutator->astray) != 0;
}

void signal_stop_let_go(struct mutator *mutator)
{
    const struct os *os = mutator->heap->memory.os;
    if (atomic_u32_cas_full(&mutator->hold, HOLD_ASKED, HOLD_NONE))
        return;
    if (!signal_stop_holds(mutator))
        return;
    atomic_u32_store_full(&mutator->hold, HOLD_NONE);
    os->word_wake(os, &mutator->hold);
}

/* ---- the handler ----------------------------------------------------------------------------------- */

static int install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    /* Other handlers might not come back. */
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&action.sa_mask, faults[i]);
    return REAL_SIGACTION(OS_STOP_SIGNAL, &action, &former) != 0 ? -errno : 0;
}

int signal_stop_add(void)
{
    pthread_mutex_lock(&users_lock);
    int status = users == 0 ? install() : 0;
    if (status == 0)
        users++;
    pthread_mutex_unlock(&users_lock);
    return status;
}

void signal_stop_remove(void)
{
    pthread_mutex_lock(&users_lock);
    struct sigaction now;
    if (--users == 0 && REAL_SIGACTION(OS_STOP_SIGNAL, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
        now.sa_sigaction == handle)
        REAL_SIGACTION(OS_STOP_SIGNAL, &former, NULL);
    pthread_mutex_unlock(&users_lock);
}
