/*
 * Fuzz target: any text as a Lox program, compiled and run for a bounded number of steps on a heap of its own.
 *
 * What the program does is not looked at; the sanitizers, Shale's verification and its refusals are the oracles. Heap options
 * follow from the text, so that an input always meets the same ones: everything is moved at each n-th allocation slow path, both
 * ways of answering faults, a heap so small that it runs out of memory.
 */
#include "interpret.h"
#include "natives.h"
#include "thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 30000 }; /* rounds of loops and calls */

static void refuse(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

/* Nothing that a Lox program does may be misuse of the library. */
static void log_line(void *context, shale_log_level level, const char *line)
{
    (void)context;
    if (level == SHALE_LOG_ERROR)
        refuse("Shale reports", line);
}

static uint32_t hash(const uint8_t *data, size_t size)
{
    uint32_t sum = 2166136261U;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ data[i]) * 16777619U;
    return sum ^ sum >> 15;
}

static shale_heap *make_heap(uint32_t choice)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.log = log_line;
    options.log_level = SHALE_LOG_ERROR;
    options.heap_size = (choice & 1) != 0 ? (size_t)4 << 20 : (size_t)16 << 20;
    options.faults = (choice & 2) != 0 ? SHALE_FAULTS_SIGNAL : SHALE_FAULTS_THREAD;
    options.stress = (choice & 12) == 0 ? 0 : (choice & 12) == 4 ? 3 : 1;
    options.verify = (choice & 16) != 0;
    options.evacuate = 100;
    options.encoding = (shale_encoding)SHALE_ENCODING_NAN_BOXED(VALUE_REFERENCE_MASK, VALUE_REFERENCE_MASK);
    shale_heap *heap = shale_heap_create(&options, &error);
    if (heap == NULL)
        refuse("no heap", error.message);
    return heap;
}

static void run(struct thread *thread, const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of this size, so that reading behind it is noticed */
    if (text == NULL)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    output_start(&thread->world->output);
    if (!world_fill(thread->world, thread) || !natives_define(thread))
        refuse("world", "not made");
    thread->budget = STEPS;
    (void)interpret(thread, text, size);
    output_flush(&thread->world->output, thread->mutator);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *world = calloc(1, sizeof *world);
    struct thread *thread = calloc(1, sizeof *thread);
    shale_error error;
    if (world == NULL || thread == NULL)
        refuse("harness", "no memory");
    world->heap = make_heap(hash(data, size));
    if (!types_register(&world->types, world->heap, &error) || !thread_start(thread, world, &error))
        refuse("thread", error.message);
    run(thread, data, size);
    thread_end(thread);
    if (shale_heap_destroy(world->heap, &error) != SHALE_OK)
        refuse("heap", error.message);
    free(thread);
    free(world);
    return 0;
}
