#include "bench/workloads/workload.h"

#include <pthread.h>

enum { THREADS_MAX = 64 };

struct task {
    void (*work)(struct memory *memory, void *argument, unsigned index);
    void *argument;
    unsigned index;
};

static void *run_task(void *context)
{
    const struct task *task = context;
    struct memory *memory = manager_attach();
    task->work(memory, task->argument, task->index);
    manager_detach(memory);
    return NULL;
}

void workload_threads(struct memory *memory, unsigned threads,
                      void (*work)(struct memory *memory, void *argument, unsigned index), void *argument)
{
    pthread_t ids[THREADS_MAX];
    struct task tasks[THREADS_MAX];
    unsigned others = threads - 1;
    if (others > THREADS_MAX)
        workload_fail("there are too many threads");
    for (unsigned i = 0; i < others; i++) {
        tasks[i] = (struct task){.work = work, .argument = argument, .index = i};
        if (pthread_create(&ids[i], NULL, run_task, &tasks[i]) != 0)
            workload_fail("a thread cannot be started");
    }
    work(memory, argument, others);
    manager_enter_blocking(memory);
    for (unsigned i = 0; i < others; i++)
        pthread_join(ids[i], NULL);
    manager_leave_blocking(memory);
}
