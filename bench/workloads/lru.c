/*
 * An LRU cache keyed by strings: a hash table with chains, whose entries are also linked in the order of their use. Each
 * operation makes a request, a key string; when the cache has it the entry moves to the front and its value is read, or
 * replaced each tenth time; when not, an entry with a new value is added, and the one that was not used for longest
 * is evicted. The latency is that of one operation.
 */
#include "bench/workloads/workload.h"

#include <string.h>

enum { KEY_MIN = 8, KEY_SPREAD = 25, VALUE_MIN = 8 /* words */, VALUE_SPREAD = 121, REPLACE_EVERY = 10 };

const char workload_name[] = "lru";
const char workload_about[] = "A cache that keeps what was used last: a hash table of strings and a list.";
const unsigned workload_threads_max = 1;

struct sizes {
    uint32_t capacity; /* entries; the table has as many chains, a power of two */
    uint32_t operations;
};

static const struct sizes sizes[SCALES] = {
    [SCALE_TINY] = {1 << 11, 40000}, [SCALE_QUICK] = {1 << 15, 400000}, [SCALE_FULL] = {1 << 18, 6000000}};

/* How many different keys there are, for each that the cache has room for. */
enum { KEYS_PER_ENTRY = 4 };

struct entry {
    struct entry *chain; /* the next of the same hash */
    struct entry *newer;
    struct entry *older;
    unsigned char *key;
    uint64_t *value;
    uint32_t hash;
    uint16_t key_length;
    uint16_t value_length; /* words */
};

enum { ENTRY_REFERENCES = 5 };

struct cache {
    memory_type entry_type;
    memory_type key_type;
    memory_type value_type;
    uint32_t capacity;
    uint32_t count;
    uint64_t random;
    uint64_t checksum;
    uint64_t operation; /* number of the one that runs */
    struct live live;
    struct live most_live;
};

/* The only roots. */
struct locals {
    struct entry **chains;
    struct entry *newest;
    struct entry *oldest;
    struct entry *entry; /* the one that is made */
};

enum { LOCALS = 4, TEXT_MAX = KEY_MIN + KEY_SPREAD };

struct request {
    unsigned char text[TEXT_MAX];
    uint16_t length;
    uint32_t hash;
};

/* ---- requests --------------------------------------------------------------------------------------- */

/* The text of a key follows from its number: hexadecimal digits of random numbers, 8 to 32 of them. */
static void make_request(struct request *request, uint64_t key)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t state = key;
    uint64_t bits = random_next(&state);
    request->length = (uint16_t)(KEY_MIN + bits % KEY_SPREAD);
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < request->length; i++) {
        if (i % 16 == 0)
            bits = random_next(&state);
        request->text[i] = (unsigned char)digits[bits & 15];
        bits >>= 4;
        hash = (hash ^ request->text[i]) * UINT64_C(0x100000001b3);
    }
    request->hash = (uint32_t)(hash ^ hash >> 32);
}

/* Small numbers are more frequent: the product of two fractions. */
static uint64_t random_key(struct cache *cache)
{
    uint64_t keys = (uint64_t)cache->capacity * KEYS_PER_ENTRY;
    uint64_t first = random_next(&cache->random) >> 32;
    uint64_t second = random_next(&cache->random) >> 32;
    return (first * second >> 32) * keys >> 32;
}

/* ---- values ----------------------------------------------------------------------------------------- */

/* Its length follows from the number of the operation that makes it, and so do its words. */
static uint16_t value_length(uint64_t operation)
{
    uint64_t state = operation;
    return (uint16_t)(VALUE_MIN + random_below(&state, VALUE_SPREAD));
}

static uint64_t *new_value(struct memory *memory, struct cache *cache, uint16_t length)
{
    uint64_t *value = memory_words(memory, cache->value_type, length);
    for (size_t i = 0; i < length; i++)
        value[i] = cache->operation + i;
    live_add(&cache->live, 1, length * sizeof(uint64_t));
    return value;
}

static void read_value(struct cache *cache, const struct entry *entry)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < entry->value_length; i++)
        sum += entry->value[i];
    cache->checksum = checksum_add(cache->checksum, sum);
}

static void replace_value(struct memory *memory, struct cache *cache, struct locals *local)
{
    uint16_t length = value_length(cache->operation);
    uint64_t *value = new_value(memory, cache, length);
    struct entry *entry = local->entry;
    uint64_t *old = entry->value;
    live_remove(&cache->live, 1, entry->value_length * sizeof(uint64_t));
    memory_store(memory, entry, &entry->value, value);
    entry->value_length = length;
    memory_free(memory, old);
}

/* ---- the table and the list ------------------------------------------------------------------------- */

static struct entry *find(const struct cache *cache, const struct locals *local, const unsigned char *key,
                          const struct request *request)
{
    struct entry *entry = local->chains[request->hash & (cache->capacity - 1)];
    while (entry != NULL && (entry->hash != request->hash || entry->key_length != request->length ||
                             memcmp(entry->key, key, request->length) != 0))
        entry = entry->chain;
    return entry;
}

static void unlink_from_list(struct memory *memory, struct locals *local, struct entry *entry)
{
    if (entry->newer != NULL)
        memory_store(memory, entry->newer, &entry->newer->older, entry->older);
    else
        local->newest = entry->older;
    if (entry->older != NULL)
        memory_store(memory, entry->older, &entry->older->newer, entry->newer);
    else
        local->oldest = entry->newer;
}

