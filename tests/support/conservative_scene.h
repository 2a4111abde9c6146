/*
 * What tests of conservative roots have in common: a heap with one conservative mutator, objects that nothing but weak handles know,
 * and lists that only locals hold.
 *
 * Tests keep addresses only in disguise, as a compiler would not, so that nothing but the words that they mean to put on the stack
 * points at objects. Words that earlier calls left behind may, by chance; so of what should be dead, most must be.
 */
#ifndef SHALE_TESTS_CONSERVATIVE_SCENE_H
#define SHALE_TESTS_CONSERVATIVE_SCENE_H

#include "tests/support/stress_support.h"

struct cell {
    struct cell *next;
    uint64_t number;
};

struct scene {
    shale_heap *heap;
    shale_mutator *mutator;
    const shale_type *cell;
    const shale_type *bytes;
};

enum { DISGUISE = 0x5a };

static inline uintptr_t disguise(const void *address)
{
    return ~(uintptr_t)address ^ DISGUISE;
}

static inline void *reveal(uintptr_t disguised)
{
    return (void *)~(disguised ^ DISGUISE); // NOLINT(performance-no-int-to-ptr)
}

/* Overwrites what earlier calls left below. */
void clear_stack(void);

void scene_set_up_mode(struct scene *scene, enum stress_mode mode, shale_encoding encoding);
void scene_set_up(struct scene *scene);
void scene_tear_down(struct scene *scene);

/* Collects, with everything moved that can be. */
void scene_move_all(struct scene *scene);

enum { OBJECTS = 64, LENGTH = 40 };

/* Objects that nothing but weak handles know, among others that keep them apart. */
struct objects {
    shale_weak_handle *handles[OBJECTS];
    uintptr_t addresses[OBJECTS];
    size_t lengths[OBJECTS];
};

void objects_make(struct scene *scene, struct objects *objects);
bool objects_is_in_place(struct scene *scene, const struct objects *objects, size_t index);
bool objects_is_dead(struct scene *scene, const struct objects *objects, size_t index);

/* A list, with garbage between its cells. Also on threads of a test's, so failures end the program. */
struct cell *list_make(shale_mutator *mutator, const shale_type *type);
void list_check(const struct cell *list);

#endif
