/*
 * Calls to the operating system that fail in whole cycles while there are objects of all kinds that do not move - large
 * arrays of references, large buffers, cells with and without slots, pinned objects - and small ones between them that do.
 * Each call succeeds or says that the heap is full; what is kept stays as it is and where it is; nothing is left behind.
 */
#include "runtime/heap.h"
#include "tests/support/log_lines.h"
#include "tests/support/os_failing.h"
#include "tests/support/test_random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ARRAYS = 4, BUFFERS = 3, CELLS = 300, PINNED = 2, MOVED = 80, STRIDE = 16 };

struct node {
    struct node *next;
    uint64_t number;
};

/* Something that is kept: where it was put, how long it is and what its contents follow from; seed 0: nothing. */
struct kept {
    const void *address;
    size_t length;
    uint64_t seed;
};

struct program {
    struct os_failing os;
    struct log_lines lines;
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *node;
    const shale_type *array;
    const shale_type *bytes;
    struct test_random random;
    struct {
        void *arrays[ARRAYS];
        void *buffers[BUFFERS];
        void *cells[CELLS]; /* even ones are nodes, odd ones bytes */
        void *pinned[PINNED];
        void *moved[MOVED]; /* bytes that move */
    } locals;
    shale_frame frame;
    struct kept arrays[ARRAYS];
    struct kept buffers[BUFFERS];
    struct kept cells[CELLS];
    struct kept pinned[PINNED];
    struct kept moved[MOVED];
    unsigned refused; /* allocations */
};

/* An allocation that fails must say that the heap is full. */
static void *refused(struct program *program)
{
    assert_int_equal(shale_last_error(program->mutator)->status, SHALE_ERROR_OUT_OF_HEAP);
    program->refused++;
    return NULL;
}

static void *made(struct program *program, void *object)
{
    return object != NULL ? object : refused(program);
}

/* ---- what is kept ----------------------------------------------------------------------------------------- */

/* A slot in STRIDE refers to a node with a number of its own. */
static void replace_array(struct program *program, unsigned which)
{
    struct kept *kept = &program->arrays[which];
    size_t length = test_random_between(&program->random, 5000, 60000);
    program->locals.arrays[which] = NULL;
    *kept = (struct kept){.seed = 0};
    void **array = made(program, shale_allocate_array(program->mutator, program->array, length));
    if (array == NULL)
        return;
    program->locals.arrays[which] = array;
    *kept = (struct kept){.address = array, .length = 0, .seed = test_random_next(&program->random) | 1};
    for (size_t i = 0; i < length; i += STRIDE) {
        struct node *node = made(program, shale_allocate(program->mutator, program->node));
        if (node == NULL)
            return; /* as long as it is */
        node->number = kept->seed + i;
        shale_store(program->mutator, array, &array[i], node);
        kept->length = i + 1;
    }
}

static void replace_buffer(struct program *program, unsigned which)
{
    size_t length = test_random_between(&program->random, 40000, 700000);
    program->locals.buffers[which] = NULL;
    program->buffers[which] = (struct kept){.seed = 0};
    unsigned char *buffer = made(program, shale_allocate_array(program->mutator, program->bytes, length));
    if (buffer == NULL)
        return;
    for (size_t i = 0; i < length; i += 1000)
        assert_int_equal(buffer[i], 0);
    uint64_t seed = test_random_next(&program->random) | 1;
    memset(buffer, (unsigned char)seed, length);
    program->locals.buffers[which] = buffer;
    program->buffers[which] = (struct kept){.address = buffer, .length = length, .seed = seed};
}

static void replace_cell(struct program *program, unsigned which)
{
    uint64_t seed = test_random_next(&program->random) | 1;
    size_t length = test_random_between(&program->random, 8, 3000);
    program->locals.cells[which] = NULL;
    program->cells[which] = (struct kept){.seed = 0};
    if (which % 2 != 0) {
        unsigned char *cell =
            made(program, shale_allocate_pinned_array(program->mutator, program->bytes, length));
        if (cell == NULL)
            return;
        memset(cell, (unsigned char)seed, length);
        program->locals.cells[which] = cell;
        program->cells[which] = (struct kept){.address = cell, .length = length, .seed = seed};
        return;
    }
    struct node *cell = made(program, shale_allocate_pinned(program->mutator, program->node));
    if (cell == NULL)
        return;
    cell->number = seed;
    program->locals.cells[which] = cell;
    struct node *next = made(program, shale_allocate(program->mutator, program->node));
    if (next != NULL)
        next->number = seed;
    shale_store(program->mutator, cell, &cell->next, next);
    program->cells[which] = (struct kept){.address = cell, .length = next != NULL, .seed = seed};
}

