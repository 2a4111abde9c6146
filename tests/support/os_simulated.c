#include "tests/support/os_simulated.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIMULATED_FAULTS = 1 << 20 /* no real descriptor */ };

static struct os_simulated *simulated_of(const struct os *os)
{
    return (struct os_simulated *)(uintptr_t)os;
}

static struct os_simulated *enter(const struct os *os)
{
    struct os_simulated *simulated = simulated_of(os);
    pthread_mutex_lock(&simulated->lock);
    return simulated;
}

static int leave(struct os_simulated *simulated, int status)
{
    pthread_mutex_unlock(&simulated->lock);
    return status;
}

static void violation(struct os_simulated *simulated, const char *what)
{
    if (simulated->violation == NULL)
        simulated->violation = what;
}

/* ---- memory: real, with a note of what is what -------------------------------------------------------- */

static size_t simulated_page_size(const struct os *os)
{
    return simulated_of(os)->page_size;
}

static int simulated_file_create(const struct os *os, size_t size)
{
    struct os_simulated *simulated = enter(os);
    simulated->file = os_linux()->file_create(os_linux(), size);
    return leave(simulated, simulated->file);
}

static int simulated_map_file(const struct os *os, void *start, size_t size, int file, size_t offset)
{
    struct os_simulated *simulated = enter(os);
    int status = os_linux()->map_file(os_linux(), start, size, file, offset);
    if (status == 0 && simulated->view == NULL) {
        simulated->view = start;
        simulated->view_size = size;
        simulated->pages = size / simulated->page_size;
        simulated->entries = calloc(simulated->pages, sizeof(bool));
        simulated->armed = calloc(simulated->pages, sizeof(bool));
        simulated->tracked = calloc(simulated->pages, sizeof(bool));
    }
    return leave(simulated, status);
}

/* Pages without memory have no entries either, in any view. */
static int simulated_file_discard(const struct os *os, int file, size_t offset, size_t size)
{
    struct os_simulated *simulated = enter(os);
    int status = os_linux()->file_discard(os_linux(), file, offset, size);
    for (size_t at = offset; status == 0 && at < offset + size && at < simulated->view_size;
         at += simulated->page_size)
        simulated->entries[at / simulated->page_size] = false;
    return leave(simulated, status);
}

static bool has_memory(struct os_simulated *simulated, size_t page)
{
    off_t start = (off_t)(page * simulated->page_size);
    off_t data = lseek(simulated->file, start, SEEK_DATA);
    return data >= 0 && data < start + (off_t)simulated->page_size;
}

/* ---- entries -------------------------------------------------------------------------------------------- */

static bool any_tracked(const struct os_simulated *simulated)
{
    return memchr(simulated->tracked, true, simulated->pages * sizeof(bool)) != NULL;
}

static int simulated_move_entries(const struct os *os, void *view, void *to, size_t size)
{
    struct os_simulated *simulated = enter(os);
    if (view != simulated->view || size != simulated->view_size)
        violation(simulated, "entries of something else than the whole mutator view were moved");
    if (simulated->registered || any_tracked(simulated))
        violation(simulated, "entries were moved while the view was registered, which is slow");
    memset(simulated->entries, 0, simulated->pages * sizeof(bool));
    simulated->graveyard = to;
    simulated->moves++;
    return leave(simulated, 0);
}

static int simulated_drop_entries(const struct os *os, void *start, size_t size)
{
    struct os_simulated *simulated = enter(os);
    if (simulated->graveyard == NULL || (char *)start < simulated->graveyard ||
        (char *)start + size > simulated->graveyard + simulated->view_size)
        violation(simulated, "entries were dropped that had not been moved away");
    return leave(simulated, 0);
}

/* ---- faults --------------------------------------------------------------------------------------------- */

static int simulated_faults_open(const struct os *os, enum os_fault_delivery delivery, const char **how)
{
    struct os_simulated *simulated = enter(os);
    (void)delivery;
    *how = "the simulation";
    simulated->sources_open = true;
    return leave(simulated, SIMULATED_FAULTS);
}

static int simulated_faults_close(const struct os *os, int faults)
{
    struct os_simulated *simulated = enter(os);
    if (faults != SIMULATED_FAULTS || !simulated->sources_open)
        violation(simulated, "a source of faults was closed that is not open");
    simulated->sources_open = false;
    simulated->registered = false;
    return leave(simulated, 0);
}

