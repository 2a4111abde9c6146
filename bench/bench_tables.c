/*
 * Tables with weak entries beside a plain table of the same layout - directory, segments, chains of entries that refer to an
 * object and hold its hash - whose memory is malloc's and whose references are strong. Look-ups are for random keys; a
 * benchmark that adds makes a new table when it has `entries`, and includes the collections that come of it.
 */
#include "bench/gbench.h"
#include "bench/support/samples.h"

#include <shale/shale.h>

#include <stdlib.h>

struct word {
    uint64_t number;
};

enum { SEGMENT = 4096, DIRECTORY = 1024, LOOKUPS = 1 << 16 };

static shale_heap *heap;
static shale_mutator *mutator;
static const shale_type *word_type;
static const shale_type *array_type;

static uint32_t hash_of(uint64_t number)
{
    return (uint32_t)random_next(&number);
}

static bool is_number(void *context, const void *object)
{
    return ((const struct word *)object)->number == *(const uint64_t *)context;
}

static void create(void)
{
    shale_options options;
    shale_error error;
    shale_options_init(&options);
    options.ignore_environment = true;
    options.heap_size = (size_t)512 << 20;
    heap = shale_heap_create(&options, &error);
    bench_require(heap != NULL, error.message);
    mutator = shale_attach(heap, &error);
    bench_require(mutator != NULL, error.message);
    shale_type_spec spec = {.name = "word", .size = sizeof(struct word)};
    word_type = shale_type_register(heap, &spec, &error);
    static const uint32_t element[] = {0};
    shale_type_spec array = {
        .name = "array", .element_size = 8, .element_pointers = element, .element_pointer_count = 1};
    array_type = shale_type_register(heap, &array, &error);
    bench_require(word_type != NULL && array_type != NULL, error.message);
}

/* ---- the plain table ----------------------------------------------------------------------------------- */

struct entry {
    struct word *word;
    uint32_t link; /* so that it is as large as a weak reference */
    uint32_t hash;
    struct entry *next;
};

struct table {
    struct entry **segments[DIRECTORY];
    uint32_t buckets;
    uint64_t entries;
};

static struct entry **bucket_of(const struct table *table, uint32_t hash)
{
    uint32_t mask = UINT32_MAX >> __builtin_clz(table->buckets - 1);
    uint32_t bucket = (hash & mask) < table->buckets ? hash & mask : hash & mask >> 1;
    return &table->segments[bucket / SEGMENT][bucket % SEGMENT];
}

static struct table *plain_create(void)
{
    struct table *table = calloc(1, sizeof *table);
    bench_require(table != NULL, "malloc has no memory");
    table->buckets = 8;
    table->segments[0] = calloc(SEGMENT, sizeof(struct entry *));
    bench_require(table->segments[0] != NULL, "malloc has no memory");
    return table;
}

static void plain_free(struct table *table)
{
    for (uint32_t bucket = 0; bucket < table->buckets; bucket++) {
        struct entry *entry = table->segments[bucket / SEGMENT][bucket % SEGMENT];
        while (entry != NULL) {
            struct entry *next = entry->next;
            free(entry->word);
            free(entry);
            entry = next;
        }
    }
    for (int i = 0; i < DIRECTORY; i++)
        free(table->segments[i]);
    free(table);
}

static void *plain_find(const struct table *table, uint32_t hash,
                        bool (*matches)(void *context, const void *object), void *context)
{
    for (struct entry *entry = *bucket_of(table, hash); entry != NULL; entry = entry->next) {
        if (entry->hash == hash && matches(context, entry->word))
            return entry->word;
    }
    return NULL;
}

