/*
 * A ring of buffers, as a server that keeps its last messages has: each new buffer of 1 KiB, filled, takes the place of the
 * oldest, which is read and dropped. The latency is that of one replacement, which begins where the last one ended.
 */
#include "bench/workloads/workload.h"

enum { BUFFER_LENGTH = 128 /* words */ };

const char workload_name[] = "ring";
const char workload_about[] = "Replaces the oldest of many buffers of 1 KiB, over and over.";
const unsigned workload_threads_max = 1;

struct sizes {
    uint32_t buffers;
    uint32_t replacements;
};

static const struct sizes sizes[SCALES] = {
    [SCALE_TINY] = {2000, 20000}, [SCALE_QUICK] = {100000, 500000}, [SCALE_FULL] = {1000000, 5000000}};

static memory_type table_type;
static memory_type buffer_type;

/* Buffer number n holds, in word i, n + i. */
static uint64_t *new_buffer(struct memory *memory, uint64_t number)
{
    uint64_t *buffer = memory_words(memory, buffer_type, BUFFER_LENGTH);
    for (size_t i = 0; i < BUFFER_LENGTH; i++)
        buffer[i] = number + i;
    return buffer;
}

/* Two of the words: of the oldest buffer's memory not everything is in the cache any more. */
static uint64_t read_buffer(const uint64_t *buffer, uint64_t number)
{
    return buffer[0] ^ buffer[number % BUFFER_LENGTH] << 32;
}

void workload_run(struct memory *memory, struct run *run)
{
    const struct sizes *size = &sizes[run->scale];
    table_type = manager_references("ring");
    buffer_type = manager_words("buffer");
    struct {
        uint64_t **ring;
    } local = {memory_references(memory, table_type, size->buffers)};
    memory_frame frame;
    memory_push(memory, &frame, &local, 1);
    for (uint64_t i = 0; i < size->buffers; i++) {
        uint64_t *buffer = new_buffer(memory, i);
        memory_store(memory, local.ring, &local.ring[i], buffer);
    }
    latency_begin(run);
    uint32_t oldest = 0;
    for (uint64_t i = size->buffers; i < size->buffers + size->replacements; i++) {
        uint64_t *buffer = new_buffer(memory, i);
        uint64_t *old = local.ring[oldest];
        memory_store(memory, local.ring, &local.ring[oldest], buffer);
        run->checksum = checksum_add(run->checksum, read_buffer(old, i));
        memory_free(memory, old);
        oldest = oldest + 1 == size->buffers ? 0 : oldest + 1;
        latency_operation(run);
    }
    for (uint32_t i = 0; i < size->buffers; i++)
        run->checksum = checksum_add(run->checksum, read_buffer(local.ring[i], i));
    memory_pop(memory, &frame);
    run->operations = (uint64_t)size->buffers + size->replacements;
    live_add(&run->live, size->buffers, BUFFER_LENGTH * sizeof(uint64_t));
    live_add(&run->live, 1, size->buffers * sizeof(void *));
}