static int simulated_faults_register(const struct os *os, int faults, void *start, size_t size)
{
    struct os_simulated *simulated = enter(os);
    (void)faults;
    if (start != simulated->view || size != simulated->view_size)
        violation(simulated, "something else than the whole mutator view was registered");
    if (simulated->registered || any_tracked(simulated))
        violation(simulated, "the view was registered twice");
    simulated->registered = true;
    bool held = simulated->reader_held;
    simulated->reader_held = false;
    unsigned before = simulated->continues;
    leave(simulated, 0);
    for (int waited = 0; held && waited < 50; waited++) {
        usleep(1000);
        enter(os);
        held = simulated->continues == before;
        leave(simulated, 0);
    }
    return 0;
}

static void wake(struct os_simulated *simulated, size_t first, size_t count)
{
    for (size_t i = 0; i < simulated->waiter_count; i++) {
        if (simulated->waiters[i].page >= first && simulated->waiters[i].page < first + count)
            simulated->waiters[i].asleep = false;
    }
}

static size_t add_waiter(struct os_simulated *simulated, size_t page)
{
    if (simulated->waiter_count == SIMULATED_WAITERS_MAX) {
        violation(simulated, "the test has more waiters than the simulation can hold");
        return 0;
    }
    simulated->waiters[simulated->waiter_count] = (struct simulated_waiter){.page = page, .asleep = true};
    return simulated->waiter_count++;
}

static int simulated_faults_unregister(const struct os *os, int faults, void *start, size_t size)
{
    struct os_simulated *simulated = enter(os);
    (void)faults;
    if (!simulated->registered || start != simulated->view || size != simulated->view_size)
        violation(simulated, "something was unregistered that is not registered");
    simulated->registered = false;
    wake(simulated, 0, simulated->pages);
    if (simulated->late_waiter)
        add_waiter(simulated, simulated->late_page);
    simulated->late_waiter = false;
    return leave(simulated, 0);
}

static void map_page(struct os_simulated *simulated, size_t page)
{
    if (simulated->on_map != NULL)
        simulated->on_map(simulated->context, page);
    simulated->entries[page] = true;
}

/* Maps pages as the kernel would; returns how many, with the reason to stop. */
static size_t map_run(struct os_simulated *simulated, size_t first, size_t count, int *why)
{
    size_t mapped = 0;
    *why = 0;
    while (mapped < count && *why == 0) {
        size_t page = first + mapped;
        if (!simulated->registered)
            *why = -ENOENT;
        else if (simulated->entries[page])
            *why = -EEXIST;
        else if (!has_memory(simulated, page))
            *why = -EFAULT;
        else {
            map_page(simulated, page);
            mapped++;
        }
    }
    return mapped;
}

static int answer(struct os_simulated *simulated, size_t first, size_t count, size_t *mapped)
{
    int why;
    if (simulated->answer_first == simulated->answer_count) {
        *mapped = map_run(simulated, first, count, &why);
        return *mapped == count ? 0 : *mapped != 0 ? -EAGAIN : why;
    }
    struct simulated_answer *injected = &simulated->answers[simulated->answer_first++];
    *mapped = map_run(simulated, first, injected->pages < count ? injected->pages : count - 1, &why);
    if (injected->error == EEXIST && *mapped < count)
        map_page(simulated, first + *mapped); /* by somebody else, at this moment */
    return -injected->error;
}

static int simulated_faults_continue(const struct os *os, int faults, void *start, size_t size, size_t *done)
{
    struct os_simulated *simulated = enter(os);
    size_t offset = (size_t)((char *)start - simulated->view);
    *done = 0;
    if (faults != SIMULATED_FAULTS || size == 0 || offset % simulated->page_size != 0 ||
        size % simulated->page_size != 0 || offset >= simulated->view_size ||
        size > simulated->view_size - offset) {
        violation(simulated, "CONTINUE of something else than whole pages of the mutator view");
        return leave(simulated, -EINVAL);
    }
    size_t first = offset / simulated->page_size;
    size_t mapped;
    simulated->continues++;
    int status = answer(simulated, first, size / simulated->page_size, &mapped);
    wake(simulated, first, mapped);
    *done = mapped * simulated->page_size;
    leave(simulated, 0);
    if (simulated->after_continue != NULL)
        simulated->after_continue(simulated->context);
    return status;
}

