#include "tests/support/litmus_explorer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- the state, for telling whether it was seen before ------------------------------------------------ */

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 29;
}

static uint64_t mix_packet(uint64_t sum, const struct packet *packet)
{
    if (packet == NULL)
        return mix(sum, 1);
    sum = mix(sum, UINT64_C(2) + packet->count + (packet->shaded ? 1000 : 0));
    for (unsigned i = 0; i < packet->count; i++)
        sum = mix(sum, packet->entries[i]);
    return sum;
}

static uint64_t mix_mutators(const struct explorer *explorer, uint64_t sum)
{
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        const struct mutator_state *mutator = &explorer->mutators[m];
        sum = mix(sum, mutator->next * 64 + mutator->part * 16 + mutator->attached * 2 + mutator->asked);
        for (int r = 0; r < LITMUS_REGISTERS; r++)
            sum = mix(sum, mutator->registers[r]);
        sum = mix(sum, mutator->part != 0 ? mutator->old : 0);
        sum = mix(sum, mutator->part != 0 ? mutator->new : 0);
        sum = mix(sum, mutator->local.bump.api.cursor);
        sum = mix(sum, mutator->local.bump.api.barrier * 2 + mutator->local.bump.recording);
        const struct shale_cell_run *run = &mutator->local.bump.api.cells[cell_index(OBJECT_BYTES, false)];
        sum = mix(mix(sum, run->free), run->base);
        sum = mix_packet(sum, mutator->local.shaded);
    }
    return sum;
}

/* What is looked at of memory: there all objects are. */
static uint64_t mix_memory(const struct explorer *explorer, uint64_t sum, size_t start)
{
    sum = mix(sum, explorer->memory.live_bits[start >> CHUNK_SHIFT]);
    sum = mix(sum, atomic_u64_load(&explorer->memory.cells.taken[CELLS_WITH_SLOTS][start >> CHUNK_SHIFT]));
    const uint64_t *words = (const uint64_t *)views_alias(&explorer->memory.views, start);
    for (size_t i = 0; i < LOOKED_AT_BYTES / 8; i++)
        sum = mix(sum, words[i]);
    return sum;
}

static uint64_t mix_hits(const struct explorer *explorer, uint64_t sum)
{
    const struct conservative *conservative = &explorer->mark.conservative;
    uint32_t count = atomic_u32_load(&conservative->hits_count);
    for (uint32_t i = 0; i < count; i++)
        sum = mix(sum, conservative->hits[i]);
    return mix(sum, count);
}

static uint64_t mix_heap(const struct explorer *explorer, uint64_t sum)
{
    for (region_number r = 0; r < REGIONS_USED; r++) {
        const struct region *region = &explorer->memory.regions.regions[r];
        sum = mix(sum, atomic_u8_load(&region->state) + atomic_u8_load(&region->rescan) * 16u);
        sum = mix(sum, atomic_u32_load(&region->born_from));
        if (atomic_u8_load(&region->state) == REGION_FREE)
            continue;
        sum = mix(sum, explorer->mark.conservative.pointed[r * REGION_CHUNKS]);
        /* Each mutator has a block of its own. */
        size_t parts = explorer->program->cells ? LITMUS_MUTATORS : 1;
        for (size_t part = 0; part < parts; part++)
            sum = mix_memory(explorer, sum, region_start(r) + part * SMALL_BLOCK_SIZE);
    }
    return sum;
}

/* All that is known of written pages; objects are on the first page of a region. */
static uint64_t mix_pages(const struct explorer *explorer, uint64_t sum)
{
    if (!explorer->program->pages)
        return sum;
    for (region_number r = 0; r < REGIONS_USED; r++) {
        size_t page = region_start(r) / explorer->os.page_size;
        sum = mix(sum, explorer->os.armed[page] + explorer->os.tracked[page] * 2u);
        sum = mix(sum, atomic_u64_load(&explorer->pages.written.pages[r]));
    }
    return mix(sum, explorer->pages.rounds * 4 + explorer->pages.written.armed * 2u + explorer->stopped);
}

static uint64_t mix_tracer(const struct tracer *tracer, uint64_t sum)
{
    sum = mix(sum, (tracer->stack_count * 64 + tracer->ahead_count) * 64 + tracer->again_count);
    sum = mix(sum, tracer->reached_count);
    for (unsigned i = 0; i < tracer->reached_count; i++)
        sum = mix(sum, tracer->reached[i]);
    for (unsigned i = 0; i < tracer->stack_count; i++)
        sum = mix(sum, tracer->stack[i]);
    for (unsigned i = 0; i < tracer->ahead_count; i++)
        sum = mix(sum, tracer->ahead[i]);
    for (unsigned i = 0; i < tracer->again_count; i++)
        sum = mix(sum, tracer->again[i]);
    for (unsigned i = 0; i < tracer->held.count; i++)
        sum = mix(sum, tracer->held.bits[tracer->held.used[i]] ^ tracer->held.words[tracer->held.used[i]]);
    return sum;
}

