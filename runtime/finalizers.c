#include "runtime/finalizers.h"

#include <stdlib.h>
#include <string.h>

/* Entries that the collector goes through without letting anybody else in. */
enum { AT_ONCE = 1024, CAPACITY_LEAST = 64 };

void finalizers_init(struct finalizers *finalizers)
{
    *finalizers = (struct finalizers){.capacity = 0};
    pthread_mutex_init(&finalizers->lock, NULL);
}

void finalizers_destroy(struct finalizers *finalizers)
{
    free(finalizers->registered.entries);
    free(finalizers->queue.entries);
    pthread_mutex_destroy(&finalizers->lock);
}

/* Moves the entries of a list into a new block of `capacity`, to its start. */
static bool move_list(struct finalizer_list *list, size_t capacity)
{
    struct finalizer *entries = malloc(capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    if (list->entries != NULL)
        memcpy(entries, list->entries + list->first, (list->end - list->first) * sizeof *entries);
    free(list->entries);
    size_t first = list->first;
    *list = (struct finalizer_list){.entries = entries,
                                    .end = list->end - first,
                                    .rewritten = list->rewritten > first ? list->rewritten - first : 0,
                                    .stale_end = list->stale_end > first ? list->stale_end - first : 0};
    return true;
}

/* Makes room for one more entry in all, wherever it will be. The lock is held. */
static bool make_room(struct finalizers *finalizers)
{
    const struct finalizer_list *registered = &finalizers->registered;
    const struct finalizer_list *queue = &finalizers->queue;
    size_t count = registered->end - registered->first + queue->end - queue->first;
    /* Both ends must be far enough from the capacity for all entries to be moved to the queue. */
    if (registered->end < finalizers->capacity &&
        queue->end + (registered->end - registered->first) < finalizers->capacity)
        return true;
    size_t capacity = 2 * (count + 1) > CAPACITY_LEAST ? 2 * (count + 1) : CAPACITY_LEAST;
    size_t taken = queue->first;
    /* If only the first succeeds, both still have room for what they hold. */
    if (!move_list(&finalizers->registered, capacity) || !move_list(&finalizers->queue, capacity))
        return false;
    finalizers->ready -= taken;
    finalizers->capacity = capacity;
    return true;
}

bool finalizers_add(struct finalizers *finalizers, void *object, uintptr_t data)
{
    pthread_mutex_lock(&finalizers->lock);
    bool room = make_room(finalizers);
    if (room)
        finalizers->registered.entries[finalizers->registered.end++] =
            (struct finalizer){(uint64_t)(uintptr_t)object, data};
    pthread_mutex_unlock(&finalizers->lock);
    return room;
}

static void rewrite(struct finalizers *finalizers, struct finalizer *entry)
{
    shale_visit_pointers(finalizers->update, &entry->object, 1);
}

bool finalizers_take(struct finalizers *finalizers, struct finalizer *entry)
{
    pthread_mutex_lock(&finalizers->lock);
    struct finalizer_list *queue = &finalizers->queue;
    bool any = queue->first < finalizers->ready;
    if (any) {
        *entry = queue->entries[queue->first];
        if (queue->first >= queue->rewritten && queue->first < queue->stale_end)
            rewrite(finalizers, entry);
        queue->first++;
        if (queue->rewritten < queue->first)
            queue->rewritten = queue->first;
    }
    pthread_mutex_unlock(&finalizers->lock);
    return any;
}

size_t finalizers_waiting(struct finalizers *finalizers)
{
    pthread_mutex_lock(&finalizers->lock);
    size_t count = finalizers->ready - finalizers->queue.first;
    pthread_mutex_unlock(&finalizers->lock);
    return count;
}

/* Lets others in between two steps of a long loop. The lock is held. */
static void let_in(struct finalizers *finalizers, size_t step)
{
    if (step % AT_ONCE != AT_ONCE - 1)
        return;
    pthread_mutex_unlock(&finalizers->lock);
    pthread_mutex_lock(&finalizers->lock);
}

uint64_t finalizers_queue_dead(struct finalizers *finalizers,
                               bool (*is_dead)(void *argument, uint64_t address), void *argument)
{
    struct finalizer_list *registered = &finalizers->registered;
    struct finalizer_list *queue = &finalizers->queue;
    pthread_mutex_lock(&finalizers->lock);
    /* What is added meanwhile is alive; between [kept, i) there is nothing. */
    size_t end = registered->end;
    size_t kept = 0;
    for (size_t i = 0; i < end; i++) {
        let_in(finalizers, i);
        struct finalizer entry = registered->entries[i];
        if (is_dead(argument, entry.object))
            queue->entries[queue->end++] = entry;
        else
            registered->entries[kept++] = entry;
    }
    if (kept != end) /* there may be no list at all */
        memmove(registered->entries + kept, registered->entries + end,
                (registered->end - end) * sizeof *registered->entries);
    registered->end -= end - kept;
    pthread_mutex_unlock(&finalizers->lock);
    return end - kept;
}

void finalizers_visit_queued(struct finalizers *finalizers, struct shale_visitor *visitor)
{
    const struct finalizer_list *queue = &finalizers->queue;
    pthread_mutex_lock(&finalizers->lock);
    /* Only the collector moves `ready` and the end apart; others move both at once, to the front. */
    for (size_t i = 0; finalizers->ready + i < queue->end; i++) {
        shale_visit_pointers(visitor, &queue->entries[finalizers->ready + i].object, 1);
        let_in(finalizers, i);
    }
    pthread_mutex_unlock(&finalizers->lock);
}

void finalizers_publish(struct finalizers *finalizers)
{
    pthread_mutex_lock(&finalizers->lock);
    finalizers->ready = finalizers->queue.end;
    pthread_mutex_unlock(&finalizers->lock);
}

void finalizers_visit(struct finalizers *finalizers, struct shale_visitor *visitor)
{
    pthread_mutex_lock(&finalizers->lock);
    struct finalizer_list *queue = &finalizers->queue;
    for (size_t i = queue->first; i < queue->end; i++)
        shale_visit_pointers(visitor, &queue->entries[i].object, 1);
    pthread_mutex_unlock(&finalizers->lock);
}

static void begin_list(struct finalizer_list *list)
{
    list->rewritten = list->first;
    list->stale_end = list->end;
}

void finalizers_begin_update(struct finalizers *finalizers, struct shale_visitor *visitor)
{
    pthread_mutex_lock(&finalizers->lock);
    finalizers->update = visitor;
    begin_list(&finalizers->registered);
    begin_list(&finalizers->queue);
    pthread_mutex_unlock(&finalizers->lock);
}

/* Whether there may be more to rewrite. The lock is held. */
static bool settle_some(struct finalizers *finalizers, struct finalizer_list *list)
{
    for (unsigned i = 0; i < AT_ONCE && list->rewritten < list->stale_end; i++)
        rewrite(finalizers, &list->entries[list->rewritten++]);
    return list->rewritten < list->stale_end;
}

void finalizers_settle(struct finalizers *finalizers)
{
    for (bool more = true; more;) {
        pthread_mutex_lock(&finalizers->lock);
        more = settle_some(finalizers, &finalizers->registered);
        more = settle_some(finalizers, &finalizers->queue) || more;
        pthread_mutex_unlock(&finalizers->lock);
    }
}
