/*
 * What a page of free memory costs a mutator before it can be written to: memory that a flip has taken from the mutator view, and
 * memory that has no pages yet. Beside them what writing costs to a page that is there.
 */
#include "bench/gbench.h"
#include "bench/support/samples.h"
#include "heap/bump.h"

#include <string.h>

#define SIZE ((size_t)64 << 20)

enum before { BEFORE_MAPPED, BEFORE_UNMAPPED, BEFORE_HOLES };

/* One way of having [start, end), of one chunk or region, before its pages are written to. */
typedef void (*way)(const struct memory *memory, size_t start, size_t end);

struct way_case {
    enum before before;
    size_t step;
    way way;
};

static void nothing(const struct memory *memory, size_t start, size_t end)
{
    (void)memory;
    (void)start;
    (void)end;
}

static void populate(const struct memory *memory, size_t start, size_t end)
{
    bench_require(memory->os->populate(memory->os, views_mutator(&memory->views, start), end - start) == 0,
                  "pages could not be populated (madvise, Linux 5.14)");
}

static void make(const struct memory *memory, enum before before)
{
    const struct views *views = &memory->views;
    const struct os *os = memory->os;
    int status = 0;
    if (before == BEFORE_HOLES)
        status = os->file_discard(os, views->file, 0, SIZE);
    else
        memset(views_mutator(views, 0), 1, SIZE);
    if (before != BEFORE_MAPPED && status == 0)
        status = os->drop_entries(os, views->mutator, SIZE);
    bench_require(status == 0, "memory could not be taken away");
}

static void run(gbench_state *state, void *context)
{
    const struct way_case *each = context;
    struct memory memory;
    const char *failed;
    bench_require(
        memory_create(&memory, os_linux(), SIZE, &(shale_encoding){.address = UINT64_MAX}, &failed) == 0,
        "a heap's memory could not be had");
    size_t page_size = memory.views.page_size;
    while (gbench_keep_running(state)) {
        make(&memory, each->before);
        uint64_t before = thread_nanoseconds();
        for (size_t at = 0; at < SIZE; at += each->step) {
            each->way(&memory, at, at + each->step);
            for (size_t page = at; page < at + each->step; page += page_size)
                atomic_u64_store((atomic_u64 *)views_mutator(&memory.views, page), 1);
        }
        gbench_set_iteration_time(state, (double)(thread_nanoseconds() - before) / 1e9);
    }
    gbench_set_items_processed(state, gbench_iterations(state) * (int64_t)(SIZE / page_size));
    memory_destroy(&memory);
}

static void add(const char *name, struct way_case *each)
{
    gbench_case *benchmark = gbench_register(name, run, each);
    gbench_set_unit(benchmark, GBENCH_MS);
    gbench_use_manual_time(benchmark);
    gbench_set_iterations(benchmark, 12);
}

int main(int argc, char **argv)
{
    static struct way_case one_by_one = {BEFORE_UNMAPPED, BUMP_CHUNK_SIZE, nothing};
    static struct way_case around = {BEFORE_UNMAPPED, BUMP_CHUNK_SIZE, memory_map_around};
    static struct way_case populated = {BEFORE_UNMAPPED, MEMORY_MAPPED_AROUND, populate};
    static struct way_case mapped = {BEFORE_MAPPED, BUMP_CHUNK_SIZE, nothing};
    static struct way_case holes = {BEFORE_HOLES, BUMP_CHUNK_SIZE, nothing};
    static struct way_case ahead = {BEFORE_HOLES, REGION_SIZE, populate};
    add("unmapped/shale", &around);
    add("unmapped/populate", &populated);
    add("unmapped/one_by_one", &one_by_one);
    add("holes/ahead", &ahead);
    add("holes/one_by_one", &holes);
    add("mapped_limit", &mapped);
    return gbench_main(argc, argv);
}