static uint64_t mix_work(const struct explorer *explorer, uint64_t sum)
{
    const struct packet_pool *pool = &explorer->mark.work.pool;
    for (uint32_t p = (uint32_t)atomic_u64_load(&pool->full.head); p != 0;
         p = atomic_u32_load(&pool->packets[p - 1].next))
        sum = mix_packet(sum, &pool->packets[p - 1]);
    sum = mix(sum, atomic_u32_load(&explorer->mark.work.noted));
    return mix_tracer(&explorer->mark.tracers[0], sum);
}

static uint64_t state_of(const struct explorer *explorer, enum site site, uint64_t place)
{
    uint64_t sum = mix(site, place);
    sum = mix(sum, explorer->handshakes <= SCAN || explorer->stage == STAGE_DECIDED ? explorer->handshakes
                                                                                    : SCAN + 1);
    sum = mix(sum, explorer->stage * 4 + explorer->roots_locked * 2 + explorer->roots_visited);
    sum = mix(sum, explorer->slots_looked_at);
    for (int r = 0; r < LITMUS_ROOTS; r++)
        sum = mix(sum, explorer->roots[r] * 2 + explorer->shown[r]);
    sum = mix_mutators(explorer, sum);
    sum = mix_heap(explorer, sum);
    sum = mix_hits(explorer, sum);
    sum = mix_pages(explorer, sum);
    return mix_work(explorer, sum) | 1;
}

static bool seen_add(struct explorer *explorer, uint64_t state);

static void seen_grow(struct explorer *explorer)
{
    uint64_t *before = explorer->seen;
    size_t size = explorer->seen_size;
    explorer->seen_size = size != 0 ? size * 4 : 4096;
    explorer->seen = calloc(explorer->seen_size, sizeof *explorer->seen);
    assert_non_null(explorer->seen);
    explorer->seen_count = 0;
    for (size_t i = 0; i < size; i++) {
        if (before[i] != 0)
            seen_add(explorer, before[i]);
    }
    free(before);
}

/* Whether it is new. */
static bool seen_add(struct explorer *explorer, uint64_t state)
{
    if (explorer->seen_count * 2 >= explorer->seen_size)
        seen_grow(explorer);
    size_t i = (state >> 1) % explorer->seen_size;
    while (explorer->seen[i] != 0 && explorer->seen[i] != state)
        i = (i + 1) % explorer->seen_size;
    if (explorer->seen[i] == state)
        return false;
    explorer->seen[i] = state;
    explorer->seen_count++;
    return true;
}

/* ---- choosing --------------------------------------------------------------------------------------- */

static unsigned alternatives(const struct explorer *explorer, bool may_continue,
                             unsigned char found[ALTERNATIVES])
{
    unsigned count = 0;
    if (may_continue)
        found[count++] = CONTINUE;
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        const struct mutator_state *mutator = &explorer->mutators[m];
        if (mutator->attached && mutator->asked && litmus_at_safepoint(explorer, m))
            found[count++] = (unsigned char)(SERVE + m);
    }
    for (unsigned m = 0; m < explorer->program->mutators; m++) {
        if (litmus_can_step(explorer, m))
            found[count++] = (unsigned char)(STEP + m);
    }
    return count;
}

unsigned litmus_choose(struct explorer *explorer, bool may_continue, enum site site, uint64_t place)
{
    unsigned char found[ALTERNATIVES];
    unsigned count = alternatives(explorer, may_continue, found);
    assert_int_not_equal(count, 0);
    if (count == 1 || explorer->cut)
        return found[0];
    assert_true(explorer->depth < CHOICES_MAX);
    struct choice *choice = &explorer->path[explorer->depth];
    if (explorer->depth >= explorer->fixed) {
        if (!seen_add(explorer, state_of(explorer, site, place))) {
            explorer->cut = true;
            return found[0];
        }
        *choice = (struct choice){.taken = 0, .count = (unsigned char)count};
    }
    assert_int_equal(choice->count, count);
    explorer->depth++;
    return found[choice->taken];
}

/* To the next path that was not tried; false: there is none. */
bool litmus_next_path(struct explorer *explorer)
{
    while (explorer->depth != 0) {
        struct choice *last = &explorer->path[explorer->depth - 1];
        if (++last->taken < last->count) {
            explorer->fixed = explorer->depth;
            return true;
        }
        explorer->depth--;
    }
    return false;
}

/* The collector lets others go on. */
void litmus_let_go_on(struct explorer *explorer, enum site site, uint64_t place)
{
    if (explorer->stopped)
        return;
    for (;;) {
        unsigned chosen = litmus_choose(explorer, true, site, place);
        if (chosen == CONTINUE)
            return;
        litmus_take_step(explorer, chosen - STEP);
    }
}
