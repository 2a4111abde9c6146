#include "gc/packet.h"

/* Memory of this many packets is kept from cycle to cycle. */
enum { PACKETS_KEPT = 256 };

int packet_pool_create(struct packet_pool *pool, const struct os *os, uint32_t limit)
{
    *pool = (struct packet_pool){.os = os, .limit = limit};
    void *start = NULL;
    int status = os->map_table(os, limit * sizeof(struct packet), &start);
    pool->packets = status == 0 ? start : NULL;
    return status;
}

void packet_pool_destroy(struct packet_pool *pool)
{
    if (pool->packets != NULL)
        pool->os->unmap(pool->os, pool->packets, pool->limit * sizeof(struct packet));
}

static void push(struct packet_pool *pool, struct packet_stack *stack, struct packet *packet)
{
    uint64_t number = (uint64_t)(packet - pool->packets) + 1;
    for (;;) {
        uint64_t head = atomic_u64_load(&stack->head);
        atomic_u32_store(&packet->next, (uint32_t)head);
        if (atomic_u64_cas_full(&stack->head, head, (((head >> 32) + 1) << 32) | number))
            return;
    }
}

static struct packet *pop(struct packet_pool *pool, struct packet_stack *stack)
{
    for (;;) {
        uint64_t head = atomic_u64_load_acquire(&stack->head);
        if ((uint32_t)head == 0)
            return NULL;
        struct packet *packet = &pool->packets[(uint32_t)head - 1];
        uint64_t next = atomic_u32_load(&packet->next);
        if (atomic_u64_cas_full(&stack->head, head, (((head >> 32) + 1) << 32) | next))
            return packet;
    }
}

struct packet *packet_take_free(struct packet_pool *pool)
{
    struct packet *packet = pop(pool, &pool->free);
    if (packet == NULL) {
        uint32_t number = atomic_u32_load(&pool->untouched);
        while (number < pool->limit && !atomic_u32_cas_full(&pool->untouched, number, number + 1))
            number = atomic_u32_load(&pool->untouched);
        if (number >= pool->limit)
            return NULL;
        packet = &pool->packets[number];
    }
    packet->count = 0;
    packet->shaded = false;
    return packet;
}

void packet_give_free(struct packet_pool *pool, struct packet *packet)
{
    push(pool, &pool->free, packet);
}

struct packet *packet_take_full(struct packet_pool *pool)
{
    return pop(pool, &pool->full);
}

void packet_give_full(struct packet_pool *pool, struct packet *packet)
{
    push(pool, &pool->full, packet);
}

bool packet_none_full(const struct packet_pool *pool)
{
    return (uint32_t)atomic_u64_load_full(&pool->full.head) == 0;
}

void packet_pool_trim(struct packet_pool *pool)
{
    uint32_t used = atomic_u32_load(&pool->untouched);
    if (used <= PACKETS_KEPT ||
        pool->os->discard_table(pool->os, pool->packets, used * sizeof(struct packet)) != 0)
        return; /* all stay usable as they are */
    atomic_u64_store(&pool->free.head, 0);
    atomic_u32_store(&pool->untouched, 0);
}
