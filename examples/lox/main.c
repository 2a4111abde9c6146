/*
 * shale-lox: the language Lox on a Shale heap. README.md says what is where.
 */
#include "interpret.h"
#include "natives.h"
#include "options.h"
#include "thread.h"

#include <stdio.h>

static void log_line(void *context, shale_log_level level, const char *line)
{
    (void)context;
    (void)level;
    fprintf(stderr, "shale-lox: %s\n", line);
}

static int run(struct thread *thread, const struct options *options)
{
    struct world *world = thread->world;
    output_start(&world->output);
    if (!world_fill(world, thread) || !natives_define(thread)) {
        fputs("Out of memory.\n", stderr);
        return EXIT_CODE_RUNTIME_ERROR;
    }
    int code = options->file != NULL ? interpret_file(thread, options->file) : interpret_lines(thread);
    output_flush(&world->output, thread->mutator);
    return code;
}

static int run_with_heap(struct world *world, const struct options *options)
{
    static struct thread thread;
    shale_error error;
    int code = EXIT_CODE_TROUBLE;
    if (types_register(&world->types, world->heap, &error) && thread_start(&thread, world, &error)) {
        code = run(&thread, options);
        thread_end(&thread);
    } else {
        fprintf(stderr, "shale-lox: %s\n", error.message);
    }
    if (shale_heap_destroy(world->heap, &error) != SHALE_OK) {
        fprintf(stderr, "shale-lox: %s\n", error.message);
        code = EXIT_CODE_TROUBLE;
    }
    return code;
}

int main(int argc, char **argv)
{
    static struct world world;
    struct options options;
    shale_error error;
    int code;
    if (!options_parse(&options, argc, argv, &code))
        return code;
    options.heap.log = log_line;
    options.heap.log_level =
        SHALE_LOG_ERROR; /* what a program prints to standard error is part of what it does */
    options.heap.encoding =
        (shale_encoding)SHALE_ENCODING_NAN_BOXED(VALUE_REFERENCE_MASK, VALUE_REFERENCE_MASK);
    world.heap = shale_heap_create(&options.heap, &error);
    if (world.heap == NULL) {
        fprintf(stderr, "shale-lox: %s\n", error.message);
        return error.status == SHALE_ERROR_OPTION ? EXIT_CODE_USAGE : EXIT_CODE_TROUBLE;
    }
    return run_with_heap(&world, &options);
}
