#include "errors.h"

#include "thread.h"

#include <stdarg.h>
#include <stdio.h>

static void print_trace(const struct thread *thread)
{
    for (const struct call *call = thread->call; call > thread->calls; call--) {
        const struct function *function = call->closure->function;
        fprintf(stderr, "[line %u] in ", function->lines[call->ip - function->code - 1]);
        if (function->name == NULL) {
            fputs("script\n", stderr);
        } else {
            error_string(function->name);
            fputs("()\n", stderr);
        }
    }
}

bool runtime_error(struct thread *thread, const char *format, ...)
{
    va_list arguments;
    world_lock(thread, LOCK_OUTPUT);
    output_flush(&thread->world->output, thread->mutator);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    print_trace(thread);
    world_unlock(thread, LOCK_OUTPUT);
    return false;
}

bool runtime_error_name(struct thread *thread, const char *before, struct string *name, const char *after)
{
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &name, 1);
    world_lock(thread, LOCK_OUTPUT);
    output_flush(&thread->world->output, thread->mutator);
    shale_frame_pop(thread->mutator, &frame);
    fputs(before, stderr);
    error_string(name);
    fputs(after, stderr);
    fputc('\n', stderr);
    print_trace(thread);
    world_unlock(thread, LOCK_OUTPUT);
    return false;
}

bool out_of_memory(struct thread *thread)
{
    return runtime_error(thread, "Out of memory.");
}