static int simulated_faults_wake(const struct os *os, int faults, void *start, size_t size)
{
    struct os_simulated *simulated = enter(os);
    (void)faults;
    size_t offset = (size_t)((char *)start - simulated->view);
    if (offset >= simulated->view_size)
        violation(simulated, "a wake outside the mutator view");
    simulated->wakes++;
    wake(simulated, offset / simulated->page_size, size / simulated->page_size);
    return leave(simulated, 0);
}

static bool faults_waiting(struct os_simulated *simulated)
{
    for (size_t i = 0; i < simulated->waiter_count; i++) {
        if (simulated->waiters[i].asleep && !simulated->waiters[i].reported)
            return true;
    }
    return false;
}

static int simulated_faults_wait(const struct os *os, int faults, int event)
{
    (void)faults;
    struct pollfd source = {.fd = event, .events = POLLIN};
    for (;;) {
        struct os_simulated *simulated = enter(os);
        bool waiting = faults_waiting(simulated);
        leave(simulated, 0);
        if (waiting || poll(&source, 1, 1) != 0)
            return 0;
    }
}

/* As if the reader's thread had lost its core. */
static void hold(struct os_simulated *simulated, unsigned milliseconds)
{
    bool held = true;
    for (unsigned waited = 0; held && waited < milliseconds; waited++) {
        usleep(1000);
        enter(&simulated->os);
        held = simulated->reader_held;
        leave(simulated, 0);
    }
    enter(&simulated->os);
    simulated->reader_held = false;
    leave(simulated, 0);
}

static int simulated_faults_read(const struct os *os, int faults, struct os_fault *waiting, size_t maximum)
{
    struct os_simulated *simulated = enter(os);
    (void)faults;
    int count = 0;
    for (size_t i = 0; i < simulated->waiter_count && (size_t)count < maximum; i++) {
        struct simulated_waiter *waiter = &simulated->waiters[i];
        if (waiter->reported || !waiter->asleep)
            continue;
        waiter->reported = true;
        waiting[count++] =
            (struct os_fault){.address = (uintptr_t)simulated->view + waiter->page * simulated->page_size};
    }
    unsigned milliseconds = count != 0 ? simulated->hold_reader : 0;
    simulated->reader_held = milliseconds != 0;
    if (milliseconds != 0)
        simulated->hold_reader = 0;
    leave(simulated, 0);
    if (milliseconds != 0)
        hold(simulated, milliseconds);
    return count;
}

/* ---- writes --------------------------------------------------------------------------------------------- */

static int simulated_writes_open(const struct os *os, struct os_writes *writes)
{
    (void)os;
    *writes = (struct os_writes){SIMULATED_FAULTS + 1, SIMULATED_FAULTS + 2};
    return 0;
}

static int simulated_writes_close(const struct os *os, const struct os_writes *writes)
{
    (void)writes;
    struct os_simulated *simulated = enter(os);
    memset(simulated->tracked, 0, simulated->pages * sizeof(bool));
    return leave(simulated, 0);
}

static int track(const struct os *os, const void *start, size_t size, bool tracked)
{
    struct os_simulated *simulated = enter(os);
    size_t first = (size_t)((const char *)start - simulated->view) / simulated->page_size;
    size_t count = size / simulated->page_size;
    if (simulated->registered)
        violation(simulated, "writes were tracked while the view was registered for faults");
    memset(simulated->tracked + first, tracked, count * sizeof(bool));
    memset(simulated->armed + first, false, count * sizeof(bool));
    return leave(simulated, 0);
}

static int simulated_writes_register(const struct os *os, const struct os_writes *writes, void *start,
                                     size_t size)
{
    (void)writes;
    return track(os, start, size, true);
}

static int simulated_writes_unregister(const struct os *os, const struct os_writes *writes, void *start,
                                       size_t size)
{
    (void)writes;
    return track(os, start, size, false);
}

static int simulated_writes_find(const struct os *os, const struct os_writes *writes,
                                 const struct os_range *among, bool rearm, struct os_range *ranges,
                                 size_t maximum, uintptr_t *end)
{
    (void)writes;
    struct os_simulated *simulated = enter(os);
    size_t count = 0;
    for (*end = among->start; *end < among->end; *end += simulated->page_size) {
        size_t page = (*end - (uintptr_t)simulated->view) / simulated->page_size;
        if (!simulated->tracked[page])
            return leave(simulated, -EPERM);
        if (simulated->armed[page])
            continue;
        bool joins = count != 0 && ranges[count - 1].end == *end;
        if (!joins && count == maximum)
            break;
        if (joins)
            ranges[count - 1].end += simulated->page_size;
        else
            ranges[count++] = (struct os_range){*end, *end + simulated->page_size};
        simulated->armed[page] = rearm;
    }
    return leave(simulated, (int)count);
}

