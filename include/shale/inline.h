/*
 * The inline fast paths of <shale/shale.h>. Include that header, not this one.
 *
 * The layouts below are part of the library's binary interface but not of its programming interface: only
 * the inline functions here may name the fields. Who writes what:
 *
 *  shale_mutator.cursor, limit   the owning thread; the collector while that thread is stopped or native, the cursor
 *                                only if the mutator is not conservative
 *  shale_mutator.poll            the collector, at any time (relaxed); read by shale_poll
 *  shale_mutator.barrier         the owning thread in a handshake; the collector while it is stopped or native
 *  shale_mutator.frames          the owning thread; read by the collector while it is stopped or native
 *  shale_mutator.scopes, local_next, local_limit   the same
 *  shale_mutator.cells           the owning thread; read by the collector while that is stopped, native or in a handshake
 *  shale_type, shale_handle      see the fields
 *
 * A thread whose mutator is conservative may be stopped between any two instructions below. What it has written by then
 * is in the order of the text wherever that matters: SHALE_ORDER keeps the compiler from changing it, and costs nothing.
 */
#ifndef SHALE_INLINE_H
#define SHALE_INLINE_H

#ifndef SHALE_H
#error "include <shale/shale.h> instead"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SHALE_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define SHALE_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define SHALE_ORDER() __atomic_signal_fence(__ATOMIC_RELEASE)

/* Size classes of objects that never move, for objects with slots and without, and one that is always empty. */
#define SHALE_CELL_RUNS 83

/* Free cells of one class: zero, and the thread's. */
struct shale_cell_run {
    uint64_t free; /* bit i: the one at base + 16 * i */
    uintptr_t base;
};

struct shale_mutator {
    uintptr_t cursor; /* address of the next object */
    uintptr_t limit;  /* an object fits when the one after it would start at or below this */
    uint32_t poll;    /* not 0: stop at the next safepoint */
    uint32_t
        barrier; /* not 0: stores call shale_barrier_slow first; never 0 if the mutator is conservative */
    shale_frame *frames;
    shale_scope *scopes;       /* the innermost open one */
    shale_handle *local_next;  /* the next local handle */
    shale_handle *local_limit; /* not equal to local_next: there is one */
    struct shale_cell_run cells[SHALE_CELL_RUNS];
};

/* Immutable after registration. */
struct shale_type {
    uint64_t header;       /* the word in front of an object of length 0 */
    uint32_t size;         /* bytes from one such object to the next */
    uint32_t element_size; /* bytes, 0 without an array */
    uint32_t array_base;   /* fixed part + header + what rounding up needs */
    uint32_t length_max;   /* the longest array that is no large object */
    uint32_t cells;        /* the run that an object of length 0 is taken from when it is pinned */
};

/* The collector rewrites `object` inside the flip, that of a local handle the thread it belongs to before it runs on;
 * mutators write it by shale_handle_set. */
struct shale_handle {
    void *object;
};

SHALE_API void *shale_allocate_slow(shale_mutator *mutator, const shale_type *type, size_t length);
SHALE_API void *shale_allocate_pinned_slow(shale_mutator *mutator, const shale_type *type, size_t length);
SHALE_API void shale_poll_slow(shale_mutator *mutator);
/* Returns whether it has made the store as well. */
SHALE_API bool shale_barrier_slow(shale_mutator *mutator, void *object, void *slot, uint64_t word,
                                  bool value);
SHALE_API shale_handle *shale_local_slow(shale_mutator *mutator, void *object);
SHALE_API shale_status shale_scope_close_slow(shale_mutator *mutator, shale_scope *scope);

/* The header is written before the cursor: all objects below the cursor are complete (heap/bump.h). */
static inline void *shale_allocate(shale_mutator *mutator, const shale_type *type)
{
    uintptr_t address = mutator->cursor;
    uintptr_t next = address + type->size;
    if (SHALE_UNLIKELY(next > mutator->limit))
        return shale_allocate_slow(mutator, type, 0);
    ((uint64_t *)address)[-1] = type->header;
    SHALE_ORDER();
    mutator->cursor = next;
    return (void *)address;
}

static inline void *shale_allocate_array(shale_mutator *mutator, const shale_type *type, size_t length)
{
    if (SHALE_UNLIKELY(length > type->length_max))
        return shale_allocate_slow(mutator, type, length);
    uintptr_t address = mutator->cursor;
    uintptr_t next = address + ((type->array_base + length * type->element_size) & ~(size_t)15);
    if (SHALE_UNLIKELY(next > mutator->limit))
        return shale_allocate_slow(mutator, type, length);
    ((uint64_t *)address)[-1] = type->header | (uint64_t)length << 32;
    SHALE_ORDER();
    mutator->cursor = next;
    return (void *)address;
}

