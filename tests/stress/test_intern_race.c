/*
 * The race that intern tables are for: one thread finds an object by its content while another drops the last strong
 * reference to it, and a cycle is about to decide that it is dead. What was found must stay intact; and at any time, all
 * who hold an object of the same content hold the same. Beside the table there is a weak map from each word to something that
 * leads back to it, which must be there for exactly as long.
 */
#include "tests/support/stress_support.h"
#include "tests/support/table_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { CONTENTS = 48, SLOTS = 6, THREADS_MAX = 4, BALLAST = 30000 };

struct word {
    struct detail *detail;
    uint64_t content;
    uint64_t serial; /* no two words have the same */
};

/* Reached by way of its word, or of the map, only. */
struct detail {
    void *other; /* the word, of one in the map; the next, of ballast */
    uint64_t serial;
};

struct run {
    uint64_t seed;
    shale_heap *heap;
    const shale_type *word_type;
    const shale_type *detail_type;
    shale_handle *table;
    shale_handle *map;
    shale_handle *ballast;
    pthread_mutex_t lock; /* of the table and of what follows */
    uint64_t serials;
    uint64_t current[CONTENTS]; /* the serial of the word that was made last */
    uint32_t holders[CONTENTS]; /* atomic: threads that have such a word, at least */
    uint64_t found;
    uint64_t made;
    uint64_t deadline;
    uint32_t running; /* atomic */
};

struct worker {
    struct run *run;
    unsigned index;
};

/* ---- one word ---------------------------------------------------------------------------------------- */

static bool has_content(void *context, const void *object)
{
    return ((const struct word *)object)->content == *(const uint64_t *)context;
}

static uint32_t hash_of(uint64_t content)
{
    return (uint32_t)content % 16; /* chains of several */
}

static void check_word(const struct run *run, const struct word *word, uint64_t content)
{
    STRESS_CHECK(word->content == content, "a word of %llu has become %llu", (unsigned long long)content,
                 (unsigned long long)word->content);
    STRESS_CHECK(word->detail->serial == word->serial, "word %llu has detail %llu",
                 (unsigned long long)word->serial, (unsigned long long)word->detail->serial);
    STRESS_CHECK(word->serial == run->current[content],
                 "word %llu of %llu is not the only one: there is %llu", (unsigned long long)word->serial,
                 (unsigned long long)content, (unsigned long long)run->current[content]);
}

static struct detail *make_detail(struct run *run, shale_mutator *mutator, uint64_t serial)
{
    struct detail *detail = shale_allocate(mutator, run->detail_type);
    STRESS_CHECK(detail != NULL, "no memory");
    detail->serial = serial;
    return detail;
}

static void check_map(const struct run *run, shale_mutator *mutator, const struct word *word)
{
    void *value = NULL;
    STRESS_CHECK(shale_weak_map_get(mutator, shale_handle_get(run->map), word, &value),
                 "word %llu is not in the map", (unsigned long long)word->serial);
    const struct detail *detail = value;
    STRESS_CHECK(detail->other == word && detail->serial == word->serial,
                 "the map has detail %llu for word %llu", (unsigned long long)detail->serial,
                 (unsigned long long)word->serial);
}

static struct word *make(struct run *run, shale_mutator *mutator, uint64_t content)
{
    struct {
        struct word *word;
    } local = {shale_allocate(mutator, run->word_type)};
    STRESS_CHECK(local.word != NULL, "no memory");
    local.word->content = content;
    local.word->serial = ++run->serials;
    shale_frame frame;
    shale_frame_push(mutator, &frame, &local, 1);
    struct detail *detail = make_detail(run, mutator, local.word->serial);
    shale_store(mutator, local.word, &local.word->detail, detail);
    run->current[content] = local.word->serial;
    detail = make_detail(run, mutator, local.word->serial);
    detail->other = local.word;
    STRESS_CHECK(shale_weak_map_set(mutator, shale_handle_get(run->map), local.word, detail) == SHALE_OK,
                 "setting");
    STRESS_CHECK(shale_intern_add(mutator, shale_handle_get(run->table), hash_of(content), local.word) ==
                     SHALE_OK,
                 "adding");
    shale_frame_pop(mutator, &frame);
    run->made++;
    return local.word;
}

static struct word *intern(struct run *run, shale_mutator *mutator, uint64_t content)
{
    stress_lock(mutator, &run->lock);
    /* From here to the look-up this thread has no safepoint; so who holds the word now keeps it until then. */
    bool held = __atomic_load_n(&run->holders[content], __ATOMIC_ACQUIRE) != 0;
    struct word *word =
        shale_intern_find(mutator, shale_handle_get(run->table), hash_of(content), has_content, &content);
    STRESS_CHECK(word != NULL || !held, "a word of %llu is held and was not found",
                 (unsigned long long)content);
    if (word == NULL)
        word = make(run, mutator, content);
    else
        run->found++;
    __atomic_fetch_add(&run->holders[content], 1, __ATOMIC_RELEASE);
    check_word(run, word, content);
    check_map(run, mutator, word);
    pthread_mutex_unlock(&run->lock);
    return word;
}

/* ---- threads ----------------------------------------------------------------------------------------- */

