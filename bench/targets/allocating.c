#include "bench/targets/allocating.h"

const unsigned small_sizes[SMALL_SIZES] = {16, 24, 32, 40, 48, 64, 96, 128};
static const unsigned weights[SMALL_SIZES] = {20, 20, 20, 12, 10, 10, 5, 3}; /* percent */

/* ---- turns ----------------------------------------------------------------------------------------- */

static void take_turn(struct side_times *times, side_function side, void *bench, size_t argument,
                      size_t count)
{
    uint64_t wall = clock_nanoseconds();
    uint64_t cpu = process_nanoseconds();
    side(bench, argument);
    samples_add(&times->cpu, (double)(process_nanoseconds() - cpu) / (double)count);
    samples_add(&times->wall, (double)(clock_nanoseconds() - wall) / (double)count);
}

void pattern_take_turns(struct pattern *pattern, side_function shale, side_function other, void *bench,
                        size_t count)
{
    take_turn(&pattern->shale, shale, bench, pattern->argument, count);
    take_turn(&pattern->other, other, bench, pattern->argument, count);
}

double pattern_wall(struct pattern *pattern)
{
    return samples_median(&pattern->shale.wall) / samples_median(&pattern->other.wall);
}

double pattern_cpu(struct pattern *pattern)
{
    return samples_median(&pattern->shale.cpu) / samples_median(&pattern->other.cpu);
}

double pattern_worse(struct pattern *pattern)
{
    double wall = pattern_wall(pattern);
    double cpu = pattern_cpu(pattern);
    return wall > cpu ? wall : cpu;
}

static void free_times(struct side_times *times)
{
    samples_free(&times->wall);
    samples_free(&times->cpu);
}

void pattern_report(struct finding *finding, struct pattern *pattern, double value, const char *unit,
                    double nanoseconds)
{
    add_remark(finding, "%s: %.2f; wall %.1f and %.1f %s, CPU of all threads %.1f and %.1f", pattern->name,
               value, samples_median(&pattern->shale.wall) / nanoseconds,
               samples_median(&pattern->other.wall) / nanoseconds, unit,
               samples_median(&pattern->shale.cpu) / nanoseconds,
               samples_median(&pattern->other.cpu) / nanoseconds);
    free_times(&pattern->shale);
    free_times(&pattern->other);
}

void await_no_cycle(shale_heap *heap, shale_mutator *mutator)
{
    shale_enter_native(mutator);
    while (collector_running(&heap->collector) != 0)
        atomic_pause();
    shale_leave_native(mutator);
}

/* ---- small objects --------------------------------------------------------------------------------- */

unsigned small_objects_default_target(void)
{
    shale_options options;
    shale_options_init(&options);
    return options.target;
}

static void register_types(struct small_objects *objects)
{
    static const uint32_t pointers[] = {offsetof(struct small_node, next)};
    for (size_t i = 0; i < SMALL_SIZES; i++) {
        shale_error error;
        shale_type_spec spec = {
            .name = "node", .size = small_sizes[i], .pointers = pointers, .pointer_count = 1};
        objects->types[i] = shale_type_register(objects->heap, &spec, &error);
        bench_require(objects->types[i] != NULL, error.message);
    }
}

void small_objects_create(struct small_objects *objects, unsigned target)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = SMALL_HEAP_BYTES;
    options.target = target;
    objects->heap = shale_heap_create(&options, &error);
    bench_require(objects->heap != NULL, error.message);
    objects->mutator = shale_attach(objects->heap, &error);
    bench_require(objects->mutator != NULL, error.message);
    register_types(objects);
    uint64_t random = 3;
    for (size_t i = 0; i < SMALL_SEQUENCE; i++) {
        size_t draw = random_below(&random, 100);
        unsigned char class = 0;
        while (draw >= weights[class])
            draw -= weights[class ++];
        objects->sequence[i] = class;
    }
}

void small_objects_destroy(struct small_objects *objects)
{
    shale_detach(objects->mutator);
    shale_heap_destroy(objects->heap, NULL);
}
