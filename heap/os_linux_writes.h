/*
 * The part of os_linux that finds written pages: userfaultfd's asynchronous write protection, and PAGEMAP_SCAN (both
 * Linux 6.7).
 */
#ifndef SHALE_HEAP_OS_LINUX_WRITES_H
#define SHALE_HEAP_OS_LINUX_WRITES_H

#include "heap/os.h"

/* A userfaultfd descriptor on which nothing was asked for yet, or a negative errno value; `how` is set to the way it was
 * had. */
int os_linux_userfaultfd(const char **how);

int os_linux_writes_open(const struct os *os, struct os_writes *writes);
int os_linux_writes_close(const struct os *os, const struct os_writes *writes);
int os_linux_writes_register(const struct os *os, const struct os_writes *writes, void *start, size_t size);
int os_linux_writes_unregister(const struct os *os, const struct os_writes *writes, void *start, size_t size);
int os_linux_writes_arm(const struct os *os, const struct os_writes *writes, void *start, size_t size);
int os_linux_writes_find(const struct os *os, const struct os_writes *writes, const struct os_range *among,
                         bool rearm, struct os_range *ranges, size_t maximum, uintptr_t *end);

#endif
