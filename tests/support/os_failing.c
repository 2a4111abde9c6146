#include "tests/support/os_failing.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int error;
} kinds[OS_CALLS] = {
    [OS_MEMORY_LIMIT] = {"memory_limit", EOPNOTSUPP},
    [OS_FILE_CREATE] = {"file_create", EMFILE},
    [OS_FILE_CLOSE] = {"file_close", EIO},
    [OS_FILE_MEMORY] = {"file_memory", EIO},
    [OS_FILE_DISCARD] = {"file_discard", EOPNOTSUPP},
    [OS_RESERVE] = {"reserve", ENOMEM},
    [OS_UNMAP] = {"unmap", ENOMEM},
    [OS_RESERVE_AGAIN] = {"reserve_again", ENOMEM},
    [OS_RESERVE_AT] = {"reserve_at", EEXIST},
    [OS_MAP_FILE] = {"map_file", EPERM},
    [OS_MAP_TABLE] = {"map_table", ENOMEM},
    [OS_DISCARD_TABLE] = {"discard_table", EINVAL},
    [OS_POPULATE] = {"populate", EINVAL},
    [OS_PROTECT] = {"protect", ENOMEM},
    [OS_MOVE_ENTRIES] = {"move_entries", EINVAL},
    [OS_DROP_ENTRIES] = {"drop_entries", EINVAL},
    [OS_FAULTS_OPEN] = {"faults_open", ENOSYS},
    [OS_FAULTS_CLOSE] = {"faults_close", EIO},
    [OS_FAULTS_REGISTER] = {"faults_register", EINVAL},
    [OS_FAULTS_UNREGISTER] = {"faults_unregister", ENOMEM},
    [OS_FAULTS_CONTINUE] = {"faults_continue", ENOMEM},
    [OS_FAULTS_WAKE] = {"faults_wake", EINVAL},
    [OS_FAULTS_WAIT] = {"faults_wait", ENOMEM},
    [OS_FAULTS_READ] = {"faults_read", EIO},
    [OS_WRITES_OPEN] = {"writes_open", EOPNOTSUPP},
    [OS_WRITES_CLOSE] = {"writes_close", EIO},
    [OS_WRITES_REGISTER] = {"writes_register", ENOMEM},
    [OS_WRITES_UNREGISTER] = {"writes_unregister", ENOMEM},
    [OS_WRITES_ARM] = {"writes_arm", ENOMEM},
    [OS_WRITES_FIND] = {"writes_find", ENOMEM},
    [OS_EVENT_CREATE] = {"event_create", EMFILE},
    [OS_EVENT_SET] = {"event_set", EIO},
    [OS_EVENT_CLOSE] = {"event_close", EIO},
    [OS_THREAD_STACK] = {"thread_stack", ENOMEM},
    [OS_THREAD_START] = {"thread_start", EAGAIN},
};

int os_failing_typical_error(enum os_call kind)
{
    return kinds[kind].error;
}

const char *os_failing_name(enum os_call kind)
{
    return kind < OS_CALLS ? kinds[kind].name : "any call";
}

/* The table is handed around as a pointer to const; its books are ours to change. */
static struct os_failing *books(const struct os *os)
{
    return (struct os_failing *)(uintptr_t)os;
}

/* Counts a call. Returns 0, or the negative errno value it must fail with. */
static int count(const struct os *os, enum os_call kind)
{
    struct os_failing *failing = books(os);
    unsigned number = atomic_fetch_add(&failing->calls[kind], 1) + 1;
    unsigned overall = atomic_fetch_add(&failing->calls[OS_CALLS], 1) + 1;
    unsigned first = atomic_load(&failing->first);
    unsigned wanted = atomic_load(&failing->kind);
    if (wanted == OS_ANY)
        number = overall;
    if (first == 0 || (wanted != OS_ANY && wanted != kind) || number < first ||
        number > atomic_load(&failing->last))
        return 0;
    if (atomic_fetch_add(&failing->failed, 1) == 0)
        atomic_store(&failing->failed_kind, kind);
    int error = atomic_load(&failing->error);
    return -(error != 0 ? error : kinds[kind].error);
}