static void link_to_list(struct memory *memory, struct locals *local, struct entry *entry)
{
    memory_store(memory, entry, &entry->newer, NULL);
    memory_store(memory, entry, &entry->older, local->newest);
    if (local->newest != NULL)
        memory_store(memory, local->newest, &local->newest->newer, entry);
    else
        local->oldest = entry;
    local->newest = entry;
}

static void unlink_from_chain(struct memory *memory, const struct cache *cache, struct locals *local,
                              const struct entry *entry)
{
    struct entry **head = &local->chains[entry->hash & (cache->capacity - 1)];
    if (*head == entry) {
        memory_store(memory, local->chains, head, entry->chain);
        return;
    }
    struct entry *before = *head;
    while (before->chain != entry)
        before = before->chain;
    memory_store(memory, before, &before->chain, entry->chain);
}

/* Else a word left on a stack that is scanned would keep, by way of a dead entry, all that were newer than it. */
static void clear_links(struct memory *memory, struct entry *entry)
{
    memory_store(memory, entry, &entry->newer, NULL);
    memory_store(memory, entry, &entry->older, NULL);
    memory_store(memory, entry, &entry->chain, NULL);
}

static void evict_oldest(struct memory *memory, struct cache *cache, struct locals *local)
{
    struct entry *entry = local->oldest;
    cache->checksum = checksum_add(cache->checksum, entry->hash + entry->value[0]);
    unlink_from_list(memory, local, entry);
    unlink_from_chain(memory, cache, local, entry);
    clear_links(memory, entry);
    live_remove(&cache->live, 1, sizeof *entry);
    live_remove(&cache->live, 1, entry->key_length);
    live_remove(&cache->live, 1, entry->value_length * sizeof(uint64_t));
    memory_free(memory, entry->key);
    memory_free(memory, entry->value);
    memory_free(memory, entry);
    cache->count--;
}

/* `key` is the request's string, and becomes the entry's. */
static void add_entry(struct memory *memory, struct cache *cache, struct locals *local,
                      unsigned char *const *key, const struct request *request)
{
    local->entry = memory_record(memory, cache->entry_type, sizeof *local->entry);
    memory_initialize(&local->entry->key, *key);
    memory_null(&local->entry->value);
    memory_null(&local->entry->newer);
    memory_null(&local->entry->older);
    memory_null(&local->entry->chain);
    local->entry->hash = request->hash;
    local->entry->key_length = request->length;
    local->entry->value_length = value_length(cache->operation);
    uint64_t *value = new_value(memory, cache, local->entry->value_length);
    memory_store(memory, local->entry, &local->entry->value, value);
    live_add(&cache->live, 1, sizeof *local->entry);
    live_add(&cache->live, 1, request->length);
    struct entry **head = &local->chains[request->hash & (cache->capacity - 1)];
    memory_store(memory, local->entry, &local->entry->chain, *head);
    memory_store(memory, local->chains, head, local->entry);
    link_to_list(memory, local, local->entry);
    cache->count++;
    live_note_most(&cache->most_live, &cache->live);
}

/* ---- the program ------------------------------------------------------------------------------------ */

static void use_entry(struct memory *memory, struct cache *cache, struct locals *local)
{
    read_value(cache, local->entry);
    if (local->newest != local->entry) {
        unlink_from_list(memory, local, local->entry);
        link_to_list(memory, local, local->entry);
    }
    if (cache->operation % REPLACE_EVERY == 0)
        replace_value(memory, cache, local);
}

static void operate(struct memory *memory, struct cache *cache, struct locals *local)
{
    struct request request;
    make_request(&request, random_key(cache));
    struct {
        unsigned char *key;
    } own = {memory_bytes(memory, cache->key_type, request.length)};
    memory_frame frame;
    memory_push(memory, &frame, &own, 1);
    memcpy(own.key, request.text, request.length);
    local->entry = find(cache, local, own.key, &request);
    if (local->entry != NULL) {
        memory_free(memory, own.key);
        use_entry(memory, cache, local);
    } else {
        if (cache->count == cache->capacity)
            evict_oldest(memory, cache, local);
        add_entry(memory, cache, local, &own.key, &request);
    }
    memory_pop(memory, &frame);
}

void workload_run(struct memory *memory, struct run *run)
{
    const struct sizes *size = &sizes[run->scale];
    struct cache cache = {.entry_type = manager_record("entry", sizeof(struct entry), ENTRY_REFERENCES),
                          .key_type = manager_bytes("key"),
                          .value_type = manager_words("value"),
                          .capacity = size->capacity,
                          .random = run->seed};
    struct locals local = {NULL, NULL, NULL, NULL};
    memory_frame frame;
    memory_push(memory, &frame, &local, LOCALS);
    local.chains = memory_references(memory, manager_references("chains"), size->capacity);
    live_add(&cache.live, 1, size->capacity * sizeof(void *));
    latency_begin(run);
    for (; cache.operation < size->operations; cache.operation++) {
        operate(memory, &cache, &local);
        latency_operation(run);
    }
    for (local.entry = local.oldest; local.entry != NULL; local.entry = local.entry->newer)
        read_value(&cache, local.entry);
    memory_pop(memory, &frame);
    run->checksum = cache.checksum;
    run->operations = size->operations;
    run->live = cache.most_live;
}
