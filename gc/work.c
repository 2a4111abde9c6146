#include "gc/work.h"

int work_create(struct work *work, const struct os *os, uint32_t packet_limit)
{
    *work = (struct work){.tracers = 0};
    int status = packet_pool_create(&work->pool, os, packet_limit);
    if (status != 0)
        return status;
    slices_init(&work->slices);
    pthread_mutex_init(&work->lock, NULL);
    pthread_cond_init(&work->changed, NULL);
    return 0;
}

void work_destroy(struct work *work)
{
    pthread_cond_destroy(&work->changed);
    pthread_mutex_destroy(&work->lock);
    slices_destroy(&work->slices);
    packet_pool_destroy(&work->pool);
}

void work_begin(struct work *work)
{
    work->tracers = 1;
    work->over = false;
    atomic_u32_store(&work->idle, 0);
}

bool work_join(struct work *work)
{
    pthread_mutex_lock(&work->lock);
    bool joins = !work->over;
    work->tracers += joins;
    pthread_mutex_unlock(&work->lock);
    return joins;
}

void work_drop(struct work *work)
{
    for (struct packet *packet; (packet = packet_take_full(&work->pool)) != NULL;)
        packet_give_free(&work->pool, packet);
    slices_drop(&work->slices);
    atomic_u32_store(&work->noted, 0);
    atomic_u64_store(&work->placed_objects, 0);
    atomic_u64_store(&work->placed_bytes, 0);
}

/* What was pushed before orders this load after it. */
static void wake_idle(struct work *work)
{
    if (atomic_u32_load(&work->idle) == 0)
        return;
    pthread_mutex_lock(&work->lock);
    pthread_cond_signal(&work->changed);
    pthread_mutex_unlock(&work->lock);
}

void work_offer(struct work *work, struct packet *packet)
{
    packet_give_full(&work->pool, packet);
    wake_idle(work);
}

void work_offer_large(struct work *work, struct memory *memory, size_t offset)
{
    slices_add(&work->slices, memory, offset);
    wake_idle(work);
}

bool work_is_over(struct work *work)
{
    pthread_mutex_lock(&work->lock);
    bool over = work->over;
    pthread_mutex_unlock(&work->lock);
    return over;
}

static bool nothing_offered(const struct work *work)
{
    return packet_none_full(&work->pool) && slices_none(&work->slices);
}

/* The lock is held, and this tracer counts as idle: returns whether there is something to try for. */
static bool wait_for_offer(struct work *work)
{
    while (!work->over && nothing_offered(work)) {
        if (atomic_u32_load(&work->idle) == work->tracers) {
            work->over = true;
            pthread_cond_broadcast(&work->changed);
        } else {
            pthread_cond_wait(&work->changed, &work->lock);
        }
    }
    return !work->over;
}

struct packet *work_take(struct work *work)
{
    bool over = false;
    struct packet *packet = packet_take_full(&work->pool);
    while (packet == NULL && !over && slices_none(&work->slices)) {
        pthread_mutex_lock(&work->lock);
        atomic_u32_fetch_add_full(&work->idle, 1);
        over = !wait_for_offer(work);
        if (!over)
            atomic_u32_store(&work->idle, atomic_u32_load(&work->idle) - 1);
        pthread_mutex_unlock(&work->lock);
        /* A tracer that was not idle may be quicker: then once more. */
        packet = over ? NULL : packet_take_full(&work->pool);
    }
    return packet;
}
