#include "gc/weak.h"

#include "gc/shade.h"

/* One head for so many bytes of the heap. */
enum { BYTES_PER_HEAD = 4096 };

int weak_create(struct weak *weak, struct memory *memory)
{
    *weak = (struct weak){.memory = memory};
    weak->head_count = (uint32_t)(memory->views.regions / BYTES_PER_HEAD);
    weak->table.size = weak->head_count * (sizeof *weak->heads + sizeof *weak->used);
    int status = memory->os->map_table(memory->os, weak->table.size, &weak->table.start);
    if (status != 0)
        weak->table.size = 0;
    weak->heads = weak->table.start;
    weak->used = (uint32_t *)(weak->heads + weak->head_count);
    return status;
}

void weak_destroy(struct weak *weak)
{
    if (weak->table.size != 0)
        weak->memory->os->unmap(weak->memory->os, weak->table.start, weak->table.size);
}

static struct weak_object *weak_at(const struct weak *weak, granule_number granule)
{
    return (struct weak_object *)views_alias(&weak->memory->views, granule_start(granule));
}

static struct ephemeron_object *ephemeron_at(const struct weak *weak, granule_number granule)
{
    return (struct ephemeron_object *)views_alias(&weak->memory->views, granule_start(granule));
}

static atomic_u32 *head_of(const struct weak *weak, size_t key)
{
    /* Fibonacci hashing: neighbouring keys go to different heads. */
    uint32_t hash = (uint32_t)(key >> GRANULE_SHIFT) * UINT32_C(0x9e3779b9);
    return &weak->heads[(uint64_t)hash * weak->head_count >> 32];
}

/* Whether an address in a weak slot is that of something dead, when marking is complete; before, of something that is
 * not marked yet. What lies outside the heap never dies. */
static bool is_unmarked(const struct weak *weak, uint64_t address)
{
    size_t offset = views_offset(&weak->memory->views, address);
    return offset < weak->memory->views.size && !memory_is_live(weak->memory, offset);
}

/* ---- phases ---------------------------------------------------------------------------------------- */

void weak_begin(struct weak *weak)
{
    atomic_u32_store_full(&weak->phase, WEAK_TRACING);
}

bool weak_decide(struct weak *weak)
{
    if (atomic_u32_cas_full(&weak->phase, WEAK_TRACING, WEAK_CLEARING))
        return true;
    atomic_u32_store_full(&weak->phase, WEAK_TRACING);
    return false;
}

void weak_end(struct weak *weak)
{
    atomic_u32_store_release(&weak->phase, WEAK_OPEN);
}

/* ---- weak objects ---------------------------------------------------------------------------------- */

void weak_look(struct weak *weak, granule_number *list, granule_number granule)
{
    struct weak_object *object = weak_at(weak, granule);
    if (atomic_u32_load(&object->link) != 0 || !is_unmarked(weak, atomic_u64_load(&object->referent)))
        return;
    /* Two tracers may be looking at it [remark]. */
    if (atomic_u32_cas_full(&object->link, 0, *list))
        *list = granule;
}

void weak_clear_list(struct weak *weak, granule_number *list)
{
    while (*list != LINK_END) {
        struct weak_object *object = weak_at(weak, *list);
        *list = atomic_u32_load(&object->link);
        atomic_u32_store(&object->link, 0);
        if (is_unmarked(weak, atomic_u64_load(&object->referent)))
            atomic_u64_store(&object->referent, 0);
    }
}

/* ---- ephemerons ------------------------------------------------------------------------------------ */

/* An ephemeron is put in once, by whoever changes its link first: two tracers may be looking at it [remark]. The other
 * need not wait until it is there, since the first looks at the key again afterwards, and then at the value. */
static void wait_for_key(struct weak *weak, granule_number granule, size_t key)
{
    struct ephemeron_object *ephemeron = ephemeron_at(weak, granule);
    if (atomic_u32_load(&ephemeron->link) != 0 || !atomic_u32_cas_full(&ephemeron->link, 0, LINK_END))
        return;
    atomic_u32_store_full(&weak->waiting, 1);
    atomic_u32 *head = head_of(weak, key);
    uint32_t first;
    do {
        first = atomic_u32_load(head);
        atomic_u32_store(&ephemeron->link, first != 0 ? first : LINK_END);
    } while (!atomic_u32_cas_full(head, first, granule));
    if (first == 0)
        weak->used[atomic_u32_fetch_add(&weak->used_count, 1)] = (uint32_t)(head - weak->heads);
}

bool ephemeron_look(struct weak *weak, granule_number granule)
{
    uint64_t key = atomic_u64_load(&ephemeron_at(weak, granule)->key);
    if (key == 0) /* dead for good, and without a value */
        return false;
    if (!is_unmarked(weak, key))
        return true;
    wait_for_key(weak, granule, views_offset(&weak->memory->views, key));
    return !is_unmarked(weak, key);
}

