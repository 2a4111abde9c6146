#include "runtime/registry.h"

#include "heap/atomic.h"

#include <pthread.h>

static atomic_u64 heaps[REGISTRY_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool replace(shale_heap *from, shale_heap *to)
{
    bool done = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < REGISTRY_MAX && !done; i++) {
        done = atomic_u64_load(&heaps[i]) == (uint64_t)(uintptr_t)from;
        if (done)
            atomic_u64_store_release(&heaps[i], (uint64_t)(uintptr_t)to);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

bool registry_add(shale_heap *heap)
{
    return replace(NULL, heap);
}

bool registry_remove(shale_heap *heap)
{
    return replace(heap, NULL);
}

bool registry_has(const shale_heap *heap)
{
    for (size_t i = 0; heap != NULL && i < REGISTRY_MAX; i++) {
        if (atomic_u64_load_acquire(&heaps[i]) == (uint64_t)(uintptr_t)heap)
            return true;
    }
    return false;
}

shale_heap *registry_get(size_t index)
{
    return index < REGISTRY_MAX ? (shale_heap *)(uintptr_t)atomic_u64_load_acquire(&heaps[index]) : NULL;
}

void registry_lock(void)
{
    pthread_mutex_lock(&lock);
}

void registry_unlock(void)
{
    pthread_mutex_unlock(&lock);
}
