/*
 * shale-lox: the language Lox on a Shale heap. README.md says what is where.
 */
#include "extension.h"
#include "gc_report.h"
#include "interpret.h"
#include "natives.h"
#include "options.h"
#include "repl.h"
#include "thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void log_line(void *context, shale_log_level level, const char *line)
{
    (void)context;
    (void)level;
    fprintf(stderr, "shale-lox: %s\n", line);
}

static int run(struct thread *thread, const struct options *options)
{
    struct world *world = thread->world;
    if (!world_fill(world, thread) || !natives_define(thread) ||
        (options->extensions && !extension_define(thread))) {
        fputs("Out of memory.\n", stderr);
        return EXIT_CODE_RUNTIME_ERROR;
    }
    int code = options->file != NULL ? interpret_file(thread, options->file) : repl_run(thread);
    extension_await_threads(thread);
    output_flush(&world->output, thread->mutator);
    return code;
}

static int run_with_heap(struct world *world, const struct options *options)
{
    static struct thread thread;
    uint64_t began = gc_report_clock();
    shale_error error;
    int code = EXIT_CODE_TROUBLE;
    if (types_register(&world->types, world->heap, &error) && thread_start(&thread, world, &error)) {
        code = run(&thread, options);
        gc_report_thread(world->report, thread.mutator, began);
        thread_end(&thread);
        world_end(world);
    } else {
        fprintf(stderr, "shale-lox: %s\n", error.message);
    }
    gc_report_end(world->report);
    if (shale_heap_destroy(world->heap, &error) != SHALE_OK) {
        fprintf(stderr, "shale-lox: %s\n", error.message);
        code = EXIT_CODE_TROUBLE;
    }
    return code;
}

/* Has events recorded, if anything is to be told of them. False: the trace file cannot be written, which has been said. */
static bool prepare_report(struct options *options, FILE **trace)
{
    *trace = NULL;
    if (options->gc_trace != NULL) {
        *trace = fopen(options->gc_trace, "w");
        if (*trace == NULL) {
            fprintf(stderr, "Could not write file \"%s\": %s.\n", options->gc_trace, strerror(errno));
            return false;
        }
    }
    if (options->gc_log || options->gc_stats || options->gc_trace != NULL)
        options->heap.events = GC_REPORT_EVENTS;
    return true;
}

static void start_report(struct world *world, const struct options *options, FILE *trace)
{
    if (!options->gc_log && !options->gc_stats && trace == NULL)
        return;
    world->report = gc_report_start(world->heap, options->gc_log, options->gc_stats, trace);
    if (world->report == NULL)
        fputs("shale-lox: there is no memory to report what the collector does\n", stderr);
}

int main(int argc, char **argv)
{
    static struct world world;
    struct options options;
    shale_error error;
    int code;
    if (!options_parse(&options, argc, argv, &code))
        return code;
    world_start(&world);
    options.heap.log = log_line;
    options.heap.log_level =
        SHALE_LOG_ERROR; /* what a program prints to standard error is part of what it does */
    options.heap.encoding =
        (shale_encoding)SHALE_ENCODING_NAN_BOXED(VALUE_REFERENCE_MASK, VALUE_REFERENCE_MASK);
    FILE *trace;
    if (!prepare_report(&options, &trace))
        return EXIT_CODE_TROUBLE;
    world.heap = shale_heap_create(&options.heap, &error);
    if (world.heap == NULL) {
        fprintf(stderr, "shale-lox: %s\n", error.message);
        return error.status == SHALE_ERROR_OPTION ? EXIT_CODE_USAGE : EXIT_CODE_TROUBLE;
    }
    start_report(&world, &options, trace);
    return run_with_heap(&world, &options);
}
