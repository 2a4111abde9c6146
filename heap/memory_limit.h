/*
 * How much memory this process may use: the machine's, or less where a memory cgroup says so.
 *
 * Pure but for the function that reads files, which is handed in, so that tests make up the files. What cannot be
 * read or understood limits nothing.
 *
 * In both versions of cgroups a process is in one group, and the limits of all groups above it hold too.
 * /proc/self/cgroup names the group, /proc/self/mountinfo where the tree of groups is mounted and, in a container,
 * which group is shown at the mount point. Where no mount is found the usual places are tried.
 */
#ifndef SHALE_HEAP_MEMORY_LIMIT_H
#define SHALE_HEAP_MEMORY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the start of a text file, ended with 0, into `text` of `size` bytes. Returns whether there was any. */
typedef bool (*memory_limit_read)(void *context, const char *path, char *text, size_t size);

/* Bytes: `physical`, or the least limit of a cgroup that this process is in. */
uint64_t memory_limit_find(uint64_t physical, memory_limit_read read, void *context);

#endif
