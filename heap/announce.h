/*
 * Telling AddressSanitizer and Valgrind which bytes of the mutator view belong to objects, so that they
 * report a use of memory that is free, dead or moved away as they would for malloc. The collector itself
 * works through the alias view, about which they are told nothing. Free calls when no tool watches.
 */
#ifndef SHALE_HEAP_ANNOUNCE_H
#define SHALE_HEAP_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define SHALE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SHALE_ASAN 1
#endif
#endif

#if defined(SHALE_ASAN)
#include <sanitizer/asan_interface.h>
#endif
#if defined(SHALE_HAVE_VALGRIND)
#include <valgrind/memcheck.h>
#endif

/* Whether a tool watches: then every object is announced as it is allocated. */
static inline bool announce_wanted(void)
{
#if defined(SHALE_ASAN)
    return true;
#elif defined(SHALE_HAVE_VALGRIND)
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

/* Whether the kernel calls of concurrent compaction are known to what runs this process. */
static inline bool announce_kernel_calls_unknown(void)
{
#if defined(SHALE_HAVE_VALGRIND)
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

/* The bytes hold no object. */
static inline void announce_free(const void *start, size_t size)
{
#if defined(SHALE_ASAN)
    ASAN_POISON_MEMORY_REGION(start, size);
#endif
#if defined(SHALE_HAVE_VALGRIND)
    VALGRIND_MAKE_MEM_NOACCESS(start, size);
#endif
    (void)start;
    (void)size;
}

/* The bytes are an object's, header included, with contents. */
static inline void announce_object(const void *start, size_t size)
{
#if defined(SHALE_ASAN)
    ASAN_UNPOISON_MEMORY_REGION(start, size);
#endif
#if defined(SHALE_HAVE_VALGRIND)
    VALGRIND_MAKE_MEM_DEFINED(start, size);
#endif
    (void)start;
    (void)size;
}

/* The word was read from memory that may hold anything, and is looked at whatever it is. */
static inline uint64_t announce_any(uint64_t word)
{
#if defined(SHALE_HAVE_VALGRIND)
    VALGRIND_MAKE_MEM_DEFINED(&word, sizeof word);
#endif
    return word;
}

/* The bytes go back to the system. */
static inline void announce_unmapped(const void *start, size_t size)
{
#if defined(SHALE_ASAN)
    ASAN_UNPOISON_MEMORY_REGION(start, size);
#endif
    (void)start;
    (void)size;
}

#endif
