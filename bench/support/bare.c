#include "bench/support/bare.h"

#include "gc/durations.h"
#include "heap/layout.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

uint64_t touch_nanoseconds(const char *at)
{
    uint64_t before = clock_nanoseconds();
    (void)*(const volatile uint64_t *)at;
    return clock_nanoseconds() - before;
}

void bare_create(struct bare *bare, enum bare_server server, size_t pages)
{
    const struct os *os = os_linux();
    *bare = (struct bare){.server = server, .page_size = os->page_size(os), .pages = pages, .random = 2};
    size_t size = pages * bare->page_size;
    const char *how;
    bare->file = os->file_create(os, size);
    bare->faults = os->faults_open(os, server == BARE_SIGNAL ? OS_FAULTS_BY_SIGNAL : OS_FAULTS_BY_READ, &how);
    bench_require(bare->file >= 0 && bare->faults >= 0, "a memory file or userfaultfd could not be had");
    void *start[3] = {NULL, NULL, NULL};
    for (int i = 0; i < 3; i++)
        bench_require(os->reserve(os, size, VIEW_ALIGNMENT, &start[i]) == 0 &&
                          (i == 2 || os->map_file(os, start[i], size, bare->file, 0) == 0),
                      "a view could not be mapped");
    bare->view = start[0];
    bare->alias = start[1];
    bare->graveyard = start[2];
    memset(bare->alias, 0x55, size);
    bare->order = malloc(pages * sizeof *bare->order);
    bench_require(bare->order != NULL, "there is no memory for a list of pages");
    for (size_t i = 0; i < pages; i++)
        bare->order[i] = (uint32_t)i;
}

void bare_destroy(struct bare *bare)
{
    const struct os *os = os_linux();
    os->unmap(os, bare->view, bare->pages * bare->page_size);
    os->unmap(os, bare->alias, bare->pages * bare->page_size);
    os->unmap(os, bare->graveyard, bare->pages * bare->page_size);
    os->faults_close(os, bare->faults);
    os->file_close(os, bare->file);
    free(bare->order);
}

void bare_populate(struct bare *bare)
{
    for (size_t page = 0; page < bare->pages; page++)
        (void)*(const volatile char *)(bare->view + page * bare->page_size);
}

void bare_empty(struct bare *bare)
{
    const struct os *os = os_linux();
    size_t size = bare->pages * bare->page_size;
    bench_require(os->move_entries(os, bare->view, bare->graveyard, size) == 0 &&
                      os->faults_register(os, bare->faults, bare->view, size) == 0,
                  "the view could not be registered");
}

void bare_arm(struct bare *bare)
{
    bare_populate(bare);
    bare_empty(bare);
    random_shuffle(&bare->random, bare->order, bare->pages);
    bare->next = 0;
}

void bare_disarm(struct bare *bare)
{
    const struct os *os = os_linux();
    size_t size = bare->pages * bare->page_size;
    bench_require(os->faults_unregister(os, bare->faults, bare->view, size) == 0 &&
                      os->reserve_again(os, bare->graveyard, size) == 0,
                  "the view could not be unregistered");
}

/* The system calls directly, with nothing of Shale's in between. */
static void map_page(int faults, uintptr_t address, size_t page_size)
{
    struct uffdio_continue range = {.range = {address & ~(page_size - 1), page_size}};
    ioctl(faults, UFFDIO_CONTINUE, &range);
}

static void *serve(void *argument)
{
    struct bare *bare = argument;
    for (size_t answered = 0; answered < bare->to_answer;) {
        if (bare->server == BARE_POLL) {
            struct pollfd events = {.fd = bare->faults, .events = POLLIN};
            poll(&events, 1, -1);
        }
        struct uffd_msg message;
        if (read(bare->faults, &message, sizeof message) != sizeof message)
            continue;
        map_page(bare->faults, (uintptr_t)message.arg.pagefault.address, bare->page_size);
        answered++;
    }
    return NULL;
}

/* The heap that the handler below answers for; one at a time. */
static const struct bare *signalled;

static void handle(int number, siginfo_t *information, void *machine)
{
    (void)number;
    (void)machine;
    int errno_before = errno;
    map_page(signalled->faults, (uintptr_t)information->si_addr, signalled->page_size);
    errno = errno_before;
}

static void touch_all(struct bare *bare, size_t count, struct samples *samples)
{
    for (size_t i = 0; i < count; i++) {
        const char *page = bare->view + bare->order[bare->next++] * bare->page_size;
        samples_add(samples, (double)touch_nanoseconds(page + bare->page_size / 2));
    }
}

void bare_touch(struct bare *bare, size_t count, struct samples *samples)
{
    bench_require(bare->next + count <= bare->pages, "there are fewer pages than touches");
    if (bare->server == BARE_SIGNAL) {
        struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
        struct sigaction before;
        signalled = bare;
        sigaction(SIGBUS, &action, &before);
        touch_all(bare, count, samples);
        sigaction(SIGBUS, &before, NULL);
        return;
    }
    pthread_t thread;
    bare->to_answer = count;
    bench_require(os_linux()->thread_start(os_linux(), &thread, "bare-server", serve, bare) == 0,
                  "a thread could not be started");
    touch_all(bare, count, samples);
    pthread_join(thread, NULL);
}