static void drop(struct run *run, struct word **slot, uint64_t content)
{
    if (*slot == NULL)
        return;
    __atomic_fetch_sub(&run->holders[content], 1, __ATOMIC_RELEASE);
    *slot = NULL;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct run *run = worker->run;
    struct stress_random random = stress_random_make(run->seed + 10 + worker->index);
    shale_mutator *mutator = stress_attach(run->heap);
    struct word *slots[SLOTS] = {NULL};
    uint64_t contents[SLOTS] = {0};
    shale_frame frame;
    shale_frame_push(mutator, &frame, slots, SLOTS);
    while (stress_milliseconds() < run->deadline) {
        for (int i = 0; i < 50; i++) {
            uint32_t slot = stress_random_below(&random, SLOTS);
            uint32_t draw = stress_random_below(&random, 8);
            if (draw < 3) {
                drop(run, &slots[slot], contents[slot]);
                contents[slot] = stress_random_below(&random, CONTENTS);
                slots[slot] = intern(run, mutator, contents[slot]);
            } else if (draw < 6) {
                drop(run, &slots[slot], contents[slot]);
            } else if (draw == 6) {
                shale_poll(mutator);
            } else if (slots[slot] != NULL) {
                STRESS_CHECK(slots[slot]->content == contents[slot] &&
                                 slots[slot]->detail->serial == slots[slot]->serial,
                             "a word that is held has changed");
            }
        }
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        drop(run, &slots[slot], contents[slot]);
    shale_frame_pop(mutator, &frame);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
    __atomic_fetch_sub(&run->running, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* One cycle after the other. */
static void collect_all_the_time(struct run *run)
{
    struct stress_random random = stress_random_make(run->seed + 1);
    shale_mutator *mutator = stress_attach(run->heap);
    while (__atomic_load_n(&run->running, __ATOMIC_ACQUIRE) != 0) {
        bool all = stress_random_chance(&random, 2);
        STRESS_CHECK(shale_collect(mutator, all ? SHALE_COLLECT_MOVE_ALL : SHALE_COLLECT_NORMAL) == SHALE_OK,
                     "collecting");
    }
    /* Nobody holds a word any more. */
    STRESS_CHECK(shale_collect(mutator, SHALE_COLLECT_NORMAL) == SHALE_OK, "collecting");
    const shale_handle *tables[] = {run->table, run->map};
    for (int i = 0; i < 2; i++) {
        struct table_walk walk = table_walk(shale_handle_get(tables[i]));
        STRESS_CHECK(walk.wrong == NULL, "%s", walk.wrong);
        STRESS_CHECK(walk.dead == walk.entries, "%zu of %zu words live on", walk.entries - walk.dead,
                     walk.entries);
    }
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");
}

static void *collector(void *argument)
{
    collect_all_the_time(argument);
    return NULL;
}

/* Marking takes long enough for others to look in. */
static void make_ballast(struct run *run, shale_mutator *mutator)
{
    run->ballast = shale_handle_create(mutator, NULL);
    for (unsigned i = 0; i < (stress_watched() ? BALLAST / 100 : BALLAST); i++) {
        struct detail *detail = shale_allocate(mutator, run->detail_type);
        STRESS_CHECK(detail != NULL, "no memory");
        detail->other = shale_handle_get(run->ballast);
        shale_handle_set(mutator, run->ballast, detail);
    }
}

static void one_run(uint64_t seed, enum stress_mode mode, unsigned milliseconds)
{
    static const uint32_t first[] = {0};
    struct run run = {.seed = seed, .running = THREADS_MAX};
    struct stress_random random = stress_random_make(seed);
    shale_options options;
    stress_options(&options, mode, (size_t)16 << 20, NULL);
    options.workers = 1 + stress_random_below(&random, 2);
    options.stress = stress_random_chance(&random, 4) && !stress_watched() ? 3 : 0;
    run.heap = stress_heap(&options);
    shale_type_spec word = {
        .name = "word", .size = sizeof(struct word), .pointers = first, .pointer_count = 1};
    shale_type_spec detail = {
        .name = "detail", .size = sizeof(struct detail), .pointers = first, .pointer_count = 1};
    run.word_type = shale_type_register(run.heap, &word, NULL);
    run.detail_type = shale_type_register(run.heap, &detail, NULL);
    pthread_mutex_init(&run.lock, NULL);
    shale_mutator *mutator = stress_attach(run.heap);
    run.table = shale_handle_create(mutator, shale_intern_create(mutator));
    run.map = shale_handle_create(mutator, shale_weak_map_create(mutator));
    make_ballast(&run, mutator);
    STRESS_CHECK(shale_detach(mutator) == SHALE_OK, "detaching");

    run.deadline = stress_milliseconds() + milliseconds;
    pthread_t beside;
    STRESS_CHECK(pthread_create(&beside, NULL, collector, &run) == 0, "no thread");
    struct worker workers[THREADS_MAX];
    for (unsigned i = 0; i < THREADS_MAX; i++)
        workers[i] = (struct worker){&run, i};
    stress_threads(THREADS_MAX, work, workers, sizeof workers[0]);
    pthread_join(beside, NULL);

    shale_statistics statistics;
    shale_heap_statistics(run.heap, &statistics);
    printf("  seed %llu, faults %s, %u workers, stress %u: %llu found, %llu made, %llu cycles\n",
           (unsigned long long)seed, stress_mode_names[mode], options.workers, options.stress,
           (unsigned long long)run.found, (unsigned long long)run.made,
           (unsigned long long)statistics.cycles);
    pthread_mutex_destroy(&run.lock);
    stress_heap_end(run.heap);
}

static void test_race(void **state)
{
    (void)state;
    unsigned runs = stress_runs(9, 3);
    for (unsigned i = 0; i < runs; i++)
        one_run(i == 0 ? stress_seed() : stress_mix(stress_seed() + i) >> 32,
                (enum stress_mode)(i % STRESS_MODES), stress_quick() ? 700 : 2000);
}

int main(int argc, char **argv)
{
    (void)argc;
    stress_begin(argv[0]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_race)};
    return cmocka_run_group_tests_name("stress.intern_race", tests, NULL, NULL);
}
