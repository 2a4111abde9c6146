/*
 * A random heap in a struct memory, without threads or a collector, and a naive model of it.
 *
 * Objects are written through the alias view. The model knows each one's place, type and length; everything
 * else it reads from the memory. What the collector works out with bitmaps and prefix counts, the model works
 * out by walking objects one by one.
 */
#ifndef SHALE_TESTS_MODEL_HEAP_H
#define SHALE_TESTS_MODEL_HEAP_H

#include "gc/plan.h"
#include "tests/support/model_types.h"

enum { MODEL_ROOTS = 64, MODEL_LARGE_MAX = 256 };

/* What is known of an object's identity hash. */
enum model_hash {
    MODEL_UNASKED,
    MODEL_ASKED, /* it is that of the place where the object is */
    MODEL_LATE,  /* it was asked for after the plan was made */
    MODEL_STORED
};

struct model_object {
    enum model_type type;
    size_t length;
    size_t offset; /* of its address */
    size_t size;   /* bytes, header included */
    bool live;
    bool moves;
    size_t moved_to;   /* offset after the cycle; `offset` if it stays */
    size_t moved_size; /* bytes then */
    enum model_hash hash;
    uint64_t hash_value; /* what was answered; 0: nobody has asked */
};

struct model {
    struct memory memory;
    struct test_random *random;
    enum model_encoding encoding;
    struct type *types[MODEL_TYPES];
    struct model_object *objects;
    size_t count;
    size_t capacity;
    uint32_t *at; /* per granule of the regions: 1 + the index of the object whose address it is */
    uint32_t larges[MODEL_LARGE_MAX]; /* indices of large objects, those that have died in between too */
    size_t large_count;
    /* Even ones are pointers, odd ones values. */
    uint64_t roots[MODEL_ROOTS];
};

void model_create(struct model *model, const struct os *os, size_t size, struct test_random *random);
void model_destroy(struct model *model);

/* How to fill a heap. */
struct model_fill {
    unsigned regions;       /* to fill */
    unsigned live_percent;  /* of objects, at most; each region gets its own */
    unsigned stuck_percent; /* of regions that cannot move, because a mutator has them */
    unsigned hash_percent;  /* of objects whose identity hash was asked for, or is stored already */
};

/* Fills regions with random objects. Live ones refer to live ones, to nothing, or outside; dead ones to
 * anything. Roots refer to live ones. */
void model_fill(struct model *model, const struct model_fill *fill);

/* Adds an object that was made at an offset by other means; its header is written already. Of large objects there may be
 * MODEL_LARGE_MAX. */
struct model_object *model_add(struct model *model, enum model_type type, size_t length, size_t offset);

/* Fills an object's payload with random words and references to live objects. */
void model_fill_object(struct model *model, const struct model_object *object);

/* Asks for an object's hash, as a mutator does, and checks the answer against the one before. `plan`: NULL while
 * there is none. */
void model_ask(struct model *model, const struct plan *plan, struct model_object *object);

/* Asks for the hashes of about so many objects of a hundred. */
void model_ask_some(struct model *model, const struct plan *plan, unsigned percent);

/* After compaction, the model not yet advanced: every hash is what it was. */
void model_check_hashes(struct model *model, const struct plan *plan);

/* Sets `live` for exactly what can be reached from the roots. */
void model_trace(struct model *model);

/* Sets live bits and the regions' counts for live objects, as marking does. */
void model_set_live_bits(struct model *model);

/* The object at an address, NULL when there is none, or it is outside the heap. */
struct model_object *model_find(const struct model *model, uint64_t address);

/* The object that a slot's word refers to, NULL when to none. */
struct model_object *model_target(const struct model *model, uint64_t word, bool value);

/* The word with the address it holds replaced. */
uint64_t model_with_address(const struct model *model, uint64_t word, bool value, uint64_t address);

uint64_t model_address(const struct model *model, const struct model_object *object);
char *model_payload(const struct model *model, size_t offset);

/* Sets `moves`, `moved_to` and `moved_size` of all live objects, by the rules in plan.h, from the plan's two lists of regions
 * alone; objects of regions that were held back stay. */
void model_place(struct model *model, const struct plan *plan);

/* After compaction: the model follows the heap, and forgets what is not live. */
void model_advance(struct model *model);

/* Whether an object is in a region; the others are large. */
bool model_in_region(const struct model *model, const struct model_object *object);

/* Bytes from the heap's start up to which there are objects that a flip is about, and so the size of an image. */
size_t model_end(const struct model *model);

/* What the whole heap must hold after compaction: evacuated regions and everything that is not a live object
 * as before; of the large space only the pages of live objects, if the image is `model_end` bytes long. */
void model_expect(const struct model *model, char *image);

/* Sets for each page that live bytes, other than a header alone, will be on it if they will. */
void model_pages_with_contents(const struct model *model, bool *has);

/* The first byte at which the heap is not as expected; SIZE_MAX when all is. */
size_t model_first_difference(const struct model *model, const char *image);

#endif
