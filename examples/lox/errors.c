#include "errors.h"

#include "thread.h"

#include <stdarg.h>
#include <stdio.h>

void report_begin(struct thread *thread)
{
    world_lock(thread, LOCK_OUTPUT);
    output_flush(&thread->world->output, thread->mutator);
}

void report_text(struct thread *thread, const char *text, size_t length)
{
    output_text(&thread->world->errors, thread->mutator, text, length);
}

void report_end(struct thread *thread)
{
    output_flush(&thread->world->errors, thread->mutator);
    world_unlock(thread, LOCK_OUTPUT);
}

static void report_words(struct thread *thread, const char *text)
{
    report_text(thread, text, strlen(text));
}

void report_formatted(struct thread *thread, const char *format, ...)
{
    char text[REPORT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report_words(thread, text);
}

static void report_trace(struct thread *thread)
{
    for (const struct call *call = thread->call; call > thread->calls; call--) {
        const struct function *function = call->closure->function;
        report_formatted(thread, "[line %u] in ", function->lines[call->ip - function->code - 1]);
        function = call->closure->function;
        if (function->name == NULL) {
            report_words(thread, "script\n");
        } else {
            output_string(&thread->world->errors, thread->mutator, function->name);
            report_words(thread, "()\n");
        }
    }
}

bool runtime_error(struct thread *thread, const char *format, ...)
{
    char text[REPORT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report_begin(thread);
    report_words(thread, text);
    report_words(thread, "\n");
    report_trace(thread);
    report_end(thread);
    return false;
}

bool runtime_error_name(struct thread *thread, const char *before, struct string *name, const char *after)
{
    struct {
        struct string *name;
    } local = {name};
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &local, 1);
    report_begin(thread);
    report_words(thread, before);
    output_string(&thread->world->errors, thread->mutator, local.name);
    shale_frame_pop(thread->mutator, &frame);
    report_words(thread, after);
    report_words(thread, "\n");
    report_trace(thread);
    report_end(thread);
    return false;
}

bool out_of_memory(struct thread *thread)
{
    return runtime_error(thread, "Out of memory.");
}
