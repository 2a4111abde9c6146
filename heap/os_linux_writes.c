#include "heap/os_linux_writes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Headers older than the kernel do not have these; see Documentation/admin-guide/mm/pagemap.rst. */
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#ifndef PAGEMAP_SCAN
#define PAGE_IS_WRITTEN (1 << 1)
#define PM_SCAN_WP_MATCHING (1 << 0)
#define PM_SCAN_CHECK_WPASYNC (1 << 1)
struct page_region {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};
struct pm_scan_arg {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t vec;
    uint64_t vec_len;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
};
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif

/* Ranges that the kernel is asked for at once. */
enum { RANGES_AT_ONCE = 128 };

static int ask_for_tracking(int source)
{
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC};
    if (ioctl(source, UFFDIO_API, &api) == 0)
        return 0;
    return errno == EINVAL ? -EOPNOTSUPP : -errno;
}

/* PAGEMAP_SCAN of nothing: whether it is known. */
static int try_scan(int map)
{
    struct pm_scan_arg nothing = {.size = sizeof nothing, .flags = PM_SCAN_WP_MATCHING};
    if (ioctl(map, PAGEMAP_SCAN, &nothing) >= 0)
        return 0;
    return errno == ENOTTY || errno == EINVAL ? -EOPNOTSUPP : -errno;
}

int os_linux_writes_open(const struct os *os, struct os_writes *writes)
{
    (void)os;
    const char *how;
    int source = os_linux_userfaultfd(&how);
    if (source < 0)
        return source;
    int status = ask_for_tracking(source);
    int map = status == 0 ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
    if (status == 0)
        status = map < 0 ? -errno : try_scan(map);
    if (status != 0) {
        if (map >= 0)
            close(map);
        close(source);
        return status;
    }
    *writes = (struct os_writes){.source = source, .map = map};
    return 0;
}

int os_linux_writes_close(const struct os *os, const struct os_writes *writes)
{
    (void)os;
    int status = close(writes->map) == 0 ? 0 : -errno;
    return close(writes->source) == 0 ? status : -errno;
}

int os_linux_writes_register(const struct os *os, const struct os_writes *writes, void *start, size_t size)
{
    (void)os;
    struct uffdio_register range = {.range = {(uintptr_t)start, size}, .mode = UFFDIO_REGISTER_MODE_WP};
    return ioctl(writes->source, UFFDIO_REGISTER, &range) == 0 ? 0 : -errno;
}

int os_linux_writes_unregister(const struct os *os, const struct os_writes *writes, void *start, size_t size)
{
    (void)os;
    struct uffdio_range range = {(uintptr_t)start, size};
    return ioctl(writes->source, UFFDIO_UNREGISTER, &range) == 0 ? 0 : -errno;
}

int os_linux_writes_arm(const struct os *os, const struct os_writes *writes, void *start, size_t size)
{
    (void)os;
    struct pm_scan_arg scan = {
        .size = sizeof scan,
        .flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
        .start = (uintptr_t)start,
        .end = (uintptr_t)start + size,
        .category_mask = PAGE_IS_WRITTEN,
        .return_mask = PAGE_IS_WRITTEN,
    };
    return ioctl(writes->map, PAGEMAP_SCAN, &scan) >= 0 ? 0 : -errno;
}

/* All three masks are the same on purpose: for just this question the kernel counts a page without an entry as written
 * unless a marker says that it is armed. An entry goes when memory is swapped out, and with it, if the page had been
 * written, all that is known of it. */
int os_linux_writes_find(const struct os *os, const struct os_writes *writes, const struct os_range *among,
                         bool rearm, struct os_range *ranges, size_t maximum, uintptr_t *end)
{
    (void)os;
    struct page_region found[RANGES_AT_ONCE];
    size_t count = 0;
    *end = among->start;
    while (*end < among->end && count < maximum) {
        size_t room = maximum - count < RANGES_AT_ONCE ? maximum - count : RANGES_AT_ONCE;
        struct pm_scan_arg scan = {
            .size = sizeof scan,
            .flags = PM_SCAN_CHECK_WPASYNC | (rearm ? PM_SCAN_WP_MATCHING : 0),
            .start = *end,
            .end = among->end,
            .vec = (uintptr_t)found,
            .vec_len = room,
            .category_mask = PAGE_IS_WRITTEN,
            .category_anyof_mask = PAGE_IS_WRITTEN,
            .return_mask = PAGE_IS_WRITTEN,
        };
        int regions = ioctl(writes->map, PAGEMAP_SCAN, &scan);
        if (regions < 0)
            return -errno;
        if (scan.walk_end <= *end)
            return -EIO;
        for (int i = 0; i < regions; i++)
            ranges[count++] = (struct os_range){(uintptr_t)found[i].start, (uintptr_t)found[i].end};
        *end = (uintptr_t)scan.walk_end;
    }
    return (int)count;
}