static int simulated_writes_arm(const struct os *os, const struct os_writes *writes, void *start, size_t size)
{
    struct os_range among = {(uintptr_t)start, (uintptr_t)start + size};
    while (among.start < among.end) {
        struct os_range range;
        int found = simulated_writes_find(os, writes, &among, true, &range, 1, &among.start);
        if (found < 0)
            return found;
    }
    return 0;
}

void os_simulated_write(struct os_simulated *simulated, const void *address)
{
    enter(&simulated->os);
    size_t offset = (size_t)((const char *)address - simulated->view);
    if (offset < simulated->view_size)
        simulated->armed[offset / simulated->page_size] = false;
    leave(simulated, 0);
}

/* ---- for tests -------------------------------------------------------------------------------------------- */

void os_simulated_init(struct os_simulated *simulated, size_t page_size)
{
    memset(simulated, 0, sizeof *simulated);
    pthread_mutex_init(&simulated->lock, NULL);
    simulated->page_size = page_size;
    simulated->os = *os_linux();
    simulated->os.name = "simulated";
    simulated->os.page_size = simulated_page_size;
    simulated->os.file_create = simulated_file_create;
    simulated->os.file_discard = simulated_file_discard;
    simulated->os.map_file = simulated_map_file;
    simulated->os.move_entries = simulated_move_entries;
    simulated->os.drop_entries = simulated_drop_entries;
    simulated->os.faults_open = simulated_faults_open;
    simulated->os.faults_close = simulated_faults_close;
    simulated->os.faults_register = simulated_faults_register;
    simulated->os.faults_unregister = simulated_faults_unregister;
    simulated->os.faults_continue = simulated_faults_continue;
    simulated->os.faults_wake = simulated_faults_wake;
    simulated->os.faults_wait = simulated_faults_wait;
    simulated->os.faults_read = simulated_faults_read;
    simulated->os.writes_open = simulated_writes_open;
    simulated->os.writes_close = simulated_writes_close;
    simulated->os.writes_register = simulated_writes_register;
    simulated->os.writes_unregister = simulated_writes_unregister;
    simulated->os.writes_arm = simulated_writes_arm;
    simulated->os.writes_find = simulated_writes_find;
}

void os_simulated_destroy(struct os_simulated *simulated)
{
    free(simulated->entries);
    free(simulated->armed);
    free(simulated->tracked);
    pthread_mutex_destroy(&simulated->lock);
}

bool os_simulated_touch(struct os_simulated *simulated, size_t page, size_t *waiter)
{
    enter(&simulated->os);
    bool there = simulated->entries[page] || !simulated->registered;
    if (there)
        simulated->entries[page] = true;
    else if (waiter != NULL)
        *waiter = add_waiter(simulated, page);
    leave(simulated, 0);
    return there;
}

bool os_simulated_asleep(struct os_simulated *simulated, size_t waiter)
{
    enter(&simulated->os);
    bool asleep = simulated->waiters[waiter].asleep;
    leave(simulated, 0);
    return asleep;
}

size_t os_simulated_sleepers(struct os_simulated *simulated)
{
    enter(&simulated->os);
    size_t sleepers = 0;
    for (size_t i = 0; i < simulated->waiter_count; i++)
        sleepers += simulated->waiters[i].asleep;
    leave(simulated, 0);
    return sleepers;
}

bool os_simulated_has_entry(struct os_simulated *simulated, size_t page)
{
    enter(&simulated->os);
    bool has = simulated->entries[page];
    leave(simulated, 0);
    return has;
}

void os_simulated_set_entry(struct os_simulated *simulated, size_t page)
{
    enter(&simulated->os);
    simulated->entries[page] = true;
    leave(simulated, 0);
}

void os_simulated_inject(struct os_simulated *simulated, int error, size_t pages)
{
    enter(&simulated->os);
    if (simulated->answer_first == simulated->answer_count)
        simulated->answer_first = simulated->answer_count = 0;
    if (simulated->answer_count < SIMULATED_ANSWERS_MAX)
        simulated->answers[simulated->answer_count++] = (struct simulated_answer){error, pages};
    leave(simulated, 0);
}
