/*
 * Big arrays: a table of many references to small objects, of which random ones are replaced, and some arrays of 64 KiB to
 * 4 MiB without references, of which one is replaced in each operation: filled whole, read in part. The latency is that of one
 * operation: a new array and 1,000 new small objects.
 */
#include "bench/workloads/workload.h"

enum { ARRAYS = 24, CELLS_AT_A_TIME = 1000, CELL_LENGTH = 2, READ_EVERY = 64, LENGTH_BITS = 6 };

const char workload_name[] = "arrays";
const char workload_about[] =
    "Replaces arrays of 64 KiB to 4 MiB, and objects that a huge array of references refers to.";
const unsigned workload_threads_max = 1;

struct sizes {
    uint32_t cells;
    uint32_t operations;
    uint32_t length_least; /* words, of an array */
};

static const struct sizes sizes[SCALES] = {[SCALE_TINY] = {20000, 250, 512},
                                           [SCALE_QUICK] = {300000, 300, 4096},
                                           [SCALE_FULL] = {3000000, 4000, 8192}};

struct state {
    memory_type cell_type;
    memory_type array_type;
    uint64_t random;
    uint64_t checksum;
    const struct sizes *sizes;
    uint32_t lengths[ARRAYS]; /* words */
    uint64_t array_bytes;
    uint64_t most_array_bytes;
};

static uint64_t *new_cell(struct memory *memory, const struct state *state, uint64_t number)
{
    uint64_t *cell = memory_words(memory, state->cell_type, CELL_LENGTH);
    cell[0] = number;
    cell[1] = ~number;
    return cell;
}

static void replace_cells(struct memory *memory, struct state *state, uint64_t **const *table,
                          uint64_t number)
{
    for (uint64_t i = 0; i < CELLS_AT_A_TIME; i++) {
        uint64_t *cell = new_cell(memory, state, number * CELLS_AT_A_TIME + i);
        size_t index = random_below(&state->random, state->sizes->cells);
        uint64_t *old = (*table)[index];
        state->checksum = checksum_add(state->checksum, old[0] - old[1]);
        memory_store(memory, *table, &(*table)[index], cell);
        memory_free(memory, old);
    }
}

/* Words: from the least to 64 times that, as many between each two powers of two. */
static uint32_t random_length(struct state *state)
{
    uint32_t least = state->sizes->length_least << random_below(&state->random, LENGTH_BITS);
    return least + (uint32_t)random_below(&state->random, least);
}

static uint64_t *new_array(struct memory *memory, struct state *state, uint32_t length, uint64_t number)
{
    uint64_t *array = memory_words(memory, state->array_type, length);
    for (size_t i = 0; i < length; i++)
        array[i] = number + i;
    return array;
}

static void read_array(struct state *state, const uint64_t *array, uint32_t length)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i += READ_EVERY)
        sum += array[i];
    state->checksum = checksum_add(state->checksum, sum);
}

/* The old array is dropped before there is a new one. */
static void replace_array(struct memory *memory, struct state *state, uint64_t **const *arrays,
                          uint64_t number)
{
    size_t index = random_below(&state->random, ARRAYS);
    uint64_t *old = (*arrays)[index];
    if (old != NULL) {
        read_array(state, old, state->lengths[index]);
        memory_store(memory, *arrays, &(*arrays)[index], NULL);
        memory_free(memory, old);
    }
    state->array_bytes -= state->lengths[index] * sizeof(uint64_t);
    state->lengths[index] = random_length(state);
    state->array_bytes += state->lengths[index] * sizeof(uint64_t);
    if (state->array_bytes > state->most_array_bytes)
        state->most_array_bytes = state->array_bytes;
    uint64_t *array = new_array(memory, state, state->lengths[index], number);
    memory_store(memory, *arrays, &(*arrays)[index], array);
}

void workload_run(struct memory *memory, struct run *run)
{
    struct state state = {.cell_type = manager_words("cell"),
                          .array_type = manager_words("array"),
                          .random = run->seed,
                          .sizes = &sizes[run->scale]};
    memory_type table_type = manager_references("table");
    struct {
        uint64_t **cells;
        uint64_t **arrays;
    } local = {NULL, NULL};
    memory_frame frame;
    memory_push(memory, &frame, &local, 2);
    local.cells = memory_references(memory, table_type, state.sizes->cells);
    local.arrays = memory_references(memory, table_type, ARRAYS);
    for (uint32_t i = 0; i < state.sizes->cells; i++) {
        uint64_t *cell = new_cell(memory, &state, i);
        memory_store(memory, local.cells, &local.cells[i], cell);
    }
    latency_begin(run);
    for (uint32_t i = 0; i < state.sizes->operations; i++) {
        replace_array(memory, &state, &local.arrays, i);
        replace_cells(memory, &state, &local.cells, i);
        latency_operation(run);
    }
    for (uint32_t i = 0; i < state.sizes->cells; i++)
        state.checksum = checksum_add(state.checksum, local.cells[i][0]);
    memory_pop(memory, &frame);
    run->checksum = state.checksum;
    run->operations = state.sizes->operations;
    live_add(&run->live, 1, state.sizes->cells * sizeof(void *));
    live_add(&run->live, state.sizes->cells, CELL_LENGTH * sizeof(uint64_t));
    live_add(&run->live, 1, state.most_array_bytes);
}