/* The header is there before the cell leaves the run, and is written at once: whoever looks at the cell meanwhile finds
 * no object or a whole one. */
static inline void *shale_allocate_pinned(shale_mutator *mutator, const shale_type *type)
{
    struct shale_cell_run *run = &mutator->cells[type->cells];
    uint64_t free = run->free;
    if (SHALE_UNLIKELY(free == 0))
        return shale_allocate_pinned_slow(mutator, type, 0);
    uintptr_t address = run->base + ((uintptr_t)__builtin_ctzll(free) << 4);
    __atomic_store_n((uint64_t *)address - 1, type->header, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    run->free = free & (free - 1);
    return (void *)address;
}

static inline void *shale_allocate_pinned_array(shale_mutator *mutator, const shale_type *type, size_t length)
{
    return shale_allocate_pinned_slow(mutator, type, length);
}

static inline void shale_poll(shale_mutator *mutator)
{
    if (SHALE_UNLIKELY(__atomic_load_n(&mutator->poll, __ATOMIC_RELAXED) != 0))
        shale_poll_slow(mutator);
}

/* The store is a release store, so that a thread that finds a new object through the slot also finds the
 * object's header. */
static inline void shale_store(shale_mutator *mutator, void *object, void *slot, void *value)
{
    if (SHALE_UNLIKELY(mutator->barrier != 0) &&
        shale_barrier_slow(mutator, object, slot, (uint64_t)(uintptr_t)value, false))
        return;
    __atomic_store_n((uint64_t *)slot, (uint64_t)(uintptr_t)value, __ATOMIC_RELEASE);
}

static inline void shale_store_value(shale_mutator *mutator, void *object, shale_value *slot,
                                     shale_value value)
{
    if (SHALE_UNLIKELY(mutator->barrier != 0) && shale_barrier_slow(mutator, object, slot, value, true))
        return;
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

static inline void shale_store_root(shale_mutator *mutator, void *slot, void *value)
{
    shale_store(mutator, NULL, slot, value);
}

static inline void shale_store_root_value(shale_mutator *mutator, shale_value *slot, shale_value value)
{
    shale_store_value(mutator, NULL, slot, value);
}

/* Atomic, since another thread may be asking for the object's identity hash, which sets bits of the header. */
static inline size_t shale_length_of(const void *object)
{
    size_t length = (size_t)(__atomic_load_n((const uint64_t *)object - 1, __ATOMIC_RELAXED) >> 32);
    return SHALE_LIKELY(length != 0xffffffff) ? length : (size_t)((const uint64_t *)object)[-2];
}

static inline void shale_frame_push_kind(shale_mutator *mutator, shale_frame *frame, void *slots,
                                         size_t count, bool values)
{
    frame->outer = mutator->frames;
    frame->slots = slots;
    frame->count = count;
    frame->values = values;
    SHALE_ORDER();
    mutator->frames = frame;
}

static inline void shale_frame_push(shale_mutator *mutator, shale_frame *frame, void *locals, size_t count)
{
    shale_frame_push_kind(mutator, frame, locals, count, false);
}

static inline void shale_frame_push_values(shale_mutator *mutator, shale_frame *frame, shale_value *locals,
                                           size_t count)
{
    shale_frame_push_kind(mutator, frame, locals, count, true);
}

static inline void shale_frame_pop(shale_mutator *mutator, shale_frame *frame)
{
    mutator->frames = frame->outer;
}

static inline void *shale_handle_get(const shale_handle *handle)
{
    return handle->object;
}

static inline void shale_scope_open(shale_mutator *mutator, shale_scope *scope)
{
    scope->outer = mutator->scopes;
    scope->next = mutator->local_next;
    scope->limit = mutator->local_limit;
    mutator->scopes = scope;
}

static inline shale_handle *shale_local(shale_mutator *mutator, void *object)
{
    shale_handle *handle = mutator->local_next;
    if (SHALE_UNLIKELY(handle == mutator->local_limit || mutator->scopes == NULL))
        return shale_local_slow(mutator, object);
    handle->object = object;
    SHALE_ORDER();
    mutator->local_next = handle + 1;
    return handle;
}

static inline shale_status shale_scope_close(shale_mutator *mutator, shale_scope *scope)
{
    if (SHALE_UNLIKELY(mutator->scopes != scope || mutator->local_limit != scope->limit))
        return shale_scope_close_slow(mutator, scope);
    mutator->local_next = scope->next;
    mutator->scopes = scope->outer;
    return SHALE_OK;
}

#ifdef __cplusplus
}
#endif

#endif
