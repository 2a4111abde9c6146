#include "tests/support/exchange.h"

#include "tests/support/stress_support.h"

enum { DEPTH_MAX = 20, KEPT = 3 };

struct parcel {
    struct parcel *rest;
    uint64_t serial;
    uint64_t check; /* of the serial number and the depth */
    uint64_t depth; /* parcels from here on */
};

static uint64_t check_of(const struct parcel *parcel)
{
    return stress_mix(parcel->serial * 64 + parcel->depth);
}

static void check_parcel(const struct parcel *parcel)
{
    uint64_t depth = parcel != NULL ? parcel->depth : 0;
    STRESS_CHECK(depth <= DEPTH_MAX, "a parcel at %p has depth %llu", (const void *)parcel,
                 (unsigned long long)depth);
    for (; parcel != NULL; parcel = parcel->rest, depth--)
        STRESS_CHECK(depth != 0 && parcel->depth == depth && parcel->check == check_of(parcel),
                     "a parcel at %p holds serial number %llu, depth %llu, check %#llx", (const void *)parcel,
                     (unsigned long long)parcel->serial, (unsigned long long)parcel->depth,
                     (unsigned long long)parcel->check);
    STRESS_CHECK(depth == 0, "%llu parcels are missing", (unsigned long long)depth);
}

/* ---- places ----------------------------------------------------------------------------------------- */

static void *load(void *place)
{
    return (void *)(uintptr_t)__atomic_load_n((uint64_t *)place, __ATOMIC_ACQUIRE);
}

static void **array_of(struct exchange *exchange)
{
    return load(&exchange->roots[0]);
}

/* A root, or with `array` set a slot of it. No safepoint may lie between this and the use of the place. */
static void **random_place(struct exchange *exchange, struct stress_random *random, void **array)
{
    uint32_t draw = stress_random_below(random, EXCHANGE_ROOTS - 1 + EXCHANGE_SLOTS);
    if (draw < EXCHANGE_ROOTS - 1) {
        *array = NULL;
        return &exchange->roots[1 + draw];
    }
    void **slots = array_of(exchange);
    *array = slots;
    return &slots[draw - (EXCHANGE_ROOTS - 1)];
}

static struct parcel *load_random(struct exchange *exchange, struct stress_random *random)
{
    void *array;
    return load(random_place(exchange, random, &array));
}

static void store_random(struct exchange *exchange, shale_mutator *mutator, struct stress_random *random,
                         struct parcel *parcel)
{
    void *array;
    void **place = random_place(exchange, random, &array);
    if (array != NULL)
        shale_store(mutator, array, place, parcel);
    else
        shale_store_root(mutator, place, parcel);
}

static void move_random(struct exchange *exchange, shale_mutator *mutator, struct stress_random *random)
{
    void **slots = array_of(exchange);
    uint32_t from = stress_random_below(random, EXCHANGE_SLOTS);
    uint32_t to = stress_random_below(random, EXCHANGE_SLOTS);
    uint32_t longest = EXCHANGE_SLOTS - (from > to ? from : to);
    shale_move_slots(mutator, slots, &slots[to], &slots[from], stress_random_below(random, longest + 1));
}

static void fill_random(struct exchange *exchange, shale_mutator *mutator, struct stress_random *random,
                        struct parcel *parcel)
{
    void **slots = array_of(exchange);
    uint32_t from = stress_random_below(random, EXCHANGE_SLOTS);
    uint32_t count = stress_random_below(random, 8);
    if (count > EXCHANGE_SLOTS - from)
        count = EXCHANGE_SLOTS - from;
    shale_fill_slots(mutator, slots, &slots[from], count, parcel);
}

/* Gives a handle away for the one that was there. */
static void swap_handle(struct exchange *exchange, shale_mutator *mutator, struct stress_random *random,
                        struct parcel *parcel)
{
    shale_handle *handle = NULL;
    if (parcel != NULL) {
        handle = shale_handle_create(mutator, parcel);
        STRESS_CHECK(handle != NULL, "no handle");
    }
    handle = __atomic_exchange_n(&exchange->handles[stress_random_below(random, EXCHANGE_HANDLES)], handle,
                                 __ATOMIC_ACQ_REL);
    if (handle == NULL)
        return;
    check_parcel(shale_handle_get(handle));
    store_random(exchange, mutator, random, shale_handle_get(handle));
    STRESS_CHECK(shale_handle_drop(mutator, handle) == SHALE_OK, "dropping a handle");
}

