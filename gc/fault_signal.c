#include "gc/fault_signal.h"

#include "gc/durations.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

struct entry {
    atomic_u64 start; /* of the mutator view */
    atomic_u64 size;  /* 0: unused */
    struct compaction *compaction;
    struct builder *answers;
};

static struct entry entries[FAULT_SIGNAL_HEAPS_MAX];
static pthread_mutex_t entries_lock = PTHREAD_MUTEX_INITIALIZER; /* adding and removing */
static unsigned entries_used;
static struct sigaction former;

/* An access that keeps failing although its page is mapped failed for a reason of its own: the system has no
 * memory for the heap's file. Per thread, since handlers run on many at a time. */
enum { RETRIES_MAX = 10000 };
static __thread struct {
    uintptr_t address;
    unsigned flip; /* the heap's flip number: a later compaction is another matter */
    unsigned count;
} retries __attribute__((tls_model("initial-exec")));

static bool tried_too_often(uintptr_t address, unsigned flip)
{
    if (retries.address != address || retries.flip != flip) {
        retries.address = address;
        retries.flip = flip;
        retries.count = 0;
    }
    return ++retries.count > RETRIES_MAX;
}

static struct entry *find(uintptr_t address)
{
    for (size_t i = 0; i < FAULT_SIGNAL_HEAPS_MAX; i++) {
        uint64_t size = atomic_u64_load_acquire(&entries[i].size);
        if (size != 0 && address - atomic_u64_load(&entries[i].start) < size)
            return &entries[i];
    }
    return NULL;
}

/* What would have happened without Shale. */
static void pass_on(int number, siginfo_t *information, void *machine)
{
    if ((former.sa_flags & SA_SIGINFO) != 0) {
        former.sa_sigaction(number, information, machine);
    } else if (former.sa_handler == SIG_DFL || former.sa_handler == SIG_IGN) {
        /* A fault cannot be ignored: it happens again, and then ends the process. */
        signal(number, SIG_DFL);
    } else {
        former.sa_handler(number);
    }
}

static void answer(struct compaction *compaction, struct builder *answers, page_number page,
                   uintptr_t address)
{
    struct events *events = compaction->events;
    uint64_t began = events_on(events) ? clock_nanoseconds() : 0;
    enum compact_answer answer = compact_fault(compaction, answers, page);
    if (answer == COMPACT_BEING_BUILT)
        page_wait(&compaction->memory->pages, page);
    if (answer != COMPACT_WOKEN)
        retries.count = 0;
    if (events_on(events)) {
        const struct os *os = compaction->memory->os;
        compact_record_fault(compaction, &(struct os_fault){address, os->thread_id(os)}, answer, began);
    }
}

static void handle(int number, siginfo_t *information, void *machine)
{
    int errno_before = errno;
    uintptr_t address = (uintptr_t)information->si_addr;
    struct entry *entry = information->si_code > 0 ? find(address) : NULL;
    uint32_t flip = entry != NULL ? page_states_flip_number(&entry->compaction->memory->pages) : 0;
    if (entry == NULL || tried_too_often(address, flip)) {
        pass_on(number, information, machine);
        errno = errno_before;
        return;
    }
    struct compaction *compaction = entry->compaction;
    page_number page = memory_page(compaction->memory, address - atomic_u64_load(&entry->start));
    answer(compaction, entry->answers, page, address);
    errno = errno_before;
}

static int install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    /* A thread with a small stack may have given signals another one. SIGBUS inside the handler would be a
     * fault on its own path, which [fault-free] rules out. */
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    /* Who was stopped with a page in hand would keep it from others. */
    sigaddset(&action.sa_mask, OS_STOP_SIGNAL);
    return sigaction(SIGBUS, &action, &former) != 0 ? -errno : 0;
}

static void uninstall(void)
{
    struct sigaction now;
    if (sigaction(SIGBUS, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == handle)
        sigaction(SIGBUS, &former, NULL);
}

int fault_signal_add(struct compaction *compaction, struct builder *answers)
{
    pthread_mutex_lock(&entries_lock);
    int status = entries_used == FAULT_SIGNAL_HEAPS_MAX ? -ENOSPC : 0;
    if (status == 0 && entries_used == 0)
        status = install();
    if (status == 0) {
        struct entry *entry = entries;
        while (atomic_u64_load(&entry->size) != 0)
            entry++;
        const struct views *views = &compaction->memory->views;
        entry->compaction = compaction;
        entry->answers = answers;
        atomic_u64_store(&entry->start, (uint64_t)(uintptr_t)views->mutator);
        atomic_u64_store_release(&entry->size, views->flipped);
        entries_used++;
    }
    pthread_mutex_unlock(&entries_lock);
    return status;
}

void fault_signal_remove(struct compaction *compaction)
{
    pthread_mutex_lock(&entries_lock);
    for (size_t i = 0; i < FAULT_SIGNAL_HEAPS_MAX; i++) {
        if (atomic_u64_load(&entries[i].size) != 0 && entries[i].compaction == compaction) {
            atomic_u64_store_release(&entries[i].size, 0);
            if (--entries_used == 0)
                uninstall();
            break;
        }
    }
    pthread_mutex_unlock(&entries_lock);
}

void fault_signal_lock(void)
{
    pthread_mutex_lock(&entries_lock);
}

void fault_signal_unlock(void)
{
    pthread_mutex_unlock(&entries_lock);
}