void weak_key_marked(struct weak *weak, size_t key, granule_function look, void *argument)
{
    uint64_t address = (uint64_t)(uintptr_t)views_mutator(&weak->memory->views, key);
    granule_number granule = atomic_u32_load_acquire(head_of(weak, key));
    while (granule != 0 && granule != LINK_END) {
        const struct ephemeron_object *ephemeron = ephemeron_at(weak, granule);
        if (atomic_u64_load(&ephemeron->key) == address)
            look(argument, granule);
        granule = atomic_u32_load(&ephemeron->link);
    }
}

/* Goes through the table, as far as it is in use; those for which `keep` says so stay in it. */
static void for_each_waiting(struct weak *weak,
                             bool (*keep)(struct weak *weak, struct ephemeron_object *ephemeron),
                             granule_function look, void *argument)
{
    uint32_t used = atomic_u32_load(&weak->used_count);
    uint32_t still_used = 0;
    for (uint32_t i = 0; i < used; i++) {
        uint32_t head = weak->used[i];
        granule_number granule = atomic_u32_load(&weak->heads[head]);
        uint32_t kept = 0;
        while (granule != LINK_END) {
            struct ephemeron_object *ephemeron = ephemeron_at(weak, granule);
            granule_number next = atomic_u32_load(&ephemeron->link);
            if (keep(weak, ephemeron)) {
                atomic_u32_store(&ephemeron->link, kept != 0 ? kept : LINK_END);
                kept = granule;
            } else {
                atomic_u32_store(&ephemeron->link, 0);
                if (look != NULL)
                    look(argument, granule);
            }
            granule = next;
        }
        atomic_u32_store(&weak->heads[head], kept);
        if (kept != 0)
            weak->used[still_used++] = head;
    }
    atomic_u32_store(&weak->used_count, still_used);
    atomic_u32_store(&weak->waiting, still_used != 0);
}

static bool still_waits(struct weak *weak, struct ephemeron_object *ephemeron)
{
    return is_unmarked(weak, atomic_u64_load(&ephemeron->key));
}

struct finding {
    granule_function look;
    void *argument;
    bool any;
};

static void found(void *context, granule_number granule)
{
    struct finding *finding = context;
    finding->any = true;
    finding->look(finding->argument, granule);
}

bool weak_find_reached(struct weak *weak, granule_function look, void *argument)
{
    struct finding finding = {look, argument, false};
    if (weak_any_waiting(weak))
        for_each_waiting(weak, still_waits, found, &finding);
    return finding.any;
}

static bool clear_if_dead(struct weak *weak, struct ephemeron_object *ephemeron)
{
    if (is_unmarked(weak, atomic_u64_load(&ephemeron->key))) {
        /* In this order: who reads the value looks at the key again. */
        atomic_u64_store(&ephemeron->key, 0);
        atomic_u64_store_release(&ephemeron->value, 0);
    }
    return false;
}

void weak_clear_waiting(struct weak *weak)
{
    if (weak_any_waiting(weak))
        for_each_waiting(weak, clear_if_dead, NULL, NULL);
}

/* ---- reading --------------------------------------------------------------------------------------- */

/* What is to be done about a referent that may be dead. */
enum verdict { LIVE, WANTED, DEAD };

/* [weak-phase] `slot` is where the referent was loaded from, after the phase. */
static enum verdict judge(struct weak *weak, uint32_t phase, const atomic_u64 *slot, uint64_t referent)
{
    if (phase == WEAK_OPEN)
        return LIVE; /* the usual case, without a fence: the slot was loaded after the phase */
    for (;;) {
        if (phase == WEAK_OPEN || !is_unmarked(weak, referent))
            break;
        if (phase == WEAK_CLEARING)
            return DEAD;
        if (phase == WEAK_REPEAT || atomic_u32_cas_full(&weak->phase, WEAK_TRACING, WEAK_REPEAT))
            return WANTED;
        phase = atomic_u32_load_acquire(&weak->phase);
    }
    return atomic_u64_load_full(slot) == referent ? LIVE : DEAD;
}

uint64_t weak_read(struct weak *weak, struct work *work, struct mutator_local *local, const atomic_u64 *slot)
{
    uint32_t phase = atomic_u32_load_acquire(&weak->phase);
    uint64_t referent = atomic_u64_load_dependent(slot);
    if (referent == 0)
        return 0;
    switch (judge(weak, phase, slot, referent)) {
    case WANTED:
        shade(work, weak->memory, &local->shaded, referent);
        return referent;
    case LIVE:
        return referent;
    default:
        return 0;
    }
}

uint64_t weak_read_value(struct weak *weak, struct work *work, struct mutator_local *local,
                         const struct ephemeron_object *ephemeron)
{
    uint32_t phase = atomic_u32_load_acquire(&weak->phase);
    uint64_t key = atomic_u64_load_dependent(&ephemeron->key);
    if (key == 0)
        return 0;
    uint64_t value = atomic_u64_load_acquire(&ephemeron->value);
    switch (judge(weak, phase, &ephemeron->key, key)) {
    case WANTED:
        shade(work, weak->memory, &local->shaded, key);
        shade(work, weak->memory, &local->shaded, value);
        return value;
    case LIVE:
        return value;
    default:
        return 0;
    }
}