/* ---- calls that acquire or give back -------------------------------------------------------------- */

static int failing_file_create(const struct os *os, size_t size)
{
    int status = count(os, OS_FILE_CREATE);
    if (status == 0)
        status = os_linux()->file_create(os_linux(), size);
    if (status >= 0)
        atomic_fetch_add(&books(os)->files, 1);
    return status;
}

static int failing_file_close(const struct os *os, int file)
{
    int status = count(os, OS_FILE_CLOSE);
    if (status != 0)
        return status;
    atomic_fetch_sub(&books(os)->files, 1);
    return os_linux()->file_close(os_linux(), file);
}

static int acquired(const struct os *os, int status, size_t size)
{
    if (status == 0) {
        atomic_fetch_add(&books(os)->mappings, 1);
        atomic_fetch_add(&books(os)->mapped_bytes, (long)size);
    }
    return status;
}

static int failing_reserve(const struct os *os, size_t size, size_t alignment, void **start)
{
    int status = count(os, OS_RESERVE);
    return status != 0 ? status : acquired(os, os_linux()->reserve(os_linux(), size, alignment, start), size);
}

static int failing_map_table(const struct os *os, size_t size, void **start)
{
    int status = count(os, OS_MAP_TABLE);
    return status != 0 ? status : acquired(os, os_linux()->map_table(os_linux(), size, start), size);
}

static int failing_unmap(const struct os *os, void *start, size_t size)
{
    int status = count(os, OS_UNMAP);
    if (status != 0)
        return status;
    atomic_fetch_sub(&books(os)->mappings, 1);
    atomic_fetch_sub(&books(os)->mapped_bytes, (long)size);
    return os_linux()->unmap(os_linux(), start, size);
}

static int failing_faults_open(const struct os *os, enum os_fault_delivery delivery, const char **how)
{
    int status = count(os, OS_FAULTS_OPEN);
    if (status == 0)
        status = os_linux()->faults_open(os_linux(), delivery, how);
    if (status >= 0)
        atomic_fetch_add(&books(os)->fault_sources, 1);
    return status;
}

static int failing_faults_close(const struct os *os, int faults)
{
    int status = count(os, OS_FAULTS_CLOSE);
    if (status != 0)
        return status;
    /* Closing ends what is registered with it. */
    if (atomic_fetch_sub(&books(os)->fault_sources, 1) == 1)
        atomic_store(&books(os)->registrations, 0);
    return os_linux()->faults_close(os_linux(), faults);
}

static int failing_faults_register(const struct os *os, int faults, void *start, size_t size)
{
    int status = count(os, OS_FAULTS_REGISTER);
    if (status == 0)
        status = os_linux()->faults_register(os_linux(), faults, start, size);
    if (status == 0)
        atomic_fetch_add(&books(os)->registrations, 1);
    return status;
}

static int failing_faults_unregister(const struct os *os, int faults, void *start, size_t size)
{
    int status = count(os, OS_FAULTS_UNREGISTER);
    if (status == 0)
        status = os_linux()->faults_unregister(os_linux(), faults, start, size);
    if (status == 0)
        atomic_fetch_sub(&books(os)->registrations, 1);
    return status;
}

static int failing_writes_open(const struct os *os, struct os_writes *writes)
{
    int status = count(os, OS_WRITES_OPEN);
    if (status == 0)
        status = os_linux()->writes_open(os_linux(), writes);
    if (status == 0)
        atomic_fetch_add(&books(os)->write_sources, 1);
    return status;
}

static int failing_writes_close(const struct os *os, const struct os_writes *writes)
{
    int status = count(os, OS_WRITES_CLOSE);
    if (status != 0)
        return status;
    atomic_fetch_sub(&books(os)->write_sources, 1);
    return os_linux()->writes_close(os_linux(), writes);
}

static int failing_event_create(const struct os *os)
{
    int status = count(os, OS_EVENT_CREATE);
    if (status == 0)
        status = os_linux()->event_create(os_linux());
    if (status >= 0)
        atomic_fetch_add(&books(os)->events, 1);
    return status;
}