static void plain_split(struct table *table)
{
    uint32_t added = table->buckets;
    uint32_t parent = added & ~(UINT32_C(1) << (31 - __builtin_clz(added)));
    if (table->segments[added / SEGMENT] == NULL)
        table->segments[added / SEGMENT] = calloc(SEGMENT, sizeof(struct entry *));
    bench_require(table->segments[added / SEGMENT] != NULL, "malloc has no memory");
    table->buckets++;
    struct entry **from = &table->segments[parent / SEGMENT][parent % SEGMENT];
    struct entry **to = &table->segments[added / SEGMENT][added % SEGMENT];
    while (*from != NULL) {
        struct entry *entry = *from;
        if (bucket_of(table, entry->hash) != to) {
            from = &entry->next;
            continue;
        }
        *from = entry->next;
        entry->next = *to;
        *to = entry;
    }
}

static void plain_add(struct table *table, uint32_t hash, struct word *word)
{
    struct entry *entry = malloc(sizeof *entry);
    bench_require(entry != NULL, "malloc has no memory");
    struct entry **head = bucket_of(table, hash);
    *entry = (struct entry){.word = word, .hash = hash, .next = *head};
    *head = entry;
    if (++table->entries > table->buckets)
        plain_split(table);
}

static struct word *plain_word(uint64_t number)
{
    struct word *word = malloc(sizeof *word);
    bench_require(word != NULL, "malloc has no memory");
    word->number = number;
    return word;
}

static struct table *plain_filled(uint64_t count)
{
    struct table *table = plain_create();
    for (uint64_t number = 0; number < count; number++)
        plain_add(table, hash_of(number), plain_word(number));
    return table;
}

/* ---- tables in the heap -------------------------------------------------------------------------------- */

/* A table and what keeps its words alive. */
struct filled {
    shale_handle *table;
    shale_handle *words; /* segments of an array of all words, in an array */
    uint64_t count;
};

static void **part_of(const struct filled *filled, uint64_t number)
{
    return ((void ***)shale_handle_get(filled->words))[number / SEGMENT];
}

static struct word *keep_word(const struct filled *filled, uint64_t number)
{
    if (number % SEGMENT == 0) {
        void *part = shale_allocate_array(mutator, array_type, SEGMENT);
        bench_require(part != NULL, "the heap is full");
        void **parts = shale_handle_get(filled->words);
        shale_store(mutator, parts, &parts[number / SEGMENT], part);
    }
    struct word *word = shale_allocate(mutator, word_type);
    bench_require(word != NULL, "the heap is full");
    word->number = number;
    void **part = part_of(filled, number);
    shale_store(mutator, part, &part[number % SEGMENT], word);
    return word;
}

static struct word *word_of(const struct filled *filled, uint64_t number)
{
    return part_of(filled, number)[number % SEGMENT];
}

static struct filled begin(void *table)
{
    struct filled filled = {.table = shale_handle_create(mutator, table)};
    void *words = shale_allocate_array(mutator, array_type, DIRECTORY);
    bench_require(filled.table != NULL && words != NULL, "the heap is full");
    filled.words = shale_handle_create(mutator, words);
    return filled;
}

static void end(struct filled *filled)
{
    shale_handle_drop(mutator, filled->table);
    shale_handle_drop(mutator, filled->words);
}

static void intern_one(struct filled *filled)
{
    uint64_t number = filled->count++;
    struct word *word = keep_word(filled, number);
    bench_require(shale_intern_add(mutator, shale_handle_get(filled->table), hash_of(number), word) ==
                      SHALE_OK,
                  "the heap is full");
}

static void set_one(struct filled *filled)
{
    struct word *word = keep_word(filled, filled->count++);
    bench_require(shale_weak_map_set(mutator, shale_handle_get(filled->table), word, NULL) == SHALE_OK,
                  "the heap is full");
}

static struct filled filled_table(uint64_t count, bool map)
{
    struct filled filled =
        begin(map ? (void *)shale_weak_map_create(mutator) : (void *)shale_intern_create(mutator));
    while (filled.count < count)
        map ? set_one(&filled) : intern_one(&filled);
    bench_require(shale_collect(mutator, SHALE_COLLECT_NORMAL) == SHALE_OK, "collecting failed");
    return filled;
}

/* ---- cases --------------------------------------------------------------------------------------------- */

