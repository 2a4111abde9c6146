#include "sharing.h"

#include "thread.h"

void sharing_init(struct sharing *sharing)
{
    *sharing = (struct sharing){.running = 0};
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_init(&sharing->locks[i], NULL);
    pthread_mutex_init(&sharing->lock, NULL);
    pthread_cond_init(&sharing->changed, NULL);
}

void sharing_destroy(struct sharing *sharing)
{
    pthread_cond_destroy(&sharing->changed);
    pthread_mutex_destroy(&sharing->lock);
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&sharing->locks[i]);
}

void world_lock(struct thread *thread, unsigned part)
{
    pthread_mutex_t *lock = &thread->world->sharing.locks[part];
    if (thread->alone || pthread_mutex_trylock(lock) == 0)
        return;
    shale_enter_native(thread->mutator);
    pthread_mutex_lock(lock);
    shale_leave_native(thread->mutator);
}

void world_unlock(struct thread *thread, unsigned part)
{
    if (!thread->alone)
        pthread_mutex_unlock(&thread->world->sharing.locks[part]);
}