static int failing_event_close(const struct os *os, int event)
{
    int status = count(os, OS_EVENT_CLOSE);
    if (status != 0)
        return status;
    atomic_fetch_sub(&books(os)->events, 1);
    return os_linux()->event_close(os_linux(), event);
}

static int failing_thread_start(const struct os *os, pthread_t *thread, const char *thread_name,
                                void *(*run)(void *), void *argument)
{
    int status = count(os, OS_THREAD_START);
    if (status == 0)
        status = os_linux()->thread_start(os_linux(), thread, thread_name, run, argument);
    if (status == 0)
        atomic_fetch_add(&books(os)->threads_started, 1);
    return status;
}

/* ---- calls that neither acquire nor give back ------------------------------------------------------- */

static size_t failing_page_size(const struct os *os)
{
    (void)os;
    return os_linux()->page_size(os_linux());
}

#define PASS_ON(KIND, call, parameters, arguments)        \
    static int failing_##call parameters                  \
    {                                                     \
        int status = count(os, KIND);                     \
        os = os_linux();                                  \
        return status != 0 ? status : os->call arguments; \
    }

PASS_ON(OS_MEMORY_LIMIT, memory_limit, (const struct os *os, uint64_t *bytes), (os, bytes))
PASS_ON(OS_FILE_MEMORY, file_memory, (const struct os *os, int file, uint64_t *bytes), (os, file, bytes))
PASS_ON(OS_FILE_DISCARD, file_discard, (const struct os *os, int file, size_t offset, size_t size),
        (os, file, offset, size))
PASS_ON(OS_RESERVE_AGAIN, reserve_again, (const struct os *os, void *start, size_t size), (os, start, size))
PASS_ON(OS_RESERVE_AT, reserve_at, (const struct os *os, void *start, size_t size), (os, start, size))
PASS_ON(OS_MAP_FILE, map_file, (const struct os *os, void *start, size_t size, int file, size_t offset),
        (os, start, size, file, offset))
PASS_ON(OS_DISCARD_TABLE, discard_table, (const struct os *os, void *start, size_t size), (os, start, size))
PASS_ON(OS_POPULATE, populate, (const struct os *os, void *start, size_t size), (os, start, size))
PASS_ON(OS_PROTECT, protect, (const struct os *os, void *start, size_t size, bool accessible),
        (os, start, size, accessible))
PASS_ON(OS_MOVE_ENTRIES, move_entries, (const struct os *os, void *view, void *to, size_t size),
        (os, view, to, size))
PASS_ON(OS_DROP_ENTRIES, drop_entries, (const struct os *os, void *start, size_t size), (os, start, size))
PASS_ON(OS_FAULTS_CONTINUE, faults_continue,
        (const struct os *os, int faults, void *start, size_t size, size_t *done),
        (os, faults, start, size, done))
PASS_ON(OS_FAULTS_WAKE, faults_wake, (const struct os *os, int faults, void *start, size_t size),
        (os, faults, start, size))
PASS_ON(OS_FAULTS_WAIT, faults_wait, (const struct os *os, int faults, int event), (os, faults, event))
PASS_ON(OS_WRITES_REGISTER, writes_register,
        (const struct os *os, const struct os_writes *writes, void *start, size_t size),
        (os, writes, start, size))
PASS_ON(OS_WRITES_UNREGISTER, writes_unregister,
        (const struct os *os, const struct os_writes *writes, void *start, size_t size),
        (os, writes, start, size))
PASS_ON(OS_WRITES_ARM, writes_arm,
        (const struct os *os, const struct os_writes *writes, void *start, size_t size),
        (os, writes, start, size))
PASS_ON(OS_WRITES_FIND, writes_find,
        (const struct os *os, const struct os_writes *writes, const struct os_range *among, bool rearm,
         struct os_range *ranges, size_t maximum, uintptr_t *end),
        (os, writes, among, rearm, ranges, maximum, end))
PASS_ON(OS_EVENT_SET, event_set, (const struct os *os, int event), (os, event))
PASS_ON(OS_FAULTS_READ, faults_read,
        (const struct os *os, int faults, struct os_fault *waiting, size_t maximum),
        (os, faults, waiting, maximum))

/* ---- setting up ------------------------------------------------------------------------------------- */

