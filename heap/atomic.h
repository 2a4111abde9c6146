/*
 * Typed atomics over libatomic_ops. Invariant: a field of one of these types is only ever read and written
 * through the functions below, so the ordering of every access can be read off its name. Unmarked loads and
 * stores are relaxed.
 */
#ifndef SHALE_HEAP_ATOMIC_H
#define SHALE_HEAP_ATOMIC_H

#include <atomic_ops.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct atomic_u8 {
    volatile unsigned char word;
} atomic_u8;

typedef struct atomic_u32 {
    volatile unsigned int word;
} atomic_u32;

typedef struct atomic_u64 {
    volatile AO_t word;
} atomic_u64;

_Static_assert(sizeof(AO_t) == sizeof(uint64_t), "Shale needs a 64-bit machine");

static inline uint8_t atomic_u8_load(const atomic_u8 *a)
{
    return AO_char_load(&a->word);
}

static inline uint8_t atomic_u8_load_acquire(const atomic_u8 *a)
{
    return AO_char_load_acquire(&a->word);
}

static inline void atomic_u8_store(atomic_u8 *a, uint8_t value)
{
    AO_char_store(&a->word, value);
}

static inline void atomic_u8_store_release(atomic_u8 *a, uint8_t value)
{
    AO_char_store_release(&a->word, value);
}

/* Ordered with everything before and after it. */
static inline void atomic_u8_store_full(atomic_u8 *a, uint8_t value)
{
    AO_char_store_full(&a->word, value);
}

static inline bool atomic_u8_cas_acquire(atomic_u8 *a, uint8_t expected, uint8_t value)
{
    return AO_char_compare_and_swap_acquire(&a->word, expected, value) != 0;
}

static inline uint32_t atomic_u32_load(const atomic_u32 *a)
{
    return AO_int_load(&a->word);
}

static inline uint32_t atomic_u32_load_acquire(const atomic_u32 *a)
{
    return AO_int_load_acquire(&a->word);
}

static inline void atomic_u32_store(atomic_u32 *a, uint32_t value)
{
    AO_int_store(&a->word, value);
}

static inline void atomic_u32_store_release(atomic_u32 *a, uint32_t value)
{
    AO_int_store_release(&a->word, value);
}

/* Ordered with everything before and after it. */
static inline void atomic_u32_store_full(atomic_u32 *a, uint32_t value)
{
    AO_int_store_full(&a->word, value);
}

static inline uint32_t atomic_u32_fetch_add(atomic_u32 *a, uint32_t value)
{
    return AO_int_fetch_and_add(&a->word, value);
}

static inline uint64_t atomic_u64_load(const atomic_u64 *a)
{
    return AO_load(&a->word);
}

static inline uint32_t atomic_u32_fetch_add_full(atomic_u32 *a, uint32_t value)
{
    return AO_int_fetch_and_add_full(&a->word, value);
}

static inline bool atomic_u32_cas_full(atomic_u32 *a, uint32_t expected, uint32_t value)
{
    return AO_int_compare_and_swap_full(&a->word, expected, value) != 0;
}

/* Sets the bits of `mask`. */
static inline void atomic_u64_or_release(atomic_u64 *a, uint64_t mask)
{
    AO_or_release(&a->word, mask);
}

/* Clears the bits that `mask` does not have. */
static inline void atomic_u64_and_release(atomic_u64 *a, uint64_t mask)
{
    AO_and_release(&a->word, mask);
}

static inline bool atomic_u64_cas_release(atomic_u64 *a, uint64_t expected, uint64_t value)
{
    return AO_compare_and_swap_release(&a->word, expected, value) != 0;
}

/* Ordered with everything before and after it. */
static inline uint64_t atomic_u64_load_full(const atomic_u64 *a)
{
    return AO_load_full(&a->word);
}

/* Loads what a pointer leads to that another thread has published with a release store: what is read through the
 * loaded value is at least as new as the publication. The processors that matter order a load after the one that
 * gave it its address; only a checking tool has to be told. */
static inline uint64_t atomic_u64_load_dependent(const atomic_u64 *a)
{
#if defined(__SANITIZE_THREAD__)
    return AO_load_acquire(&a->word);
#else
    return AO_load_dd_acquire_read(&a->word);
#endif
}

static inline uint64_t atomic_u64_load_acquire(const atomic_u64 *a)
{
    return AO_load_acquire(&a->word);
}

static inline void atomic_u64_store(atomic_u64 *a, uint64_t value)
{
    AO_store(&a->word, value);
}

static inline void atomic_u64_store_release(atomic_u64 *a, uint64_t value)
{
    AO_store_release(&a->word, value);
}

static inline uint64_t atomic_u64_fetch_add(atomic_u64 *a, uint64_t value)
{
    return AO_fetch_and_add(&a->word, value);
}

static inline bool atomic_u64_cas_full(atomic_u64 *a, uint64_t expected, uint64_t value)
{
    return AO_compare_and_swap_full(&a->word, expected, value) != 0;
}

/* Orders all accesses before it with all after it, as every other thread's fences and full accesses do. */
static inline void atomic_fence_full(void)
{
    AO_nop_full();
}

/* A function that reads memory which belongs to others, and may be anything: checking tools do not look at it. */
#if defined(__SANITIZE_ADDRESS__)
#define SHALE_UNCHECKED __attribute__((no_sanitize("address", "undefined")))
#elif defined(__SANITIZE_THREAD__)
#define SHALE_UNCHECKED __attribute__((no_sanitize("thread")))
#elif defined(__clang__)
#define SHALE_UNCHECKED __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define SHALE_UNCHECKED
#endif

/* Orders accesses as far as a signal handler or debugger on this thread can see them. */
static inline void atomic_fence_compiler(void)
{
    AO_compiler_barrier();
}

/* What a loop that waits for another thread does between two looks. */
static inline void atomic_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
