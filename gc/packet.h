/*
 * Packets of marking work, and the two lock-free stacks that hold the full and the free ones.
 *
 * [packet] A packet belongs to one thread from when it is taken until it is given back, and then to a stack; its
 * entries are plain fields of its owner. An entry is a granule number: of a marked object whose slots are to be
 * looked at; in a packet that is `shaded`, of an object that is to be marked.
 *
 * The number of packets is fixed, so that however deep or wide a graph is, marking takes bounded memory; what is to be
 * done when none is left says trace.h. A packet's memory is not touched before it is first used.
 *
 * The stacks are linked lists of packet numbers. A head holds the number of the first packet and a count of changes
 * that makes two states with the same first packet differ; so the comparison in pop cannot mistake a packet that
 * was taken and given back meanwhile for one that never moved. Who pops reads `next` of a packet that another thread
 * may have taken already; the value is then wrong, and so is the count. (libatomic_ops has such stacks, but in Debian 12
 * they are a library under the GPL, which a program that embeds a collector cannot be made to accept.)
 *
 * Orderings: a push releases what its thread wrote to the packet, a pop acquires it.
 */
#ifndef SHALE_GC_PACKET_H
#define SHALE_GC_PACKET_H

#include "heap/memory.h"

/* With its head a packet has 2 KiB: large enough that taking and giving are rare, small enough to share work. */
enum { PACKET_ENTRIES = 510 };

struct packet {
    atomic_u32 next; /* on a stack: 1 + the number of the packet below; 0: none */
    uint16_t count;
    bool shaded;
    granule_number entries[PACKET_ENTRIES];
};

struct packet_stack {
    atomic_u64 head; /* 1 + the number of the first packet, and above bit 32 the count of changes */
};

struct packet_pool {
    const struct os *os;
    struct packet *packets;
    uint32_t limit;
    atomic_u32 untouched; /* packets from this number on were never used since the pool was trimmed */
    struct packet_stack free;
    struct packet_stack full; /* those with work in them */
};

/* Room for `limit` packets. Returns 0 or a negative errno value. */
int packet_pool_create(struct packet_pool *pool, const struct os *os, uint32_t limit);
void packet_pool_destroy(struct packet_pool *pool);

/* An empty packet; NULL when all are in use. */
struct packet *packet_take_free(struct packet_pool *pool);
void packet_give_free(struct packet_pool *pool, struct packet *packet);

/* A packet with work; NULL when there is none. */
struct packet *packet_take_full(struct packet_pool *pool);
void packet_give_full(struct packet_pool *pool, struct packet *packet);

/* Whether there is none with work. Ordered with everything before and after it. */
bool packet_none_full(const struct packet_pool *pool);

/* No packet is in use by anyone: gives their memory back when there were many. */
void packet_pool_trim(struct packet_pool *pool);

#endif
