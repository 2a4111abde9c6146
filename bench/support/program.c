#include "bench/support/program.h"

#include "gc/durations.h"
#include "heap/layout.h"

#include <stddef.h>

enum { CHURN_SIZE = 64 };

static const shale_type *link_type(struct program *program, const char *name, size_t object_size)
{
    static const uint32_t pointers[] = {offsetof(struct link, next)};
    shale_type_spec spec = {
        .name = name, .size = object_size - HEADER_SIZE, .pointers = pointers, .pointer_count = 1};
    shale_error error;
    const shale_type *type = shale_type_register(program->heap, &spec, &error);
    bench_require(type != NULL, error.message);
    return type;
}

static void push(struct program *program, const shale_type *type, struct link **head, uint64_t number)
{
    struct link *link = shale_allocate(program->mutator, type);
    bench_require(link != NULL, "the heap is full");
    link->next = *head;
    link->number = number;
    *head = link;
}

void program_create(struct program *program, size_t heap_size, int faults, size_t populated,
                    size_t object_size)
{
    *program = (struct program){.objects = populated / object_size};
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = heap_size;
    options.faults = faults;
    options.concurrent = SHALE_CONCURRENT_REQUIRE;
    options.target = 0; /* cycles come when the benchmark asks for one */
    program->heap = shale_heap_create(&options, &error);
    bench_require(program->heap != NULL, error.message);
    program->mutator = shale_attach(program->heap, &error);
    bench_require(program->mutator != NULL, error.message);
    program->bulk_type = link_type(program, "bulk", object_size);
    program->churn_type = link_type(program, "churn", CHURN_SIZE);
    shale_frame_push(program->mutator, &program->frame, &program->roots,
                     sizeof program->roots / sizeof(void *));
    for (uint64_t i = 0; i < program->objects; i++)
        push(program, program->bulk_type, &program->roots.bulk[i * PROGRAM_CHAINS / program->objects], i);
}

void program_destroy(struct program *program)
{
    shale_frame_pop(program->mutator, &program->frame);
    shale_detach(program->mutator);
    bench_require(shale_heap_destroy(program->heap, NULL) == SHALE_OK, "the heap could not be destroyed");
}

void program_churn(struct program *program, size_t regions)
{
    program->roots.churn = NULL;
    for (uint64_t i = 0; i < regions * REGION_SIZE / CHURN_SIZE; i++) {
        if (i % 4 == 0)
            push(program, program->churn_type, &program->roots.churn, i);
        else
            bench_require(shale_allocate(program->mutator, program->churn_type) != NULL, "the heap is full");
    }
}

double program_flip(struct program *program)
{
    shale_statistics before;
    shale_statistics after;
    shale_heap_statistics(program->heap, &before);
    bench_require(shale_collect(program->mutator, SHALE_COLLECT_COMPACT) == SHALE_OK, "a cycle failed");
    shale_heap_statistics(program->heap, &after);
    bench_require(after.flips == before.flips + 1, "a cycle did not flip");
    return (double)(after.flip_pause.total - before.flip_pause.total);
}
