/*
 * Fuzz target: any text as a Lox program, compiled and run for a bounded number of steps.
 *
 * What the program does is not looked at; the sanitizers, Shale's verification and its refusals are the oracles. Which heap a
 * program runs on follows from its text, so that it always meets the same options: both ways of answering faults, little
 * memory, everything moved at each n-th allocation slow path, all checked around each cycle. Making a heap takes longer
 * than most programs, so each serves many of them; a program finds a thread, a table of strings and globals of its own.
 */
#include "examples/lox/interpret.h"
#include "examples/lox/natives.h"
#include "examples/lox/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STEPS = 5000,   /* rounds of loops and calls */
    HEAPS = 8,      /* with other options each */
    PROGRAMS = 1000 /* that run on a heap before there is a new one */
};

/* Everything is moved at each so manieth allocation slow path; 0: it is not. */
static const unsigned stress[HEAPS] = {0, 0, 0, 0, 0, 0, 100, 30};

struct place {
    shale_heap *heap;
    struct types types;
    unsigned programs;
};

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

static shale_heap *make_heap(unsigned choice)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.log = log_line;
    options.log_level = SHALE_LOG_ERROR;
    options.heap_size = choice < 2 ? (size_t)4 << 20 : (size_t)16 << 20;
    options.faults = choice % 2 != 0 ? SHALE_FAULTS_SIGNAL : SHALE_FAULTS_THREAD;
    options.stress = stress[choice];
    options.verify = choice >= 4;
    options.evacuate = 100;
    options.encoding = (shale_encoding)SHALE_ENCODING_NAN_BOXED(VALUE_REFERENCE_MASK, VALUE_REFERENCE_MASK);
    shale_heap *heap = shale_heap_create(&options, &error);
    if (heap == NULL)
        refuse("no heap", error.message);
    return heap;
}

static void place_renew(struct place *place, unsigned choice)
{
    shale_error error;
    if (place->heap != NULL && shale_heap_destroy(place->heap, &error) != SHALE_OK)
        refuse("heap", error.message);
    place->programs = 0;
    place->heap = make_heap(choice);
    if (!types_register(&place->types, place->heap, &error))
        refuse("types", error.message);
}

static void run(struct thread *thread, uint64_t steps, const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of this size, so that reading behind it is noticed */
    if (text == NULL)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (!world_fill(thread->world, thread) || !natives_define(thread))
        refuse("world", "not made");
    thread->budget = steps;
    (void)interpret(thread, text, size);
    output_flush(&thread->world->output, thread->mutator);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct place places[HEAPS];
    static struct world world;
    static struct thread thread;
    unsigned choice = hash(data, size) % HEAPS;
    struct place *place = &places[choice];
    shale_error error;
    if (place->heap == NULL || place->programs == PROGRAMS)
        place_renew(place, choice);
    place->programs++;
    memset(&world, 0, sizeof world);
    memset(&thread, 0, sizeof thread);
    world_start(&world);
    world.heap = place->heap;
    world.types = place->types;
    if (!thread_start(&thread, &world, &error))
        refuse("thread", error.message);
    run(&thread, stress[choice] == 0 ? STEPS : STEPS / 10, data, size);
    shale_handle *const handles[] = {world.strings, world.globals, world.init_name, world.no_cache};
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        if (shale_handle_drop(thread.mutator, handles[i]) != SHALE_OK)
            refuse("handle", "not dropped");
    thread_end(&thread);
    world_end(&world);
    return 0;
}