/* Numbers to look up, of which so many are there. */
static uint64_t *lookups(uint64_t count)
{
    uint64_t *numbers = malloc(LOOKUPS * sizeof *numbers);
    bench_require(numbers != NULL, "malloc has no memory");
    uint64_t state = 1;
    for (int i = 0; i < LOOKUPS; i++)
        numbers[i] = random_below(&state, count);
    return numbers;
}

static void intern_find(gbench_state *state, void *context)
{
    uint64_t offset = context != NULL ? UINT64_C(1) << 40 : 0; /* not there */
    uint64_t entries = (uint64_t)gbench_arg(state, 0);
    struct filled filled = filled_table(entries, false);
    uint64_t *numbers = lookups(entries);
    uint64_t i = 0;
    while (gbench_keep_running(state)) {
        uint64_t number = numbers[i++ % LOOKUPS] + offset;
        gbench_keep(
            shale_intern_find(mutator, shale_handle_get(filled.table), hash_of(number), is_number, &number));
    }
    free(numbers);
    end(&filled);
}

static void plain_find_case(gbench_state *state, void *context)
{
    uint64_t offset = context != NULL ? UINT64_C(1) << 40 : 0;
    uint64_t entries = (uint64_t)gbench_arg(state, 0);
    struct table *table = plain_filled(entries);
    uint64_t *numbers = lookups(entries);
    uint64_t i = 0;
    while (gbench_keep_running(state)) {
        uint64_t number = numbers[i++ % LOOKUPS] + offset;
        gbench_keep(plain_find(table, hash_of(number), is_number, &number));
    }
    free(numbers);
    plain_free(table);
}

static void map_get(gbench_state *state, void *context)
{
    (void)context;
    uint64_t entries = (uint64_t)gbench_arg(state, 0);
    struct filled filled = filled_table(entries, true);
    uint64_t *numbers = lookups(entries);
    uint64_t i = 0;
    while (gbench_keep_running(state)) {
        void *value = &value;
        shale_weak_map_get(mutator, shale_handle_get(filled.table), word_of(&filled, numbers[i++ % LOOKUPS]),
                           &value);
        gbench_keep(value);
    }
    free(numbers);
    end(&filled);
}

/* A new word each time, like the plain case. */
static void add(gbench_state *state, void *context)
{
    bool map = context != NULL;
    uint64_t entries = (uint64_t)gbench_arg(state, 0);
    struct filled filled = filled_table(0, map);
    while (gbench_keep_running(state)) {
        if (filled.count == entries) {
            end(&filled);
            filled = filled_table(0, map);
        }
        map ? set_one(&filled) : intern_one(&filled);
    }
    end(&filled);
}

static void plain_add_case(gbench_state *state, void *context)
{
    (void)context;
    uint64_t entries = (uint64_t)gbench_arg(state, 0);
    struct table *table = plain_create();
    while (gbench_keep_running(state)) {
        if (table->entries == entries) {
            plain_free(table);
            table = plain_create();
        }
        uint64_t number = table->entries;
        plain_add(table, hash_of(number), plain_word(number));
    }
    plain_free(table);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        gbench_function function;
        void *context;
    } cases[] = {
        {"tables/intern_find", intern_find, NULL},
        {"tables/plain_find_limit", plain_find_case, NULL},
        {"tables/intern_find_absent", intern_find, &heap},
        {"tables/plain_find_absent_limit", plain_find_case, &heap},
        {"tables/map_get", map_get, NULL},
        {"tables/intern_add", add, NULL},
        {"tables/map_set", add, &heap},
        {"tables/plain_add_limit", plain_add_case, NULL},
    };
    static const char *const names[] = {"entries"};
    create();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gbench_case *one = gbench_register(cases[i].name, cases[i].function, cases[i].context);
        gbench_set_arg_names(one, names, 1);
        gbench_add_args(one, (const int64_t[]){1 << 10}, 1);
        gbench_add_args(one, (const int64_t[]){1 << 20}, 1);
        gbench_set_min_time(one, 0.2);
    }
    int status = gbench_main(argc, argv);
    shale_detach(mutator);
    shale_heap_destroy(heap, NULL);
    return status;
}
