#include "tests/support/chains.h"

struct link {
    struct link *next;
    uint64_t stamp;
    unsigned char bytes[];
};

/* What link number `index` of a chain holds. */
struct contents {
    uint64_t stamp;
    size_t length;
    unsigned char byte;
};

static unsigned chain_length(uint64_t seed)
{
    return (unsigned)(seed % 7) + 1;
}

static struct contents contents_of(uint64_t seed, unsigned index)
{
    struct test_random random = test_random_make(seed, index);
    struct contents contents = {.stamp = test_random_next(&random)};
    size_t limit = test_random_chance(&random, 5) ? 9000 : 200;
    contents.length = test_random_below(&random, limit);
    contents.byte = (unsigned char)test_random_next(&random);
    return contents;
}

static const shale_type *register_types(struct chains *chains, shale_heap *heap)
{
    static const uint32_t first[] = {0};
    chains->link_type = shale_type_register(
        heap,
        &(shale_type_spec){
            .name = "link", .size = 16, .pointers = first, .pointer_count = 1, .element_size = 1},
        NULL);
    return shale_type_register(
        heap,
        &(shale_type_spec){
            .name = "table", .element_size = 8, .element_pointers = first, .element_pointer_count = 1},
        NULL);
}

bool chains_open(struct chains *chains, shale_heap *heap, uint64_t seed)
{
    *chains = (struct chains){.random = test_random_make(seed, 0)};
    chains->mutator = shale_attach(heap, NULL);
    if (chains->mutator == NULL)
        return false;
    chains->table_type = register_types(chains, heap);
    chains->locals.table = shale_allocate_array(chains->mutator, chains->table_type, CHAINS);
    if (chains->locals.table == NULL) {
        shale_detach(chains->mutator);
        return false;
    }
    shale_frame_push(chains->mutator, &chains->frame, &chains->locals, 2);
    return true;
}

void chains_close(struct chains *chains)
{
    shale_frame_pop(chains->mutator, &chains->frame);
    shale_detach(chains->mutator);
}

/* The first link holds what has the highest index. */
static bool make_chain(struct chains *chains, uint64_t seed)
{
    chains->locals.chain = NULL;
    for (unsigned index = 0; index < chain_length(seed); index++) {
        struct contents contents = contents_of(seed, index);
        struct link *link = shale_allocate_array(chains->mutator, chains->link_type, contents.length);
        if (link == NULL)
            return false;
        link->next = chains->locals.chain;
        link->stamp = contents.stamp;
        for (size_t i = 0; i < contents.length; i++)
            link->bytes[i] = contents.byte;
        chains->locals.chain = link;
        chains->links_made++;
    }
    return true;
}

bool chains_run(struct chains *chains, unsigned steps)
{
    for (unsigned step = 0; step < steps; step++) {
        size_t number = test_random_below(&chains->random, CHAINS);
        uint64_t seed = test_random_chance(&chains->random, 10) ? 0 : test_random_next(&chains->random) | 1;
        chains->locals.chain = NULL;
        if (seed != 0 && !make_chain(chains, seed))
            return false;
        void **table = chains->locals.table;
        shale_store(chains->mutator, table, &table[number], chains->locals.chain);
        chains->seeds[number] = seed;
        shale_poll(chains->mutator);
    }
    return true;
}

static const char *check_link(const struct chains *chains, const struct link *link, struct contents contents)
{
    if (shale_type_of(chains->mutator, link) != chains->link_type)
        return "a link has another type";
    if (shale_length_of(link) != contents.length)
        return "a link has another length";
    if (link->stamp != contents.stamp)
        return "a link has another stamp";
    for (size_t i = 0; i < contents.length; i++) {
        if (link->bytes[i] != contents.byte)
            return "a link's bytes were changed";
    }
    return NULL;
}

const char *chains_check(struct chains *chains)
{
    if (shale_length_of(chains->locals.table) != CHAINS)
        return "the table has another length";
    for (unsigned number = 0; number < CHAINS; number++) {
        const struct link *link = chains->locals.table[number];
        uint64_t seed = chains->seeds[number];
        for (unsigned index = seed != 0 ? chain_length(seed) : 0; index-- > 0; link = link->next) {
            if (link == NULL)
                return "a chain is too short";
            const char *wrong = check_link(chains, link, contents_of(seed, index));
            if (wrong != NULL)
                return wrong;
        }
        if (link != NULL)
            return "a chain is too long";
    }
    return NULL;
}