static void replace_moved(struct program *program, unsigned which)
{
    size_t length = test_random_between(&program->random, 1000, 20000);
    program->locals.moved[which] = NULL;
    program->moved[which] = (struct kept){.seed = 0};
    unsigned char *bytes = made(program, shale_allocate_array(program->mutator, program->bytes, length));
    if (bytes == NULL)
        return;
    uint64_t seed = test_random_next(&program->random) | 1;
    memset(bytes, (unsigned char)seed, length);
    program->locals.moved[which] = bytes;
    program->moved[which] = (struct kept){.length = length, .seed = seed};
}

/* An object of a region that others move out of. */
static void replace_pinned(struct program *program, unsigned which)
{
    if (program->pinned[which].seed != 0)
        assert_int_equal(shale_unpin(program->mutator, program->locals.pinned[which]), SHALE_OK);
    program->pinned[which] = (struct kept){.seed = 0};
    struct node *node = made(program, shale_allocate(program->mutator, program->node));
    if (node == NULL || shale_pin(program->mutator, node) != SHALE_OK)
        return;
    node->number = test_random_next(&program->random) | 1;
    program->locals.pinned[which] = node;
    program->pinned[which] = (struct kept){.address = node, .seed = node->number};
}

static void run(struct program *program, unsigned steps)
{
    for (unsigned step = 0; step < steps; step++) {
        unsigned draw = (unsigned)test_random_below(&program->random, 100);
        if (draw < 2)
            replace_array(program, (unsigned)test_random_below(&program->random, ARRAYS));
        else if (draw < 4)
            replace_buffer(program, (unsigned)test_random_below(&program->random, BUFFERS));
        else if (draw < 60)
            replace_moved(program, (unsigned)test_random_below(&program->random, MOVED));
        else if (draw < 98)
            replace_cell(program, (unsigned)test_random_below(&program->random, CELLS));
        else
            replace_pinned(program, (unsigned)test_random_below(&program->random, PINNED));
        shale_poll(program->mutator);
    }
}

/* ---- what must hold --------------------------------------------------------------------------------------- */

static void check_bytes(const struct kept *kept, const void *object)
{
    const unsigned char *bytes = object;
    if (kept->address != NULL)
        assert_ptr_equal(object, kept->address);
    assert_int_equal(shale_length_of(object), kept->length);
    /* The first is as it must be, and each other like the one before it: a step for each takes sanitizers too long. */
    assert_int_equal(bytes[0], (unsigned char)kept->seed);
    assert_true(memcmp(bytes, bytes + 1, kept->length - 1) == 0);
}

static void check_array(const struct kept *kept, void *object)
{
    struct node **array = object;
    assert_ptr_equal(object, kept->address);
    for (size_t i = 0; i < shale_length_of(object); i++) {
        if (i % STRIDE != 0 || i >= kept->length)
            assert_null(array[i]);
        else
            assert_int_equal(array[i]->number, kept->seed + i);
    }
}

static void check(struct program *program)
{
    for (unsigned i = 0; i < ARRAYS; i++) {
        if (program->arrays[i].seed != 0)
            check_array(&program->arrays[i], program->locals.arrays[i]);
    }
    for (unsigned i = 0; i < BUFFERS; i++) {
        if (program->buffers[i].seed != 0)
            check_bytes(&program->buffers[i], program->locals.buffers[i]);
    }
    for (unsigned i = 0; i < CELLS; i++) {
        const struct kept *kept = &program->cells[i];
        const struct node *cell = program->locals.cells[i];
        if (kept->seed == 0)
            continue;
        if (i % 2 != 0) {
            check_bytes(kept, cell);
            continue;
        }
        assert_ptr_equal(cell, kept->address);
        assert_int_equal(cell->number, kept->seed);
        assert_int_equal(cell->next != NULL, kept->length);
        if (cell->next != NULL)
            assert_int_equal(cell->next->number, kept->seed);
    }
    for (unsigned i = 0; i < MOVED; i++) {
        if (program->moved[i].seed != 0)
            check_bytes(&program->moved[i], program->locals.moved[i]);
    }
    for (unsigned i = 0; i < PINNED; i++) {
        if (program->pinned[i].seed == 0)
            continue;
        assert_ptr_equal(program->locals.pinned[i], program->pinned[i].address);
        assert_int_equal(((const struct node *)program->locals.pinned[i])->number, program->pinned[i].seed);
    }
}

