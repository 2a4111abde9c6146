#include "heap/region.h"

void region_table_init(struct region_table *table, struct region *regions, region_number count)
{
    pthread_mutex_init(&table->lock, NULL);
    table->regions = regions;
    table->count = count;
    table->resident_head = REGION_NONE;
    table->resident_tail = REGION_NONE;
    table->discarded_head = REGION_NONE;
    table->late = REGION_NONE;
    atomic_u32_store(&table->resident_count, 0);
    atomic_u32_store(&table->touched, 0);
    table->now = 0;
    atomic_u32_store(&table->free_count, count);
}

void region_table_destroy(struct region_table *table)
{
    pthread_mutex_destroy(&table->lock);
}

static void add_resident(struct region_table *table, int change)
{
    atomic_u32_store(&table->resident_count, atomic_u32_load(&table->resident_count) + (uint32_t)change);
}

/* Links a region in at the head of the resident ones, or takes any of them out. */
static void link_resident(struct region_table *table, region_number region)
{
    region_number next = table->resident_head;
    table->regions[region].next_free = next;
    table->regions[region].previous_free = REGION_NONE;
    if (next != REGION_NONE)
        table->regions[next].previous_free = region;
    else
        table->resident_tail = region;
    table->resident_head = region;
    add_resident(table, 1);
}

static void unlink_resident(struct region_table *table, region_number region)
{
    region_number next = table->regions[region].next_free;
    region_number previous = table->regions[region].previous_free;
    if (next != REGION_NONE)
        table->regions[next].previous_free = previous;
    else
        table->resident_tail = previous;
    if (previous != REGION_NONE)
        table->regions[previous].next_free = next;
    else
        table->resident_head = next;
    add_resident(table, -1);
}

static void add_free(struct region_table *table, int change)
{
    atomic_u32_store(&table->free_count, atomic_u32_load(&table->free_count) + (uint32_t)change);
}

static region_number pop_hole(struct region_table *table)
{
    region_number region = table->discarded_head;
    if (region != REGION_NONE)
        table->discarded_head = table->regions[region].next_free;
    else if (region_touched(table) < table->count) {
        region = region_touched(table);
        atomic_u32_store(&table->touched, region + 1);
    }
    return region;
}

static region_number pop_free(struct region_table *table)
{
    region_number region = table->resident_head;
    if (region == REGION_NONE)
        return pop_hole(table);
    unlink_resident(table, region);
    return region;
}

region_number region_take(struct region_table *table, enum region_state state, uint32_t reserve)
{
    pthread_mutex_lock(&table->lock);
    region_number region = REGION_NONE;
    if (atomic_u32_load(&table->free_count) > reserve) {
        region = pop_free(table);
        add_free(table, -1);
        struct region *taken = &table->regions[region];
        taken->top = 0;
        taken->live_bytes = 0;
        taken->largest = 0;
        atomic_u32_store(&taken->born_from, REGION_SIZE);
        atomic_u32_store(&taken->scanned_to, 0);
        atomic_u8_store(&taken->asked, 0);
        atomic_u8_store(&taken->kept, 0);
        atomic_u32_store(&taken->generation, atomic_u32_load(&taken->generation) + 1);
        atomic_u8_store(&taken->state, (uint8_t)state);
    }
    pthread_mutex_unlock(&table->lock);
    return region;
}

void region_set_state(struct region_table *table, region_number region, enum region_state state)
{
    pthread_mutex_lock(&table->lock);
    atomic_u8_store_release(&table->regions[region].state, (uint8_t)state);
    pthread_mutex_unlock(&table->lock);
}

void region_begin_cycle(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    struct region *begun = &table->regions[region];
    if (atomic_u8_load(&begun->state) == REGION_BORN)
        atomic_u8_store(&begun->state, REGION_USED);
    begun->live_bytes = 0;
    begun->largest = 0;
    atomic_u32_store(&begun->born_from, REGION_SIZE);
    atomic_u8_store(&begun->kept, 0);
    pthread_mutex_unlock(&table->lock);
}

/* ---- pins ------------------------------------------------------------------------------------------ */

static bool must_stay(const struct region *region)
{
    return atomic_u32_load(&region->pins) != 0 || atomic_u8_load(&region->kept) != 0;
}

/* The lock is held. The region must stay from now on. */
static void note_late(struct region_table *table, region_number number)
{
    struct region *region = &table->regions[number];
    if (atomic_u8_load(&region->state) != REGION_EVACUATED || region->late)
        return;
    region->late = true;
    region->next_late = table->late;
    table->late = number;
}

void region_pin(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    atomic_u32 *pins = &table->regions[region].pins;
    atomic_u32_store(pins, atomic_u32_load(pins) + 1);
    note_late(table, region);
    pthread_mutex_unlock(&table->lock);
}

void region_unpin(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    atomic_u32 *pins = &table->regions[region].pins;
    atomic_u32_store(pins, atomic_u32_load(pins) - 1);
    pthread_mutex_unlock(&table->lock);
}

