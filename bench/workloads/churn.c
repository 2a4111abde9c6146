/*
 * Fragmentation churn: many objects of 16 bytes to 4 KiB, of which a random one is replaced by one of another size, over and
 * over. Small sizes are as frequent, by number, as their logarithm says. The latency is that of one replacement.
 */
#include "bench/workloads/workload.h"

enum { SIZE_BITS_LEAST = 4, SIZE_BITS = 8, WORD = 8 };

const char workload_name[] = "churn";
const char workload_about[] =
    "Replaces random ones of many objects of 16 bytes to 4 KiB by ones of other sizes.";
const unsigned workload_threads_max = 1;

struct sizes {
    uint32_t objects;
    uint32_t replacements;
};

static const struct sizes sizes[SCALES] = {
    [SCALE_TINY] = {2000, 40000}, [SCALE_QUICK] = {40000, 600000}, [SCALE_FULL] = {200000, 20000000}};

struct churn {
    memory_type object_type;
    uint64_t random;
    struct live live;      /* what is live now */
    struct live most_live; /* where most was */
};

/* Bytes, a multiple of words: 2^e plus anything below 2^e, e from 4 to 11. */
static size_t random_size(struct churn *churn)
{
    size_t least = (size_t)1 << (SIZE_BITS_LEAST + random_below(&churn->random, SIZE_BITS));
    return (least + random_below(&churn->random, least) + WORD) / WORD * WORD;
}

/* The first word holds the object's length in words and a number, each other a number that follows. */
static uint64_t *new_object(struct memory *memory, struct churn *churn, uint32_t number)
{
    size_t size = random_size(churn);
    size_t length = size / WORD;
    uint64_t *object = memory_words(memory, churn->object_type, length);
    object[0] = (uint64_t)number << 32 | length;
    for (size_t i = 1; i < length; i++)
        object[i] = number + i;
    live_add(&churn->live, 1, size);
    return object;
}

static uint64_t read_object(const uint64_t *object)
{
    return object[0] ^ object[(uint32_t)object[0] - 1] << 32;
}

void workload_run(struct memory *memory, struct run *run)
{
    const struct sizes *size = &sizes[run->scale];
    struct churn churn = {.object_type = manager_words("object"), .random = run->seed};
    struct {
        uint64_t **table;
    } local = {memory_references(memory, manager_references("table"), size->objects)};
    memory_frame frame;
    memory_push(memory, &frame, &local, 1);
    live_add(&churn.live, 1, size->objects * sizeof(void *));
    for (uint32_t i = 0; i < size->objects; i++) {
        uint64_t *object = new_object(memory, &churn, i);
        memory_store(memory, local.table, &local.table[i], object);
    }
    live_note_most(&churn.most_live, &churn.live);
    latency_begin(run);
    for (uint32_t i = 0; i < size->replacements; i++) {
        size_t index = random_below(&churn.random, size->objects);
        uint64_t *old = local.table[index];
        run->checksum = checksum_add(run->checksum, read_object(old));
        live_remove(&churn.live, 1, (uint32_t)old[0] * (size_t)WORD);
        memory_free(memory, old);
        uint64_t *object = new_object(memory, &churn, size->objects + i);
        memory_store(memory, local.table, &local.table[index], object);
        live_note_most(&churn.most_live, &churn.live);
        latency_operation(run);
    }
    for (uint32_t i = 0; i < size->objects; i++)
        run->checksum = checksum_add(run->checksum, read_object(local.table[i]));
    memory_pop(memory, &frame);
    run->operations = (uint64_t)size->objects + size->replacements;
    run->live = churn.most_live;
}
