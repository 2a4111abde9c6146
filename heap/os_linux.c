#include "heap/os.h"

#include "heap/memory_limit.h"
#include "heap/os_linux_writes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static int result(int returned)
{
    return returned < 0 ? -errno : 0;
}

static size_t linux_page_size(const struct os *os)
{
    (void)os;
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool read_file(void *context, const char *path, char *text, size_t size)
{
    (void)context;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    size_t length = 0;
    ssize_t got;
    while (length + 1 < size && (got = read(file, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    close(file);
    text[length] = '\0';
    return length != 0;
}

static int linux_memory_limit(const struct os *os, uint64_t *bytes)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    if (pages <= 0)
        return -EOPNOTSUPP;
    *bytes = memory_limit_find((uint64_t)pages * linux_page_size(os), read_file, NULL);
    return 0;
}

static int linux_file_create(const struct os *os, size_t size)
{
    (void)os;
    int file = memfd_create("shale-heap", MFD_CLOEXEC);
    if (file < 0)
        return -errno;
    if (ftruncate(file, (off_t)size) != 0) {
        int status = -errno;
        close(file);
        return status;
    }
    return file;
}

static int linux_close(const struct os *os, int file)
{
    (void)os;
    return result(close(file));
}

static int linux_file_memory(const struct os *os, int file, uint64_t *bytes)
{
    (void)os;
    struct stat status;
    if (fstat(file, &status) != 0)
        return -errno;
    *bytes = (uint64_t)status.st_blocks * 512;
    return 0;
}

static int linux_file_discard(const struct os *os, int file, size_t offset, size_t size)
{
    (void)os;
    return result(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size));
}

static int linux_reserve(const struct os *os, size_t size, size_t alignment, void **start)
{
    (void)os;
    size_t slack = size + alignment;
    char *raw = mmap(NULL, slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED)
        return -errno;
    uintptr_t address = ((uintptr_t)raw + alignment - 1) & ~(alignment - 1);
    size_t before = address - (uintptr_t)raw;
    size_t after = slack - before - size;
    /* Trimming splits a mapping, which fails only when the process has too many of them already. */
    if ((before != 0 && munmap(raw, before) != 0) ||
        (after != 0 && munmap((char *)address + size, after) != 0)) {
        int status = -errno;
        munmap(raw, slack);
        return status;
    }
    *start = (void *)address;
    return 0;
}

static int linux_unmap(const struct os *os, void *start, size_t size)
{
    (void)os;
    return result(munmap(start, size));
}

static int linux_reserve_again(const struct os *os, void *start, size_t size)
{
    (void)os;
    void *at = mmap(start, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return at == MAP_FAILED ? -errno : 0;
}

static int linux_reserve_at(const struct os *os, void *start, size_t size)
{
    (void)os;
    void *at = mmap(start, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
                    -1, 0);
    return at == MAP_FAILED ? -errno : 0;
}

static int linux_map_file(const struct os *os, void *start, size_t size, int file, size_t offset)
{
    void *at = mmap(start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, file,
                    (off_t)offset);
    if (at == MAP_FAILED)
        return -errno;
    /* [fork] */
    if (madvise(start, size, MADV_DONTFORK) != 0) {
        int status = -errno;
        linux_reserve_again(os, start, size);
        return status;
    }
    return 0;
}

static int linux_map_table(const struct os *os, size_t size, void **start)
{
    (void)os;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return -errno;
    *start = at;
    return 0;
}

static int linux_discard(const struct os *os, void *start, size_t size)
{
    (void)os;
    return result(madvise(start, size, MADV_DONTNEED));
}

static int linux_populate(const struct os *os, void *start, size_t size)
{
    (void)os;
    return result(madvise(start, size, MADV_POPULATE_WRITE));
}

static int linux_protect(const struct os *os, void *start, size_t size, bool accessible)
{
    (void)os;
    return result(mprotect(start, size, accessible ? PROT_READ | PROT_WRITE : PROT_NONE));
}

static int linux_move_entries(const struct os *os, void *view, void *to, size_t size)
{
    (void)os;
    void *at = mremap(view, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
    return at == MAP_FAILED ? -errno : 0;
}

/* Asks for the features; a descriptor answers UFFDIO_API only once. Faults have told their thread since Linux 4.14, so wherever
 * there are minor ones. */
static int faults_handshake(int faults, enum os_fault_delivery delivery)
{
    struct uffdio_api api = {.api = UFFD_API,
                             .features = UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_MISSING_SHMEM |
                                         UFFD_FEATURE_THREAD_ID};
    if (delivery == OS_FAULTS_BY_SIGNAL)
        api.features |= UFFD_FEATURE_SIGBUS;
    if (ioctl(faults, UFFDIO_API, &api) != 0) {
        int status = errno == EINVAL ? -EOPNOTSUPP : -errno;
        close(faults);
        return status;
    }
    return faults;
}

int os_linux_userfaultfd(const char **how)
{
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device >= 0) {
        int faults = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
        close(device);
        if (faults >= 0) {
            *how = "/dev/userfaultfd";
            return faults;
        }
    }
    int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    *how = "the userfaultfd system call";
    if (faults < 0 && (errno == EPERM || errno == EACCES)) {
        faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
        *how = "the userfaultfd system call, user mode only";
    }
    return faults < 0 ? -errno : faults;
}

static int linux_faults_open(const struct os *os, enum os_fault_delivery delivery, const char **how)
{
    (void)os;
    int faults = os_linux_userfaultfd(how);
    return faults < 0 ? faults : faults_handshake(faults, delivery);
}

static int linux_faults_register(const struct os *os, int faults, void *start, size_t size)
{
    (void)os;
    struct uffdio_register range = {
        .range = {(uintptr_t)start, size},
        .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR,
    };
    return result(ioctl(faults, UFFDIO_REGISTER, &range));
}

static int linux_faults_unregister(const struct os *os, int faults, void *start, size_t size)
{
    (void)os;
    struct uffdio_range range = {(uintptr_t)start, size};
    return result(ioctl(faults, UFFDIO_UNREGISTER, &range));
}

static int linux_faults_continue(const struct os *os, int faults, void *start, size_t size, size_t *done)
{
    (void)os;
    struct uffdio_continue range = {.range = {(uintptr_t)start, size}};
    int status = result(ioctl(faults, UFFDIO_CONTINUE, &range));
    /* The kernel puts its error into `mapped` when nothing was mapped. */
    *done = status == 0 ? size : range.mapped > 0 ? (size_t)range.mapped : 0;
    return status;
}

static int linux_faults_wake(const struct os *os, int faults, void *start, size_t size)
{
    (void)os;
    struct uffdio_range range = {(uintptr_t)start, size};
    return result(ioctl(faults, UFFDIO_WAKE, &range));
}

static int linux_faults_wait(const struct os *os, int faults, int event)
{
    (void)os;
    struct pollfd sources[] = {{.fd = faults, .events = POLLIN}, {.fd = event, .events = POLLIN}};
    int status = result(poll(sources, 2, -1));
    return status == -EINTR ? 0 : status;
}

static int linux_event_create(const struct os *os)
{
    (void)os;
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return event < 0 ? -errno : event;
}

static int linux_event_set(const struct os *os, int event)
{
    (void)os;
    uint64_t one = 1;
    return write(event, &one, sizeof one) < 0 ? -errno : 0;
}

static int linux_faults_read(const struct os *os, int faults, struct os_fault *waiting, size_t maximum)
{
    (void)os;
    struct uffd_msg messages[16];
    if (maximum > sizeof messages / sizeof messages[0])
        maximum = sizeof messages / sizeof messages[0];
    ssize_t bytes = read(faults, messages, maximum * sizeof messages[0]);
    if (bytes < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    int count = 0;
    for (size_t i = 0; i < (size_t)bytes / sizeof messages[0]; i++) {
        if (messages[i].event == UFFD_EVENT_PAGEFAULT)
            waiting[count++] = (struct os_fault){(uintptr_t)messages[i].arg.pagefault.address,
                                                 (int)messages[i].arg.pagefault.feat.ptid};
    }
    return count;
}

static int linux_thread_start(const struct os *os, pthread_t *thread, const char *thread_name,
                              void *(*run)(void *), void *argument)
{
    (void)os;
    /* The new thread inherits the mask: no handler of the program ever runs on a thread of ours. */
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGSEGV);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int status = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != 0)
        return -status;
    pthread_setname_np(*thread, thread_name);
    return 0;
}

static unsigned linux_processors(const struct os *os)
{
    (void)os;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    /* More than such a set has room for. */
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

static int linux_thread_id(const struct os *os)
{
    (void)os;
    return (int)gettid();
}

static void linux_thread_name(const struct os *os, int id, char name[OS_THREAD_NAME_SIZE])
{
    (void)os;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", id);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, name, OS_THREAD_NAME_SIZE) : -1;
    if (file >= 0)
        close(file);
    if (length <= 0) {
        name[0] = '?';
        length = 2;
    }
    name[length - 1] = '\0'; /* in place of the newline */
}

static int linux_thread_signal(const struct os *os, int id)
{
    (void)os;
    return result((int)syscall(SYS_tgkill, getpid(), id, OS_STOP_SIGNAL));
}

static int linux_thread_stack(const struct os *os, uintptr_t *low, uintptr_t *high)
{
    (void)os;
    pthread_attr_t attributes;
    int status = pthread_getattr_np(pthread_self(), &attributes);
    if (status != 0)
        return -status;
    void *start;
    size_t size;
    pthread_attr_getstack(&attributes, &start, &size);
    pthread_attr_destroy(&attributes);
    *low = (uintptr_t)start;
    *high = (uintptr_t)start + size;
    return 0;
}

static void linux_word_wait(const struct os *os, const atomic_u32 *word, uint32_t value, uint64_t until)
{
    (void)os;
    struct timespec time = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
    syscall(SYS_futex, &word->word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value,
            until == OS_FOREVER ? NULL : &time, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void linux_word_wake(const struct os *os, const atomic_u32 *word)
{
    (void)os;
    syscall(SYS_futex, &word->word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX);
}

const struct os *os_linux(void)
{
    static const struct os table = {
        .name = "linux",
        .page_size = linux_page_size,
        .memory_limit = linux_memory_limit,
        .file_create = linux_file_create,
        .file_close = linux_close,
        .file_memory = linux_file_memory,
        .file_discard = linux_file_discard,
        .reserve = linux_reserve,
        .unmap = linux_unmap,
        .reserve_again = linux_reserve_again,
        .reserve_at = linux_reserve_at,
        .map_file = linux_map_file,
        .map_table = linux_map_table,
        .discard_table = linux_discard,
        .populate = linux_populate,
        .protect = linux_protect,
        .move_entries = linux_move_entries,
        .drop_entries = linux_discard,
        .faults_open = linux_faults_open,
        .faults_close = linux_close,
        .faults_register = linux_faults_register,
        .faults_unregister = linux_faults_unregister,
        .faults_continue = linux_faults_continue,
        .faults_wake = linux_faults_wake,
        .faults_wait = linux_faults_wait,
        .faults_read = linux_faults_read,
        .writes_open = os_linux_writes_open,
        .writes_close = os_linux_writes_close,
        .writes_register = os_linux_writes_register,
        .writes_unregister = os_linux_writes_unregister,
        .writes_arm = os_linux_writes_arm,
        .writes_find = os_linux_writes_find,
        .event_create = linux_event_create,
        .event_set = linux_event_set,
        .event_close = linux_close,
        .processors = linux_processors,
        .thread_id = linux_thread_id,
        .thread_name = linux_thread_name,
        .thread_signal = linux_thread_signal,
        .thread_stack = linux_thread_stack,
        .word_wait = linux_word_wait,
        .word_wake = linux_word_wake,
        .thread_start = linux_thread_start,
    };
    return &table;
}
