/* Packets and their two stacks: order, limits, giving memory back, and four threads that hand them on. */
#include "gc/packet.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void stacks_are_last_in_first_out(void **state)
{
    (void)state;
    struct packet_pool pool;
    assert_int_equal(packet_pool_create(&pool, os_linux(), 3), 0);
    assert_true(packet_none_full(&pool));
    assert_null(packet_take_full(&pool));
    struct packet *packets[3];
    for (int i = 0; i < 3; i++) {
        packets[i] = packet_take_free(&pool);
        assert_non_null(packets[i]);
        assert_int_equal(packets[i]->count, 0);
        assert_false(packets[i]->shaded);
        packets[i]->count = PACKET_ENTRIES;
        packets[i]->shaded = true;
    }
    assert_null(packet_take_free(&pool));
    for (int i = 0; i < 3; i++)
        packet_give_full(&pool, packets[i]);
    assert_false(packet_none_full(&pool));
    for (int i = 3; i-- > 0;) {
        assert_ptr_equal(packet_take_full(&pool), packets[i]);
        assert_int_equal(packets[i]->count, PACKET_ENTRIES);
        packet_give_free(&pool, packets[i]);
    }
    assert_true(packet_none_full(&pool));
    /* What is taken again is empty. */
    struct packet *again = packet_take_free(&pool);
    assert_ptr_equal(again, packets[0]);
    assert_int_equal(again->count, 0);
    assert_false(again->shaded);
    packet_pool_destroy(&pool);
}

/* A pop that was interrupted between reading the head and changing it must fail when the same packet is first again, with
 * another one below it. */
static void heads_with_the_same_first_packet_differ(void **state)
{
    (void)state;
    struct packet_pool pool;
    assert_int_equal(packet_pool_create(&pool, os_linux(), 2), 0);
    struct packet *below = packet_take_free(&pool);
    struct packet *first = packet_take_free(&pool);
    packet_give_free(&pool, below);
    packet_give_free(&pool, first);
    uint64_t before = atomic_u64_load(&pool.free.head);
    assert_ptr_equal(packet_take_free(&pool), first);
    assert_ptr_equal(packet_take_free(&pool), below);
    packet_give_free(&pool, first);
    uint64_t after = atomic_u64_load(&pool.free.head);
    assert_int_equal((uint32_t)before, (uint32_t)after);
    assert_int_not_equal(before, after);
    packet_pool_destroy(&pool);
}

/* After many were in use their memory is given back, and all can be had again, each once. */
static void trimmed_pool_has_all_its_packets(void **state)
{
    (void)state;
    enum { LIMIT = 1000 };
    struct packet_pool pool;
    assert_int_equal(packet_pool_create(&pool, os_linux(), LIMIT), 0);
    for (int round = 0; round < 3; round++) {
        struct packet *packets[LIMIT];
        static bool taken[LIMIT];
        for (int i = 0; i < LIMIT; i++)
            taken[i] = false;
        for (int i = 0; i < LIMIT; i++) {
            packets[i] = packet_take_free(&pool);
            assert_non_null(packets[i]);
            assert_false(taken[packets[i] - pool.packets]);
            taken[packets[i] - pool.packets] = true;
            packets[i]->entries[PACKET_ENTRIES - 1] = 7;
        }
        assert_null(packet_take_free(&pool));
        for (int i = 0; i < LIMIT; i++)
            packet_give_free(&pool, packets[i]);
        packet_pool_trim(&pool);
        assert_int_equal(atomic_u32_load(&pool.untouched), 0);
        assert_int_equal(pool.packets[LIMIT - 1].entries[PACKET_ENTRIES - 1], 0);
    }
    packet_pool_destroy(&pool);
}

/* ---- four threads ----------------------------------------------------------------------------------- */

/* So few that the same ones come back at once, which is what a stack without a count of changes trips over. */
enum { THREADS = 4, FEW = 5 };

struct crowd {
    struct packet_pool pool;
    uint32_t owner[FEW]; /* atomic: 0, or 1 + the thread that has it */
    unsigned rounds;
    uint32_t wrong; /* atomic */
    uint64_t offered[THREADS];
    uint64_t taken[THREADS];
};

struct member {
    struct crowd *crowd;
    unsigned index;
};

static void own(struct crowd *crowd, const struct packet *packet, uint32_t before, uint32_t after)
{
    uint32_t expected = before;
    if (!__atomic_compare_exchange_n(&crowd->owner[packet - crowd->pool.packets], &expected, after, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        __atomic_store_n(&crowd->wrong, 1, __ATOMIC_SEQ_CST);
}

static void fill_one(struct crowd *crowd, unsigned index, struct test_random *random)
{
    struct packet *packet = packet_take_free(&crowd->pool);
    if (packet == NULL)
        return;
    own(crowd, packet, 0, 1 + index);
    if (packet->count != 0)
        __atomic_store_n(&crowd->wrong, 1, __ATOMIC_SEQ_CST);
    packet->count = (uint16_t)test_random_between(random, 1, 20);
    for (unsigned i = 0; i < packet->count; i++) {
        packet->entries[i] = (granule_number)test_random_below(random, 1000);
        crowd->offered[index] += packet->entries[i];
    }
    own(crowd, packet, 1 + index, 0);
    packet_give_full(&crowd->pool, packet);
}

static void empty_one(struct crowd *crowd, unsigned index)
{
    struct packet *packet = packet_take_full(&crowd->pool);
    if (packet == NULL)
        return;
    own(crowd, packet, 0, 1 + index);
    for (unsigned i = 0; i < packet->count; i++)
        crowd->taken[index] += packet->entries[i];
    own(crowd, packet, 1 + index, 0);
    packet_give_free(&crowd->pool, packet);
}

static void *jostle(void *argument)
{
    struct member *member = argument;
    struct test_random random = test_random_make(test_seed(), 100 + member->index);
    for (unsigned i = 0; i < member->crowd->rounds; i++) {
        if (test_random_chance(&random, 50))
            fill_one(member->crowd, member->index, &random);
        else
            empty_one(member->crowd, member->index);
    }
    return NULL;
}

static void packets_are_conserved(void **state)
{
    (void)state;
    static struct crowd crowd;
    crowd = (struct crowd){.rounds = test_rounds(400000, 50000)};
    assert_int_equal(packet_pool_create(&crowd.pool, os_linux(), FEW), 0);
    test_seed();
    struct member members[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        members[i] = (struct member){&crowd, i};
        assert_int_equal(pthread_create(&threads[i], NULL, jostle, &members[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.wrong, 0);
    uint64_t sum = 0;
    for (unsigned i = 0; i < THREADS; i++)
        sum += crowd.offered[i] - crowd.taken[i];
    for (struct packet *packet; (packet = packet_take_full(&crowd.pool)) != NULL;) {
        for (unsigned i = 0; i < packet->count; i++)
            sum -= packet->entries[i];
        packet_give_free(&crowd.pool, packet);
    }
    assert_int_equal(sum, 0);
    unsigned count = 0;
    for (struct packet *packet; (packet = packet_take_free(&crowd.pool)) != NULL; count++)
        own(&crowd, packet, 0, 1);
    assert_int_equal(count, FEW);
    assert_int_equal(crowd.wrong, 0);
    packet_pool_destroy(&crowd.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_are_last_in_first_out),
        cmocka_unit_test(heads_with_the_same_first_packet_differ),
        cmocka_unit_test(trimmed_pool_has_all_its_packets),
        cmocka_unit_test(packets_are_conserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
