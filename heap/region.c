#include "heap/region.h"

void region_table_init(struct region_table *table, struct region *regions, region_number count)
{
    pthread_mutex_init(&table->lock, NULL);
    table->regions = regions;
    table->count = count;
    table->resident_head = REGION_NONE;
    table->discarded_head = REGION_NONE;
    table->resident_count = 0;
    table->untouched = 0;
    atomic_u32_store(&table->free_count, count);
}

void region_table_destroy(struct region_table *table)
{
    pthread_mutex_destroy(&table->lock);
}

static region_number pop(struct region_table *table, region_number *head)
{
    region_number region = *head;
    if (region != REGION_NONE)
        *head = table->regions[region].next_free;
    return region;
}

static void push(struct region_table *table, region_number *head, region_number region)
{
    table->regions[region].next_free = *head;
    *head = region;
}

static void add_free(struct region_table *table, int change)
{
    atomic_u32_store(&table->free_count, atomic_u32_load(&table->free_count) + (uint32_t)change);
}

static region_number pop_free(struct region_table *table)
{
    region_number region = pop(table, &table->resident_head);
    if (region != REGION_NONE) {
        table->resident_count--;
        return region;
    }
    region = pop(table, &table->discarded_head);
    if (region == REGION_NONE && table->untouched < table->count)
        region = table->untouched++;
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
        atomic_u8_store(&taken->asked, 0);
        atomic_u32_store(&taken->generation, atomic_u32_load(&taken->generation) + 1);
        atomic_u8_store(&taken->state, (uint8_t)state);
    }
    pthread_mutex_unlock(&table->lock);
    return region;
}

void region_set_state(struct region_table *table, region_number region, enum region_state state)
{
    pthread_mutex_lock(&table->lock);
    atomic_u8_store(&table->regions[region].state, (uint8_t)state);
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
    pthread_mutex_unlock(&table->lock);
}

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

void region_free(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    struct region *freed = &table->regions[region];
    atomic_u8_store(&freed->state, REGION_FREE);
    freed->dirty = true;
    push(table, &table->resident_head, region);
    table->resident_count++;
    add_free(table, 1);
    pthread_mutex_unlock(&table->lock);
}

region_number region_take_resident(struct region_table *table, uint32_t keep)
{
    pthread_mutex_lock(&table->lock);
    region_number region = REGION_NONE;
    if (table->resident_count > keep) {
        region = pop(table, &table->resident_head);
        table->resident_count--;
        add_free(table, -1);
    }
    pthread_mutex_unlock(&table->lock);
    return region;
}

void region_return_discarded(struct region_table *table, region_number region)
{
    pthread_mutex_lock(&table->lock);
    table->regions[region].dirty = false;
    push(table, &table->discarded_head, region);
    add_free(table, 1);
    pthread_mutex_unlock(&table->lock);
}