static int failing_thread_stack(const struct os *os, uintptr_t *low, uintptr_t *high)
{
    int status = count(os, OS_THREAD_STACK);
    return status != 0 ? status : os_linux()->thread_stack(os_linux(), low, high);
}

void os_failing_init(struct os_failing *failing)
{
    memset(failing, 0, sizeof *failing);
    failing->kind = OS_ANY;
    failing->os = (struct os){
        .name = "failing",
        .page_size = failing_page_size,
        .memory_limit = failing_memory_limit,
        .file_create = failing_file_create,
        .file_close = failing_file_close,
        .file_memory = failing_file_memory,
        .file_discard = failing_file_discard,
        .reserve = failing_reserve,
        .unmap = failing_unmap,
        .reserve_again = failing_reserve_again,
        .reserve_at = failing_reserve_at,
        .map_file = failing_map_file,
        .map_table = failing_map_table,
        .discard_table = failing_discard_table,
        .populate = failing_populate,
        .protect = failing_protect,
        .move_entries = failing_move_entries,
        .drop_entries = failing_drop_entries,
        .faults_open = failing_faults_open,
        .faults_close = failing_faults_close,
        .faults_register = failing_faults_register,
        .faults_unregister = failing_faults_unregister,
        .faults_continue = failing_faults_continue,
        .faults_wake = failing_faults_wake,
        .faults_wait = failing_faults_wait,
        .faults_read = failing_faults_read,
        .writes_open = failing_writes_open,
        .writes_close = failing_writes_close,
        .writes_register = failing_writes_register,
        .writes_unregister = failing_writes_unregister,
        .writes_arm = failing_writes_arm,
        .writes_find = failing_writes_find,
        .event_create = failing_event_create,
        .event_set = failing_event_set,
        .event_close = failing_event_close,
        .processors = os_linux()->processors,
        .thread_id = os_linux()->thread_id,
        .thread_name = os_linux()->thread_name,
        .thread_signal = os_linux()->thread_signal,
        .thread_stack = failing_thread_stack,
        .word_wait = os_linux()->word_wait,
        .word_wake = os_linux()->word_wake,
        .thread_start = failing_thread_start,
    };
}

void os_failing_plan(struct os_failing *failing, enum os_call kind, unsigned first, unsigned last, int error)
{
    atomic_store(&failing->first, 0);
    atomic_store(&failing->kind, kind);
    atomic_store(&failing->last, last);
    atomic_store(&failing->error, error);
    atomic_store(&failing->first, first);
}

void os_failing_plan_from_now(struct os_failing *failing, enum os_call kind, unsigned first, unsigned last,
                              int error)
{
    unsigned before = atomic_load(&failing->calls[kind]);
    os_failing_plan(failing, kind, before + first, before + last, error);
}

/* ---- leaks -------------------------------------------------------------------------------------------- */

const char *os_failing_leak(const struct os_failing *failing)
{
    if (atomic_load(&failing->files) != 0)
        return "a file";
    if (atomic_load(&failing->fault_sources) != 0)
        return "a source of faults";
    if (atomic_load(&failing->write_sources) != 0)
        return "a source of writes";
    if (atomic_load(&failing->events) != 0)
        return "an event";
    if (atomic_load(&failing->registrations) != 0)
        return "a registration for faults";
    if (atomic_load(&failing->mappings) != 0)
        return "a mapping";
    if (atomic_load(&failing->mapped_bytes) != 0)
        return "part of a mapping";
    return NULL;
}

static unsigned count_entries(const char *folder)
{
    DIR *directory = opendir(folder);
    unsigned entries = 0;
    while (directory != NULL && readdir(directory) != NULL)
        entries++;
    if (directory != NULL)
        closedir(directory);
    return entries;
}

struct process_resources process_resources_now(void)
{
    struct process_resources now = {
        .descriptors = count_entries("/proc/self/fd"),
        .threads = count_entries("/proc/self/task"),
    };
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        now.mappings++;
        now.heap_mappings += strstr(line, "memfd:shale-heap") != NULL;
    }
    if (maps != NULL)
        fclose(maps);
    return now;
}