void region_keep_this_cycle(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    atomic_u8_store(&table->regions[region].kept, 1);
    note_late(table, region);
    pthread_mutex_unlock(&table->lock);
}

void region_note_pins(struct region_table *table, struct region_pins *found)
{
    *found = (struct region_pins){0};
    for (region_number r = 0, touched = region_touched(table); r < touched; r++) {
        struct region *region = &table->regions[r];
        bool pinned = atomic_u32_load(&region->pins) != 0;
        region->stays = pinned || atomic_u8_load(&region->kept) != 0;
        region->pinned_cycles = pinned ? region->pinned_cycles + 1 : 0;
        if (!pinned)
            continue;
        found->regions++;
        if (region->pinned_cycles < REGION_PINNED_LONG || atomic_u8_load(&region->state) != REGION_USED)
            continue;
        found->long_regions++;
        found->long_bytes += REGION_SIZE - region->live_bytes;
    }
}

bool region_evacuate(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    bool may = !must_stay(&table->regions[region]);
    if (may)
        atomic_u8_store_release(&table->regions[region].state, REGION_EVACUATED);
    pthread_mutex_unlock(&table->lock);
    return may;
}

void region_hold_back(struct region_table *table, region_number region)
{
    region_set_state(table, region, REGION_USED);
}

region_number region_take_late(struct region_table *table)
{
    pthread_mutex_lock(&table->lock);
    region_number taken;
    do {
        taken = table->late;
        if (taken == REGION_NONE)
            break;
        table->late = table->regions[taken].next_late;
        table->regions[taken].late = false;
    } while (!must_stay(&table->regions[taken]));
    pthread_mutex_unlock(&table->lock);
    return taken;
}

/* ---- counts and freeing ---------------------------------------------------------------------------- */

void region_add_live(struct region_table *table, region_number region, uint32_t bytes, uint32_t largest)
{
    pthread_mutex_lock(&table->lock);
    struct region *marked = &table->regions[region];
    atomic_u8_store(&marked->marked, 1);
    marked->live_bytes += bytes;
    if (marked->largest < largest)
        marked->largest = largest;
    pthread_mutex_unlock(&table->lock);
}

bool region_lend(struct region_table *table, uint32_t count, uint32_t reserve)
{
    pthread_mutex_lock(&table->lock);
    bool enough = count == 0 || region_free_count(table) >= (uint64_t)count + reserve;
    if (enough)
        add_free(table, -(int)count);
    pthread_mutex_unlock(&table->lock);
    return enough;
}

void region_return_lent(struct region_table *table, uint32_t count)
{
    pthread_mutex_lock(&table->lock);
    add_free(table, (int)count);
    pthread_mutex_unlock(&table->lock);
}

void region_free(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    struct region *freed = &table->regions[region];
    atomic_u8_store(&freed->state, REGION_FREE);
    freed->dirty = true;
    freed->freed_at = table->now;
    link_resident(table, region);
    add_free(table, 1);
    pthread_mutex_unlock(&table->lock);
}

void region_table_set_time(struct region_table *table, uint64_t now)
{
    pthread_mutex_lock(&table->lock);
    table->now = now;
    pthread_mutex_unlock(&table->lock);
}

bool region_oldest(struct region_table *table, uint64_t *freed_at)
{
    pthread_mutex_lock(&table->lock);
    region_number oldest = table->resident_tail;
    if (oldest != REGION_NONE)
        *freed_at = table->regions[oldest].freed_at;
    pthread_mutex_unlock(&table->lock);
    return oldest != REGION_NONE;
}

region_number region_take_oldest(struct region_table *table, uint64_t time)
{
    pthread_mutex_lock(&table->lock);
    region_number region = table->resident_tail;
    if (region != REGION_NONE && table->regions[region].freed_at > time)
        region = REGION_NONE;
    if (region != REGION_NONE) {
        unlink_resident(table, region);
        add_free(table, -1);
    }
    pthread_mutex_unlock(&table->lock);
    return region;
}

void region_return_discarded(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    struct region *discarded = &table->regions[region];
    discarded->dirty = false;
    discarded->next_free = table->discarded_head;
    table->discarded_head = region;
    add_free(table, 1);
    pthread_mutex_unlock(&table->lock);
}

region_number region_take_hole(struct region_table *table, uint32_t reserve)
{
    pthread_mutex_lock(&table->lock);
    region_number region = REGION_NONE;
    if (region_free_count(table) > reserve)
        region = pop_hole(table);
    if (region != REGION_NONE)
        add_free(table, -1);
    pthread_mutex_unlock(&table->lock);
    return region;
}

void region_return_zero(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    struct region *prepared = &table->regions[region];
    prepared->dirty = false;
    prepared->freed_at = table->now;
    link_resident(table, region);
    add_free(table, 1);
    pthread_mutex_unlock(&table->lock);
}