/* ---- use -------------------------------------------------------------------------------------------- */

static void put_new(struct exchange *exchange, shale_mutator *mutator, struct stress_random *random,
                    struct parcel **kept)
{
    *kept = load_random(exchange, random);
    struct parcel *parcel = shale_allocate(mutator, exchange->parcel);
    if (parcel == NULL)
        return; /* the heap is full */
    if (*kept != NULL && (*kept)->depth < DEPTH_MAX)
        parcel->rest = *kept;
    parcel->depth = parcel->rest != NULL ? parcel->rest->depth + 1 : 1;
    parcel->serial = __atomic_add_fetch(&exchange->serial, 1, __ATOMIC_RELAXED);
    parcel->check = check_of(parcel);
    store_random(exchange, mutator, random, parcel);
    *kept = parcel;
}

static void use_once(struct exchange *exchange, shale_mutator *mutator, struct stress_random *random,
                     struct parcel **kept)
{
    uint32_t draw = stress_random_below(random, 100);
    if (draw < 30) {
        put_new(exchange, mutator, random, kept);
    } else if (draw < 50) {
        store_random(exchange, mutator, random, load_random(exchange, random));
    } else if (draw < 60) {
        store_random(exchange, mutator, random, NULL);
    } else if (draw < 68) {
        move_random(exchange, mutator, random);
    } else if (draw < 70) {
        fill_random(exchange, mutator, random, load_random(exchange, random));
    } else if (draw < 75) {
        swap_handle(exchange, mutator, random, load_random(exchange, random));
    } else if (draw < 85) {
        *kept = load_random(exchange, random);
    } else if (draw < 90) {
        shale_poll(mutator);
    } else {
        check_parcel(load_random(exchange, random));
    }
    check_parcel(*kept);
}

void exchange_use(struct exchange *exchange, shale_mutator *mutator, struct stress_random *random)
{
    struct parcel *kept[KEPT] = {NULL};
    shale_frame frame;
    shale_frame_push(mutator, &frame, kept, KEPT);
    for (unsigned steps = 1 + stress_random_below(random, 40); steps != 0; steps--)
        use_once(exchange, mutator, random, &kept[stress_random_below(random, KEPT)]);
    shale_frame_pop(mutator, &frame);
}

static void show_roots(void *context, shale_visitor *visitor)
{
    struct exchange *exchange = context;
    shale_visit_pointers(visitor, exchange->roots, EXCHANGE_ROOTS);
}

void exchange_init(struct exchange *exchange, shale_heap *heap, shale_mutator *mutator)
{
    static const uint32_t pointers[] = {0};
    *exchange = (struct exchange){.heap = heap};
    exchange->parcel = shale_type_register(
        heap,
        &(shale_type_spec){
            .name = "parcel", .size = sizeof(struct parcel), .pointers = pointers, .pointer_count = 1},
        NULL);
    exchange->array = shale_type_register(heap,
                                          &(shale_type_spec){.name = "exchange",
                                                             .element_size = sizeof(void *),
                                                             .element_pointers = pointers,
                                                             .element_pointer_count = 1},
                                          NULL);
    STRESS_CHECK(exchange->parcel != NULL && exchange->array != NULL, "no type");
    exchange->visitor = shale_heap_root_visitor_add(heap, show_roots, exchange);
    STRESS_CHECK(exchange->visitor != NULL, "no heap root visitor");
    void *array = shale_allocate_array(mutator, exchange->array, EXCHANGE_SLOTS);
    STRESS_CHECK(array != NULL, "no memory");
    shale_store_root(mutator, &exchange->roots[0], array);
}

void exchange_end(struct exchange *exchange, shale_mutator *mutator)
{
    void **slots = array_of(exchange);
    for (int i = 0; i < EXCHANGE_SLOTS; i++)
        check_parcel(slots[i]);
    for (int i = 1; i < EXCHANGE_ROOTS; i++)
        check_parcel(exchange->roots[i]);
    for (int i = 0; i < EXCHANGE_HANDLES; i++) {
        if (exchange->handles[i] == NULL)
            continue;
        check_parcel(shale_handle_get(exchange->handles[i]));
        STRESS_CHECK(shale_handle_drop(mutator, exchange->handles[i]) == SHALE_OK, "dropping a handle");
    }
    STRESS_CHECK(shale_root_visitor_remove(exchange->visitor) == SHALE_OK, "removing a visitor");
}
