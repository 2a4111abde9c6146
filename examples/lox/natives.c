#include "natives.h"

#include "thread.h"

#include <time.h>

/* Seconds, from some moment in the past on. */
static bool native_clock(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    struct timespec now;
    (void)thread;
    (void)arguments;
    (void)count;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *result = from_number((double)now.tv_sec + (double)now.tv_nsec / 1e9);
    return true;
}

bool natives_define(struct thread *thread)
{
    return world_define_native(thread, "clock", native_clock);
}