/* A cycle that moves what can move, overlapped with the program. */
static void cycle(struct program *program)
{
    assert_int_equal(shale_collect_start(program->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    for (int i = 0; i < 3; i++) {
        run(program, 60);
        check(program);
    }
    assert_int_equal(shale_collect(program->mutator, SHALE_COLLECT_MOVE_ALL), SHALE_OK);
    check(program);
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

static void register_types(struct program *program)
{
    static const uint32_t first[] = {0};
    program->node = shale_type_register(
        program->heap,
        &(shale_type_spec){
            .name = "node", .size = sizeof(struct node), .pointers = first, .pointer_count = 1},
        NULL);
    program->array = shale_type_register(
        program->heap,
        &(shale_type_spec){
            .name = "array", .element_size = 8, .element_pointers = first, .element_pointer_count = 1},
        NULL);
    program->bytes =
        shale_type_register(program->heap, &(shale_type_spec){.name = "bytes", .element_size = 1}, NULL);
    assert_non_null(program->bytes);
}

static struct program *start(int faults, int verify, uint64_t stream)
{
    static struct program program;
    memset(&program, 0, sizeof program);
    program.random = test_random_make(test_seed(), stream);
    os_failing_init(&program.os);
    log_lines_init(&program.lines);
    shale_options options;
    shale_options_init(&options);
    options.heap_size = (size_t)8 << 20;
    options.faults = faults;
    options.verify = verify;
    options.release = 1;
    log_lines_connect(&program.lines, &options, SHALE_LOG_ERROR);
    shale_error error;
    program.heap = heap_create(&program.os.os, &options, false, &error);
    if (program.heap == NULL)
        fail_msg("%s", error.message);
    program.mutator = shale_attach(program.heap, &error);
    assert_non_null(program.mutator);
    register_types(&program);
    shale_frame_push(program.mutator, &program.frame, &program.locals,
                     sizeof program.locals / sizeof(void *));
    run(&program, 500);
    return &program;
}

static shale_statistics statistics_of(struct program *program)
{
    shale_statistics statistics;
    assert_int_equal(shale_heap_statistics(program->heap, &statistics), SHALE_OK);
    return statistics;
}

static void finish(struct program *program)
{
    os_failing_plan(&program->os, OS_ANY, 0, 0, 0);
    cycle(program);
    shale_statistics statistics = statistics_of(program);
    assert_true(statistics.objects_moved > 0);
    assert_true(statistics.large_objects > 0);
    assert_true(statistics.pinned_bytes > 0);
    assert_int_equal(log_lines_count(&program->lines, SHALE_LOG_ERROR, ""), 0);
    shale_frame_pop(program->mutator, &program->frame);
    assert_int_equal(shale_detach(program->mutator), SHALE_OK);
    assert_int_equal(shale_heap_destroy(program->heap, NULL), SHALE_OK);
    const char *leak = os_failing_leak(&program->os);
    if (leak != NULL)
        fail_msg("%s was left behind", leak);
    log_lines_destroy(&program->lines);
}

/* A few calls in a row, over and over, anywhere in the cycles: among the first `most` of each. */
static void failures_of(enum os_call kind, int error, size_t most)
{
    unsigned failed = 0;
    bool possible = false;
    for (int faults = SHALE_FAULTS_THREAD; faults <= SHALE_FAULTS_SIGNAL; faults++) {
        struct program *program = start(faults, 2 * faults, (uint64_t)kind * 2 + (uint64_t)faults);
        for (unsigned round = 0; round < test_rounds(6, 2); round++) {
            unsigned first = round == 0 ? 1 : (unsigned)test_random_between(&program->random, 1, most);
            unsigned count = (unsigned)test_random_between(&program->random, 1, 3);
            os_failing_plan_from_now(&program->os, kind, first, first + count - 1, error);
            cycle(program);
        }
        failed += atomic_load(&program->os.failed);
        possible = statistics_of(program).compaction != SHALE_COMPACTION_IN_PAUSE;
        finish(program);
    }
    /* A machine that cannot compact concurrently never makes the calls. */
    if (!test_quick() && possible)
        assert_true(failed > 0);
}

static void test_flips(void **state)
{
    (void)state;
    failures_of(OS_MOVE_ENTRIES, 0, 2);
    failures_of(OS_FAULTS_REGISTER, 0, 2);
}

static void test_publishing(void **state)
{
    (void)state;
    failures_of(OS_FAULTS_CONTINUE, EAGAIN, 4);
    failures_of(OS_FAULTS_CONTINUE, ENOMEM, 4);
}

static void test_giving_memory_back(void **state)
{
    (void)state;
    failures_of(OS_FILE_DISCARD, 0, 2);
    failures_of(OS_DROP_ENTRIES, 0, 2);
    failures_of(OS_RESERVE_AGAIN, 0, 2);
}

/* Whatever becomes of it, memory that the system never takes back must not be lost. */
static void test_memory_is_never_taken_back(void **state)
{
    (void)state;
    struct program *program = start(SHALE_FAULTS_THREAD, 0, 1000);
    os_failing_plan_from_now(&program->os, OS_FILE_DISCARD, 1, 1000000, 0);
    for (unsigned round = 0; round < test_rounds(6, 2); round++)
        cycle(program);
    finish(program);
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_publishing),
        cmocka_unit_test(test_giving_memory_back),
        cmocka_unit_test(test_memory_is_never_taken_back),
    };
    return cmocka_run_group_tests_name("faults.spaces", tests, NULL, NULL);
}
