/*
 * The smallest complete embedding of Shale: read this first.
 *
 * It allocates ten million objects of a type of its own in a heap of 16 MiB and keeps every hundredth in a
 * linked list. The survivors lie scattered among garbage, so the collector moves them together, again and
 * again, while the loop runs; the list is intact all the same.
 */
#include <inttypes.h>
#include <shale/shale.h>
#include <stdio.h>

/* An object is a plain C struct. Its address is what shale_allocate returns. */
struct pair {
    struct pair *rest;
    int64_t number;
};

static int fail(const char *message)
{
    fprintf(stderr, "minimal: %s\n", message);
    return 1;
}

int main(void)
{
    shale_error error;
    shale_options options;
    shale_options_init(&options);
    options.heap_size = (size_t)16 << 20;
    shale_heap *heap = shale_heap_create(&options, &error);
    if (heap == NULL)
        return fail(error.message);
    shale_mutator *mutator = shale_attach(heap, &error); /* this thread may use the heap from here on */
    if (mutator == NULL)
        return fail(error.message);

    /* A type tells the collector where an object's references are. */
    static const uint32_t pointers[] = {offsetof(struct pair, rest)};
    const shale_type *pair_type = shale_type_register(
        heap,
        &(shale_type_spec){
            .name = "pair", .size = sizeof(struct pair), .pointers = pointers, .pointer_count = 1},
        &error);
    if (pair_type == NULL)
        return fail(error.message);

    /* Objects move, so the collector must know of each variable that holds an address while something is
     * called that may collect. A frame shows it such variables; it keeps them right. */
    struct {
        struct pair *first;
        struct pair *last;
        struct pair *at;
    } local = {NULL, NULL, NULL};
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 3);

    for (int64_t i = 0; i < 10000000; i++) {
        struct pair *pair = shale_allocate(mutator, pair_type); /* may collect; zeroed */
        if (pair == NULL)
            return fail(shale_last_error(mutator)->message);
        pair->number = i; /* data, and first writes into a new object, are plain C */
        if (i % 100 != 0)
            continue; /* nobody refers to this one any more: garbage */
        if (local.last == NULL)
            local.first = pair;
        else /* a reference into an older object goes through shale_store */
            shale_store(mutator, local.last, &local.last->rest, pair);
        local.last = pair;
    }

    int64_t count = 0, sum = 0;
    for (local.at = local.first; local.at != NULL; local.at = local.at->rest) { /* reads are plain C */
        count++;
        sum += local.at->number;
        shale_poll(mutator); /* a long loop that allocates nothing lets the collector in like this */
    }
    shale_frame_pop(mutator, &frame);

    shale_statistics statistics;
    shale_heap_statistics(heap, &statistics);
    printf("%" PRId64 " pairs, sum %" PRId64 " (expected 100000, 499995000000)\n", count, sum);
    printf("%" PRIu64 " cycles, %" PRIu64 " bytes moved, flip pause p99 %.3f ms\n", statistics.cycles,
           statistics.bytes_moved, (double)statistics.flip_pause.p99 / 1e6);

    shale_detach(mutator);
    if (shale_heap_destroy(heap, &error) != SHALE_OK)
        return fail(error.message);
    return count == 100000 && sum == 499995000000 ? 0 : fail("the list is damaged");
}
